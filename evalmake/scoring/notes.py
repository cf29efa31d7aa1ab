"""Notes beside a score: what became of the replies and requests behind it that the number does not show.

Everything comes from the counts and facts of the record (`sample_counts`, the gateway's usage), so a note costs no
look at the samples. A count that is zero, or that an earlier evalmake did not make, says nothing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Protocol

from evalmake.scoring.demands import ScoredResult
from evalmake.scoring.headline import MetricKind
from evalmake.scoring.repeated_samples import ALIKE, REPEATS
from evalmake.scoring.sample_counts import SAME_ID, STORED_REPLIES, TIES, WITHOUT_ANSWER
from evalmake.scoring.share_names import describe_percent_scale
from evalmake.scoring.stopping import ITEMS_IN_ALL, STOPPED_AFTER, is_sequential

CONTRADICTIONS = "contradictions"
"""The fact in which a program's scores and its samples contradict each other, as a JSON list of sentences."""
SAMPLE_GAPS = "sample_gaps"
"""The fact in which a program's samples do not show what its scores are of, as a JSON list of sentences."""
_UNDECLARED = {"undeclared_": "had another {} than declared", "added_": "had a {} that nothing declares"}
"""How the counts of parameters begin that a harness chose itself -> what they say."""
_VERSION = re.compile(r"(?:[-@:.](?:latest|preview|v?\d{3,}|\d{4}-\d\d-\d\d|\d\d-\d\d|\d{8})|@[\w.-]+|\.gguf)+$")
"""What a server may add to the name of a model: a date, a build, a revision, a file's ending."""
_MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to know of a score; `code` is stable, for programs."""

    code: str
    text: str


class NotedResult(ScoredResult, Protocol):
    """A result with the facts of its record."""

    @property
    def facts(self) -> Mapping[str, str]:
        """Texts by name; those about replies are JSON."""

    @property
    def kind(self) -> MetricKind:
        """Scale and direction of the headline metric."""

    @property
    def seeds(self) -> tuple[int, int]:
        """Of its cell: how many seeds have a result, of how many."""


def find_notes(results: Sequence[NotedResult]) -> tuple[Note, ...]:
    """The notes on one score: of results that differ only in their seed."""
    usage = Counter[str]()
    for result in results:
        usage.update({kind: int(count) for kind, count in result.usage.items() if isfinite(count)})
    return tuple(
        Note(code, text)
        for code, text in (
            *_describe_seeds(results),
            *_describe_contradictions(results),
            *_describe_scale(results),
            *_describe_samples(results, usage),
            *_describe_stops(results),
            *_describe_repeats(results),
            *_describe_replies(usage),
            *_describe_requests(results, usage),
            *_describe_models(results),
            *_describe_earlier(results),
        )
    )


def _describe_seeds(results: Sequence[NotedResult]) -> Iterator[tuple[str, str]]:
    found, total = results[0].seeds
    if found < total:
        yield "missing-seeds", f"{found} of {total} seeds have a result, and only these count"


def _describe_samples(results: Sequence[NotedResult], usage: Counter[str]) -> Iterator[tuple[str, str]]:
    headlines = [score for result in results for score in result.scores if score.metric == result.metric]
    unscored = sum(score.unscored for score in headlines)
    total = unscored + sum(score.scored for score in headlines)
    if unscored:
        yield "unscored", f"{unscored} of {total} samples not scored"
    if usage["samples_failed"] > unscored:
        alone, several = "sample ended in an error and was scored", "samples ended in an error and were scored"
        yield "errors", _count(usage["samples_failed"], alone, several)
    if usage[TIES]:
        yield "ties", f"{usage[TIES]} of {total} samples have several likeliest options: the first one is scored"
    if usage[SAME_ID]:
        have = _count(usage[SAME_ID], "sample has", "samples have")
        yield "ids", f"{have} the id of an earlier one: counted as repetitions of one item"


def _describe_stops(results: Sequence[NotedResult]) -> Iterator[tuple[str, str]]:
    stopped = [one.usage for one in results if is_sequential(one.usage)]
    if asked := [(int(one[STOPPED_AFTER]), int(one.get(ITEMS_IN_ALL, 0))) for one in stopped]:
        most = asked[0][1]
        if any(count < most for count, _ in asked):
            yield "stopped", f"stopped after {', '.join(str(count) for count, _ in asked)} of {most} items"
        else:
            yield "stopped", f"asked all {most} items, as fewer were not enough"


def _describe_repeats(results: Sequence[NotedResult]) -> Iterator[tuple[str, str]]:
    """How many samples there are of each item, and whether those of an item are always the same."""
    repeated = [one.usage for one in results if one.usage.get(REPEATS)]
    if not repeated:
        return
    times = " or ".join(str(number) for number in sorted({int(one[REPEATS]) for one in repeated}))
    alike = all(one.get(ALIKE, 0) * one[REPEATS] == one.get("samples") for one in repeated)
    told = ", and those of an item are always the same: is the temperature 0?" if alike else ""
    yield "repeats", f"{times} samples of each item{told}"


def _describe_replies(usage: Counter[str]) -> Iterator[tuple[str, str]]:
    whole = usage["replies"]
    if cut := usage["replies_truncated"]:
        inside = usage["cut_in_reasoning"]
        where = f", {min(inside, cut)} of them in their reasoning" if inside else ""
        yield "truncated", f"{cut} of {whole} replies cut off by the token limit{where}"
    if usage["replies_unfinished"]:
        yield "unfinished", f"{usage['replies_unfinished']} of {whole} replies end inside their reasoning"
    if usage["replies_empty"]:
        yield "empty", f"{usage['replies_empty']} of {whole} replies empty"
    if usage[WITHOUT_ANSWER]:
        yield "no-answer", f"no answer was found in {usage[WITHOUT_ANSWER]} of {whole} replies"
    if usage["replies_null"]:
        yield "null", f"{usage['replies_null']} of {whole} replies without content"
    if refused := usage["replies_refused"] + usage["refusals"]:
        yield "refused", f"{refused} of {whole} replies refused"
    if usage["replies_calling_tools"]:
        yield "tool-calls", f"{usage['replies_calling_tools']} of {whole} replies call a tool where text was expected"
    if usage["replies_unused"]:
        unused = _count(usage["replies_unused"], "more reply", "more replies")
        yield "choices", f"{unused} not scored: of `n`, the first one is"


def _describe_requests(results: Sequence[NotedResult], usage: Counter[str]) -> Iterator[tuple[str, str]]:
    silent = sum(one.usage.get("requests") == 0 and not one.usage.get(STORED_REPLIES) for one in results)
    if silent:
        which = "no request" if silent == len(results) else f"in {silent} of {len(results)} runs, no request"
        yield "no-requests", f"{which} reached the model"
    if equal := usage["equal_logprobs"]:
        yield "logprobs", f"all {equal} log-probabilities of prompts are equal: they tell no option from another"
    for kind, count in sorted(usage.items()):
        for beginning, text in _UNDECLARED.items():
            if count and kind.startswith(beginning):
                requests, values = _count(count, "request", "requests"), _list_names(_read_names(results, kind))
                yield "undeclared", f"{requests} {text.format(kind.removeprefix(beginning))}{values}"
    if usage["reseeded"]:
        alone = "request is a repetition with a seed of its own"
        yield "reseeded", _count(usage["reseeded"], alone, "requests are repetitions with seeds of their own")


def _describe_earlier(results: Sequence[NotedResult]) -> Iterator[tuple[str, str]]:
    earlier = sorted({result.facts["earlier_metric"] for result in results if "earlier_metric" in result.facts})
    if earlier:
        yield "headline", f"the headline of the last result was {' and '.join(earlier)}"


def _describe_models(results: Sequence[NotedResult]) -> Iterator[tuple[str, str]]:
    models, asked = _read_names(results, "models"), _read_names(results, "asked")
    if len(models) > 1:
        yield "models", f"{len(models)} models answered{_list_names(models)}"
    elif models and asked and not any(_is_same_model(models[0], name) for name in asked):
        yield "model", f"{models[0]} answered, {asked[0]} was asked"
    fingerprints = _read_names(results, "fingerprints")
    if len(fingerprints) > 1:
        yield "fingerprints", f"{len(fingerprints)} system fingerprints{_list_names(fingerprints)}"


def _describe_contradictions(results: Sequence[NotedResult]) -> Iterator[tuple[str, str]]:
    for text in _read_names(results, CONTRADICTIONS):
        yield "contradiction", text
    for text in _read_names(results, SAMPLE_GAPS):
        yield "samples", text


def _describe_scale(results: Sequence[NotedResult]) -> Iterator[tuple[str, str]]:
    """A sentence for each metric that is a share by its name, and above 1."""
    headline, kind = results[0].metric, results[0].kind
    for score in {score.metric: score for result in results for score in result.scores}.values():
        if score.metric == headline and kind.scale:
            wrong = "" if score.value is None else kind.describe_value(score.value)
            text = f"{score.metric} is {wrong}" if wrong else ""
        else:
            text = describe_percent_scale(score.metric, score.value)
        if text:
            yield "scale", text


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _is_same_model(answered: str, asked: str) -> bool:
    """Whether a name may be another form of the same: `gpt-4o` is `gpt-4o-2024-08-06`, `org/name` is `name`.

    `gpt-4o-mini` is another model, and `llama-70b-awq` other weights.
    """
    one, other = (name.casefold().rpartition("/")[2] for name in (answered, asked))
    return _VERSION.sub("", one) == _VERSION.sub("", other)


def _read_names(results: Sequence[NotedResult], fact: str) -> list[str]:
    """The names that a fact of the results lists, each once."""
    texts = [result.facts[fact] for result in results if fact in result.facts]
    return sorted({str(name) for text in texts for name in json.loads(text)})


def _list_names(names: Sequence[str]) -> str:
    shown = [*names[:_MOST_NAMES], *(["..."] if len(names) > _MOST_NAMES else [])]
    return f" ({', '.join(shown)})" if names else ""
