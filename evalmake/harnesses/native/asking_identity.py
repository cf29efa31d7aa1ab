"""What of an identity decides which requests a native benchmark sends: all but how their replies are scored.

It is found in walks, so that it can be found of every result on record, whichever version of evalmake made it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from evalmake.harnesses.native.check_types import read_type
from evalmake.harnesses.native.task_file import LETTERED
from evalmake.harnesses.native.template import is_template

_SCORING = (
    "checks",
    "cluster",
    "embedder",
    "extract",
    "function",
    "id",
    "ignore_case",
    "judge",
    "judge_format",
    "math-verify",
    "normalize",
    "pattern",
    "rubric",
    "scorer",
    "scorer_file",
    "tags",
    "target",
    "weight",
)
"""Keys of a benchmark that change no request, unless there are examples or options."""
_OF_EXAMPLES = ("id", "target")
"""Those that change what the examples show, and to which questions."""
_ASKING_BEHAVIOURS = ("answer", "examples", "sql")
_BEHAVIOURS, _BENCHMARK = "behaviours", "benchmark"
_END_OF_KEY = re.compile(r"[.\[]")

Walk = Mapping[str, str]


def leave_out_scoring(walks: Mapping[str, Walk]) -> Mapping[str, Walk] | None:
    """The parts of an identity without what only scores; None where a reply on record could not be scored again."""
    walk = walks.get(_BENCHMARK, {})
    if "answer" in walk or _measures_latency(walk):
        return None
    kept = {path: text for path, text in walk.items() if _is_asking(path, has_examples="examples" in _list_keys(walk))}
    is_completion = walks.get("model", {}).get("api") == "str:completions"
    return {**walks, _BENCHMARK: {**kept, **_describe_options(walk, is_completion)}}


def _is_asking(path: str, has_examples: bool) -> bool:
    key, _, rest = path.partition(".")
    if key == _BEHAVIOURS:
        return rest in _ASKING_BEHAVIOURS
    key = _find_key(path)
    return key != "" and (key not in _SCORING or (has_examples and key in _OF_EXAMPLES))


def _describe_options(walk: Walk, is_completion: bool) -> dict[str, str]:
    """How options are shown and asked for, which is what the scorers and checks of a benchmark with `choices` say."""
    if "choices" not in _list_keys(walk):
        return {}
    scorers, has_checks = _list_scorers(walk), "checks" in _list_keys(walk)
    if any(map(is_template, scorers)):
        return {"options by": str(scorers), "checks": str(has_checks)}
    found = {"letters": str(has_checks or any(name in LETTERED for name in scorers))}
    if is_completion:
        found["likelihood"] = str(scorers == ["choice"])
    if "examples" in _list_keys(walk):
        found["several"] = str("choices" in scorers)
    return found


def _list_scorers(walk: Walk) -> list[str]:
    """The names of the scorers of a benchmark with options, or the template of one."""
    named = [walk[path].partition(":")[2] for path in sorted(walk) if re.fullmatch(r"scorer(\[\d+\])?", path)]
    if len(named) > 1:
        return named[1:]  # the first is the length of the list
    return named or ([] if "checks" in _list_keys(walk) else ["choice"])


def _measures_latency(walk: Walk) -> bool:
    """Whether a check of the Evalfile looks at the seconds of a reply, which may have come from the cache."""
    types = (
        text.partition(":")[2] for path, text in walk.items() if path.startswith("checks") and path.endswith("type")
    )
    return any(read_type(name)[1] == "latency" for name in types)


def _list_keys(walk: Walk) -> set[str]:
    return {_find_key(path) for path in walk}


def _find_key(path: str) -> str:
    return _END_OF_KEY.split(path, maxsplit=1)[0]
