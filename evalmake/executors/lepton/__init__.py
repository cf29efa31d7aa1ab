"""DGX Cloud Lepton: evaluations run as jobs and deployments as endpoints. Their names make them found again."""

from evalmake.executors.lepton.executor import LeptonExecutor

__all__ = ["LeptonExecutor"]
