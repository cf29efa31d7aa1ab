"""`sql`: the records are the rows of a query over the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalmake.harnesses.native import sql_query
from evalmake.harnesses.native.errors import TaskError
from evalmake.harnesses.native.sql_query import find_query_mistake, query_records
from evalmake.harnesses.native.sql_statement import CLOCKS, find_statement_mistake
from evalmake.language.source import Source, Span
from evalmake.language.text_place import find_in_text
from tests.harnesses.native.harness_bench import Body, Native

duckdb = pytest.importorskip("duckdb")

ROWS: list[Body] = [
    {"q": "c?", "a": "3", "level": 3, "tags": ["x"], "at": "2024-01-01T10:00:00Z", "deep": {"n": 1}},
    {"q": "a?", "a": "1", "level": 10, "tags": [], "at": "today"},
    {"q": "b?", "a": "2", "level": 2, "tags": ["x", "y"], "at": "", "deep": {"n": 2, "m": None}},
]


def rows(folder: Path, sql: str, data: list[Body] | None = None, **files: str) -> list[Body]:
    """The records of a query over a file of JSON Lines and others."""
    (folder / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (ROWS if data is None else data)))
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    names = ["d.jsonl", *(name.replace("_", ".") for name in files)]
    return [record.data for record in query_records(folder, names, {}, sql)]


def refusal(folder: Path, sql: str, data: list[Body] | None = None) -> str:
    """What is said of a query that cannot be run."""
    with pytest.raises(TaskError) as caught:
        rows(folder, sql, data)
    return caught.value.messages[0]


def test_the_rows_are_the_records(native: Native) -> None:
    """The model is asked the rows of the query; `fields`, `where` and a limit come after it."""
    native.env["EVALMAKE_LIMIT"] = "1"
    sql = "select q, a as answer, level from data where level > 2 order by level"
    run = native(ROWS, sql=sql, fields={"question": "q"}, prompt="{question}", target="{answer}", where="level < 9")
    assert [sample["input"] for sample in run.samples] == [{"question": "c?", "answer": "3", "level": 3}]


def test_values_stay_as_they_are(tmp_path: Path) -> None:
    """`select *` changes no value: texts that look like dates stay texts, and a missing field is null."""
    found = rows(tmp_path, "select * from data order by level")
    assert found == [ROWS[2], {**ROWS[0], "deep": {"n": 1, "m": None}}, {**ROWS[1], "deep": None}]


@pytest.mark.parametrize(
    "values",
    [
        [1, "one", None, [1, {"b": 2}]],
        [2**70, 1],
        [{"A": 1, "a": 2}],
        [{}],
        [[], [[]]],
        [[1, "x"]],
        [True, False, None],
        [0.1, 1e300, -2.5],
        ['"quoted"', "O'Brien", "007", "ä\n"],
        [{"it's": {'a"b': [{"c": None}]}}],
        [{str(number): number for number in range(300)}],
        [None, None],
    ],
    ids=lambda one: str(one)[:30],
)
def test_any_value_can_be_loaded(tmp_path: Path, values: list[Any]) -> None:
    """Whatever JSON a field holds in different records, it comes out as it went in."""
    data = [{"nr": at, 'it\'s "v"': value} for at, value in enumerate(values)]
    assert rows(tmp_path, "select * from data order by nr", data) == data


def test_rows_without_an_order_are_sorted(tmp_path: Path) -> None:
    """Without ORDER BY, all columns sort the rows, the first one first, whatever the order of the data is."""
    sql = "select level, q from data"
    assert [row["level"] for row in rows(tmp_path, sql)] == [2, 3, 10]
    assert rows(tmp_path, sql, ROWS[::-1]) == rows(tmp_path, sql)


def test_files_are_united_by_name(tmp_path: Path) -> None:
    """Columns of several files of any kind are matched by name; a value of CSV is a text."""
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"a": ["9"], "q": ["z?"], "when": [None]}), tmp_path / "p.parquet")
    (tmp_path / "c.csv").write_text("q,code\nk?,007\n")
    (tmp_path / "d.jsonl").write_text('{"q": "a?", "a": "1"}\n')
    found = query_records(tmp_path, ["p.parquet", "c.csv", "d.jsonl"], {}, "select q, a, code from data")
    assert [list(record.data.values()) for record in found] == [
        ["a?", "1", None],
        ["k?", None, "007"],
        ["z?", "9", None],
    ]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select * from data where random() < 2", "`random()` gives something else"),
        ("select * from data where (select UUID()) != ''", "`uuid()` gives"),
        ("select now() from data", "`now()` gives"),
        ("select current_timestamp from data", "`current_timestamp` gives"),
        ("select age(timestamp '2020-01-01') from data", "`age()` gives"),
        ("from data order by random()", "`random()` gives"),
        ("with t as (select gen_random_uuid() from data) select * from t", "`gen_random_uuid()` gives"),
        ("select * from data tablesample 10%", "a sample is another one"),
        ("select * from (select * from data limit 1)", "LIMIT without ORDER BY"),
        ("select distinct on (level) * from data", "DISTINCT ON without ORDER BY"),
        ("select * from information_schema.tables", "there is no table `tables`"),
        ("select * from duckdb_settings()", "`duckdb_settings()` is no table"),
        ("select * from query('select random()')", "`query()` is no table"),
        ("select * from read_csv('/etc/passwd')", "`read_csv()` is no table"),
        ("select * from '/etc/passwd'", "there is no table `/etc/passwd`"),
        ("select * from ROWS", "there is no table `ROWS`"),
        ("describe data", "the query is no SELECT"),
        ("copy data to '/tmp/x.csv'", "the query is no SELECT"),
        ("install httpfs", "the query is no SELECT"),
        ("set threads = 9", "the query is no SELECT"),
        ("attach 'x.db'", "the query is no SELECT"),
        ("select 1; drop table data", "the query is no SELECT"),
        ("select 1; select 2", "there are 2 statements"),
        ("", "it is empty"),
        ("-- nothing", "it is empty"),
        ("select * from", "the query cannot be read"),
    ],
)
def test_what_is_no_query(tmp_path: Path, sql: str, message: str) -> None:
    """Anything but one SELECT of `data` that is the same each time is refused, before any data are read."""
    mistake = find_query_mistake(sql)
    assert mistake is not None
    assert mistake.message.startswith(message)
    assert refusal(tmp_path, sql).startswith(message)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from data",
        "FROM Data SELECT q, a WHERE level > 1 ORDER BY level LIMIT 2;",
        "with t as (select * from data), u as (select * from t) select * from u -- the end",
        "with recursive r(n) as (select 1 union all select n + 1 from r where n < 3) select n as q, 'x' as a from r",
        "select q, year(date '2024-02-03') as y, strftime(date '2024-02-03', '%d') as d from data",
        "select q, unnest(tags) as tag from data",
        "select * from data join range(2) t(i) on true",
        "select data.q from data semi join (select max(level) as level from data) using (level)",
        "select data.current_date from (select 1 as current_date) data",
        "(select q from data) union all (select a from data) order by 1",
        "select distinct on (level) * from data order by level, q",
    ],
)
def test_what_is_a_query(tmp_path: Path, sql: str) -> None:
    """Joins, named queries and functions of dates are the same whenever they run."""
    assert find_query_mistake(sql) is None
    assert rows(tmp_path, sql) == rows(tmp_path, sql)


def test_no_macro_asks_a_clock_or_chance() -> None:
    """No function that duckdb writes in SQL itself hides one that is refused."""
    with duckdb.connect() as connection:
        told = "SELECT function_name, macro_definition FROM duckdb_functions() WHERE function_type LIKE '%macro'"
        for name, body in connection.execute(told).fetchall():
            text = body if str(body).lstrip().lower().startswith(("select", "with")) else f"select {body}"
            parsed = json.loads(connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchall()[0][0])
            mistake = (
                None if parsed["error"] else find_statement_mistake(parsed, ("random", "uuid", "uuidv4", "uuidv7"))
            )
            assert name in CLOCKS or mistake is None or "gives something else" not in mistake.message, name


def test_nothing_else_of_the_machine_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query that gets past the parser reads no file, changes no setting and sees no variable of Python."""
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    monkeypatch.setattr(sql_query, "find_statement_mistake", lambda parsed, volatile: None)
    assert "disabled by configuration" in refusal(tmp_path, f"select * from read_csv('{secret}')")
    assert "names" in rows.__code__.co_varnames
    assert "names does not exist" in refusal(tmp_path, "select * from names")


