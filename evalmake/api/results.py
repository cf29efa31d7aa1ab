"""What an evaluation came to: scores with their intervals, and at request samples and log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalmake.api.errors import rendered_errors
from evalmake.api.html_table import render_table
from evalmake.language.diagnostic import make_error
from evalmake.planner.action import ActionResult
from evalmake.results import SAMPLES
from evalmake.scoring.result_set import GateResult, Scalar, SeedAverage, average_seeds
from evalmake.scoring.result_set import Result as Recorded
from evalmake.store.store import Store
from evalmake.terminal.plan import render_duration


@dataclass(frozen=True, slots=True)
class Score:
    """One metric over the samples; `value` is None where none of them could be scored."""

    metric: str
    value: float | None
    stderr: float | None
    interval: tuple[float, float] | None
    scored: int  # samples; 0 beside a value says that the harness did not count them
    unscored: int

    def __str__(self) -> str:
        low, high = self.interval or (None, None)
        return f"{self.metric} {SeedAverage(self.value, self.stderr, low, high)}"


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """The result of one evaluation. Two are equal if they are of the same attempt."""

    name: str  # its path: "grid/qwen2.5-7b/gsm8k/1"
    model: str
    benchmark: str
    seed: int
    axes: Mapping[str, Scalar] = field(hash=False)
    metric: str  # the headline one
    scores: Mapping[str, Score] = field(hash=False)
    gates: tuple[GateResult, ...] = field(compare=False)
    usage: Mapping[str, float] = field(hash=False)  # tokens, requests, seconds, by kind
    digest: str  # its identity: of all that could change the numbers
    attempt: int
    started: str  # ISO 8601, UTC
    seconds: float
    reused: bool = field(compare=False)  # whether it was on record already
    evalfile: str = field(compare=False)  # an Evalfile that declares the same
    store: Path = field(compare=False)

    @property
    def value(self) -> float:
        """The headline score; EvalmakeError where no sample could be scored."""
        value = self.scores[self.metric].value
        if value is None:
            with rendered_errors():
                raise make_error("evaluation-failed", f"{self.name}: `{self.metric}` has no value")
        return value

    @property
    def stderr(self) -> float | None:
        """The headline score's standard error, where it can be told."""
        return self.scores[self.metric].stderr

    @property
    def interval(self) -> tuple[float, float] | None:
        """The headline score's confidence interval, where it can be told."""
        return self.scores[self.metric].interval

    @property
    def passed(self) -> bool:
        """Whether every requirement is met."""
        return all(gate.met for gate in self.gates)

    def samples(self) -> list[dict[str, Any]]:
        """A row for each sample: id, item, scores, reply, error, ...; empty if the harness leaves none."""
        data = self._output(SAMPLES)
        return [json.loads(line) for line in data.split(b"\n") if line.strip()] if data else []

    def log(self) -> str:
        """What the harness printed."""
        return (self._output("log") or b"").decode(errors="replace")

    def _output(self, name: str) -> bytes | None:
        with rendered_errors(), Store.open(self.store) as store:
            return read_output(store, store.attempt(self.digest, self.attempt), name)

    def __str__(self) -> str:
        parts = [f"{self.name}: {self.scores[self.metric]}", *_circumstances(self)]
        return "\n".join([", ".join(parts), *(f"{g.address}: {_gate(g)}" for g in self.gates)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [_row(score) for score in self.scores.values()]
        notes = [", ".join([self.name, *_circumstances(self)]), *map(_gate, self.gates)]
        return render_table(("metric", "score", "interval", "samples"), rows, notes)


@dataclass(frozen=True, slots=True, repr=False)
class Results:
    """The results of a build, by the path of each; `text` is what the command line would print."""

    results: tuple[Result, ...]
    gates: tuple[GateResult, ...]
    written: tuple[Path, ...]  # reports
    text: str

    @property
    def passed(self) -> bool:
        """Whether every requirement is met."""
        return all(gate.met for gate in self.gates)

    def __getitem__(self, name: str) -> Result:
        return {result.name: result for result in self.results}[name]

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __str__(self) -> str:
        return self.text.rstrip("\n")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [(result.name, *_row(result.scores[result.metric])) for result in self.results]
        notes = [f"{gate.address}: {_gate(gate)}" for gate in self.gates]
        return render_table(("evaluation", "metric", "score", "interval", "samples"), rows, notes)


def convert_result(
    recorded: Recorded, gates: tuple[GateResult, ...], confidence: float, evalfile: str, store: Path
) -> Result:
    """What is on record of one evaluation, with intervals of this confidence."""
    scores = {}
    for score in recorded.scores:
        pooled = average_seeds([score], confidence)
        low, high = pooled.low, pooled.high
        interval = None if low is None or high is None else (low, high)
        scores[score.metric] = Score(score.metric, score.value, pooled.stderr, interval, score.scored, score.unscored)
    return Result(
        recorded.name,
        recorded.model,
        recorded.benchmark,
        recorded.seed,
        dict(recorded.axes),
        recorded.metric,
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


def read_output(store: Store, attempt: ActionResult | None, name: str) -> bytes | None:
    """An output of an attempt, None if it left none of that name; EvalmakeError if it is damaged."""
    digests = {kept.name: kept.sha256 for kept in attempt.outputs} if attempt else {}
    if name not in digests:
        return None
    data = store.blob(digests[name])
    if data is None:
        raise make_error("store-damaged", f"the store at {store.folder} is damaged: {name} is not whole")
    return data


def _circumstances(result: Result) -> list[str]:
    scored = result.scores[result.metric]
    parts = [f"{scored.scored} samples"] if scored.scored else []
    parts += [f"{scored.unscored} not scored"] if scored.unscored else []
    return [*parts, "reused" if result.reused else f"ran {render_duration(result.seconds)}"]


def _gate(gate: GateResult) -> str:
    return f"{'met' if gate.met else 'NOT met'}: {gate.message}"


def _row(score: Score) -> tuple[str, ...]:
    value, _, interval = str(score).removeprefix(f"{score.metric} ").partition(" ")
    return score.metric, value, interval, str(score.scored or "")
