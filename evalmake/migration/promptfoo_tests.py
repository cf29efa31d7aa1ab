"""Tests of promptfoo as records: variables, and under `assert` the checks of the reply.

A test is merged with `defaultTest`: its variables replace the default's, and its asserts follow them. Texts in asserts
are filled from the variables here, as promptfoo fills them for each test.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.language.source import Span
from evalmake.migration.draft import Draft
from evalmake.migration.promptfoo_asserts import KEPT, LISTS, AssertReader, split_list
from evalmake.migration.promptfoo_files import PROGRAMS, find_paths, get_path, is_file, read_map, read_stripped
from evalmake.migration.promptfoo_prompts import Prompt, fill
from evalmake.migration.yaml_file import Node, read_document, read_text

CHECKS, MESSAGES = "assert", "messages"
"""The fields of a record with its checks, and with its conversation."""
_TEST = ("vars", "assert", "description", "metadata", "options", "threshold")
_WHY = {
    "transform": "`extract` of a benchmark takes an answer out of a reply",
    "rubricPrompt": "the judge's instructions are evalmake's; `rubric` and the values of checks add to them",
    "threshold": "a record passes if all of its checks do",
}
_SHORT = re.compile(r"^(not-)?([a-z][a-z-]*)(?:\((\d+(?:\.\d+)?)\))?:\s*(.*)$", re.S)
_MOST_RECORDS = 100_000
_Map = Mapping[str, Any]


@dataclass(slots=True)
class TestReader:
    """Reads the tests of a configuration, and notes what has no place."""

    __test__ = False  # its name begins as tests' do

    draft: Draft
    folder: Path
    default: Node | None
    asserts: AssertReader
    has_tags: bool = False
    _defaults: dict[str, Node] = field(default_factory=dict)
    _lacking: dict[str, list[tuple[str, Node]]] = field(default_factory=dict)
    """Variables of prompts -> the tests that lack them."""

    def read(self, node: Node | None, prompts: Sequence[Prompt], root: Node) -> list[dict[str, Any]]:
        """The records of all tests; an error if nothing is left to check."""
        before = len(self.draft.notes)
        self._defaults = self._read_default()
        records: list[dict[str, Any]] = []
        for path, test in self._list_tests(node):
            records += self._read_records(test, path, prompts)
            if len(records) > _MOST_RECORDS:
                message = f"its tests, with all values of their variables, are more than {_MOST_RECORDS}"
                raise make_error("bad-config", message, (node or root).span)
        if not records:
            message = "it has no test with an assert that evalmake knows"
            raise self.draft.refuse(message, node or root, before)
        self._note_lacking()
        if self.has_tags:
            records = [{"tags": [], **record} for record in records]
        return records

    def _read_default(self) -> dict[str, Node]:
        """The test that all others are merged with, perhaps of a file."""
        return self._read_test(read_map(self.default, self.folder), "defaultTest") if self.default else {}

    def _note_lacking(self) -> None:
        for name, tests in self._lacking.items():
            path, node = tests[0]
            more = f", as in {len(tests) - 1} more" if len(tests) > 1 else ""
            self.draft.note(f"{path}.vars.{name}", f"a prompt uses it and the test lacks it: it is empty{more}", node)

    def _list_tests(self, node: Node | None) -> Iterator[tuple[str, Node]]:
        """Each test with its path: those of files stand where the file is named."""
        given = [] if node is None else node.value if isinstance(node.value, list) else [node]
        for at, one in enumerate(given):
            if not isinstance(one.value, str):
                yield f"tests.{at}", one
                continue
            paths = find_paths(one.value, self.folder)
            if not paths:
                raise make_error("missing-file", f"the tests of `{one.value}`: no file matches", one.span)
            for path in paths:
                try:
                    tests = list(_read_file(path, one.span))
                except EvalmakeError as error:
                    raise make_error("missing-file", f"the tests of `{one.value}`: {error}", one.span) from None
                yield from ((f"{path.name} {number}", test) for number, test in enumerate(tests, 1))

    def _read_test(self, node: Node, path: str) -> dict[str, Node]:
        """The parts of a test that have a place; the rest is noted."""
        if not isinstance(node.value, dict):
            raise make_error("bad-config", "a test is a map with `vars` and `assert`", node.span)
        for key, one in node.value.items():
            if key not in _TEST or key == "threshold":
                self.draft.note(f"{path}.{key}", _WHY.get(key, "a record has no place for it"), one)
        options = node.value.get("options")
        for key, one in (options.value or {}).items() if options and isinstance(options.value, dict) else ():
            if key == "provider":
                self._read_graders(one, f"{path}.options.provider")
            else:
                self.draft.note(f"{path}.options.{key}", _WHY.get(key, "a record has no place for it"), one)
        return dict(node.value)

    def _read_graders(self, node: Node, path: str) -> None:
        """The provider of a test's options: one that grades, or one for each of what it can do."""
        items = node.value if isinstance(node.value, dict) else {}
        if "embedding" in items:
            self.asserts.keep_embedder(items["embedding"], f"{path}.embedding")
        if "embedding" not in items or "text" in items:
            self.asserts.keep_grader(items.get("text", node), path)

    def _read_records(self, node: Node, path: str, prompts: Sequence[Prompt]) -> list[dict[str, Any]]:
        """A record for each combination of the values of a test's variables."""
        test = self._read_test(node, path)
        variables = self._read_variables(self._defaults, path) | self._read_variables(test, path)
        asserts = [*self.asserts.read(self._defaults, "defaultTest"), *self.asserts.read(test, path)]
        if not asserts:
            self.draft.note(path, "it has no assert that evalmake knows, so it is left out", node)
            return []
        needed = {name for prompt in prompts for name in prompt.variables}
        for name in sorted(needed - variables.keys()):
            self._lacking.setdefault(name, []).append((path, node))
            variables[name] = ""
        tags = self._read_tags(test)
        return [_make_record(one, asserts, tags, prompts) for one in _combine(variables)]

    def _read_variables(self, test: Mapping[str, Node], path: str) -> dict[str, Any]:
        node = test.get("vars")
        if node is None or node.value is None:
            return {}
        node = read_map(node, self.folder)
        if not isinstance(node.value, dict):
            raise make_error("bad-config", "`vars` takes a map of variables", node.span)
        found = {}
        for name, one in node.value.items():
            if name in (CHECKS, MESSAGES, "tags"):
                raise make_error("bad-config", f"a variable is called `{name}`, as a field of evalmake's is", one.span)
            found[name] = self._read_variable(one, f"{path}.vars.{name}")
        return found

    def _read_variable(self, node: Node, path: str) -> Any:
        value = node.plain()
        if not is_file(value):
            return value
        file = get_path(value, self.folder)
        if file.suffix in PROGRAMS:
            self.draft.note(path, "evalmake runs no code of a configuration", node)
            return ""
        return read_stripped(node, file)

    def _read_tags(self, test: Mapping[str, Node]) -> list[str]:
        """The metadata of a test as tags `key=value`."""
        node = test.get("metadata")
        pairs = node.plain() if node and isinstance(node.value, dict) else {}
        found = [f"{key}={value}" for key, value in pairs.items()]
        self.has_tags = self.has_tags or bool(found)
        return found


