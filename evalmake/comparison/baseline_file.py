"""The file of a baseline: TOML with a line for each result, so that a difference in git reads as one of scores.

    version = 1
    targets = ["grid"]
    because = [
        "2026-12-02 ada: set",
    ]

    [results]
    "grid/good/1" = { score = 0.785, n = 400, metric = "accuracy", ... }

It lies beside the Evalfile, in `baselines/NAME.toml`, and is meant to be checked in. Digests are cut to 12 digits: they
find a result again in a store, and prove nothing.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from evalmake.language.atomic_write import write_atomic
from evalmake.language.diagnostic import closest_name, make_error
from evalmake.language.regular_file import read_regular
from evalmake.language.source import Source, Span
from evalmake.language.write_errors import advise_on_write_error
from evalmake.project.baseline_path import ENDING, FOLDER, MOST_BASELINE_BYTES, find_path, is_name, list_baselines
from evalmake.project.boundary import Boundary, allow_help

VERSION = 1
_HEAD = (
    "# A baseline: results to compare with. `evalmake baseline` writes it, `evalmake compare` reads it; check it in.\n"
)
_PLACE = re.compile(r"\s*\(at line (\d+), column (\d+)\)$")
_HELP = ["write it anew: `evalmake baseline set NAME TARGET`, after you have removed the file"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BaselineScore:
    """One metric of a result."""

    value: float | None
    stderr: float | None = None
    scored: int = 0
    unscored: int = 0


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """One line: a result, its place among others, and digests that find it again."""

    name: str
    metric: str
    scores: Mapping[str, BaselineScore]
    model: str
    benchmark: str
    seed: int
    axes: Mapping[str, str] = field(default_factory=dict)  # without model, benchmark and seed
    parts: Mapping[str, str] = field(default_factory=dict)  # part of the identity -> digest, cut
    action: str = ""  # its digest, cut
    attempt: int = 0
    asked: str = ""  # a digest of its items; empty if it left none
    items: str = ""  # a digest of their scores
    line: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Baseline:
    """All lines, the targets they are of, and why they are what they are, the latest reason last."""

    name: str
    targets: tuple[str, ...]
    because: tuple[str, ...]
    results: tuple[BaselineResult, ...]


def check_name(name: str, span: Span | None = None) -> None:
    """EvalmakeError for what cannot be the name of a baseline."""
    if not is_name(name):
        message = f"a baseline cannot be called `{name}`"
        help = ["use up to 64 letters, digits, `.`, `-` and `_`, and begin with a letter or digit"]
        raise make_error("bad-name", message, span, help=help)


def read_baseline(evalfile: Path, name: str, span: Span | None = None) -> Baseline:
    """The baseline of a name; EvalmakeError if there is none, or if its file is not one."""
    folder = evalfile.absolute().parent
    path = find_path(folder, name)
    if not is_name(name) or not path.exists():
        raise _unknown(name, list_baselines(folder), span)
    _check_inside(evalfile, path)
    try:
        data = read_regular(path, MOST_BASELINE_BYTES)
    except OSError as error:
        raise make_error("bad-baseline", f"cannot read {_show(path)}: {error.strerror}") from None
    return decode_baseline(name, data)


def decode_baseline(name: str, data: bytes) -> Baseline:
    """The baseline in the bytes of its file; EvalmakeError if they are none."""
    shown = f"{FOLDER}/{name}{ENDING}"
    try:
        return parse_baseline(name, Source(shown, data.decode()))
    except UnicodeDecodeError:
        raise make_error("bad-baseline", f"{shown} is not UTF-8", help=_HELP) from None


def write_baseline(evalfile: Path, baseline: Baseline) -> Path:
    """Write a baseline whole or not at all, and return its path."""
    path = find_path(evalfile.absolute().parent, baseline.name)
    _check_inside(evalfile, path)
    try:
        write_atomic(path, format_baseline(baseline).encode())
    except OSError as error:
        message = f"cannot write {_show(path)}: {error.strerror}"
        raise make_error("bad-baseline", message, help=advise_on_write_error(error.errno)) from None
    return path


def _check_inside(evalfile: Path, path: Path) -> None:
    """Refuse links that lead out of the project: a stranger's repository may hold some."""
    if not Boundary(evalfile).holds(path):
        message = f"`{_show(path)}` is a link out of the project"
        raise make_error("outside-project", message, help=allow_help(path))


