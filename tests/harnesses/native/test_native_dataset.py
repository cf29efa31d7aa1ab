"""Data files, their mistakes, and the subset that a limit asks."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.harnesses.native.dataset import Record, read_files
from evalmake.harnesses.native.errors import TaskError
from evalmake.harnesses.native.json_io import fingerprint
from evalmake.harnesses.native.sampling import sample_records

GOOD = {
    "a.jsonl": '{"q": "x", "a": 1}\n\n{"q": "y\u2028z", "a": 2}\n',
    "bom.jsonl": '\ufeff{"q": "x", "a": 1}\r\n{"q": "y\u2028z", "a": 2}',
    "a.json": '[{"q": "x", "a": 1}, {"q": "y\u2028z", "a": 2}]',
    "b.json": '{"version": 1, "data": [{"q": "x", "a": 1}, {"q": "y\u2028z", "a": 2}]}',
}


@pytest.mark.parametrize("name", GOOD)
def test_json_kinds_are_read(tmp_path: Path, name: str) -> None:
    """JSON Lines, a list, and an object with one list hold the same records."""
    (tmp_path / name).write_text(GOOD[name], encoding="utf-8", newline="")
    records = read_files(tmp_path, [name])
    assert [record.data for record in records] == [{"q": "x", "a": 1}, {"q": "y\u2028z", "a": 2}]
    assert [record.index for record in records] == [0, 1]


def test_csv_is_read(tmp_path: Path) -> None:
    """CSV has a header, quotes and line feeds in fields; TSV has tabs."""
    (tmp_path / "a.csv").write_text('q,a\n"one, two\nthree",1\n"say ""hi""",2\n')
    (tmp_path / "a.tsv").write_text("q\ta\nfour, five\t3\n")
    records = read_files(tmp_path, ["a.csv", "a.tsv"])
    assert [record.data for record in records] == [
        {"q": "one, two\nthree", "a": "1"},
        {"q": 'say "hi"', "a": "2"},
        {"q": "four, five", "a": "3"},
    ]
    assert [record.index for record in records] == [0, 1, 2]


