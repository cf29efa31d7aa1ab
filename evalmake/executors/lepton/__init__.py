"""DGX Cloud Lepton: evaluations as jobs, deployments as endpoints, both found again by their names."""

from evalmake.executors.lepton.executor import LeptonExecutor

__all__ = ["LeptonExecutor"]
