"""Asserts of promptfoo as checks of a reply, and the models that they need."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.language.source import Source
from evalmake.migration.draft import Draft
from evalmake.migration.promptfoo_files import get_path, is_file, read_stripped
from evalmake.migration.yaml_file import Node, parse_document, read_document

LISTS = ("contains-any", "contains-all", "icontains-any", "icontains-all")
"""Types whose value is a list of texts."""
KEPT = (
    *("equals", "contains", "icontains", *LISTS),
    *("starts-with", "regex", "is-json", "contains-json", "llm-rubric", "latency", "similar"),
)
"""Types of asserts that `checks` of the native harness understand by these names."""
_GRADED = ("llm-rubric", "model-graded-closedqa", "g-eval")
_ASSERT = ("type", "value", "threshold")
_WITH_THRESHOLD = ("llm-rubric", "latency", "similar")
_ALIASES = {"similar:cosine": "similar"}
_WHY = {
    "weight": "each check counts the same: a record passes if all of them do",
    "metric": "the metric of a check is its type",
    "cost": "evalmake knows no prices of single replies: `tokens` limits a reply",
    "similar:dot": "evalmake compares embeddings by their cosine: `similar`",
    "similar:euclidean": "evalmake compares embeddings by their cosine: `similar`",
    "threshold": "a record passes if all of its checks do",
    "javascript": "evalmake runs no code of a configuration: `scorer = python` has your own",
    "python": "give the function by `scorer = python` (`evalmake help native`)",
}
_WITHOUT_VALUE = ("is-json", "contains-json", "latency")
_WITH_SCHEMA = ("is-json", "contains-json")
_SET = ("type", "assert")
_TEMPLATES = "#/assertionTemplates/"


@dataclass(slots=True)
class AssertReader:
    """Reads the asserts of tests, notes what has no place, and keeps the models that grade and embed."""

    draft: Draft
    folder: Path
    templates: Mapping[str, Node]
    """`assertionTemplates`, by name."""
    grader: Node | None = None
    needs_judge: bool = False
    embedder: Node | None = None
    needs_embedder: bool = False
    _within: list[str] = field(default_factory=list)
    """The templates that are being read."""

    def read(self, test: Mapping[str, Node], path: str) -> list[dict[str, Any]]:
        """The checks of a test."""
        node = test.get("assert")
        if node is None or node.value is None:
            return []
        if not isinstance(node.value, list):
            raise make_error("bad-config", "`assert` takes a list", node.span)
        return self._read_all(node.value, f"{path}.assert")

    def keep_grader(self, node: Node, path: str) -> None:
        """Keep the provider that grades."""
        self.grader = self._keep(self.grader, node, path)

    def keep_embedder(self, node: Node, path: str) -> None:
        """Keep the provider of embeddings."""
        self.embedder = self._keep(self.embedder, node, path)

    def _keep(self, kept: Node | None, node: Node, path: str) -> Node:
        """The provider that comes first, with a note on another one: a benchmark has one of each."""
        if kept is not None and kept.plain() != node.plain():
            self.draft.note(path, "a benchmark has one such model, and an earlier provider is taken", node)
        return kept or node

    def _read_all(self, nodes: Sequence[Node], path: str) -> list[dict[str, Any]]:
        found = [self._read_assert(one, f"{path}.{at}") for at, one in enumerate(nodes)]
        return [one for one in found if one is not None]

    def _read_assert(self, node: Node, path: str) -> dict[str, Any] | None:
        """An assert as a check; None, with a note, where evalmake has none."""
        items = node.value if isinstance(node.value, dict) else {}
        if "$ref" in items:
            return self._read_template(items["$ref"], path)
        word = items["type"].value if "type" in items else None
        if not isinstance(word, str):
            raise make_error("bad-config", "an assert has no `type` such as `contains`", node.span)
        if "weight" in items and items["weight"].value == 0:
            self.draft.note(f"{path} {word}", "its weight is 0, so that it decides nothing", node)
            return None
        if word == "assert-set" and isinstance(items.get("assert", node).value, list):
            return self._read_set(items, path)
        negated, plain = word.startswith("not-"), word.removeprefix("not-")
        kind = _ALIASES.get(plain, plain)
        if kind not in KEPT:
            self.draft.note(f"{path} {word}", _WHY.get(kind, "evalmake has no such check"), node)
            return None
        if "value" not in items and kind not in _WITHOUT_VALUE:
            self.draft.note(f"{path} {word}", "it has no `value`, so that nothing can be checked", node)
            return None
        self._read_models(kind, items, path)
        kept = _ASSERT if kind in _WITH_THRESHOLD else _ASSERT[:2]
        self._note_others(items, (*kept, "provider"), path)
        found = {key: items[key].plain() for key in kept if key in items} | {"type": f"{'not-' * negated}{kind}"}
        if is_file(found.get("value")):
            file = get_path(found["value"], self.folder)
            if file.suffix in (".js", ".py", ".ts"):
                self.draft.note(path, _WHY["javascript"], items["value"])
                return None
            found["value"] = _read_value(file, kind, items["value"])
        if kind in _WITH_SCHEMA and isinstance(found.get("value"), str):
            schema = _parse_schema(found.pop("value"))
            if schema is None:
                self.draft.note(
                    f"{path} {word}", "its schema is neither JSON nor YAML, so it is left out", items["value"]
                )
                return None
            found |= {"value": schema} if schema else {}
        if kind in LISTS and isinstance(found["value"], str):
            found["value"] = split_list(found["value"])
        return found

    def _read_template(self, node: Node, path: str) -> dict[str, Any] | None:
        """The assert that a `$ref` stands for."""
        name = str(node.value).removeprefix(_TEMPLATES)
        if name not in self.templates or name in self._within:
            known = ", ".join(self.templates) or "none"
            message = f"`{node.value}` is no template of asserts"
            raise make_error("bad-config", message, node.span, notes=[f"`assertionTemplates` has {known}"])
        self._within.append(name)
        found = self._read_assert(self.templates[name], path)
        self._within.pop()
        return found

    def _read_set(self, items: Mapping[str, Node], path: str) -> dict[str, Any] | None:
        """A set passes if all of its asserts do; with a threshold that each of them reaches alone, if any does."""
        inner = self._read_all(items["assert"].value, path)
        threshold = items["threshold"].value if "threshold" in items else 1
        are_equal = not any(isinstance(one.value, dict) and "weight" in one.value for one in items["assert"].value)
        is_any = isinstance(threshold, int | float) and 0 < threshold * len(inner) <= 1 and are_equal
        self._note_others(items, (*_SET, "threshold") if is_any else _SET, path)
        return {"type": "any" if is_any and len(inner) > 1 else "all", "value": inner} if inner else None

    def _read_models(self, kind: str, items: Mapping[str, Node], path: str) -> None:
        self.needs_judge = self.needs_judge or kind in _GRADED
        self.needs_embedder = self.needs_embedder or kind == "similar"
        if "provider" not in items:
            return
        keep = self.keep_embedder if kind == "similar" else self.keep_grader
        keep(items["provider"], f"{path}.provider")

    def _note_others(self, items: Mapping[str, Node], known: Sequence[str], path: str) -> None:
        for key, one in items.items():
            if key not in known:
                self.draft.note(f"{path}.{key}", _WHY.get(key, "a check has no such key"), one)


def split_list(text: str) -> list[str]:
    """The texts that stand in one with commas; those in double quotes may have commas."""
    return [part.strip() for part in next(csv.reader([text.replace("\n", " ")], skipinitialspace=True), [])]


def _parse_schema(text: str) -> dict[str, Any] | None:
    """The schema that a text is, in JSON or YAML; empty for no text, None for any other."""
    try:
        found = json.loads(text)
    except ValueError:
        try:
            found = parse_document(Source("schema", text)).root.plain()
        except EvalmakeError:
            return None
    return found if isinstance(found, dict) else None


def _read_value(file: Path, kind: str, node: Node) -> Any:
    """A value in a file: a schema, a list, or a text."""
    is_document = kind.endswith("json") or file.suffix in (".json", ".yaml", ".yml")
    if not is_document:
        return read_stripped(node, file)
    try:
        return read_document(file).root.plain()
    except EvalmakeError as error:
        raise make_error("missing-file", str(error), node.span) from None
