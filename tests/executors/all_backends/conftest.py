"""All backends at once."""

from __future__ import annotations

import pytest

from tests.executors.all_backends.places import Places
from tests.support.docker_engine import Dockerd
from tests.support.lepton_service import Lepton
from tests.support.slurm_cluster import Cluster


@pytest.fixture
def places(engine: Dockerd, cluster: Cluster, service: Lepton) -> Places:
    """An engine, a cluster and a workspace of Lepton."""
    return Places(engine, cluster, service)
