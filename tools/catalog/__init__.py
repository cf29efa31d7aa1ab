"""Writes the catalog of public benchmarks: `python -m tools.catalog`."""
