"""Prompts of promptfoo: texts, files, and conversations in JSON or YAML, with the fields of an Evalfile."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.migration.draft import Draft
from evalmake.migration.promptfoo_files import PREFIX, PROGRAMS
from evalmake.migration.yaml_file import Node, read_document, read_text

_FIELD = re.compile(r"\{\{-?\s*([A-Za-z_][\w.-]*)\s*-?\}\}")
_LOGIC = re.compile(r"\{%.*?(?:%\}|$)|\{\{.*?(?:\}\}|$)", re.MULTILINE)


@dataclass(slots=True)
class Prompt:
    """A prompt: one text, perhaps with a system message, or else a conversation, whose texts are still promptfoo's."""

    node: Node
    label: str = ""
    text: str = ""
    system: str = ""
    messages: tuple[Mapping[str, str], ...] = ()
    suffix: str = ""
    """What tells the field of its conversation from that of others."""
    variables: tuple[str, ...] = ()

    def has_name(self, names: Collection[str]) -> bool:
        """Whether it is one of those that a provider names by label, by id or by file."""
        items = self.node.value if isinstance(self.node.value, dict) else {"id": self.node}
        return self.label in names or any(str(items[key].value) in names for key in ("id", "raw") if key in items)


def read_prompts(node: Node | None, folder: Path, draft: Draft, root: Node) -> list[Prompt]:
    """The prompts that can be written in an Evalfile; an error if there is none."""
    found: list[Prompt] = []
    before = len(draft.notes)
    given = [] if node is None else node.value if isinstance(node.value, list) else [node]
    for at, one in enumerate(given):
        for label, text in _read_texts(one, folder):
            prompt = _read_prompt(one, label, text)
            if prompt is None:
                logic = _find_logic(text)
                draft.note(
                    f"prompts.{at}", f"its template has logic, `{logic}`, and an Evalfile's has fields only", one
                )
                continue
            if prompt.messages and any(other.messages for other in found):
                prompt.suffix = f"-{len(found) + 1}"
            found.append(prompt)
    if not found:
        raise draft.refuse("it has no prompt that an Evalfile can say", node or root, before)
    return found


def _read_texts(node: Node, folder: Path) -> Iterator[tuple[str, str]]:
    """The label and the text of each prompt of an entry: a file may hold several, divided by `---`."""
    items = node.value if isinstance(node.value, dict) else {}
    label = str(items["label"].value) if "label" in items else ""
    inner = items.get("raw") or items.get("id") or (None if items else node)
    if inner is None or not isinstance(inner.value, str):
        raise make_error("bad-config", "a prompt is a text, or has one as `raw`", node.span)
    if not inner.value.startswith(PREFIX):
        yield label, inner.value
        return
    path = folder / inner.value.removeprefix(PREFIX)
    if path.suffix in PROGRAMS:
        message = f"`{inner.value}` is a program, and evalmake runs none of a configuration"
        raise make_error("bad-config", message, inner.span)
    text = json.dumps(read_document(path).root.plain()) if path.suffix in (".yaml", ".yml") else _read_file(path, inner)
    parts = re.split(r"(?m)^---[ \t]*$", text) if path.suffix in (".txt", ".md") else [text]
    yield from ((label or (path.stem if len(parts) == 1 else ""), part.strip("\n")) for part in parts if part.strip())


def _read_file(path: Path, node: Node) -> str:
    try:
        return read_text(path)
    except EvalmakeError as error:
        raise make_error("missing-file", str(error), node.span) from None


def _find_logic(text: str) -> str:
    """The first part of a template that is more than a field; empty if there is none."""
    found = _LOGIC.search(_FIELD.sub("", text))
    return found[0] if found else ""


def _read_prompt(node: Node, label: str, text: str) -> Prompt | None:
    """A prompt by its text; None if its template has more than fields."""
    if _find_logic(text):
        return None
    variables = tuple(dict.fromkeys(match[1].partition(".")[0] for match in _FIELD.finditer(text)))
    messages = _parse_messages(text)
    if not messages:
        return Prompt(node, label, text=to_template(text), variables=variables)
    roles = [one["role"] for one in messages]
    if roles in (["user"], ["system", "user"]):
        system = to_template(messages[0]["content"]) if len(messages) == 2 else ""
        return Prompt(node, label, to_template(messages[-1]["content"]), system, variables=variables)
    return Prompt(node, label, messages=tuple(messages), variables=variables)


def _parse_messages(text: str) -> list[dict[str, str]]:
    """The messages of a conversation in JSON; empty for any other text."""
    try:
        found = json.loads(text) if text.lstrip().startswith("[") else None
    except ValueError:
        return []
    plain = isinstance(found, list) and all(
        isinstance(one, dict) and isinstance(one.get("role"), str) and isinstance(one.get("content"), str)
        for one in found
    )
    return found if plain and found else []


def to_template(text: str) -> str:
    """A template of promptfoo as one of an Evalfile: `{{name}}` -> `{name}`, and braces are doubled."""
    parts, at = [], 0
    for match in _FIELD.finditer(text):
        parts += [_escape(text[at : match.start()]), f"{{{match[1]}}}"]
        at = match.end()
    return "".join([*parts, _escape(text[at:])])


def fill(value: Any, variables: Mapping[str, Any]) -> Any:
    """A value with the variables of a test in its texts."""
    match value:
        case str():
            return _FIELD.sub(lambda match: _write(_look_up(match, variables)), value)
        case dict():
            return {key: fill(one, variables) for key, one in value.items()}
        case list():
            return [fill(one, variables) for one in value]
    return value


def _look_up(match: re.Match[str], variables: Mapping[str, Any]) -> Any:
    value: Any = variables
    for step in match[1].split("."):
        if not isinstance(value, Mapping) or step not in value:
            return match[0]
        value = value[step]
    return value


def _write(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _escape(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