def _unknown(name: str, known: Sequence[str], span: Span | None) -> Exception:
    meant = closest_name(name, known)
    help = [f"did you mean `{meant}`?"] if meant else []
    help += [f"there are {', '.join(known)}"] if known and not meant else []
    help += [] if known else [f"there is none yet: `evalmake baseline set {name} TARGET` writes it"]
    return make_error("unknown-baseline", f"no baseline is named `{name}`", span, help=help)


def _show(path: Path) -> str:
    return f"{FOLDER}/{path.name}"


# --- Writing -----------------------------------------------------------------------------------------


def format_baseline(baseline: Baseline) -> str:
    """The text of a baseline: the same for the same results."""
    because = "".join(f"    {_quote(text)},\n" for text in baseline.because)
    head = f"{_HEAD}version = {VERSION}\ntargets = {_list(baseline.targets)}\nbecause = [\n{because}]\n\n[results]\n"
    return head + "".join(f"{_quote(one.name)} = {{ {_format_result(one)} }}\n" for one in baseline.results)


def _format_result(one: BaselineResult) -> str:
    """What a reader of a difference wants to see comes first."""
    headline = one.scores[one.metric]
    pairs = [*_pairs_of_score(headline), ("metric", _quote(one.metric))]
    pairs += [("model", _quote(one.model)), ("benchmark", _quote(one.benchmark)), ("seed", str(one.seed))]
    pairs += [("axes", _table({name: _quote(text) for name, text in one.axes.items()}))] if one.axes else []
    others = {name: _table(dict(_pairs_of_score(s))) for name, s in one.scores.items() if name != one.metric}
    pairs += [("others", _table(others))] if others else []
    pairs += [("attempt", str(one.attempt)), ("action", _quote(one.action))]
    pairs += [("parts", _table({name or "cell": _quote(digest) for name, digest in one.parts.items()}))]
    pairs += [("asked", _quote(one.asked)), ("items", _quote(one.items))] if one.items else []
    return ", ".join(f"{key} = {text}" for key, text in pairs)


def _pairs_of_score(score: BaselineScore) -> list[tuple[str, str]]:
    pairs = [("score", _number(score.value))] if score.value is not None else []
    pairs += [("n", str(score.scored))]
    pairs += [("unscored", str(score.unscored))] if score.unscored else []
    return pairs + ([("stderr", _number(score.stderr))] if score.stderr is not None else [])


def _number(value: float) -> str:
    text = f"{float(value):.12g}"
    return text if re.search(r"[.e]", text) else f"{text}.0"


def _table(texts: Mapping[str, str]) -> str:
    return f"{{ {', '.join(f'{_quote_key(key)} = {text}' for key, text in texts.items())} }}"


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_quote, texts))}]"


def _quote_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _quote(key)


def _quote(text: str) -> str:
    """A basic string of TOML, which is JSON's but for DEL; no half of a character."""
    whole = text.encode("utf-8", "replace").decode()
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")


def has_same_results(one: Baseline, other: Baseline) -> bool:
    """Whether two baselines are alike but for their reasons, as far as a file tells."""
    return format_baseline(replace(one, because=())) == format_baseline(replace(other, because=()))


# --- Reading -----------------------------------------------------------------------------------------


