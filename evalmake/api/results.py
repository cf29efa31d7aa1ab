"""Results of evaluations: scores with their intervals; samples and log are read when asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalmake.api.errors import rendered_errors
from evalmake.api.html_table import render_table
from evalmake.language.diagnostic import make_error
from evalmake.scoring.headline import MetricKind
from evalmake.scoring.notes import Note
from evalmake.scoring.numbers import format_estimate, format_percent
from evalmake.scoring.result_set import GateResult, ResultSet, Scalar
from evalmake.scoring.result_set import Result as Recorded
from evalmake.scoring.sample_counts import SAMPLES
from evalmake.store.store import Store
from evalmake.terminal.plan import render_duration

WORDS = {True: "met", False: "NOT met", None: "NOT judged"}
_SCORE_COLUMNS = ("metric", "score", "interval", "samples")


@dataclass(frozen=True, slots=True)
class Score:
    """One metric over the samples; `value` is None if none of them could be scored."""

    metric: str
    value: float | None
    stderr: float | None
    interval: tuple[float, float] | None
    scored: int  # number of samples; 0 beside a value: the harness did not count them
    unscored: int
    notes: tuple[Note, ...] = ()  # what a reader of the number must know
    confidence: float = 0.95  # of the interval

    def __str__(self) -> str:
        low, high = self.interval or (None, None)
        own = f" at {format_percent(self.confidence)}" if self.interval and self.confidence != 0.95 else ""
        return f"{self.metric} {format_estimate(self.value, low, high)}{own}"

    def _repr_html_(self) -> str:
        return render_table(_SCORE_COLUMNS, [_score_row(self)], [])


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """The result of one evaluation. Two are equal if they are of the same attempt."""

    name: str  # its path: "grid/qwen2.5-7b/gsm8k/1"
    model: str
    benchmark: str
    seed: int
    axes: Mapping[str, Scalar] = field(hash=False)
    metric: str  # the headline one
    kind: MetricKind  # its scale and direction, as the benchmark states them
    scores: Mapping[str, Score] = field(hash=False)
    gates: tuple[GateResult, ...] = field(compare=False)
    usage: Mapping[str, float] = field(hash=False)  # tokens, requests, seconds, by kind
    digest: str  # its identity: the digest of everything that could change the scores
    attempt: int
    started: str  # ISO 8601, UTC
    seconds: float
    reused: bool = field(compare=False)  # whether it is of an earlier build
    evalfile: str = field(compare=False)  # an Evalfile that declares the same
    store: Path = field(compare=False)

    @property
    def value(self) -> float:
        """The headline score; EvalmakeError if no sample could be scored."""
        value = self.scores[self.metric].value
        if value is None:
            with rendered_errors():
                raise make_error("evaluation-failed", f"{self.name}: `{self.metric}` has no value")
        return value

    @property
    def stderr(self) -> float | None:
        """The headline score's standard error; None if it cannot be estimated."""
        return self.scores[self.metric].stderr

    @property
    def interval(self) -> tuple[float, float] | None:
        """The headline score's confidence interval; None if it cannot be estimated."""
        return self.scores[self.metric].interval

    @property
    def notes(self) -> tuple[Note, ...]:
        """What the headline score does not show: truncated replies, samples without a score, another model, ..."""
        return self.scores[self.metric].notes

    def __float__(self) -> float:
        """The headline score, as `value`."""
        return self.value

    @property
    def passed(self) -> bool:
        """Whether every requirement is met, but for advisory ones."""
        return all(gate.met for gate in self.gates if gate.matters)

    def samples(self, flat: bool = False) -> list[dict[str, Any]]:
        """A row for each sample: id, item, scores, reply, error, ...; empty if the harness records none.

        With `flat`, a row is fit for a table: maps become columns such as `scores.accuracy`, and the
        columns evaluation, model, benchmark, seed and those of other axes come first.
        """
        data = self._read_output(SAMPLES)
        rows = [json.loads(line) for line in data.split(b"\n") if line.strip()] if data else []
        return [{**self._columns(), **_flatten(row)} for row in rows] if flat else rows

    def _columns(self) -> dict[str, Any]:
        """What tells this evaluation from others in a table."""
        columns = {"evaluation": self.name, "model": self.model, "benchmark": self.benchmark, "seed": self.seed}
        return {**columns, **{axis: value for axis, value in self.axes.items() if axis not in columns}}

    def log(self) -> str:
        """What the harness printed."""
        return (self._read_output("log") or b"").decode(errors="replace")

    def _read_output(self, name: str) -> bytes | None:
        with rendered_errors(), Store.read(self.store) as store:
            attempt = store.attempt(self.digest, self.attempt)
            return store.output(attempt, name) if attempt else None

    def __str__(self) -> str:
        kind = f" ({self.kind})" if str(self.kind) else ""
        parts = [f"{self.name}: {self.scores[self.metric]}{kind}", *_describe_run(self)]
        gates = [f"{gate.address}: {_describe_gate(gate)}" for gate in self.gates]
        return "\n".join([", ".join(parts), *_describe_notes(self), *gates])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [_score_row(score) for score in self.scores.values()]
        notes = [", ".join([self.name, *_describe_run(self)]), *_describe_notes(self), *map(_describe_gate, self.gates)]
        return render_table(_SCORE_COLUMNS, rows, notes)


