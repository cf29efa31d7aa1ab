"""Reads `scores.json`, in the native harness's long form or the short form that any program may write."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

from evalmake.language.diagnostic import closest_name
from evalmake.plugin_api.harness import Outcome
from evalmake.scoring.result_set import Score
from evalmake.scoring.sample_counts import SAMPLES
from evalmake.scoring.share_names import describe_impossible_share

KEYS = ("value", "stderr", "low", "high", "n", "scored", "unscored", "clusters")
"""What the map of one score may hold; `n` is `scored`."""
_FRAME = ("status", "metric", "scores", "usage")
_MOST_SAMPLES = 10**12  # more is a mistake, and no longer exact as a float
_MOST_SCORES = 10_000
_MOST_BYTES = 64 << 20
_COUNTS = ("n", "stderr", "scored", "unscored")
"""Keys of a score that are no names of metrics."""


def read_scores(path: Path, metric: str | None) -> Outcome:
    """Read the scores in `path`; the outcome has an `error` if there are none.

    Long form: {"status", "metric", "scores": {NAME: {"value", "stderr", "low", "high", "scored",
    "unscored", "clusters"}}, "usage"}. Short form: {NAME: number, ...} or {NAME: {"value", "stderr", "n"}}.
    Of several scores without `metric`, none is the headline.
    """
    try:
        data = parse_json(read_file(path, _MOST_BYTES))
    except (FileNotFoundError, NotADirectoryError):  # a program may also put a file where its folder was
        return Outcome(error=explain_missing_file(path.parent, path.name))
    except (OSError, ValueError) as error:
        return Outcome(error=f"{path.name} is not JSON: {error}")
    if not isinstance(data, dict):
        return Outcome(error=f"{path.name} is not an object of scores")
    status = data.get("status", "success")
    if status not in ("success", "succeeded", "unscored"):
        return Outcome(error=f"the harness reports status {status}")
    given = data["scores"] if isinstance(data.get("scores"), dict) else data
    if wrong := _find_stray_key(data, given):
        return Outcome(error=f"{path.name}: {wrong}")
    return parse_scores(given, metric or data.get("metric"), data.get("usage"))


def _find_stray_key(data: dict[str, Any], given: dict[str, Any]) -> str:
    """What is wrong with a key of the file, or of one of its scores, that would be read as something else."""
    for key in data if given is not data else ():
        if key not in _FRAME:
            return f"`{key}` stands beside `scores`: put it into `scores` if it is one"
    for name, value in given.items():
        if name in _COUNTS:
            return f'`{name}` is no score, but of one: write {{"METRIC": {{"value": ..., "{name}": {_show(value)}}}}}'
        for key in value if isinstance(value, dict) and name != "usage" else ():
            if key not in KEYS:
                meant = closest_name(key.lower(), KEYS)
                hint = f"did you mean `{meant}`?" if meant else f"it may have {', '.join(KEYS)}"
                return f"the score `{name}` has the unknown key `{key}`: {hint}"
    return ""


def explain_missing_file(outputs: Path, name: str) -> str:
    """That a program left no file of scores, and what it did instead, as far as that can be seen."""
    missing = f"the harness wrote no {name}"
    if (outputs.parent / name).is_file():
        return f"{missing} into $EVALMAKE_OUT, but one into its working folder"
    if (outputs / SAMPLES).is_file():
        return f'{missing}, only {SAMPLES}, which is no score: write the means, as {{"accuracy": 0.81}}'
    return missing


def read_file(path: Path, most: int) -> bytes:
    """The content of a file that a job left; ValueError if it has more than `most` bytes."""
    if path.is_dir():
        raise ValueError("it is a folder")
    with path.open("rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it is larger than {most >> 20} MiB")
    return data


def parse_json(data: bytes) -> Any:
    """Parse JSON in UTF-8, with or without a byte order mark.

    ValueError also for a key that occurs twice, of which one would be lost, and for deep nesting.
    """

    def build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
            raise ValueError(f"the key `{twice}` occurs twice")
        return found

    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=build_object)
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        if str(error).startswith("Exceeds the limit"):  # Python's words, which tell of its settings
            raise ValueError("a number in it has thousands of digits") from None
        raise


def parse_scores(given: Any, metric: object, usage: Any) -> Outcome:
    """Parse a map of names to numbers or maps."""
    if len(given) > _MOST_SCORES:
        return Outcome(error=f"the harness reported {len(given)} scores, and {_MOST_SCORES} may be")
    scores = []
    try:
        for name, value in given.items():
            if name not in ("status", "metric", "usage"):
                scores.append(_parse_score(name, value))
        counts = _parse_usage(usage)
    except ValueError as error:
        return Outcome(error=str(error))
    if not scores:
        return Outcome(error="the harness reported no score")
    alone = scores[0].metric if len(scores) == 1 else ""
    headline = metric if isinstance(metric, str) and metric else alone
    if headline and headline not in {score.metric for score in scores}:
        known = ", ".join(score.metric for score in scores)
        return Outcome(error=f"the harness reported no `{headline}`; it reported {known}")
    return Outcome(tuple(scores), headline, counts)


def _parse_usage(usage: Any) -> dict[str, float]:
    """The numbers among the usage; ValueError for one that counts nothing."""
    found = {name: count for name, count in usage.items() if _is_number(count)} if isinstance(usage, dict) else {}
    for name, count in found.items():
        if _to_float(count) is None or count < 0:
            raise ValueError(f"the usage `{name}` is {_show(count)}, not a count")
    return found


def _parse_score(name: str, value: Any) -> Score:
    """Parse one score; ValueError says what is wrong with it."""
    if not name.strip() or not name.isprintable():
        raise ValueError(f"the name of a score is not printable: {name!a}")
    entry = value if isinstance(value, dict) else {"value": value}
    if not isinstance(value, dict) and not _is_number(value):
        raise ValueError(f"the score `{name}` is {_show(value)}, not a number")
    numbers = {key: _parse_number(name, key, entry.get(key)) for key in ("value", "stderr", "low", "high")}
    if numbers["value"] is not None and (wrong := describe_impossible_share(name, numbers["value"])):
        raise ValueError(f"the score `{name}` is {wrong}")
    stderr, low, high = numbers["stderr"], numbers["low"], numbers["high"]
    if stderr is not None and stderr < 0:
        raise ValueError(f"the stderr of the score `{name}` is {_show(stderr)}, below 0")
    if low is not None and high is not None and low > high:
        raise ValueError(f"the low of the score `{name}` is {_show(low)}, above its high, {_show(high)}")
    value = numbers["value"]
    if value is not None and ((low is not None and value < low) or (high is not None and value > high)):
        raise ValueError(f"the score `{name}` is {_show(value)}, outside its interval: {_show(low)} to {_show(high)}")
    scored = _parse_count(name, "scored" if "scored" in entry else "n", entry)
    if "n" in entry and scored != _parse_count(name, "n", entry):
        raise ValueError(f"the score `{name}` has `scored` {scored} and `n` {_show(entry['n'])}, which are the same")
    if numbers["value"] is not None and scored == 0 and (entry.get("scored", entry.get("n")) is not None):
        raise ValueError(f"the score `{name}` is {_show(numbers['value'])}, of 0 samples")
    clusters = _parse_count(name, "clusters", entry)
    if clusters > scored:
        raise ValueError(f"the score `{name}` has {clusters} clusters and {scored} samples")
    unscored = _parse_count(name, "unscored", entry)
    return Score(name, numbers["value"], stderr, low, high, scored, unscored, clusters=clusters or None)


def _parse_number(name: str, key: str, value: Any) -> float | None:
    if value is None:
        return None
    number = _to_float(value) if _is_number(value) else None
    if number is None:
        of = "" if key == "value" else f"{key} of the "
        raise ValueError(f"the {of}score `{name}` is {_show(value)}, not a number")
    return number


def _parse_count(name: str, key: str, entry: dict[str, Any]) -> int:
    """A count of samples; 0 where there is none."""
    value = entry.get(key)
    if value is None:
        return 0
    if not _is_number(value) or _to_float(value) is None or not 0 <= value <= _MOST_SAMPLES or value != int(value):
        raise ValueError(f"`{key}` of the score `{name}` is {_show(value)}, not a count")
    return int(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _to_float(value: float) -> float | None:
    """The number; None for NaN, infinity and integers too large for a float."""
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _show(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
