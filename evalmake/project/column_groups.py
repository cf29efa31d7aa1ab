"""The columns that a report takes together: `average = { core = [a, b] }`, and the same of `pooled` and `best`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from evalmake.language.values import Symbol

GroupForm = Literal["average", "pooled", "best"]
FORMS: tuple[GroupForm, ...] = get_args(GroupForm)


@dataclass(frozen=True, slots=True)
class ColumnGroup:
    """A column of a report over others. Without names of columns, it is over all of them."""

    name: str
    form: GroupForm
    weights: Mapping[str, float] | None = None  # by the names of its columns, in the order of the Evalfile


def list_groups(block: Any) -> Iterator[ColumnGroup]:
    """The groups of a report, in the order of the forms."""
    for form in FORMS:
        value = getattr(block, form)
        if value is True:
            yield ColumnGroup(form, form)
        for name, weights in value.items() if isinstance(value, dict) else ():
            yield ColumnGroup(name, form, weights)


def read_groups(value: object) -> object:
    """`true`, `false`, or the columns of each group with their weights."""
    if isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return {str(name): _read_columns(str(name), members) for name, members in value.items()}
    if isinstance(value, tuple):
        raise ValueError("give the column a name: `{ core = [a, b] }`")
    raise ValueError("write `true` for all columns, or name some: `{ core = [a, b] }`")


def _read_columns(name: str, members: object) -> dict[str, float]:
    if isinstance(members, dict):
        return {str(column): _read_weight(name, str(column), weight) for column, weight in members.items()}
    if not isinstance(members, tuple):
        raise ValueError(f"`{name}` takes columns: `{name} = [a, b]`, or `{{ a = 2, b = 1 }}`")
    names = [_read_name(name, one) for one in members]
    if not names:
        raise ValueError(f"`{name}` has no columns")
    again = next((one for one in names if names.count(one) > 1), None)
    if again is not None:
        raise ValueError(f"`{name}` has `{again}` twice: to count it more, write `{name} = {{ {again} = 2, ... }}`")
    return dict.fromkeys(names, 1.0)


def _read_name(name: str, value: object) -> str:
    if isinstance(value, Symbol | str | int | float) or value is None:
        return str(value).lower() if isinstance(value, bool) else "none" if value is None else str(value)
    raise ValueError(f"`{name}` takes the names of columns: `{name} = [a, b]`")


def _read_weight(name: str, column: str, weight: object) -> float:
    plain = isinstance(weight, int | float) and not isinstance(weight, bool)
    if not plain or not 0 < float(str(weight)) < math.inf:
        raise ValueError(f"the weight of `{column}` in `{name}` is a number above 0, such as 2")
    return float(str(weight))


def refuse_weights(value: object) -> object:
    """Refuse weights: `pooled` weighs by items, and `best` does not weigh."""
    for name, members in value.items() if isinstance(value, dict) else ():
        if isinstance(members, dict):
            raise ValueError(f"weights belong to `average`: write `{name} = [{', '.join(members)}]`")
    return value


def read_sections(value: object) -> object:
    """The names of columns or rows by the title of their section."""
    if not isinstance(value, dict):
        raise ValueError('write a title and what stands below it: `{ "Reasoning" = [a, b] }`')
    found: dict[str, tuple[str, ...]] = {}
    for title, members in value.items():
        if not isinstance(members, tuple) or not members:
            raise ValueError(f'`{title}` takes columns or rows: `{{ "{title}" = [a, b] }}`')
        names = tuple(_read_name(str(title), one) for one in members)
        places = {name: before for before, held in found.items() for name in held}
        again = next((name for place, name in enumerate(names) if name in places or name in names[:place]), None)
        if again is not None:
            raise ValueError(f"`{again}` stands in `{places.get(again, title)}` already: in one section, once")
        found[str(title)] = names
    return found