@dataclass(frozen=True, slots=True, repr=False)
class Results:
    """The results of a build, by the path of each; `text` is what the command line would print."""

    results: tuple[Result, ...]
    gates: tuple[GateResult, ...]
    written: tuple[Path, ...]  # reports
    text: str

    @property
    def passed(self) -> bool:
        """Whether every requirement is met, but for advisory ones."""
        return all(gate.met for gate in self.gates if gate.matters)

    def __getitem__(self, name: str) -> Result:
        return {result.name: result for result in self.results}[name]

    def __contains__(self, item: object) -> bool:
        """Whether there is a result of this name, or this result."""
        if isinstance(item, str):
            return any(result.name == item for result in self.results)
        return any(result == item for result in self.results)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def samples(self, flat: bool = False) -> list[dict[str, Any]]:
        """The samples of all results, as `Result.samples` gives them."""
        return [row for result in self.results for row in result.samples(flat)]

    def to_frame(self) -> Any:
        """A pandas DataFrame with a row for each metric of each result; ImportError without pandas."""
        try:
            import pandas
        except ImportError:
            raise ImportError("`to_frame` needs pandas, which is not installed: pip install pandas") from None
        rows = [_frame_row(result, score) for result in self.results for score in result.scores.values()]
        return pandas.DataFrame(rows)

    def __str__(self) -> str:
        return self.text.rstrip("\n")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [(result.name, *_score_row(result.scores[result.metric])) for result in self.results]
        notes = [f"{result.name}: {line}" for result in self.results for line in _describe_notes(result)]
        notes += [f"{gate.address}: {_describe_gate(gate)}" for gate in self.gates]
        return render_table(("evaluation", *_SCORE_COLUMNS), rows, notes)


def convert_result(
    results: ResultSet,
    recorded: Recorded,
    notes: tuple[Note, ...],
    gates: tuple[GateResult, ...],
    evalfile: str,
    store: Path,
) -> Result:
    """A recorded result as a `Result`, with the intervals that its tables have; the notes are its headline's."""
    scores = {}
    for score in recorded.scores:
        found = results.average(score.metric, [recorded])
        interval = None if found.low is None or found.high is None else (found.low, found.high)
        scores[score.metric] = Score(
            score.metric,
            score.value,
            found.stderr,
            interval,
            score.scored,
            score.unscored,
            notes if score.metric == recorded.metric else found.notes,
            results.confidence_of([recorded]),
        )
    return Result(
        recorded.name,
        recorded.model,
        recorded.benchmark,
        recorded.seed,
        dict(recorded.axes),
        recorded.metric,
        recorded.kind,
        scores,
        gates,
        dict(recorded.usage),
        recorded.action,
        recorded.attempt,
        recorded.started,
        recorded.seconds,
        recorded.reused,
        evalfile,
        store,
    )


def _describe_run(result: Result) -> list[str]:
    scored = result.scores[result.metric]
    parts = [f"{scored.scored} samples"] if scored.scored else []
    parts += [f"{scored.unscored} not scored"] if scored.unscored else []
    return [*parts, "reused" if result.reused else f"ran {render_duration(result.seconds)}"]


def _describe_notes(result: Result) -> list[str]:
    """The notes in one line, if there are any; how many samples are not scored stands beside the score."""
    texts = [note.text for note in result.notes if note.code != "unscored"]
    return [f"note: {'; '.join(texts)}"] if texts else []


def _describe_gate(gate: GateResult) -> str:
    return f"{WORDS[gate.met]}: {gate.message}"


def _score_row(score: Score) -> tuple[str, ...]:
    value, _, interval = str(score).removeprefix(f"{score.metric} ").partition(" ")
    return score.metric, value, interval, str(score.scored or "")


def _flatten(row: Mapping[str, Any]) -> dict[str, Any]:
    """Maps as columns: `{"scores": {"accuracy": 1.0}}` -> `{"scores.accuracy": 1.0}`."""
    columns: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            columns |= {f"{key}.{inner}": each for inner, each in _flatten(value).items()}
        else:
            columns[key] = value
    return columns


def _frame_row(result: Result, score: Score) -> dict[str, Any]:
    low, high = score.interval or (None, None)
    return {
        **result._columns(),
        "metric": score.metric,
        "headline": score.metric == result.metric,
        "value": score.value,
        "stderr": score.stderr,
        "low": low,
        "high": high,
        "scored": score.scored,
        "unscored": score.unscored,
        "reused": result.reused,
    }
