"""`evalmake catalog`: which public benchmarks there are, and what each of them says; needs no Evalfile."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import click

from evalmake.language.diagnostic import EvalmakeError, closest_name, make_error
from evalmake.project.catalog import (
    REQUIRES,
    Entry,
    closest_harness,
    format_declaration,
    harness_names,
    read_entries,
    spell_name,
)


def catalog_command(
    file: Path | None,
    directory: Path | None,
    words: Sequence[str],
    harness: str | None,
    endpoint: str | None,
    requires: Sequence[str],
    as_json: bool,
) -> int:
    """List the benchmarks that match, or show one."""
    if words[:1] == ("show",):
        if len(words) != 2:
            raise click.UsageError("`catalog show` takes the name of one benchmark")
        entry = _named(words[1])
        click.echo(json.dumps(_object(entry)) if as_json else _shown(entry), nl=as_json)
        return 0
    if len(words) > 1:
        raise click.UsageError("`catalog` takes one pattern, or `show NAME`")
    endpoints = sorted({entry.endpoint for entry in read_entries().values()})
    _among("harness", harness, harness_names(), closest_harness)
    _among("endpoint", endpoint, endpoints)
    for word in requires:
        _among("requires", word, list(REQUIRES))
    found = [
        entry
        for entry in read_entries().values()
        if _matches(entry, words[0] if words else "")
        and harness in (None, entry.harness)
        and endpoint in (None, entry.endpoint)
        and set(requires) <= set(entry.requires)
    ]
    if not found:
        raise _nothing(words[0] if words else "*", bool(harness or endpoint or requires))
    click.echo("\n".join(json.dumps(_object(e)) for e in found) if as_json else _table(found))
    return 0


def _among(
    flag: str,
    word: str | None,
    choices: Sequence[str],
    likely: Callable[[str], str | None] | None = None,
) -> None:
    """A flag's word must be one that there is."""
    if word is None or word in choices:
        return
    meant = likely(word) if likely else closest_name(word, choices)
    raise make_error(
        "unknown-word",
        f"`--{flag}` cannot be `{word}`",
        notes=[f"it is one of {', '.join(choices)}"],
        help=[f"did you mean `{meant}`?"] if meant else [],
    )


def _matches(entry: Entry, pattern: str) -> bool:
    """Whether a name is like a pattern with `*`, or holds the text that is none."""
    pattern = spell_name(pattern)
    return fnmatchcase(entry.name, pattern) if set(pattern) & set("*?[") else pattern in entry.name


def _nothing(pattern: str, filtered: bool) -> EvalmakeError:
    alike = [name for name in read_entries() if _matches(read_entries()[name], pattern)] if filtered else []
    if alike:
        like, word = ("", "") if pattern == "*" else (f" like `{pattern}`", f" {pattern}")
        return make_error(
            "unknown-name",
            f"no benchmark of the catalog{like} is what the flags ask for",
            help=[f"`evalmake catalog{word}` shows the {len(alike)} that are not"],
        )
    tails = [name.partition(".")[2] for name in read_entries()]
    meant = closest_name(spell_name(pattern), read_entries()) or closest_name(spell_name(pattern), tails)
    return make_error(
        "unknown-name",
        f"no benchmark of the catalog is like `{pattern}`",
        help=[f"did you mean `{meant}`?" if meant else "`evalmake catalog` shows all of them"],
    )


def _named(name: str) -> Entry:
    found = read_entries().get(spell_name(name))
    if found is None:
        raise make_error("unknown-name", f"the catalog has no benchmark `{name}`", help=[_likely(name)])
    return found


def _likely(name: str) -> str:
    """What was meant by a name that is none: one of that ending, all that hold it, or the closest."""
    ending = [each for each in read_entries() if each.partition(".")[2] == spell_name(name)]
    holding = [each for each in read_entries() if spell_name(name) in each]
    meant = ending or [each for each in [closest_name(spell_name(name), read_entries())] if each]
    if len(holding) > 1 and not ending:
        return f"`evalmake catalog {name}` lists the {len(holding)} that have this in their names"
    if meant:
        return f"did you mean {' or '.join(f'`{each}`' for each in meant)}?"
    return "`evalmake catalog` shows all of them"


def _object(entry: Entry) -> dict[str, object]:
    return {**entry._asdict(), "include": entry.include}


def _table(found: Sequence[Entry]) -> str:
    rows = [(e.name, e.endpoint, ", ".join(e.requires), e.about) for e in found]
    widths = [max(len(row[at]) for row in rows) for at in range(3)]
    return "\n".join(
        "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=False)) + f"  # {row[3]}"
        for row in rows
    )


def _shown(entry: Entry) -> str:
    """A benchmark as an Evalfile that can be pasted."""
    from evalmake.language.formatter import format_source
    from evalmake.language.source import Source

    lines = [entry.about, f"requires {entry.needs}" if entry.needs else "", entry.hint]
    lines += [f"{word}: {REQUIRES[word]}" for word in entry.requires]
    lines += [f"it is declared by: {entry.include}"]
    said = [f"# {line}" for line in lines if line]
    said += format_declaration(f"benchmark {entry.name}", entry.keys)
    return format_source(Source(entry.name, "\n".join(said)))
