"""Templates: `{field}` and `{field.sub}` are filled from a record, `{{` and `}}` are braces."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from evalmake.harnesses.native.errors import RecordError, TaskError
from evalmake.language.diagnostic import closest_name

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")


class MissingFieldError(LookupError):
    """The record has no such field."""

    def __init__(self, path: str, record: Mapping[str, object]) -> None:
        super().__init__(f"the record has no field '{path}'; it has {', '.join(record) or 'none'}")
        self.path = path
        self.help = _suggest_path(path, record)


def _suggest_path(path: str, record: Mapping[str, object]) -> str:
    """What was probably meant by a path that leads to no field."""
    if path.startswith("%"):
        return "a template has fields only: no conditions, no loops"
    words = re.findall(r"[\w-]+", path)
    meant = closest_name(path, record) or next((name for name in record if name in words), None)
    if not meant and re.fullmatch(r"[A-Z][A-Z0-9_]*", path):
        return f"a variable is filled as `${{{path}}}`, and only in a text that stands in the Evalfile"
    return f"did you mean `{meant}`?" if meant else ""


@contextmanager
def blame_key(key: str) -> Iterator[None]:
    """Say of a missing field which key of the task names it."""
    try:
        yield
    except MissingFieldError as error:
        raise RecordError(key, str(error), error.help) from None


@dataclass(frozen=True, slots=True)
class Field:
    """A placeholder in a template."""

    path: str


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template: literal texts and fields, in order."""

    parts: tuple[str | Field, ...]

    def value(self, record: Mapping[str, object]) -> object:
        """Fill the template; a template of exactly one field keeps the type of its value."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Field):
            return lookup(record, self.parts[0].path)
        return self.text(record)

    def text(self, record: Mapping[str, object]) -> str:
        """Fill the template; return text."""
        return "".join(as_text(lookup(record, part.path)) if isinstance(part, Field) else part for part in self.parts)

    def names(self, field: str) -> bool:
        """Whether the template has the placeholder `{field}`."""
        return Field(field) in self.parts

    @property
    def path(self) -> str | None:
        """The path of the field that is the whole template; None if it has more, or less."""
        return self.parts[0].path if len(self.parts) == 1 and isinstance(self.parts[0], Field) else None

    @property
    def fields(self) -> tuple[str, ...]:
        """The paths of its placeholders."""
        return tuple(part.path for part in self.parts if isinstance(part, Field))

    @property
    def literal(self) -> str:
        """The text that is sent as it is written."""
        return "".join(part for part in self.parts if isinstance(part, str))


def parse(text: str, what: str) -> Template:
    """Parse a template; `what` names it in the TaskError that an unmatched brace raises."""
    parts: list[str | Field] = []
    literal, end = "", 0
    for token in _TOKEN.finditer(text):
        literal += text[end : token.start()]
        end = token.end()
        if token[1] is not None:
            if (mistake := find_template_mistake(token[0])) is not None:
                raise TaskError(f"{what}: {mistake.message}; {mistake.help}")
            parts += [literal, Field(token[1])] if literal else [Field(token[1])]
            literal = ""
        elif len(token[0]) == 2:
            literal += token[0][0]
        else:
            brace, at = token[0], token.start() + 1
            raise TaskError(f"{what}: unmatched '{brace}' at character {at}; a brace itself is '{brace * 2}'")
    literal += text[end:]
    return Template((*parts, literal) if literal else tuple(parts))


class TemplateMistake(NamedTuple):
    """What is wrong with the braces of a template, and what to do."""

    message: str
    help: str


def find_template_mistake(text: str) -> TemplateMistake | None:
    """The first brace of a template that belongs to no field, or the first field with blanks around its name."""
    for token in _TOKEN.finditer(text):
        field = token[1]
        if field is None and len(token[0]) == 1:
            return TemplateMistake(f"it has a `{token[0]}` that belongs to no field", _write_brace(token[0]))
        if field is not None and field != field.strip():
            name = field.strip()
            is_name = re.fullmatch(r"[\w. -]+", name) is not None
            message = f"`{token[0]}` has blanks inside its braces"
            return TemplateMistake(message, f"write `{{{name}}}`" if is_name else _write_brace("{"))
    return None


def _write_brace(brace: str) -> str:
    return f"a brace itself is `{brace * 2}`"


def find_field_in_pattern(pattern: str) -> str:
    """The first field in braces of a regular expression, where no field is filled in; empty if there is none."""
    found = re.search(r"(?<!\\)(?<!\\N)\{[A-Za-z_][\w.]*\}", pattern)
    return found[0] if found else ""


def is_template(scorer: str) -> bool:
    """Whether `scorer` is no name, but says where a record has the name of its own."""
    return "{" in scorer or "}" in scorer


def lookup(record: Mapping[str, object], path: str) -> object:
    """The value at a dotted path; a number indexes a list. MissingFieldError if it is absent."""
    if path in record:
        return record[path]
    value: object = record
    for step in path.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise MissingFieldError(path, record)
    return value


def find_doubled_fields(template: Template, record: Mapping[str, object]) -> list[str]:
    """The fields of a record that a template has in the doubled braces of other template languages."""
    names = re.findall(r"\{\s*([\w.-]+)\s*\}", template.literal)
    return [name for name in names if has_field(record, name)]


def has_field(record: Mapping[str, object], path: str) -> bool:
    """Whether a record has a value at a dotted path."""
    try:
        return lookup(record, path) is not None
    except MissingFieldError:
        return False


def to_number(value: object) -> float | None:
    """A number, or a text that is one, as a float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


_encode = json.JSONEncoder(ensure_ascii=False).encode  # to make one takes as long as to use it


def as_text(value: object) -> str:
    """A value as part of a text: text unchanged, null as empty, anything else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else _encode(value)
