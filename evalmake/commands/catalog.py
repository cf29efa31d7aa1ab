"""`evalmake catalog`: the public benchmarks, and the declaration of one; needs no Evalfile."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import click

from evalmake.command_line.completion import complete_benchmarks
from evalmake.command_line.options import declare, json_option
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


@declare("catalog")
@click.argument("words", nargs=-1, metavar="[PATTERN | show NAME]", shell_complete=complete_benchmarks)
@click.option("--harness", help="Only benchmarks of this harness.")
@click.option("--endpoint", help="Only benchmarks for endpoints of this kind: chat, completions, embedding, vlm.")
@click.option(
    "--requires",
    multiple=True,
    help="Only benchmarks that need this: judge, user, key, token, code, logprobs, tokenizer, tools, data.",
)
@json_option
def command(
    file: Path | None,
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
        entry = _find_entry(words[1])
        click.echo(json.dumps(_to_object(entry)) if as_json else _render_entry(entry), nl=as_json)
        return 0
    if len(words) > 1:
        raise click.UsageError("`catalog` takes one pattern, or `show NAME`")
    found = _filter_entries(words[0] if words else "", harness, endpoint, requires)
    if not found:
        raise _no_match(words[0] if words else "*", bool(harness or endpoint or requires))
    click.echo("\n".join(json.dumps(_to_object(entry)) for entry in found) if as_json else _render_table(found))
    return 0


def _filter_entries(pattern: str, harness: str | None, endpoint: str | None, requires: Sequence[str]) -> list[Entry]:
    """The benchmarks like `pattern` that the flags leave; EvalmakeError for a flag with an unknown word."""
    _check_choice("harness", harness, harness_names(), closest_harness)
    _check_choice("endpoint", endpoint, sorted({entry.endpoint for entry in read_entries().values()}))
    for word in requires:
        _check_choice("requires", word, list(REQUIRES))
    return [
        entry
        for entry in read_entries().values()
        if _matches(entry, pattern)
        and harness in (None, entry.harness)
        and endpoint in (None, entry.endpoint)
        and set(requires) <= set(entry.requires)
    ]


def _check_choice(
    flag: str,
    word: str | None,
    choices: Sequence[str],
    suggest: Callable[[str], str | None] | None = None,
) -> None:
    """EvalmakeError if the word of a flag is not one of `choices`."""
    if word is None or word in choices:
        return
    suggestion = suggest(word) if suggest else closest_name(word, choices)
    raise make_error(
        "unknown-word",
        f"`--{flag}` cannot be `{word}`",
        notes=[f"it can be {', '.join(choices)}"],
        help=[f"did you mean `{suggestion}`?"] if suggestion else [],
    )


def _matches(entry: Entry, pattern: str) -> bool:
    """Whether a name matches a pattern with `*`, or contains a plain text."""
    pattern = spell_name(pattern)
    return fnmatchcase(entry.name, pattern) if set(pattern) & set("*?[") else pattern in entry.name


def _no_match(pattern: str, filtered: bool) -> EvalmakeError:
    """The error for a search without a result: which flag excludes all, or what name was meant."""
    alike = [name for name in read_entries() if _matches(read_entries()[name], pattern)] if filtered else []
    if alike:
        like, word = ("", "") if pattern == "*" else (f" matching `{pattern}`", f" {pattern}")
        return make_error(
            "unknown-name",
            f"no benchmark of the catalog{like} is what the flags ask for",
            help=[f"`evalmake catalog{word}` shows the {len(alike)} that are not"],
        )
    tails = [name.partition(".")[2] for name in read_entries()]
    meant = closest_name(spell_name(pattern), read_entries()) or closest_name(spell_name(pattern), tails)
    return make_error(
        "unknown-name",
        f"no benchmark of the catalog matches `{pattern}`",
        help=[f"did you mean `{meant}`?" if meant else "`evalmake catalog` shows all of them"],
    )


def _find_entry(name: str) -> Entry:
    """The benchmark of this name; EvalmakeError with a suggestion if there is none."""
    found = read_entries().get(spell_name(name))
    if found is None:
        raise make_error("unknown-name", f"the catalog has no benchmark `{name}`", help=[_suggest(name)])
    return found


def _suggest(name: str) -> str:
    """Help for an unknown name: benchmarks with that ending, those that contain it, or the closest."""
    ending = [each for each in read_entries() if each.partition(".")[2] == spell_name(name)]
    holding = [each for each in read_entries() if spell_name(name) in each]
    meant = ending or [each for each in [closest_name(spell_name(name), read_entries())] if each]
    if len(holding) > 1 and not ending:
        return f"`evalmake catalog {name}` lists the {len(holding)} that have this in their names"
    if meant:
        return f"did you mean {' or '.join(f'`{each}`' for each in meant)}?"
    return "`evalmake catalog` shows all of them"


def _to_object(entry: Entry) -> dict[str, object]:
    return {**entry._asdict(), "include": entry.include}


def _render_table(found: Sequence[Entry]) -> str:
    rows = [(e.name, e.endpoint, ", ".join(e.requires), e.about) for e in found]
    widths = [max(len(row[at]) for row in rows) for at in range(3)]
    return "\n".join(
        "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=False)) + f"  # {row[3]}"
        for row in rows
    )


def _render_entry(entry: Entry) -> str:
    """A benchmark as an Evalfile that can be pasted."""
    from evalmake.language.formatter import format_source
    from evalmake.language.source import Source

    lines = [entry.about, f"requires {entry.needs}" if entry.needs else "", entry.hint]
    lines += [f"{word}: {REQUIRES[word]}" for word in entry.requires]
    lines += [f"it is declared by: {entry.include}"]
    lines += [f"and without a container by: {entry.include_wheels}"] if entry.include_wheels else []
    lines += [f"but that does not run from PyPI alone: {entry.wheel_lacks}"] if entry.wheel_lacks else []
    lines = [f"# {line}" for line in lines if line]
    lines += format_declaration(f"benchmark {entry.name}", entry.keys)
    return format_source(Source(entry.name, "\n".join(lines)))
