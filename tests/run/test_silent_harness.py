"""An evaluation of other software that sent its model no request."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evalmake.harnesses.nemo.harness import NemoHarness
from evalmake.language.values import Symbol
from evalmake.plugin_api.executor import JobState, Phase
from evalmake.plugin_api.harness import Outcome, Program
from evalmake.project.adapter import Adapter
from evalmake.project.settings_schema import Settings
from evalmake.run.job_outcome import judge_job
from evalmake.run.secrets import Secrets
from evalmake.scoring.score import Score


class OwnProgram:
    """A harness that runs a program of the user's, and always finds a score."""

    def outcome(self, evaluation: object, outputs: Path, status: int) -> Outcome:
        """A score of ten samples."""
        return Outcome((Score("accuracy", 1.0, scored=10),), "accuracy", {"requests": 10})


class Software(OwnProgram):
    """A harness that runs other software."""

    program = Program("software", "software==1")


def judge(
    folder: Path, harness: type[OwnProgram], adapter: Adapter, requests: int, judge_requests: int | None = None
) -> Outcome:
    """The outcome of a job that sent so many requests; it has a judge if it may have sent it any."""
    for name, count in {"gateway": requests, "gateway-judge": judge_requests}.items():
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "usage.json").write_text(json.dumps({"requests": count} if count else {}))
    settings = None if judge_requests is None else NemoHarness.Settings(judge=Symbol("j"))
    declared = SimpleNamespace(
        block=SimpleNamespace(harness="h", adapter=adapter, name="m"), settings=settings, plugin="h", unasked=""
    )
    cell = SimpleNamespace(model=declared, benchmark=declared, variant=declared)
    task: Any = SimpleNamespace(
        job_id="j",
        tokens=(),
        cancel_reason="",
        node=SimpleNamespace(evaluation=cell),
        last_model_error="",
        cache_error="",
    )
    builder: Any = SimpleNamespace(
        job_folder=lambda job: folder,
        plugins=SimpleNamespace(get=lambda group, name: harness),
        project=SimpleNamespace(settings=Settings.model_construct(), models={"j": declared}),
    )
    return judge_job(builder, Secrets({}), task, JobState(Phase.ENDED, 0))


@pytest.mark.parametrize(
    ("harness", "adapter", "requests", "refused"),
    [
        (Software, Adapter(), 0, True),
        (Software, Adapter(), 10, False),
        (Software, Adapter(requests=Symbol("any")), 0, False),
        (OwnProgram, Adapter(), 0, False),
    ],
)
def test_a_cache_of_its_own(
    tmp_path: Path, harness: type[OwnProgram], adapter: Adapter, requests: int, refused: bool
) -> None:
    """Other software that asked nobody has no valid score, whatever it counts, unless the adapter accepts that."""
    outcome = judge(tmp_path, harness, adapter, requests)
    assert bool(outcome.error) == refused
    if refused:
        assert outcome.error.startswith("it sent its model no request")
        assert "adapter = { requests = any }" in outcome.error
    else:
        assert outcome.usage["requests"] == requests


@pytest.mark.parametrize(("asked", "words"), [(0, "it sent its judge no request"), (3, "")])
def test_a_judge_that_was_asked_nothing(tmp_path: Path, asked: int, words: str) -> None:
    """A result is on record as graded by a judge only if the judge was asked."""
    error = judge(tmp_path, Software, Adapter(), 10, asked).error
    assert error.startswith(words) if words else error == ""
    accepted = judge(tmp_path, Software, Adapter(requests=Symbol("any")), 10, asked)
    assert accepted.error == ""
