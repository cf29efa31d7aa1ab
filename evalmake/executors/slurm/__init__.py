"""Slurm: jobs submitted in arrays, watched by few questions, found again by their names."""

from evalmake.executors.slurm.executor import SlurmExecutor

__all__ = ["SlurmExecutor"]
