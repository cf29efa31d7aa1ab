"""Many jobs are few questions to a cluster."""

from __future__ import annotations

import time
from collections import Counter

from tests.executors.slurm.counted_cells import counted_cells
from tests.support.slurm_cluster import Cluster
from tests.support.workspaces import SCORE

CELLS = 100


def test_few_calls(cluster: Cluster) -> None:
    """A hundred jobs are one call of sbatch, and one squeue each time that the cluster is looked at."""
    with counted_cells(cluster) as work:
        work.write_cells(CELLS, SCORE)
        cluster.wrappers.forget()
        start = time.monotonic()
        ended = work.run("SLOTS=16")
        spent = time.monotonic() - start
        assert ended.status == 0, ended.text
        calls = Counter(words[0] for words in cluster.wrappers.calls())
        assert calls.pop("sbatch") == 1
        assert calls.pop("squeue") <= spent + 2  # looks are a second apart, or more
        assert not calls
        assert work.begun() == Counter(range(1, CELLS + 1))
        assert len(work.scores()) == CELLS
        work.clean()
