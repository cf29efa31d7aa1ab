"""Public benchmarks as Evalfiles, one for each harness; written by `python -m tests.catalog.making`."""
