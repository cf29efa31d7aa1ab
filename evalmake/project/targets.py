"""Finds what targets name: evals, cells, patterns, reports, aliases."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import translate

from evalmake.command_registry import COMMAND_NAMES
from evalmake.language.diagnostic import EvalmakeError, closest_name, make_error
from evalmake.language.source import Span
from evalmake.language.tree import Include
from evalmake.project.command_words import Word
from evalmake.project.declarations import Declaration
from evalmake.project.matrix import Evaluation, no_cells_diagnostic
from evalmake.project.project import Project

_NOT_COMMANDS = {
    "run": "leave the word out: `evalmake TARGET` runs a target, and `evalmake` alone runs everything",
    "plan": "`evalmake -n` shows the plan, and `evalmake -n -o FILE` saves it",
}
"""Words that users of other tools type -> what to type here."""

_MOST_NAMES = 100_000

Cells = dict[str, list[Evaluation]]


@dataclass(slots=True)
class Selection:
    """The evaluations and reports of some targets, each once, and the aliases that were followed."""

    evaluations: dict[str, Evaluation] = field(default_factory=dict)
    reports: dict[str, Declaration] = field(default_factory=dict)
    aliases: set[str] = field(default_factory=set)
    _by_path: dict[str, Evaluation] = field(default_factory=dict)

    def find_cell(self, path: str, cells: Cells) -> Evaluation | None:
        """The cell of this path. A saved plan names thousands, so they are not compared with each other."""
        if not self._by_path:
            self._by_path.update((cell.name, cell) for group in cells.values() for cell in group)
        return self._by_path.get(path)


def select_targets(project: Project, cells: Cells, words: Sequence[Word]) -> Selection:
    """Select what `words` name (`all` without any); EvalmakeError for a word that names nothing."""
    chosen = Selection()
    _check_aliases(project, cells)
    for word, span in words:
        if cells.get(word) == []:
            raise EvalmakeError([no_cells_diagnostic(project.evals[word], span)])
        _add_target(project, cells, word, span, chosen)
    if not words:
        _add_everything(project, cells, chosen)
    return chosen


def refuse_no_targets(project: Project) -> None:
    """Refuse an Evalfile that declares nothing to build.

    One with an `include?` may be complete without the file, and an alias may be empty on purpose.
    """
    files = project.files.files
    includes = [item for file in files for item in file.tree.items if isinstance(item, Include)]
    if project.evals or project.reports or project.aliases or any(include.maybe for include in includes):
        return
    names = [next(iter(named), "") for named in (project.models, project.benchmarks)]
    if all(names):
        help_ = [f"declare one: `eval first {{ model = {names[0]}, benchmark = {names[1]} }}`"]
    else:
        help_ = ["an eval is a model and a benchmark; `evalmake help tutorial` shows a first one"]
    raise make_error(
        "no-targets", f"`{files[-1].source.name}` declares no eval, so there is nothing to build", help=help_
    )


def cells_of_report(project: Project, cells: Cells, report: Declaration) -> list[Evaluation]:
    """The cells that a report shows."""
    chosen = Selection()
    spans = report.fields.spans
    for number, word in enumerate(report.block.of):
        place = spans.get(("of", str(number))) or spans["of",]
        _add_target(project, cells, word, place.value, chosen)
    return list(chosen.evaluations.values())


def _add_everything(project: Project, cells: Cells, chosen: Selection) -> None:
    if "all" in project.aliases:
        place = project.aliases["all"].file.span(project.aliases["all"].node.name)
        _add_target(project, cells, "all", place, chosen)
        return
    for name in project.evals:
        chosen.evaluations.update((cell.name, cell) for cell in cells[name])
    chosen.reports.update(project.reports)


def _add_target(project: Project, cells: Cells, word: str, span: Span, chosen: Selection) -> None:
    """Add what `word` names. Aliases are followed by a stack, as they may be nested deeper than Python calls."""
    within: dict[str, None] = {}  # the aliases around, as a set in order
    pending: list[tuple[str, Iterator[tuple[str, Span]]]] = [("", iter([(word, span)]))]
    while pending:
        name, targets = pending[-1]
        target = next(targets, None)
        if target is None:
            pending.pop()
            within.pop(name, None)
            continue
        word, span = target
        if word in within:
            names = list(within)
            ring = " -> ".join([*names[names.index(word) :], word])
            raise make_error("alias-cycle", f"the alias `{word}` refers to itself: {ring}", span)
        if word in project.aliases and word not in chosen.aliases:
            alias = project.aliases[word]
            chosen.aliases.add(word)
            within[word] = None
            pending.append((word, iter([(one.text, alias.file.span(one)) for one in alias.node.targets])))
        elif word not in project.aliases:
            _add_declared(project, cells, word, span, chosen)


def _add_declared(project: Project, cells: Cells, word: str, span: Span, chosen: Selection) -> None:
    """Add what a word names that is no alias."""
    if word == "all":
        _add_everything(project, cells, chosen)
    elif word in cells:
        chosen.evaluations.update((cell.name, cell) for cell in cells[word])
    elif word in project.reports:
        chosen.reports[word] = project.reports[word]
    elif len(parts := _expand_word(word, span)) > 1:
        for part in parts:
            _add_target(project, cells, part, span, chosen)
    else:
        exact = None if re.search(r"[*?\[]", word) else chosen.find_cell(word, cells)
        found = [exact] if exact else match_cells(word, (c for group in cells.values() for c in group))
        if not found:
            raise _unknown_target_error(project, cells, word, span)
        chosen.evaluations.update((cell.name, cell) for cell in found)


def _expand_word(word: str, span: Span) -> list[str]:
    try:
        return expand_names(word)
    except OverflowError:
        message = f"`{word}` stands for more than {_MOST_NAMES} names"
        raise make_error("too-many-cells", message, span, help=["write `*` for all values of an axis"]) from None


def match_cells(word: str, cells: Iterable[Evaluation]) -> list[Evaluation]:
    """The cells whose path is `word` or matches it as a pattern; `*` does not cross a `/`.

    A pattern is also what `-n` prints for several cells: `grid/{a,b}/1..3`.
    """
    if len(names := expand_names(word)) > 1:
        known = list(cells)
        return list(dict.fromkeys(cell for name in names for cell in match_cells(name, known)))
    if not re.search(r"[*?\[]", word):
        return [cell for cell in cells if cell.name == word]
    parts = [re.compile(translate(part)) for part in word.split("/")]
    return [
        cell
        for cell in cells
        if len(segments := cell.name.split("/")) == len(parts)
        and all(p.match(s) for p, s in zip(parts, segments, strict=True))
    ]


def matches_name(word: str, name: str) -> bool:
    """Whether a word names the cell `name` as targets do, by its eval, its path or a pattern, declared or not."""
    try:
        words = expand_names(word)
    except OverflowError:
        return False
    eval_name, parts = name.partition("/")[0], name.split("/")
    for one in words:
        if one in (name, eval_name):
            return True
        patterns = one.split("/")
        if len(patterns) == len(parts) and all(re.match(translate(p), s) for p, s in zip(patterns, parts, strict=True)):
            return True
    return False


def expand_names(word: str) -> list[str]:
    """The names that braces and ranges of numbers stand for: `e/{a,b}` and `e/1..3`; else the word itself.

    OverflowError if it stands for more names than an Evalfile could have cells.
    """
    done: list[str] = []
    pending = [word]
    while pending:
        name = pending.pop()
        parts = _expand_once(name)
        if parts == [name]:
            done.append(name)
        else:
            pending += reversed(parts)
        if len(done) + len(pending) > _MOST_NAMES:
            raise OverflowError(word)
    return done


def _expand_once(word: str) -> list[str]:
    """The names that the first braces or range of a word stand for."""
    if braces := re.search(r"\{([^{}]*)\}", word):
        inner = [one.strip() for one in braces[1].split(",")]
        return [word[: braces.start()] + one + word[braces.end() :] for one in inner]
    if (numbers := re.search(r"(?<![^/])(\d{1,9})\.\.(\d{1,9})(?![^/])", word)) and _is_short_range(numbers):
        span = range(int(numbers[1]), int(numbers[2]) + 1)
        return [f"{word[: numbers.start()]}{number}{word[numbers.end() :]}" for number in span]
    return [word]


def _is_short_range(numbers: re.Match[str]) -> bool:
    """Whether a range goes up, and to no more cells than an Evalfile could have."""
    return 0 <= int(numbers[2]) - int(numbers[1]) < _MOST_NAMES


def _check_aliases(project: Project, cells: Cells) -> None:
    """Check that every alias names something, whether or not the command line uses it."""
    everything = Selection()
    for name, alias in project.aliases.items():
        _add_target(project, cells, name, alias.file.span(alias.node.name), everything)


def _complete_path(word: str, cells: Cells) -> str:
    """A word that leaves out parts of the paths of cells, as a pattern for all of these; else empty."""
    name, *given = word.split("/")
    for cell in cells.get(name, ()) if given else ():
        parts, left = cell.name.split("/")[1:], [*given]
        pattern = [left.pop(0) if left and re.match(translate(left[0]), part) else "*" for part in parts]
        if not left and len(parts) > len(given):
            return "/".join([name, *pattern])
    return ""


def _unknown_target_error(project: Project, cells: Cells, word: str, span: Span) -> Exception:
    if pattern := _complete_path(word, cells):
        told = f"no cell matches `{word}`" if re.search(r"[*?\[]", word) else f"no target is named `{word}`"
        notes = [f"the paths of these cells have {pattern.count('/') + 1} parts"]
        return make_error("unknown-target", told, span, notes=notes, help=[f"write `{pattern}`"])
    if re.search(r"[*?\[]", word):
        some = next((group[0].name for group in cells.values() if group), "")
        notes = [f"a cell's path looks like {some}"] if some else []
        return make_error("unknown-target", f"no cell matches `{word}`", span, notes=notes)
    if word in _NOT_COMMANDS:
        return make_error("unknown-target", f"evalmake has no command `{word}`", span, help=[_NOT_COMMANDS[word]])
    names = [*project.evals, *project.reports, *project.aliases, *COMMAND_NAMES]
    if "/" in word:
        names += [cell.name for group in cells.values() for cell in group][:2000]
    meant = closest_name(word, names)
    others = [key.partition(" ")[0] for key in project.names if key.partition(" ")[2] == word]
    if others:
        a = "an" if others[0][0] in "aeiou" else "a"
        notes = [f"there is {a} {others[0]} of that name; targets are evals, cells, reports and aliases"]
        return make_error("unknown-target", f"no target is named `{word}`", span, notes=notes)
    help_ = [f"did you mean `{meant}`?"] if meant else ["`evalmake list` shows the targets"]
    return make_error("unknown-target", f"no target is named `{word}`", span, help=help_)
