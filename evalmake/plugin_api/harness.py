"""How to write a harness: it starts a benchmark as a command, and reads the scores from its outputs.

A harness is a class with the attributes and methods of `Harness`, named in the entry-point group
`evalmake.harnesses`. The protocols after it are optional: implement one and evalmake finds it.

    class MyHarness:
        class Settings(Block):
            "Keys that a benchmark has with `harness = mine`."
            level: Count = define_key(1, "How hard the questions are.", "3")

        behaviour = 1
        needs = ""

        def command(self, evaluation): ...
        def outcome(self, evaluation, outputs, status): ...
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel

from evalmake.language.diagnostic import Diagnostics
from evalmake.pins.hub_cache import Selection
from evalmake.project.adapter import merge_adapters
from evalmake.project.declarations import ChecksBenchmark as ChecksBenchmark
from evalmake.project.declarations import ClaimsKeys as ClaimsKeys
from evalmake.project.declarations import Declaration
from evalmake.project.declarations import HasPlacement as HasPlacement
from evalmake.project.declarations import HasUnusedKeys as HasUnusedKeys
from evalmake.project.declarations import MayAskNoModel as MayAskNoModel
from evalmake.project.matrix import Evaluation
from evalmake.project.named_files import NamesFiles as NamesFiles
from evalmake.scoring.score import Score
from evalmake.scoring.unscored_causes import NO_CAUSE, Cause


@dataclass(frozen=True, slots=True)
class Command:
    """The command of one evaluation.

    `{python}` in `argv` becomes a Python that has evalmake. If the harness has a `program`, it becomes a Python
    that has the program: that of the benchmark's `packages`, where it names some.
    """

    argv: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    """Small texts to write into the job's folder: name -> text."""
    inputs: Mapping[str, Path] = field(default_factory=dict)
    """Files to copy into the job's folder: name -> path on this host."""
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The scores of an evaluation, or the error that explains why there are none."""

    scores: tuple[Score, ...] = ()
    metric: str = ""
    """The metric that reports show first."""
    usage: Mapping[str, float] = field(default_factory=dict)
    """Counts by kind. With `questions` and `unanswered`, a benchmark's `coverage` is judged by these requests, too."""
    error: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What the record keeps beside the counts."""
    cause: Cause = NO_CAUSE
    """Why some samples have no score, if the harness knows it and its samples do not say it."""


@dataclass(frozen=True, slots=True)
class Program:
    """Software that a harness or an engine runs but does not bring along.

    `requirement` is what pip installs for it, `others` what it needs beside that. A harness is recognised by its
    Python `module`, an engine by its `command` on the PATH.
    """

    module: str
    requirement: str
    others: tuple[str, ...] = ()
    command: str = ""
    list_tasks: str = ""
    """A Python program that prints the names of all tasks, a line each; it runs where the module is installed."""

    @property
    def distribution(self) -> str:
        """The requirement's name, as package indexes normalise it."""
        name = re.split(r"[^\w.-]", self.requirement, maxsplit=1)[0]
        return re.sub(r"[-_.]+", "-", name).lower()


class DataError(NamedTuple):
    """An error in a data file: a message that begins with `PATH:LINE: `, the benchmark's key it contradicts, a cure.

    `place` says where in the text of the key: the first character, and how many.
    """

    key: str
    message: str
    help: str = ""
    place: tuple[int, int] | None = None


class DataNote(NamedTuple):
    """What a user should know of the data, though it stops nothing, and the benchmark's key that it concerns."""

    key: str
    message: str


@runtime_checkable
class ChecksData(Protocol):
    """A harness that can find errors in a benchmark's data files before the run."""

    @staticmethod
    def check_data(evaluation: Evaluation) -> Sequence[DataError | DataNote]:
        """Return what the run would refuse, and what is worth a note.

        evalmake calls it on the class, once for each content of the files and each limit.
        """


class Harness(Protocol):
    """Starts a benchmark and reads its scores."""

    Settings: ClassVar[type[BaseModel]]
    """The keys that a benchmark has beyond those of every benchmark; describe each with `define_key`."""
    behaviour: ClassVar[int]
    """Raise it when requests or scoring change, and only then: it is part of every evaluation's identity."""
    needs: ClassVar[str]
    """Why the harness cannot run in this installation; empty if it can."""

    def command(self, evaluation: Evaluation) -> Command:
        """The command to run. It reads the model's address from $EVALMAKE_MODEL_URL and never names a URL."""

    def outcome(self, evaluation: Evaluation, outputs: Path, status: int) -> Outcome:
        """The result of a finished run, from its exit status and the files in `outputs`."""


@runtime_checkable
class ChecksEvaluation(Protocol):
    """A harness that finds mistakes in the pairing of a benchmark with a model, before anything runs."""

    def check_cell(self, cell: Evaluation, models: Mapping[str, Declaration], diagnostics: Diagnostics, /) -> None:
        """Add to `diagnostics` what would fail at run time."""


@runtime_checkable
class HasProgram(Protocol):
    """A harness or an engine that runs other software; evalmake says so when it is not installed."""

    program: ClassVar[Program]


@runtime_checkable
class LeavesSamples(Protocol):
    """A harness all of whose results have samples: `verify` refuses evidence of a result without."""

    leaves_samples: ClassVar[bool]
    """Whether they have."""


