"""All backends at once."""

from __future__ import annotations

import pytest
from docker_engine import Dockerd
from lepton_service import Lepton
from places import Places
from slurm_cluster import Cluster


@pytest.fixture
def places(engine: Dockerd, cluster: Cluster, service: Lepton) -> Places:
    """An engine, a cluster and a workspace of Lepton."""
    return Places(engine, cluster, service)
