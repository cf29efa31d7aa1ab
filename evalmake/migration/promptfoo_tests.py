"""Tests of promptfoo as records: variables, and under `assert` the checks of the reply.

A test is merged with `defaultTest`: its variables replace the default's, and its asserts follow them. Texts in asserts
are filled from the variables here, as promptfoo fills them for each test.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.migration.draft import Draft
from evalmake.migration.promptfoo_prompts import Prompt, fill
from evalmake.migration.yaml_file import Node, read_document, read_text

CHECKS, MESSAGES = "assert", "messages"
"""The fields of a record with its checks, and with its conversation."""
_KEPT = (
    *("equals", "contains", "icontains", "contains-any", "contains-all", "icontains-any", "icontains-all"),
    *("starts-with", "regex", "is-json", "contains-json", "llm-rubric", "latency", "similar"),
)
"""Types of asserts that `checks` of the native harness understand by these names."""
_GRADED = ("llm-rubric", "model-graded-closedqa", "g-eval")
_TEST = ("vars", "assert", "description", "metadata", "options", "threshold")
_ASSERT = ("type", "value", "threshold")
_WITH_THRESHOLD = ("llm-rubric", "latency", "similar")
_ALIASES = {"similar:cosine": "similar"}
_WHY = {
    "weight": "each check counts the same: a record passes if all of them do",
    "metric": "the metric of a check is its type",
    "cost": "evalmake knows no prices of single replies: `tokens` limits a reply",
    "similar:dot": "evalmake compares embeddings by their cosine: `similar`",
    "similar:euclidean": "evalmake compares embeddings by their cosine: `similar`",
    "transform": "`extract` of a benchmark takes an answer out of a reply",
    "rubricPrompt": "the judge's instructions are evalmake's; `rubric` and the values of checks add to them",
    "threshold": "a record passes if all of its checks do",
    "javascript": "evalmake runs no code of a configuration: `scorer = python` has your own",
    "python": "give the function by `scorer = python` (`evalmake help native`)",
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
    grader: Node | None = None
    needs_judge: bool = False
    embedder: Node | None = None
    needs_embedder: bool = False
    has_tags: bool = False
    _defaults: dict[str, Node] = field(default_factory=dict)

    def read(self, node: Node | None, prompts: Sequence[Prompt], root: Node) -> list[dict[str, Any]]:
        """The records of all tests; an error if nothing is left to check."""
        self._defaults = self._read_test(self.default, "defaultTest") if self.default else {}
        records: list[dict[str, Any]] = []
        for path, test in self._list_tests(node):
            records += self._read_records(test, path, prompts)
            if len(records) > _MOST_RECORDS:
                message = f"its tests, with all values of their variables, are more than {_MOST_RECORDS}"
                raise make_error("bad-config", message, (node or root).span)
        if not records:
            raise make_error("bad-config", "it has no test with an assert that evalmake knows", (node or root).span)
        if self.has_tags:
            records = [{"tags": [], **record} for record in records]
        return records

    def _list_tests(self, node: Node | None) -> Iterator[tuple[str, Node]]:
        """Each test with its path: those of files stand where the file is named."""
        given = [] if node is None else node.value if isinstance(node.value, list) else [node]
        for at, one in enumerate(given):
            if not isinstance(one.value, str):
                yield f"tests.{at}", one
                continue
            path = self.folder / one.value.removeprefix("file://")
            try:
                tests = _read_table(path) if path.suffix == ".csv" else _read_yaml(path)
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
            self.embedder = self._keep(self.embedder, items["embedding"], f"{path}.embedding")
        if "embedding" not in items or "text" in items:
            self.grader = self._keep(self.grader, items.get("text", node), path)

    def _keep(self, kept: Node | None, node: Node, path: str) -> Node:
        """The provider that comes first, with a note on another one: a benchmark has one of each."""
        if kept is not None and kept.plain() != node.plain():
            self.draft.note(path, "a benchmark has one such model, and an earlier provider is taken", node)
        return kept or node

    def _read_records(self, node: Node, path: str, prompts: Sequence[Prompt]) -> list[dict[str, Any]]:
        """A record for each combination of the values of a test's variables."""
        test = self._read_test(node, path)
        variables = self._read_variables(self._defaults, path) | self._read_variables(test, path)
        asserts = [*self._read_asserts(self._defaults, "defaultTest"), *self._read_asserts(test, path)]
        if not asserts:
            self.draft.note(path, "it has no assert that evalmake knows, so it is left out", node)
            return []
        needed = {name for prompt in prompts for name in prompt.variables}
        variables |= dict.fromkeys(sorted(needed - variables.keys()), "")
        tags = self._read_tags(test)
        return [_make_record(one, asserts, tags, prompts) for one in _combine(variables)]

    def _read_variables(self, test: Mapping[str, Node], path: str) -> dict[str, Any]:
        node = test.get("vars")
        if node is None or node.value is None:
            return {}
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
        if not isinstance(value, str) or not value.startswith("file://"):
            return value
        file = self.folder / value.removeprefix("file://")
        if file.suffix in (".js", ".py", ".ts", ".mjs", ".cjs"):
            self.draft.note(path, "evalmake runs no code of a configuration", node)
            return ""
        try:
            return read_text(file)
        except EvalmakeError as error:
            raise make_error("missing-file", str(error), node.span) from None

    def _read_tags(self, test: Mapping[str, Node]) -> list[str]:
        """The metadata of a test as tags `key=value`."""
        node = test.get("metadata")
        pairs = node.plain() if node and isinstance(node.value, dict) else {}
        found = [f"{key}={value}" for key, value in pairs.items()]
        self.has_tags = self.has_tags or bool(found)
        return found

    # Asserts ------------------------------------------------------------------------------------

    def _read_asserts(self, test: Mapping[str, Node], path: str) -> list[dict[str, Any]]:
        node = test.get("assert")
        if node is None or node.value is None:
            return []
        if not isinstance(node.value, list):
            raise make_error("bad-config", "`assert` takes a list", node.span)
        found = [self._read_assert(one, f"{path}.assert.{at}") for at, one in enumerate(node.value)]
        return [one for one in found if one is not None]

    def _read_assert(self, node: Node, path: str) -> dict[str, Any] | None:
        """An assert as a check; None, with a note, where evalmake has none."""
        items = node.value if isinstance(node.value, dict) else {}
        word = items["type"].value if "type" in items else None
        if not isinstance(word, str):
            raise make_error("bad-config", "an assert has no `type` such as `contains`", node.span)
        if word == "assert-set" and "assert" in items:
            inner = [self._read_assert(one, f"{path}.{at}") for at, one in enumerate(items["assert"].value or [])]
            return {"type": "all", "value": [one for one in inner if one is not None]}
        negated, plain = word.startswith("not-"), word.removeprefix("not-")
        kind = _ALIASES.get(plain, plain)
        if kind not in _KEPT:
            self.draft.note(f"{path} {word}", _WHY.get(kind, "evalmake has no such check"), node)
            return None
        self.needs_judge = self.needs_judge or kind in _GRADED
        self.needs_embedder = self.needs_embedder or kind == "similar"
        if "weight" in items and items["weight"].value == 0:
            self.draft.note(f"{path} {word}", "its weight is 0, so that it decides nothing", node)
            return None
        kept = _ASSERT if kind in _WITH_THRESHOLD else _ASSERT[:2]
        for key, one in items.items():
            if key == "provider" and kind == "similar":
                self.embedder = self._keep(self.embedder, one, f"{path}.provider")
            elif key == "provider":
                self.grader = self._keep(self.grader, one, f"{path}.provider")
            elif key not in kept:
                self.draft.note(f"{path}.{key}", _WHY.get(key, "a check has no such key"), one)
        found = {key: items[key].plain() for key in kept if key in items} | {"type": f"{'not-' * negated}{kind}"}
        if isinstance(found.get("value"), str) and found["value"].startswith("file://"):
            return self._read_schema(found, items["value"], path)
        return found

    def _read_schema(self, found: dict[str, Any], node: Node, path: str) -> dict[str, Any] | None:
        """An assert whose value is in a file: a schema, or a text."""
        file = self.folder / node.value.removeprefix("file://")
        if file.suffix in (".js", ".py", ".ts"):
            self.draft.note(path, _WHY["javascript"], node)
            return None
        try:
            value: Any = read_document(file).root.plain() if found["type"].endswith("json") else read_text(file)
        except EvalmakeError as error:
            raise make_error("missing-file", str(error), node.span) from None
        return found | {"value": value}


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


