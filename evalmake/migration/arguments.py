"""Words of another program's command line as a map of nodes, so that they are read like a file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from evalmake.language.diagnostic import closest_name, make_error
from evalmake.language.source import COMMAND_LINE, Source, Span
from evalmake.migration.yaml_file import Node, parse_document, parse_scalar

POSITIONAL = ""
"""The key of words that belong to no flag."""


def read_arguments(words: Sequence[str], flags: Mapping[str, str], short: Mapping[str, str]) -> Node:
    """The words after a program's name.

    `flags` has the kind of each: `flag` takes nothing, `one` a word, `many` words up to the next flag, `each` a word
    each time that it is given, `maybe` a word or nothing.
    """
    source = Source(COMMAND_LINE, shlex.join(words))
    items: dict[str, Node] = {}
    at = 0
    while at < len(words):
        span = _find_span(source, words, at)
        name, equals, value = _split_flag(words[at], short)
        at += 1
        if not name:
            _add(items, POSITIONAL, Node(words[at - 1], span))
            continue
        kind = flags.get(name)
        if kind is None:
            meant = closest_name(name, flags)
            raise make_error(
                "bad-config",
                f"`--{name}` is no option of this program",
                span,
                help=[f"did you mean `--{meant}`?"] if meant else [],
            )
        values = [value] if equals else []
        if not equals and kind != "flag":
            most = {"one": 1, "each": 1, "maybe": 1, "many": len(words)}[kind]
            while at < len(words) and len(values) < most and not _is_flag(words[at]):
                values.append(words[at])
                at += 1
        if not values and kind in ("one", "each", "many"):
            raise make_error("bad-config", f"`--{name}` takes a value", span)
        if kind in ("many", "each"):
            for one in values:
                _add(items, name, Node(one, span))
        else:
            items[name] = Node(parse_scalar(values[0]) if values else True, span)
    return Node(items, source.span(0, max(len(source.text), 1)))


def read_pairs(texts: Sequence[str], node: Node) -> dict[str, Node]:
    """`a=1,b=[2,3]` and `c=x` as a map; a text in braces is JSON or YAML."""
    items: dict[str, Node] = {}
    for text in texts:
        if text.lstrip().startswith("{"):
            found = parse_document(Source(COMMAND_LINE, text)).root
            items |= found.value if isinstance(found.value, dict) else {}
            continue
        for part in _split_commas(text):
            key, equals, value = part.partition("=")
            if not equals:
                raise make_error("bad-config", f"`{part}` is not `key=value`", node.span)
            items[key.strip()] = Node(_read_value(value), node.span)
    return items


def _read_value(text: str) -> object:
    if re.match(r"[\[{'\"]", text):
        return parse_document(Source(COMMAND_LINE, text)).root.plain()
    return parse_scalar(text)


def _split_commas(text: str) -> list[str]:
    """Parts between commas that are in no bracket and no quotes."""
    parts, depth, quote = [""], 0, ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "[{(":
            depth += 1
        elif char in ")}]":
            depth -= 1
        if char == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += char
    return [part for part in parts if part.strip()]


def _is_flag(word: str) -> bool:
    return bool(re.match(r"--?[A-Za-z]", word))


def _split_flag(word: str, short: Mapping[str, str]) -> tuple[str, str, str]:
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        return name, equals, value
    if _is_flag(word):
        return short.get(word[1], word[1:]), "=" if len(word) > 2 and word[1] in short else "", word[2:]
    return "", "", ""


def _find_span(source: Source, words: Sequence[str], at: int) -> Span:
    start = len(shlex.join(words[:at])) + bool(at)
    return source.span(start, start + max(len(shlex.join(words[at : at + 1])), 1))


def _add(items: dict[str, Node], key: str, node: Node) -> None:
    if key not in items:
        items[key] = Node([], node.span)
    items[key].value.append(node)
