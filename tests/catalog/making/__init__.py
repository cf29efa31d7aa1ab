"""Writes the catalog of public benchmarks: `python -m tests.catalog.making`."""
