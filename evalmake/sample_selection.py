"""Which samples of stored results are chosen: those that failed, that have no score, that an expression is true of."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from difflib import get_close_matches

from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.sample_filter.evaluation import make_filter
from evalmake.sample_filter.fields import KnownNames, find_meanings, make_unknown_field
from evalmake.sample_filter.parser import parse_filter
from evalmake.sample_filter.tokens import make_filter_error
from evalmake.sample_filter.tree import Field, list_patterns
from evalmake.store.store import Store
from evalmake.stored_samples import SampledResult, StoredSample, make_field_reader, read_samples

MOST_SECONDS = 1.0
"""The processor's time that a pattern may take on one sample."""
_MOST_NAMES = 2000

Condition = Callable[[StoredSample], bool]


@dataclass(slots=True)
class SampleSelection:
    """Chooses samples: those that meet all conditions."""

    store: Store
    results: Sequence[SampledResult]
    conditions: tuple[Condition, ...]
    where: Where | None = None

    def find(self) -> Iterator[StoredSample]:
        """The chosen samples, in the order of the evaluations and of the data."""
        watch = _Watch()
        with _ticking(watch) if self.where is not None and self.where.patterns else nullcontext():
            for result in self.results:
                for sample in read_samples(self.store, result):
                    if self._holds(sample, watch):
                        yield sample
        if self.where is not None and watch.number:
            self.where.check_record_fields()

    def _holds(self, sample: StoredSample, watch: _Watch) -> bool:
        watch.number += 1
        watch.is_busy = True
        try:
            return all(condition(sample) for condition in self.conditions)
        except _Expired:
            assert self.where is not None, "nothing else is watched"
            raise self.where.make_too_slow(sample) from None
        finally:
            watch.is_busy = False


def make_conditions(failed: bool, unscored: bool) -> tuple[Condition, ...]:
    """The condition of `--failed` and `--unscored`: with both, samples of either kind are chosen."""
    kinds: list[Condition] = [has_failed] * failed + [is_unscored] * unscored
    return (lambda sample: any(kind(sample) for kind in kinds),) if kinds else ()


def is_unscored(sample: StoredSample) -> bool:
    """Whether the headline metric has no score."""
    return sample.score is None


def has_failed(sample: StoredSample) -> bool:
    """Whether its score is worse than the full one; one that is not scored has not failed.

    EvalmakeError where it is not known what the full score is.
    """
    score, full = sample.score, sample.result.full_score
    if score is None:
        return False
    if full is None or (score > full > 0):
        raise _unknown_full_score(sample, full)
    return score > 0 if full == 0 else score < full


def _unknown_full_score(sample: StoredSample, full: float | None) -> EvalmakeError:
    name = sample.result.stored.node.evaluation.benchmark.name
    why = "are points" if full is None else f"exceed {full:g}: `{sample.row['id']}` has {sample.score:g}"
    help = "choose by a number: `--where 'score < 7'`; `scale = percent` in the benchmark says that 100 is full"
    message = f"`--failed` does not know the full score of `{name}`, whose scores {why}"
    return make_error("bad-filter", message, help=[help])


def make_id_condition(id: str) -> Condition:
    """Whether a sample has this id."""
    return lambda sample: str(sample.row["id"]) == id


def make_unknown_sample(store: Store, results: Sequence[SampledResult], id: str) -> EvalmakeError:
    """The error for an id that no sample has, with one that is like it."""
    names = dict.fromkeys(str(one.row["id"]) for result in results for one in read_samples(store, result))
    if not names:
        return make_error("unknown-sample", "these evaluations have no samples on record")
    meant = get_close_matches(id, list(names)[:_MOST_NAMES], 1)
    help = f"did you mean `{meant[0]}`?" if meant else f"the first is `{next(iter(names))}`; `--samples` lists them"
    return make_error("unknown-sample", f"no sample has the id `{id}`", help=[help])


# Expressions -----------------------------------------------------------------------------------------


class Where:
    """The expression of `--where`, for samples that have these names."""

    def __init__(self, text: str, known: KnownNames) -> None:
        self.source, node = parse_filter(text)
        self.known = known
        self.patterns = list(list_patterns(node))
        self._meanings = find_meanings(self.source, node, known)
        self._unseen = {field for field, meaning in self._meanings.items() if meaning.kind == "record"}
        self.holds: Condition = make_filter(node, self._make_reader)

    def _make_reader(self, field: Field) -> Callable[[StoredSample], object]:
        read = make_field_reader(self._meanings[field])
        return self._note_what_is_there(field, read) if field in self._unseen else read

    def _note_what_is_there(
        self, field: Field, read: Callable[[StoredSample], object]
    ) -> Callable[[StoredSample], object]:
        def read_and_note(sample: StoredSample) -> object:
            value = read(sample)
            if value is not None:
                self._unseen.discard(field)
            return value

        return read_and_note

    def check_record_fields(self) -> None:
        """EvalmakeError for a field that no record has, once all samples were seen."""
        for field in sorted(self._unseen, key=lambda one: one.start):
            names = dict.fromkeys(self.known.list_record_fields())
            if field.path[1] not in names and ".".join(field.path[1:]) not in names:
                raise make_unknown_field(self.source, field, self.known)

    def make_too_slow(self, sample: StoredSample) -> EvalmakeError:
        """The error for a pattern that tries too many ways to match: one of those that stand there."""
        first, last = self.patterns[0], self.patterns[-1]
        message = f"a pattern took longer than {MOST_SECONDS:g}s on the sample `{sample.row['id']}`"
        help = "it tries too many ways to match, as `(a+)+b` does: write it without a repetition in another"
        return make_filter_error(self.source, message, first.start, last.end, help=help)


class _Expired(BaseException):
    """Passes the `except Exception` of libraries."""


@dataclass(slots=True)
class _Watch:
    """Ends the work on one sample at the second tick that finds it there.

    While `re` matches, nothing else of this process runs, so only a signal can end it. One timer serves all samples.
    """

    number: int = 0
    is_busy: bool = False
    seen: int = -1

    def tick(self, signum: int, frame: object) -> None:
        """Do what the timer's signal asks for."""
        if self.is_busy and self.seen == self.number:
            raise _Expired
        self.seen = self.number


@contextmanager
def _ticking(watch: _Watch) -> Iterator[None]:
    """Let a watch tick with the processor's time. Signals are for the main thread; in others nothing is watched."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGPROF, watch.tick)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
