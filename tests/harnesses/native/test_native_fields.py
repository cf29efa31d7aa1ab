"""`fields`: records with names of the benchmark's own."""

from __future__ import annotations

import pytest

from evalmake.harnesses.native.dataset import Record
from evalmake.harnesses.native.errors import TaskError
from evalmake.harnesses.native.records import rename_fields

ROW = {"problem": "1 + 1", "solution": {"final": 2, "steps": []}, "level": 3}


def rename(fields: dict[str, str], row: dict[str, object] = ROW, strict: bool = True) -> dict[str, object]:
    """The record with these new names."""
    (record,) = rename_fields([Record(0, "a.jsonl:1", row, "x")], fields, strict)
    return record.data


def test_a_field_has_its_new_name_alone() -> None:
    """A renamed field is gone under its old name, one from inside another leaves that there, and names can swap."""
    assert rename({"question": "problem"}) == {"question": "1 + 1", "solution": ROW["solution"], "level": 3}
    assert rename({"answer": "solution.final"}) == {**ROW, "answer": 2}
    assert rename({"problem": "level", "level": "problem"}) == {**ROW, "problem": 3, "level": "1 + 1"}
    assert rename({}) == ROW


def test_the_identity_of_an_item_stays() -> None:
    """New names do not change which item a record is, so pairs and samples stay."""
    (record,) = rename_fields([Record(0, "a.jsonl:1", ROW, "x")], {"question": "problem"})
    assert record.item == "x"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"question": "task"}, "a.jsonl:1: the record has no field 'task'; it has problem, solution, level"),
        ({"level": "problem"}, "a.jsonl:1: the record has a field 'level' of its own"),
    ],
)
def test_what_does_not_fit_is_an_error(fields: dict[str, str], message: str) -> None:
    """An absent field, and a new name that another field has, are errors with the place."""
    with pytest.raises(TaskError) as found:
        rename(fields)
    assert list(found.value.messages) == [message]


def test_examples_may_have_the_names_already() -> None:
    """Worked examples from elsewhere, which lack the old fields, stay as they are."""
    assert rename({"question": "task"}, strict=False) == ROW