def test_parquet_is_read(tmp_path: Path) -> None:
    """Parquet's rows are records; dates are text."""
    pyarrow = pytest.importorskip("pyarrow")
    import datetime

    from pyarrow import parquet

    columns = {"q": ["x"], "l": [["a", "b"]], "d": [datetime.date(2020, 1, 2)], "n": [None]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    records = read_files(tmp_path, ["a.parquet"])
    assert records[0].data == {"q": "x", "l": ["a", "b"], "d": "2020-01-02", "n": None}
    assert records[0].where == "a.parquet: row 1"


def test_parquet_needs_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow the message says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(TaskError, match=r"pip install 'evalmake\[parquet\]'"):
        read_files(tmp_path, ["a.parquet"])


BAD = [
    ("s.jsonl", '{"a": 1}\n{"a": \n', "s.jsonl:2: not JSON: Expecting value at column 7"),
    ("s.jsonl", '{"a": NaN}', "s.jsonl:1: not JSON: NaN is not a JSON number"),
    ("s.jsonl", "[1]", "s.jsonl:1: a record is an object, but this is a list"),
    ("s.jsonl", "7", "s.jsonl:1: a record is an object, but this is a number"),
    ("s.jsonl", "", "no records in s.jsonl"),
    ("s.json", '{"a": 1}\n{"a": 2}', "s.json:2: not JSON: Extra data; JSON Lines go in a .jsonl"),
    ("s.json", '{"a": [], "b": []}', "s.json: expected a list of objects, or an object with one"),
    ("s.json", '[{"a": 1}, 2]', "s.json: item 2: a record is an object"),
    ("s.csv", "a,b\n1,2\n3\n", "s.csv:3: 1 fields, but the header has 2"),
    (
        "s.csv",
        "a;b\n1,5;2\n",
        "s.csv:1: its columns are separated by `;`, and those of a .csv file by commas: write commas",
    ),
    (
        "s.csv",
        "a\tb\n1\t2\n",
        "s.csv:1: its columns are separated by tabs, and those of a .csv file by commas: end its name in .tsv",
    ),
    (
        "s.tsv",
        "a,b\n1,2\n",
        "s.tsv:1: its columns are separated by commas, and those of a .tsv file by tabs: end its name in .csv",
    ),
    ("s.jsonl", '[{"a": 1},\n{"a": 2}]\n', "s.jsonl:1: it is a JSON list: end its name in .json"),
    ("s.jsonl", '{\n"a": 1}\n', "s.jsonl:1: it is one object over several lines: end its name in .json"),
    ("s.csv", "a,a\n1,2\n", "s.csv:1: two columns have the same name"),
    ("s.csv", 'a,b\n"1,2\n', "s.csv:2: not CSV: unexpected end of data"),
    ("s.xlsx", "", "s.xlsx: unknown data file type; the types are .jsonl"),
    ("s.parquet", "no", "s.parquet: "),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD)
def test_bad_data_names_file_and_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    """A mistake in a file is told with the file and the line it is in."""
    (tmp_path / name).write_text(content)
    with pytest.raises(TaskError) as caught:
        read_files(tmp_path, [name])
    assert caught.value.messages[0].startswith(message)


def test_bad_bytes_and_missing_files(tmp_path: Path) -> None:
    """A file that is absent or not UTF-8 is named."""
    (tmp_path / "s.jsonl").write_bytes(b'{"a": 1}\n{"a": "\xff"}')
    with pytest.raises(TaskError, match=r"s\.jsonl:2: not UTF-8"):
        read_files(tmp_path, ["s.jsonl"])
    with pytest.raises(TaskError, match=r"t\.jsonl: No such file"):
        read_files(tmp_path, ["t.jsonl"])


def test_all_bad_lines_are_told(tmp_path: Path) -> None:
    """Every bad line of a file is reported, not the first only."""
    (tmp_path / "s.jsonl").write_text('x\n{"a": 1}\ny\n')
    with pytest.raises(TaskError) as caught:
        read_files(tmp_path, ["s.jsonl"])
    assert [message[:10] for message in caught.value.messages] == ["s.jsonl:1:", "s.jsonl:3:"]


def records(values: list[int]) -> list[Record]:
    """Records of numbers."""
    data = [{"n": value} for value in values]
    return [Record(at, f":{at}", one, fingerprint(one)) for at, one in enumerate(data)]


@given(st.lists(st.integers()), st.integers(1, 20), st.integers(1, 20))
def test_limits_nest(values: list[int], one: int, other: int) -> None:
    """A smaller limit's subset lies within a larger one's, in the order of the data."""
    data = records(values)
    small, large = (sample_records(data, limit) for limit in sorted((one, other)))
    assert {record.index for record in small} <= {record.index for record in large}
    assert len(large) == min(len(data), max(one, other))
    assert [record.index for record in large] == sorted(record.index for record in large)


@given(st.sets(st.integers(), min_size=5, max_size=30), st.randoms())
def test_the_order_of_the_data_does_not_choose(values: set[int], shuffler: random.Random) -> None:
    """The same records in another order give the same subset."""
    ordered = sorted(values)
    mixed = list(ordered)
    shuffler.shuffle(mixed)
    first, second = (sample_records(records(one), 4) for one in (ordered, mixed))
    assert {record.item for record in first} == {record.item for record in second}


def test_a_limit_is_a_sample_not_a_prefix() -> None:
    """The subset is spread over the data, for files are often sorted by topic."""
    chosen = [record.index for record in sample_records(records(list(range(1000))), 100)]
    assert 300 < sum(chosen) / len(chosen) < 700


def test_fingerprints_are_stable() -> None:
    """The fingerprint is that of canonical JSON: the order of keys is nothing, content is all."""
    assert fingerprint({"b": 1, "a": "ä"}) == fingerprint({"a": "ä", "b": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": "1"})
    # printf '{"a":"ä","b":1}' | sha256sum
    assert fingerprint({"b": 1, "a": "ä"}) == "507aab815f2bdfce"


DEEP = '{"x": ' + "[" * 120 + "]" * 120 + "}"
HOSTILE = [
    ("s.jsonl", '{"a": 1}\n{"a": 1e999}', "s.jsonl:2: not JSON: 1e999 is too large for a number"),
    ("s.jsonl", '{"a": -1e999}', "s.jsonl:1: not JSON: -1e999 is too large for a number"),
    ("s.jsonl", '{"a": 1' + "0" * 5000 + "}", "s.jsonl:1: not JSON: 10000000000000000000... has too many digits"),
    ("s.jsonl", '{"a": 1}\n{"b": {"a": 1, "a": 2}}', "s.jsonl:2: not JSON: the key 'a' occurs twice"),
    ("s.jsonl", '{"a": 1}\n' + DEEP, "s.jsonl:2: not JSON: nested more than 100 levels deep at column 106"),
    ("s.jsonl", '{"x": ' + "[" * 100_000, "s.jsonl:1: not JSON: nested more than 100 levels deep at column 106"),
    ("s.json", '[{"a": 1},\n{"a": 1e999}]', "s.json: item 2: not JSON: 1e999 is too large for a number"),
    ("s.json", '[{"a": 1},\n{"a": [NaN]}]', "s.json: item 2: not JSON: NaN is not a JSON number"),
    ("s.json", '{"data": [{"a": 1, "a": 1}]}', "s.json: item 1: not JSON: the key 'a' occurs twice"),
    ("s.json", '{"data": [{"a": 1}], "data": []}', "s.json: not JSON: the key 'data' occurs twice"),
    ("s.json", '[{"a": 1},\n' + DEEP + "]", "s.json:2: not JSON: nested more than 100 levels deep"),
]


@pytest.mark.parametrize(("name", "content", "message"), HOSTILE)
def test_hostile_values_name_file_and_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    """What JSON parsers read each in their own way is refused, with the place in the file."""
    (tmp_path / name).write_text(content)
    with pytest.raises(TaskError) as caught:
        read_files(tmp_path, [name])
    assert caught.value.messages == (message,)


def test_brackets_in_texts_are_not_nesting(tmp_path: Path) -> None:
    """A text full of brackets is no deep value, and 100 levels are read."""
    text, deep = "[{" * 300 + '\\"', "[" * 99 + "]" * 99
    (tmp_path / "s.jsonl").write_text(f'{{"a": "{text}", "b": {deep}}}')
    assert read_files(tmp_path, ["s.jsonl"])[0].data["a"] == "[{" * 300 + '"'


def test_a_limit_chooses_rows_not_copies() -> None:
    """Of a question that fills half of the data, a limit takes about half of its sample."""
    data = records([*range(100), *([7] * 100)])
    chosen = [record.data["n"] for record in sample_records(data, 60)]
    assert 15 <= chosen.count(7) <= 45


def test_copies_do_not_move_other_records() -> None:
    """A copy that is added takes no other record's rank."""
    before = {record.data["n"] for record in sample_records(records([*range(50)]), 20)}
    after = [record.data["n"] for record in sample_records(records([*range(50), 7, 7]), 20)]
    assert {n for n in after if n != 7} <= before
