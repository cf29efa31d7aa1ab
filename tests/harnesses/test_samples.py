"""The common form of samples, and what scores make of them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from xxhash import xxh3_64_hexdigest

from evalmake.harnesses.samples import GatewayRequests, Row, score_from_samples, write_samples
from evalmake.harnesses.scores_file import read_scores
from evalmake.scoring.intervals import mean_se


def row(id: str, value: float | None, repetition: int = 1, cluster: str | None = None) -> Row:
    """A row with one score, or with an error."""
    scores = {} if value is None else {"acc": value}
    error = "HTTP 500" if value is None else None
    return Row(id, f"hash of {id}", scores, repetition, error, cluster)


def test_a_score_is_the_mean_of_its_items() -> None:
    """Value and standard error are those of the items; what has no score is counted apart."""
    score = score_from_samples([row("a", 1), row("b", 0), row("c", 1), row("d", None)], "acc")
    assert score.value == pytest.approx(2 / 3)
    assert score.stderr == pytest.approx(1 / 3)
    assert (score.scored, score.unscored) == (3, 1)
    assert score_from_samples([row("d", None)], "acc").value is None


def test_repetitions_are_no_items() -> None:
    """Ten answers to each of two items are two items: their means are what varies."""
    rows = [row(id, value, n) for n in range(1, 11) for id, value in (("a", 1), ("b", 0))]
    score = score_from_samples(rows, "acc")
    assert (score.value, score.stderr, score.scored) == (0.5, mean_se([1, 0]).stderr, 2)


def test_clusters_widen_the_error() -> None:
    """Items of one cluster are no independent ones."""
    rows = [row(f"{c}{n}", float(c == "x"), cluster=c) for c in "xy" for n in range(10)]
    alone = score_from_samples([Row(r.id, r.item, r.scores) for r in rows], "acc")
    together = score_from_samples(rows, "acc")
    assert (together.stderr or 0) > 3 * (alone.stderr or 1)


def test_the_reported_error_is_kept_and_a_disagreement_said() -> None:
    """A harness that counts repetitions as items reports another standard error than its items give."""
    rows = [row(id, value, n) for n in range(1, 5) for id, value in (("a", 1), ("b", 0), ("c", 1))]
    same = score_from_samples(rows, "acc", 1 / 3)
    assert (same.reported, same.disagreement) == (1 / 3, "")
    other = score_from_samples(rows, "acc", 0.142134, 2 / 3)
    assert other.stderr == pytest.approx(1 / 3)
    assert other.disagreement == ("the harness reports a standard error of 0.142134, its samples give 0.333333")


def test_what_is_no_mean_stays_the_harness_s() -> None:
    """Where the reported value is not the mean of the items, its error is not either."""
    score = score_from_samples([row("a", 1), row("b", 0)], "acc", 0.01, 0.31)
    assert (score.value, score.stderr, score.scored) == (0.31, 0.01, 2)


def test_a_value_that_is_none_is_refused() -> None:
    """NaN cannot come into the record as a score."""
    with pytest.raises(ValueError, match="leave out what was not scored"):
        Row("a", "hash", {"acc": math.nan})


def test_rows_are_lines_of_json(tmp_path: Path) -> None:
    """Every field is written, what is not known as null."""
    write_samples(tmp_path / "samples.jsonl", [row("ä", 0.5, cluster="x"), row("b", None)])
    first, second = map(json.loads, (tmp_path / "samples.jsonl").read_text("utf-8").splitlines())
    assert first["id"] == "ä"
    assert (first["scores"], first["cluster"], first["tokens_in"]) == ({"acc": 0.5}, "x", None)
    assert (second["scores"], second["error"]) == ({}, "HTTP 500")


def test_requests_are_found_by_their_prompts(tmp_path: Path) -> None:
    """Tokens and latency of a sample are the sums over its requests; equal prompts come in turn."""

    def line(prompt: str, tokens: int, status: int = 200) -> str:
        return json.dumps(
            {
                "status": status,
                "prompt": xxh3_64_hexdigest(prompt.encode()),
                "seconds": 0.5,
                "tokens_in": tokens,
                "tokens_out": 2,
                "finish": "stop",
            }
        )

    path = tmp_path / "requests.jsonl"
    lines = [
        line("a", 7, status=500),
        line("a", 1),
        line("b", 2),
        line("a", 4),
        line('["c"]', 9),
        "{torn",
    ]
    path.write_text("\n".join(lines))
    requests = GatewayRequests(path)
    assert requests.match(["a", "b"]) == {
        "tokens_in": 3,
        "tokens_out": 4,
        "latency": 1.0,
        "finish_reason": "stop",
    }
    assert requests.match(["a"])["tokens_in"] == 4
    assert requests.match(["c"])["tokens_in"] == 9
    assert requests.match(["a"]) == {}
    assert GatewayRequests(tmp_path / "none").match(["a"]) == {}


def test_clusters_are_counted_and_read(tmp_path: Path) -> None:
    """Scored items without a cluster are one each; `scores.json` may tell of as many."""
    rows = [row(str(n), n % 2, cluster="c" if n < 3 else None) for n in range(6)]
    assert score_from_samples(rows, "acc").clusters == 4
    path = tmp_path / "scores.json"
    path.write_text('{"acc": {"value": 0.5, "stderr": 0.1, "n": 6, "clusters": 4}, "f1": 0.5}')
    assert [one.clusters for one in read_scores(path, None).scores] == [4, None]
