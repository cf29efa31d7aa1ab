"""Slurm: submits jobs in arrays, watches all of them with one squeue, and finds them again by their names."""

from evalmake.executors.slurm.executor import SlurmExecutor

__all__ = ["SlurmExecutor"]
