"""Three jobs that wait for a file, so that commands meet them while they run."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.workspaces import Bench

JOB = """\
echo began $EVALMAKE_SEED
echo "$EVALMAKE_SEED" >> RAN
echo '{"done": 3, "total": 8}' > "$EVALMAKE_PROGRESS"
until test -e GO; do sleep 0.1; done
echo went on
echo '{"accuracy": 0.5}' > $EVALMAKE_OUT/scores.json
"""
NAMES = ["tried/1", "tried/2", "tried/3"]


class WaitingJobs:
    """The jobs wait for the file `go` in a folder that they see; each notes in `ran` that it began."""

    bench: Bench

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench = bench
        self.go, self.ran = folder / "go", folder / "ran"
        bench.job(JOB.replace("GO", str(self.go)).replace("RAN", str(self.ran)))

    def began(self) -> list[str]:
        """The seeds of the jobs that began."""
        return sorted(self.ran.read_text().split()) if self.ran.exists() else []

    def states(self) -> list[tuple[str, str, str]]:
        """What `status --json` tells: names, states, progress."""
        listed = json.loads(self.bench.run("status", "--json").out)
        return [(one["name"], one["state"], one["progress"]) for one in listed]
