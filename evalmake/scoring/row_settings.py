"""What was asked otherwise of one row of a table than of others: limit, sampling, prompt, adapter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

from evalmake.scoring.notes import Note
from evalmake.scoring.result import Result

_MOST_SETTINGS = 4  # that a note names


def find_unlike_rows(groups: Mapping[tuple[str, str], Sequence[Result]]) -> dict[tuple[str, str], list[Note]]:
    """A note for each entry of a table whose limit, sampling or prompt is not that of most rows beside it.

    Rows of another benchmark, or with another value of an axis, are unlike by their names and say it there.
    """
    alike: dict[Hashable, list[tuple[str, str]]] = {}
    for place, results in groups.items():
        named = [pair for pair in results[0].axes if pair[0] not in ("model", "seed")]
        alike.setdefault((place[1], results[0].benchmark, *named), []).append(place)
    found: dict[tuple[str, str], list[Note]] = {}
    for places in alike.values():
        every = [_settings_of_row(groups[place]) for place in places]
        for place, differing in zip(places, _list_unlike(every), strict=True):
            if differing:
                found[place] = [Note("unlike", f"unlike other rows: {', '.join(differing)}")]
    return found


def _settings_of_row(results: Sequence[Result]) -> dict[str, str]:
    """What was asked of a model; of its own declaration only the parameters, as it may need its own adapter."""
    settings = results[0].settings
    return {
        name: text
        for name, text in settings.items()
        if not name.startswith("the model's ") or name.startswith("the model's adapter.params")
    }


def _list_unlike(rows: Sequence[Mapping[str, str]]) -> list[list[str]]:
    """For each row, the settings in which it differs from most others: "limit 10 (others 30)"."""
    texts: list[list[str]] = [[] for _ in rows]
    for name in dict.fromkeys(name for settings in rows for name in settings):
        values = [settings.get(name, "none") for settings in rows]
        for at in _find_odd(values):
            others = ", ".join(sorted({*values} - {values[at]}))
            texts[at].append(f"{name} {values[at]} (others {others})")
    return [
        [*found[:_MOST_SETTINGS], *([f"{len(found) - _MOST_SETTINGS} more"] if len(found) > _MOST_SETTINGS else [])]
        for found in texts
    ]


def _find_odd(values: Sequence[str]) -> list[int]:
    """The places of values that differ from the commonest one; both of two, and the first where none is commonest."""
    counts = Counter(values).most_common(2)
    if len(counts) < 2 or len(values) == 2:
        return list(range(len(values))) if len(counts) == 2 else []
    if counts[0][1] == counts[1][1]:
        return [0]
    return [at for at, value in enumerate(values) if value != counts[0][0]]


def find_differences(ours: Sequence[Result], theirs: Sequence[Result], rows: str = "model") -> tuple[str, ...]:
    """What was asked otherwise of the two: "limit 10 against 30"; a setting that one side has not is `none`.

    The setting that the rows stand for is left out: their names say it.
    """
    sides = [[result.settings for result in side] for side in (ours, theirs)]
    names = dict.fromkeys(name for side in sides for settings in side for name in settings if name != rows)
    texts = []
    for name in names:
        one, other = (", ".join(sorted({settings.get(name, "none") for settings in side})) for side in sides)
        if one != other:
            texts.append(f"{name} {one} against {other}")
    seeds = [sorted({result.seed for result in side}) for side in (ours, theirs)]
    if len(seeds[0]) != len(seeds[1]):
        texts.append(f"{len(seeds[0])} seeds against {len(seeds[1])}")
    return tuple(texts)