def test_mistakes_of_running(tmp_path: Path) -> None:
    """A wrong column, a value that does not fit, equal names and no rows are told in one line."""
    assert refusal(tmp_path, "select nope from data").startswith('the query fails: Referenced column "nope" not found')
    assert "Could not convert string 'c?' to INT" in refusal(tmp_path, "select q::int from data")
    assert refusal(tmp_path, "select q, a as Q from data") == "two columns of the query are called `q`"
    assert refusal(tmp_path, "select * from data where false") == "the query gives no rows"
    assert refusal(tmp_path, "select 'nan'::double as x from data").startswith("row 1 of the query: not JSON: NaN")
    assert refusal(tmp_path, "from data", [{"A": 1, "a": 2}]) == "SQL does not tell the fields `A` and `a` apart"
    assert refusal(tmp_path, "from data", [{"": 1}]) == "a field is called '', and a column of SQL cannot be"


def test_a_file_that_is_no_parquet(tmp_path: Path) -> None:
    """A damaged file is named by the path that the user knows."""
    (tmp_path / "p.parquet").write_bytes(b"no")
    with pytest.raises(TaskError, match=r"^data/p\.parquet: "):
        query_records(tmp_path, ["p.parquet"], {"p.parquet": "data/p.parquet"}, "from data")


