"""Judges a statement of SQL by its parsed form: exactly one SELECT of `data`, which gives the same whenever it runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

TABLE = "data"
"""The table with the records of the files."""
_TABLE_FUNCTIONS = ("unnest", "range", "generate_series", "json_each", "json_tree", "repeat", "repeat_row")
CLOCKS = frozenset(
    {
        *("now", "today", "ago", "get_current_time", "get_current_timestamp", "transaction_timestamp", "txid_current"),
        *("current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"),
        *("current_localtime", "current_localtimestamp", "pg_conf_load_time", "pg_postmaster_start_time"),
    }
)
"""Functions that say when they run. duckdb's list of them has functions of dates, too, which are the same always."""
_KEYWORDS = frozenset({"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"})
"""Those that are called without brackets."""
_LIMITS = ("LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER")
_NOWHERE = 2**64 - 1
_ONE_SELECT = "write one SELECT of the table `data`"


class SqlMistake(NamedTuple):
    """What is wrong with a statement, what to do, and where: the first byte, and how many."""

    message: str
    help: str = ""
    start: int | None = None
    length: int = 1


def find_statement_mistake(parsed: Mapping[str, Any], volatile: Collection[str]) -> SqlMistake | None:
    """What is wrong with a statement as `json_serialize_sql` gives it; `volatile` are functions to refuse."""
    if parsed.get("error"):
        if parsed.get("error_type") == "parser":
            start, length = read_place(parsed)
            return SqlMistake(f"the query cannot be read: {parsed.get('error_message')}", "", start, length)
        return SqlMistake("the query is no SELECT", _ONE_SELECT)
    statements = parsed.get("statements") or []
    if len(statements) != 1:
        return SqlMistake(f"there are {len(statements)} statements" if statements else "it is empty", _ONE_SELECT)
    return next(_find_mistakes(statements[0]["node"], frozenset({TABLE}), volatile), None)


def is_ordered(parsed: Mapping[str, Any]) -> bool:
    """Whether a statement says in which order its rows are."""
    node = parsed["statements"][0]["node"]
    while node.get("type") == "CTE_NODE":  # as earlier versions wrap what follows WITH
        node = node["child"]
    return _has_order(node)


def read_place(error: Mapping[str, Any]) -> tuple[int | None, int]:
    """The first byte of what an error is about, and how many bytes it has."""
    try:
        start = int(error["position"])
    except (KeyError, ValueError):
        return None, 1
    _, _, length = str(error.get("location", "")).strip("[]").partition(",")
    return start, int(length) if length.isdigit() else 1


def _find_mistakes(node: object, tables: frozenset[str], volatile: Collection[str]) -> Iterator[SqlMistake]:
    """What is wrong with a part of a statement; `tables` are those that it can name."""
    for one in node if isinstance(node, list) else ():
        yield from _find_mistakes(one, tables, volatile)
    if not isinstance(node, Mapping):
        return
    tables |= _list_named_queries(node)
    yield from _find_own_mistakes(node, tables, volatile)
    for value in node.values():
        yield from _find_mistakes(value, tables, volatile)


def _find_own_mistakes(
    node: Mapping[str, Any], tables: frozenset[str], volatile: Collection[str]
) -> Iterator[SqlMistake]:
    place = _read_location(node)
    if node.get("sample") is not None:
        yield SqlMistake("a sample is another one each time", "write `limit` in the eval", *place)
    modifiers = [one.get("type") for one in node.get("modifiers") or ()]
    if any(kind in _LIMITS for kind in modifiers) and not _has_order(node):
        yield SqlMistake("LIMIT without ORDER BY takes any rows", "add ORDER BY, or write `limit` in the eval")
    chosen = any(one.get("distinct_on_targets") for one in node.get("modifiers") or ())
    if chosen and not _has_order(node):
        yield SqlMistake("DISTINCT ON without ORDER BY takes any rows", "add ORDER BY")
    match node.get("class"), node.get("type"):
        case "FUNCTION", _:
            name = str(node.get("function_name")).lower()
            if name in volatile or name in CLOCKS or (name == "age" and len(node.get("arguments") or ()) < 2):
                yield _refuse_function(f"{name}()", place)
        case "COLUMN_REF", _:
            names = [str(one).lower() for one in node.get("column_names") or ()]
            if len(names) == 1 and names[0] in _KEYWORDS:
                yield _refuse_function(names[0], place)
        case _, "BASE_TABLE":
            name = str(node.get("table_name"))
            if name.lower() not in tables or node.get("schema_name") or node.get("catalog_name"):
                yield SqlMistake(
                    f"there is no table `{name}`", "the records of `files` are in the table `data`", *place
                )
        case _, "SHOW_REF":
            yield SqlMistake("the query is no SELECT", _ONE_SELECT, *place)
        case _, "TABLE_FUNCTION":
            name = str((node.get("function") or {}).get("function_name")).lower()
            if name not in _TABLE_FUNCTIONS:
                where = _read_location(node.get("function") or node)
                yield SqlMistake(f"`{name}()` is no table that a query can read", "name its files in `files`", *where)


def _refuse_function(name: str, place: tuple[int | None, int]) -> SqlMistake:
    return SqlMistake(f"`{name}` gives something else each time: other records would be asked", "leave it out", *place)


def _has_order(node: Mapping[str, Any]) -> bool:
    return any(one.get("type") == "ORDER_MODIFIER" and one.get("orders") for one in node.get("modifiers") or ())


def _list_named_queries(node: Mapping[str, Any]) -> set[str]:
    """The names that WITH gives in a node."""
    named = node.get("cte_map")
    entries = named.get("map") if isinstance(named, Mapping) else []
    found = {str(one.get("key")).lower() for one in entries or ()}
    if node.get("type") in ("CTE_NODE", "RECURSIVE_CTE_NODE") and node.get("cte_name"):
        found.add(str(node["cte_name"]).lower())
    return found


def _read_location(node: Mapping[str, Any]) -> tuple[int | None, int]:
    start, length = node.get("query_location"), node.get("query_location_length")
    is_known = isinstance(start, int) and start != _NOWHERE
    return (start if is_known else None), (length if isinstance(length, int) and length > 0 else 1)
