"""A project with stored attempts for `evalmake audit`, a minute after each other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evalmake.planner.action import Action, ActionResult
from evalmake.scoring.score import Score
from evalmake.store.acceptance import accept_result
from evalmake.store.store import Store
from evalmake.workspace import Workspace
from tests.support.projects import Project, Result

EVALFILE = """\
LIMIT = 10
model acme {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "acme-7b"
}
benchmark sums {
    harness = command
    files   = file("sums.jsonl")
    run     = "sums --all"
}
eval grid {
    model     = acme
    benchmark = sums
    seed      in 1..3
    limit     = LIMIT
    params    = { temperature = 0.5, max_tokens = 100 }
    require accuracy >= 60%
}
"""
BUILD: dict[str, Any] = {
    "version": 1,
    "evalmake": "0.2.0",
    "python": "3.11.2",
    "evalfile": {"name": "Evalfile", "sha256": "a" * 64},
    "includes": [],
    "lock": None,
    "overrides": {},
    "targets": ["grid"],
    "plan": f"sha256:{'b' * 64}",
    "plan_signed_by": [],
    "forced": False,
    "because": "",
    "git": {
        "commit": "c" * 40,
        "branch": "main",
        "remote": "https://git.example.com/evals",
        "dirty": False,
        "difference": "",
        "untracked": 0,
    },
    "user": "ada",
    "host": {
        "name": "lab",
        "system": "Linux 6.1",
        "machine": "x86_64",
        "cpu": "EPYC",
        "cores": 8,
        "memory": 32 << 30,
    },
    "started": "2026-12-01T08:59:00.000+00:00",
}
FORCED = [{"kind": "forced", "subject": "-B adds an attempt", "before": None, "now": None}]
USAGE = {
    "requests": 10,
    "cached": 3,
    "retries": 2,
    "tokens_in": 1200,
    "tokens_out": 340,
    "models": {"acme-7b-2026": 10},
    "fingerprints": {"fp_1": 10},
    "parameters": {"model": {'"acme-7b"': 10}, "temperature": {"0.5": 10}, "max_tokens": {"100": 10}},
}


class Lab:
    """A project whose store gets attempts by hand, a minute after each other."""

    def __init__(self, project: Project, evalfile: str = EVALFILE) -> None:
        self.project = project
        self.minute = 0
        project.write("Evalfile", evalfile)
        project.write("sums.jsonl", "{}\n")

    def action(self, name: str = "grid/1", limit: int = 10) -> Action:
        """The action of a cell, as the Evalfile says it with this limit."""
        with pytest.MonkeyPatch.context() as patched:
            patched.chdir(self.project.root)
            from evalmake.project.command_words import Words

            words = Words.of([name, f"LIMIT={limit}"])
            return Workspace.open(Path("Evalfile"), words.overrides).graph(words.targets).nodes[name].action

    @property
    def store(self) -> Store:
        """The store, opened for writing."""
        return Store.open(self.project.root / ".evalmake/store", "../../Evalfile")

    def add(
        self,
        name: str = "grid/1",
        limit: int = 10,
        status: str = "succeeded",
        detail: str = "",
        value: float = 0.7,
        unscored: int = 0,
        build: Mapping[str, Any] | None = BUILD,
        reasons: list[dict[str, Any]] | None = None,
        usage: Mapping[str, Any] | None = USAGE,
        files: Mapping[str, bytes] | None = None,
        facts: Mapping[str, str] | None = None,
        counts: Mapping[str, float] | None = None,
    ) -> None:
        """Commit one attempt with its outputs."""
        action = self.action(name, limit)
        self.minute += 1
        own = {"version": 1, "executor": {"name": "local", "backend": "process"}, "reasons": reasons or []}
        outputs = {"provenance/build.json": build, "provenance/attempt.json": own if build else None}
        outputs |= {"gateway/usage.json": usage}
        data: dict[str, Path | bytes] = {key: json.dumps(it).encode() for key, it in outputs.items() if it is not None}
        origin = {"user": "ada", "host": "lab", "evalfile": "../../Evalfile", "model": "acme", "benchmark": "sums"}
        record = ActionResult(
            action=action.digest,
            name=name,
            attempt=0,
            status=status,
            identity={part: walk.digest for part, walk in action.parts},
            outputs=(),
            scores=(Score("accuracy", value, 0.1, scored=10 - unscored, unscored=unscored),)
            if status == "succeeded"
            else (),
            metric="accuracy" if status == "succeeded" else "",
            usage=counts or {},
            started=f"2026-12-01T09:{self.minute:02d}:00.000+00:00",
            finished=f"2026-12-01T09:{self.minute:02d}:12.000+00:00",
            seconds=12.0,
            executor="local",
            job=f"j.{self.minute}",
            detail=detail,
            facts={**origin, **(facts or {})},
        )
        with self.store as store:
            store.commit(action, record, {**data, **(files or {})})

    def accept(self, name: str, before: int, because: str) -> None:
        """Let the result with an earlier limit count."""
        with self.store as store:
            old = store.history(self.action(name, before).digest)
            assert old is not None
            accept_result(store, name, self.action(name), old, because)

    def audit(self, *words: str, status: int = 0) -> Result:
        """What `evalmake audit` says."""
        return self.project.run("audit", *words, status=status)

    def story(self, name: str = "grid/1") -> dict[str, Any]:
        """The story of one evaluation, for programs."""
        [group] = json.loads(self.audit(name, "--format", "json").stdout)["groups"]
        [found] = group["evaluations"]
        return dict(found)