def test_a_query_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query has limits of time and memory."""
    monkeypatch.setattr(sql_query, "_SECONDS", 0.2)
    endless = "with recursive r(n) as (select 1 union all select n + 1 from r) select max(n) as q from r"
    assert refusal(tmp_path, endless) == "the query took more than 0.2 seconds"
    monkeypatch.setattr(sql_query, "_SECONDS", 60.0)
    monkeypatch.setattr(sql_query, "_SETTINGS", sql_query._SETTINGS | {"memory_limit": "100MB"})
    large = "select list(i) as q from range(100000000) t(i)"
    assert "more than 4GB of memory" in refusal(tmp_path, large)


def test_the_package(native: Native, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without duckdb, the message says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    run = native(ROWS, sql="select * from data")
    assert run.status == 2
    assert run.err == "error: `sql` needs duckdb: pip install 'evalmake[sql]'\n"
    assert find_query_mistake("nonsense") is None


@pytest.mark.parametrize(
    ("written", "value", "start", "found"),
    [
        ('"select nope"', "select nope", 7, "nope"),
        ("'''\n    a\n      nope b\n    '''", "a\n  nope b\n", 4, "nope"),
        ('"""\n    x\n    x nope\n    """', "x\nx nope\n", 4, "nope"),
        ('"""\n    nope\n    nope\n    """', "nope\nnope\n", 5, "nope"),
        ('text("q.sql")', "select nope", 7, 'text("q.sql")'),
        ('"a\\tnope"', "a\tnope", 2, '"a\\tnope"'),
    ],
)
def test_places_in_texts(written: str, value: str, start: int, found: str) -> None:
    """A place within a text is found where it is written, or else the whole text is named."""
    span = find_in_text(Span(Source("Evalfile", written), 0, len(written)), value, start, 4)
    assert span.text == found