@runtime_checkable
class StopsEarly(Protocol):
    """A harness that asks items in a random order and stops as an eval's `until` and `precision` say.

    The rule is `evaluation.variant.stop_rule`; `evalmake.scoring.stopping.StopTest` tells when it holds. The usage of
    the outcome then has the counts `stopped_after` and `items_in_all`.
    """

    stops_early: ClassVar[bool]
    """Whether it does."""


@runtime_checkable
class ScoresAgain(Protocol):
    """A harness whose job can score the samples of an earlier attempt, without a model, where only scoring changed.

    Its usage then has the count `stored_replies`. The job ends with the status `asks_after_all` where the samples are
    not all that it would ask for: then evalmake runs it again with a model.
    """

    asks_after_all: ClassVar[int]

    def leave_out_scoring(self, walks: Mapping[str, Mapping[str, str]], /) -> Mapping[str, Mapping[str, str]] | None:
        """The parts of an identity, by name, without what changes no request; None where replies cannot be stored.

        A part is a map from paths to texts, as `walk` yields them, and may be that of an earlier version.
        """

    def score_again(self, command: Command, samples: str, /) -> Command:
        """The command of a job that scores `samples`, an input beside the others."""


@runtime_checkable
class AsksRepeatedly(Protocol):
    """A harness that takes several samples of each item: as many as `evaluation.variant.block.repeats`.

    Each has its `repetition` in `samples.jsonl`, and the seed plus a multiple of `find_seed_step`.
    """

    asks_repeatedly: ClassVar[bool]
    """Whether it does."""


class SampleContradiction(NamedTuple):
    """One value of a sample that is not what the data give."""

    id: str
    """Of the sample; empty for what is said of all of them."""
    what: str
    recorded: str
    expected: str


@runtime_checkable
class ProvesSamples(Protocol):
    """A harness that knows by its data alone which samples there must be, and by samples alone its scores.

    `verify` asks it about evidence of somebody else: it must run nothing of theirs.
    """

    def contradict_data(
        self, evaluation: Evaluation, model: str, rows: Sequence[Mapping[str, Any]], /
    ) -> Iterable[SampleContradiction]:
        """Yield what samples say otherwise than the data; ValueError where the data cannot be read.

        `model` is the name of the model in requests.
        """

    def recount(self, evaluation: Evaluation, rows: Sequence[Mapping[str, Any]], metric: str, /) -> Outcome:
        """Return the scores and the usage of samples; the headline is `metric`, unless no sample has it.

        ValueError where that takes data that cannot be read.
        """


@runtime_checkable
class HasShareMetrics(Protocol):
    """A harness that knows which of its metrics lie between 0 and 1, so that `accuracy >= 70` is an error."""

    def share_metrics(self, benchmark: Declaration, /) -> Collection[str]:
        """The names of such metrics of a benchmark, without a filter's name behind a dot.

        `headline` among them says that the headline metric is one, where the benchmark names no other.
        """


_SEED_STEP = 15_485_863
"""It is prime and far greater than the seeds that people write: no repetition of one seed asks what another asks."""


@runtime_checkable
class RepeatsSamples(Protocol):
    """A harness whose program sends one seed with all requests, so all repetitions of a sample would be the same.

    Its job adds `find_seed_step` to the seed for each repetition of a sample. Other equal requests (of duplicates in
    the data, of a solver that asks several times) get seeds of their own from the gateway.
    """

    repeats_samples: ClassVar[bool]


def find_seed_step(evaluation: Evaluation) -> int:
    """What each repetition of a sample adds to the seed; 0 with `adapter = { reseed = false }`."""
    blocks = (evaluation.model.block, evaluation.benchmark.block, evaluation.variant.block)
    reseed = merge_adapters(*(block.adapter for block in blocks)).get("reseed", True)
    return _SEED_STEP if reseed else 0


@runtime_checkable
class RenamesJudge(Protocol):
    """A harness that may know its judge by another name, which the gateway replaces in requests to it."""

    def renames_judge(self, benchmark: Declaration, /) -> bool:
        """Whether it does."""


@runtime_checkable
class MustAskJudge(Protocol):
    """A harness whose program is the user's, and may ask no model, but asks its judge where the benchmark has one.

    Software that evalmake knows (`HasProgram`) must ask both.
    """

    must_ask_judge: ClassVar[bool]


@runtime_checkable
class SetsJudgeParameters(Protocol):
    """A harness that sends request parameters of its own to its judge; `evalmake show` tells them."""

    def judge_parameters(self, benchmark: Declaration, judge: Declaration, /) -> Mapping[str, Any]:
        """Values by name; those of the judge's own declaration beat them."""


@runtime_checkable
class ReadsHub(Protocol):
    """A harness that reads data sets of the Hugging Face Hub: evalmake downloads them, as `benchmark.fetched`."""

    def hub_selection(self, benchmark: Declaration, /) -> Selection | None:
        """The split that a benchmark asks; None if its data are elsewhere."""


@runtime_checkable
class AddsToIdentity(Protocol):
    """A harness that puts more into the identity of a benchmark than its keys and its own behaviour number."""

    def identity(self, benchmark: Declaration, /) -> Mapping[str, Any]:
        """Values by key, as `walk` takes them; they replace those of keys with the same name.

        Under `behaviours` stand the numbers of parts that a benchmark chooses by a key, as `{"scorer choice": 2}`.
        Leave 1 out. So a part that changes makes only the results that used it out of date.
        """