def _read_yaml(path: Path) -> list[Node]:
    """The tests of a YAML or JSON file."""
    root = read_document(path).root
    return root.value if isinstance(root.value, list) else [root]


def _read_table(path: Path) -> Iterator[Node]:
    """The tests of a CSV file: columns are variables, but for those that begin with two underscores."""
    for row in csv.DictReader(io.StringIO(read_text(path), newline="")):
        asserts = [_parse_expected(row[key]) for key in row if key and re.fullmatch(r"__expected\d*", key) and row[key]]
        variables = {key: Node(text or "") for key, text in row.items() if key and not key.startswith("__")}
        extra = {key.partition(":")[2]: Node(row[key]) for key in row if key and key.startswith("__metadata:")}
        test = {"vars": Node(variables), "assert": Node(asserts)}
        yield Node(test | ({"metadata": Node(extra)} if extra else {}))


def _parse_expected(text: str) -> Node:
    """`contains: Paris`, `similar(0.8): Paris`, `grade: is polite`; any other text is the whole reply."""
    match = _SHORT.match(text)
    word = {"grade": "llm-rubric", "json": "is-json"}.get(match[2], match[2]) if match else ""
    if match is None or word not in (*_KEPT, "javascript", "python", "fn", "levenshtein"):
        return Node({"type": Node("equals"), "value": Node(text)})
    value: Any = match[4]
    if word.endswith(("-any", "-all")):
        value = [Node(part.strip()) for part in value.split(",")]
    items = {"type": Node((match[1] or "") + word), "value": Node(value)}
    return Node(items | ({"threshold": Node(float(match[3]))} if match[3] else {}))
