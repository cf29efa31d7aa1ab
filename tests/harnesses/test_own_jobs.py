"""Scores of the samples that evalmake's own jobs leave, where other software is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalmake.harnesses.job_requests import write_samples
from evalmake.harnesses.own_jobs import read_modules, read_scores_of_samples

SAMPLE = {"item": "i", "repetition": 1, "error": None}


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a job's outputs."""
    monkeypatch.setenv("EVALMAKE_OUT", str(tmp_path))
    return tmp_path


def test_any_text_may_be_in_a_sample(out: Path) -> None:
    """Also separators of lines that are not ours, and half a pair of surrogates."""
    replies = ("a\u2028b\x85c\nd", "half \ud800")
    write_samples([{**SAMPLE, "id": f"{at}", "scores": {"f": at}, "reply": text} for at, text in enumerate(replies)])
    outcome = read_scores_of_samples(out, 0, "f", None)
    assert outcome.error == ""
    assert (outcome.scores[0].value, outcome.scores[0].scored) == (0.5, 2)


def test_nothing_scored_is_no_zero(out: Path) -> None:
    """The headline is there, without a value."""
    write_samples([{**SAMPLE, "id": "a", "scores": {}, "error": "judge: it is down"}])
    (score,) = read_scores_of_samples(out, 0, "f", None).scores
    assert (score.metric, score.value, score.scored, score.unscored) == ("f", None, 0, 1)


def test_what_is_no_result_is_an_error(out: Path) -> None:
    """A status, no file, half a file, no rows, another headline."""
    assert read_scores_of_samples(out, 3, "f", None).error == "exit status 3"
    assert "samples.jsonl is missing or not whole" in read_scores_of_samples(out, 0, "f", None).error
    (out / "samples.jsonl").write_text('{"id": "a", ')
    assert "samples.jsonl is missing or not whole" in read_scores_of_samples(out, 0, "f", None).error
    (out / "samples.jsonl").write_text("")
    assert read_scores_of_samples(out, 0, "f", None).error == "samples.jsonl is empty"
    write_samples([{**SAMPLE, "id": "a", "scores": {"f": 1.0}}])
    assert read_scores_of_samples(out, 0, "f", "g").error == "the harness reported no `g`; it reported f"


def test_a_job_brings_its_package() -> None:
    """Every folder of it is one, so that another evalmake in the job's interpreter is not taken for it."""
    files = read_modules("evalmake.harnesses.job_requests")
    assert files.pop("evalmake/harnesses/job_requests.py").startswith('"""')
    assert files == {"evalmake/__init__.py": "", "evalmake/harnesses/__init__.py": ""}
