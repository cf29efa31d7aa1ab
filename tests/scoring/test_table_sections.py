"""The sections of a table."""

from __future__ import annotations

from evalmake.project.column_groups import ColumnGroup
from evalmake.scoring.table_sections import TableSection, divide_table

CORE, EVERY = ColumnGroup("core", "average", {"a": 1.0, "b": 1.0}), ColumnGroup("average", "average")


def test_without_sections_a_table_is_one() -> None:
    """It has no title."""
    assert divide_table(["m"], ["a"], [CORE], {}) == (TableSection("", ("m",), ("a",), (CORE,)),)


def test_sections_of_columns() -> None:
    """Columns stand in the order of the section, averages beside their columns, and the rest at the end."""
    found = divide_table(
        ["m", "n"], ["a", "b", "c", "d"], [CORE, EVERY], {"One": ["b", "a"], "Two": ["c", "x"], "No": ["y"]}
    )
    assert [(one.title, one.columns, [group.name for group in one.groups]) for one in found] == [
        ("One", ("b", "a"), ["core"]),
        ("Two", ("c",), []),
        ("Other", ("d",), []),
        ("Averages", (), ["average"]),
    ]
    assert {one.rows for one in found} == {("m", "n")}


def test_sections_of_rows() -> None:
    """Rows that another axis divides stay together, and each section has all columns."""
    rows = ["a (limit=1)", "b", "a (limit=2)", "ab"]
    found = divide_table(rows, ["m"], [EVERY], {"One": ["a"]})
    assert [(one.title, one.rows) for one in found] == [("One", ("a (limit=1)", "a (limit=2)")), ("Other", ("b", "ab"))]
    assert all(one.columns == ("m",) and one.groups == (EVERY,) for one in found)