def parse_baseline(name: str, source: Source) -> Baseline:
    """The baseline in a text; EvalmakeError with the place of what is wrong."""
    try:
        data = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(source, str(error)) from None
    except RecursionError:
        raise make_error("bad-baseline", f"{source.name} is nested too deeply", help=_HELP) from None
    version = data.get("version")
    if type(version) is int and version != VERSION:
        message = f"{source.name} is a baseline of version {version}, and this evalmake reads version {VERSION}"
        raise make_error("bad-baseline", message, help=["upgrade evalmake"])
    where: Span | None = source.span(0)
    try:
        if type(version) is not int:
            raise TypeError("it has no `version`")
        targets, because = (_texts(data, key) for key in ("targets", "because"))
        results = []
        for key, entry in _typed(data, "results", dict).items():
            where = _find_line(source, key)
            results.append(_parse_result(key, entry, where))
    except (KeyError, TypeError) as error:
        what = f"it has no `{error.args[0]}`" if isinstance(error, KeyError) else str(error)
        message = f"{source.name} is not a baseline that evalmake wrote: {what}"
        raise make_error("bad-baseline", message, where, help=_HELP) from None
    return Baseline(name, targets, because, tuple(results))


def _parse_result(name: str, entry: Any, line: Span | None) -> BaselineResult:
    """One line; KeyError or TypeError, which say what is wrong, for anything else."""
    if not isinstance(entry, dict):
        raise TypeError(f"`{name}` is no table")
    metric = _typed(entry, "metric", str)
    others = _optional(entry, "others", dict)
    scores = {metric: _parse_score(entry)} | {key: _parse_score(one) for key, one in (others or {}).items()}
    parts = _texts_by_key(_typed(entry, "parts", dict))
    return BaselineResult(
        name,
        metric,
        scores,
        _typed(entry, "model", str),
        _typed(entry, "benchmark", str),
        _typed(entry, "seed", int),
        _texts_by_key(_optional(entry, "axes", dict) or {}),
        {"" if key == "cell" else key: text for key, text in parts.items()},
        _typed(entry, "action", str),
        _typed(entry, "attempt", int),
        _optional(entry, "asked", str) or "",
        _optional(entry, "items", str) or "",
        line,
    )


def _parse_score(entry: Any) -> BaselineScore:
    if not isinstance(entry, dict):
        raise TypeError("a score is no table")
    value, stderr = (_optional(entry, key, float) for key in ("score", "stderr"))
    for number in (value, stderr):
        if number is not None and not abs(number) < float("inf"):
            raise TypeError(f"a score is {number}")
    scored, unscored = _typed(entry, "n", int), _optional(entry, "unscored", int) or 0
    if min(scored, unscored) < 0 or (stderr is not None and stderr < 0):
        raise TypeError("a number is below 0 that cannot be")
    return BaselineScore(value, stderr, scored, unscored)


def _typed(entry: Mapping[str, Any], key: str, kind: type[T]) -> T:
    value = entry[key]
    if type(value) is int and kind is float:
        value = float(value)
    if type(value) is not kind:
        raise TypeError(f"`{key}` has another type")
    found: T = value
    return found


def _optional(entry: Mapping[str, Any], key: str, kind: type[T]) -> T | None:
    return _typed(entry, key, kind) if key in entry else None


def _texts(entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    texts = _typed(entry, key, list)
    if not all(type(text) is str for text in texts):
        raise TypeError(f"`{key}` has something that is no text")
    return tuple(texts)


def _texts_by_key(entry: Mapping[str, Any]) -> dict[str, str]:
    return {key: _typed(entry, key, str) for key in entry}


def _not_toml(source: Source, text: str) -> Exception:
    """The error for a file that is no TOML, at its place: mostly git has left its marks of a conflict."""
    place = _PLACE.search(text)
    span = None
    if place:
        line = min(int(place[1]), source.text.count("\n") + 1)
        start = sum(len(one) + 1 for one in source.text.split("\n")[: line - 1])
        span = source.span(min(start + int(place[2]) - 1, len(source.text)))
    message = f"{source.name} is not TOML: {_PLACE.sub('', text)}"
    conflict = "<<<<<<<" in source.text
    help = ["git left both sides of a conflict in it: keep one"] if conflict else _HELP
    return make_error("bad-baseline", message, span, help=help)


def _find_line(source: Source, key: str) -> Span | None:
    start = source.text.find(f"{_quote(key)} =")
    return source.span(start, start + len(_quote(key))) if start >= 0 else None
