"""Runs `sql` over the records of data files, with duckdb: the only module that imports it.

All files are loaded into one table, then duckdb is locked: the query reads that table and nothing else of this machine.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import TYPE_CHECKING, Any

from evalmake.harnesses.native.dataset import BadRecord, Record, parse_record, read_files
from evalmake.harnesses.native.errors import Mistake, TaskError
from evalmake.harnesses.native.json_io import fingerprint
from evalmake.harnesses.native.sql_statement import (
    TABLE,
    SqlMistake,
    find_statement_mistake,
    is_ordered,
    read_place,
)
from evalmake.harnesses.native.sql_types import find_columns, quote_name, quote_text

if TYPE_CHECKING:
    import duckdb

PACKAGE = "duckdb"
CURE = "pip install 'evalmake[sql]'"
_SECONDS = 60.0
_MEMORY = "4GB"
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": "1",  # so that what a query leaves open is decided the same way each time
    "memory_limit": _MEMORY,
    "temp_directory": "",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
_LOCKS = ("SET TimeZone = 'UTC'", "SET errors_as_json = true", "SET enable_external_access = false")
_HARMLESS = ("error", "vector_type")
"""Functions that duckdb calls volatile, and that give the same always."""
_RESULT = "result"


def find_version() -> str | None:
    """The version of duckdb in this Python, as far as results depend on it; None if there is none."""
    try:
        return ".".join(version(PACKAGE).split(".")[:2])
    except PackageNotFoundError:
        return None


def find_query_mistake(sql: str) -> SqlMistake | None:
    """What is wrong with a query, whatever the data are; nothing is known of it without duckdb."""
    try:
        with _connect() as connection:
            return _judge(connection, sql)[1]
    except ImportError:
        return None


def query_records(folder: Path, names: Sequence[str], paths: Mapping[str, str], sql: str) -> list[Record]:
    """The rows that a query gives of the records of the files; TaskError if it gives none."""
    file = names[0] if len(names) == 1 else ""
    try:
        with _connect() as connection:
            parsed, mistake = _judge(connection, sql)
            if mistake is not None:
                raise _refuse(mistake, sql)
            _load(connection, folder, names, paths)
            rows = _run(connection, sql, is_ordered(parsed))
    except ImportError:
        raise TaskError(Mistake(f"`sql` needs {PACKAGE}: {CURE}", "sql")) from None
    if not rows:
        raise TaskError(Mistake("the query gives no rows", "sql"))
    return [_make_record(number, text, file) for number, text in enumerate(rows, 1)]


@contextmanager
def _connect() -> Iterator[duckdb.DuckDBPyConnection]:
    import duckdb

    connection = duckdb.connect(":memory:", config=_SETTINGS)
    try:
        yield connection
    finally:
        connection.close()


def _judge(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[dict[str, Any], SqlMistake | None]:
    """A statement as duckdb parses it, and what is wrong with it."""
    [[text]] = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()
    listed = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability = 'VOLATILE'"
    volatile = {name for (name,) in connection.execute(listed).fetchall()}.difference(_HARMLESS)
    parsed = json.loads(text)
    return parsed, find_statement_mistake(parsed, volatile)


def _load(connection: duckdb.DuckDBPyConnection, folder: Path, names: Sequence[str], paths: Mapping[str, str]) -> None:
    """Load all files into the table, their columns by name; then lock duckdb."""
    import duckdb

    tables = []
    with TemporaryDirectory(prefix="evalmake-sql-") as scratch:
        for name in names:
            if name.endswith(".parquet"):
                tables.append(f"read_parquet({quote_text(os.path.abspath(folder / name))})")
                _check_parquet(connection, tables[-1], paths.get(name, name))
        texts = [name for name in names if not name.endswith(".parquet")]
        if texts:
            records = [record.data for record in read_files(folder, texts, paths)]
            tables.append(_write_table(records, Path(scratch, "records.jsonl")))
        selects = " UNION ALL BY NAME ".join(f"SELECT * FROM {table}" for table in tables)
        try:
            connection.execute(f"CREATE TABLE {TABLE} AS {selects}")
        except duckdb.OutOfMemoryException:
            raise TaskError(Mistake(f"the data need more than {_MEMORY} of memory in SQL", "sql")) from None
        except duckdb.Error as error:
            said = " ".join(_read_error(error)[0].split())[:300]
            raise TaskError(Mistake(f"the data are no table: {said}", "files")) from None
    for lock in (*_LOCKS, "SET lock_configuration = true"):
        connection.execute(lock)


def _check_parquet(connection: duckdb.DuckDBPyConnection, table: str, name: str) -> None:
    """Raise TaskError for a file that is no Parquet."""
    import duckdb

    try:
        connection.execute(f"SELECT * FROM {table} LIMIT 0")
    except duckdb.Error as error:
        raise TaskError(Mistake(f"{name}: {_read_error(error)[0].splitlines()[0]}", "files")) from None


def _write_table(records: Sequence[Mapping[str, Any]], path: Path) -> str:
    """Write records for duckdb; the table of them in SQL, with the types that they have here.

    duckdb would guess other types of its own: dates of texts, and numbers of `007`.
    """
    columns = find_columns(records)
    longest = 0
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            longest = max(longest, file.write(json.dumps(record) + "\n"))
    types = ", ".join(f"{quote_text(name)}: {quote_text(type)}" for name, type in columns.items())
    options = f"format = 'newline_delimited', records = true, maximum_object_size = {longest + 1024}"
    return f"read_json({quote_text(str(path))}, columns = {{{types}}}, {options})"


def _run(connection: duckdb.DuckDBPyConnection, sql: str, ordered: bool) -> list[str]:
    """The rows of a query as JSON, in its order or else sorted by all columns."""
    import duckdb

    timer = Timer(_SECONDS, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        names = [column[0].lower() for column in connection.execute(sql).description or ()]
        if twice := next((name for at, name in enumerate(names) if name in names[:at]), None):
            message = f"two columns of the query are called `{twice}`"
            raise TaskError(Mistake(message, "sql", f"name one of them: `... AS {quote_name(twice + '2')}`"))
        connection.execute(f"CREATE TABLE {_RESULT} AS\n{sql}")
        source = _RESULT if ordered else f"(SELECT * FROM {_RESULT} ORDER BY ALL)"
        found = connection.execute(f"SELECT to_json(one)::VARCHAR FROM {source} AS one").fetchall()
    except duckdb.InterruptException:
        raise TaskError(Mistake(f"the query took more than {_SECONDS:g} seconds", "sql")) from None
    except duckdb.OutOfMemoryException:
        raise TaskError(Mistake(f"the query needs more than {_MEMORY} of memory", "sql")) from None
    except duckdb.Error as error:
        said, place = _read_error(error)
        first, _, rest = said.partition("\n")
        if rest.startswith("Candidate"):  # those of similar names alone, or none
            listed = connection.execute(f"SELECT * FROM {TABLE} LIMIT 0").description or ()
            rest = f"`{TABLE}` has {', '.join(column[0] for column in listed)}"
        mistake = SqlMistake(f"the query fails: {first.rstrip('!')}", " ".join(rest.split()), *place)
        raise _refuse(mistake, sql) from None
    finally:
        timer.cancel()
    return [text for (text,) in found]


def _read_error(error: Exception) -> tuple[str, tuple[int | None, int]]:
    """What duckdb says, and the place in the query."""
    text = str(error)
    try:
        said = json.loads(text[text.index("{") :])
        return str(said["exception_message"]), read_place(said)
    except (ValueError, KeyError, TypeError):
        return re.sub(r"\n\nLINE \d+:.*", "", text, flags=re.S).partition(": ")[2] or text, (None, 1)


def _refuse(mistake: SqlMistake, sql: str) -> TaskError:
    return TaskError(Mistake(mistake.message, "sql", mistake.help, find_characters(mistake, sql)))


def find_characters(mistake: SqlMistake, sql: str) -> tuple[int, int] | None:
    """The first character that a mistake is about, and how many there are."""
    if mistake.start is None:
        return None
    data = sql.encode("utf-8", "replace")
    before = len(data[: mistake.start].decode("utf-8", "ignore"))
    about = data[mistake.start : mistake.start + mistake.length].decode("utf-8", "ignore")
    return before, max(len(about), 1)


def _make_record(number: int, text: str, file: str) -> Record:
    """A record of a row; TaskError for one that has what JSON does not."""
    value = parse_record(text)
    where = f"row {number} of the query"
    if isinstance(value, BadRecord):
        raise TaskError(Mistake(f"{where}: {value.message}", "sql"))
    assert isinstance(value, dict), "a row is an object"
    return Record(number - 1, where, value, fingerprint(value), file)