def _combine(variables: _Map) -> Iterator[dict[str, Any]]:
    """A list of values stands for one record with each of them."""
    lists = {name: value for name, value in variables.items() if isinstance(value, list)}
    for values in itertools.product(*lists.values()):
        chosen = {**variables, **dict(zip(lists, values, strict=True))}
        yield {name: fill(value, chosen) for name, value in chosen.items()}


def _make_record(variables: _Map, asserts: list[Any], tags: list[str], prompts: Sequence[Prompt]) -> dict[str, Any]:
    record: dict[str, Any] = {**variables, CHECKS: fill(asserts, variables)}
    for prompt in prompts:
        if prompt.messages:
            record[f"{MESSAGES}{prompt.suffix}"] = fill([dict(one) for one in prompt.messages], variables)
    return record | ({"tags": tags} if tags else {})


def _read_file(path: Path, span: Span | None) -> Iterable[Node]:
    """The tests of a file, by its suffix."""
    if path.suffix in PROGRAMS:
        raise make_error("bad-config", "it is a program, and evalmake runs none of a configuration")
    if path.suffix == ".csv":
        return _read_table(path)
    return _read_lines(path, span) if path.suffix == ".jsonl" else _read_yaml(path)


def _read_lines(path: Path, span: Span | None) -> Iterator[Node]:
    """The tests of a file with one in JSON a line; their place is that of the file's name."""
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield _make_node(json.loads(line), span)
        except ValueError:
            raise make_error("bad-config", f"line {number} of `{path.name}` is not JSON") from None


def _make_node(value: Any, span: Span | None) -> Node:
    match value:
        case dict():
            return Node({key: _make_node(one, span) for key, one in value.items()}, span)
        case list():
            return Node([_make_node(one, span) for one in value], span)
    return Node(value, span)


def _read_yaml(path: Path) -> list[Node]:
    """The tests of a YAML or JSON file."""
    root = read_document(path).root
    return root.value if isinstance(root.value, list) else [root]


def _read_table(path: Path) -> Iterator[Node]:
    """The tests of a CSV file: columns are variables, but for those that begin with two underscores."""
    for row in csv.DictReader(io.StringIO(read_text(path), newline="")):
        asserts = [_parse_expected(row[key]) for key in row if key and re.fullmatch(r"__expected\d*", key) and row[key]]
        variables = {key: Node(text or "") for key, text in row.items() if key and not key.startswith("__")}
        extra = {
            key.partition(":")[2]: Node(row[key]) for key in row if key and key.startswith("__metadata:") and row[key]
        }
        test = {"vars": Node(variables), "assert": Node(asserts)}
        test |= {"metadata": Node(extra)} if extra else {}
        yield Node(test | ({"threshold": Node(row["__threshold"])} if row.get("__threshold") else {}))


def _parse_expected(text: str) -> Node:
    """`contains: Paris`, `similar(0.8): Paris`, `grade: is polite`; any other text is the whole reply."""
    match = _SHORT.match(text)
    word = {"grade": "llm-rubric", "json": "is-json"}.get(match[2], match[2]) if match else ""
    if match is None or word not in (*KEPT, "javascript", "python", "fn", "levenshtein"):
        return Node({"type": Node("equals"), "value": Node(text)})
    value: Any = match[4]
    if word in LISTS:
        value = [Node(part) for part in split_list(value)]
    items = {"type": Node((match[1] or "") + word), "value": Node(value)}
    return Node(items | ({"threshold": Node(float(match[3]))} if match[3] else {}))
