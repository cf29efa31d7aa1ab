"""What the words of `evalmake compare` mean.

    grid/good, good, sums      a target, a model, or a benchmark of the Evalfile, as it is now
    model:good, benchmark:sums the same, where a target has the name
    baseline:main, main        a baseline; by its name alone where nothing above has it
    plan.json                  the evaluations of a saved plan
    main:, v1.2:grid/good      the Evalfile of a git revision: what the other side names, or a target

One word alone that is a baseline, a plan or a revision is compared with what its targets are now.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evalmake.comparison.baselines import PREFIX, side_of_baseline
from evalmake.comparison.cells import Side
from evalmake.comparison.named_cells import KINDS, cells_of_targets, find_cells, names_cells, side_of_cells
from evalmake.comparison.plans import side_of_plan
from evalmake.comparison.revisions import side_of_revision
from evalmake.language.diagnostic import make_error
from evalmake.project.baseline_path import list_baselines
from evalmake.project.command_words import Word, Words
from evalmake.store.store import Store
from evalmake.workspace import Workspace

_NOW = "now"
_PLAN_ENDING = ".json"


def find_sides(workspace: Workspace, store: Store, words: Words) -> tuple[Side, Side]:
    """The two sides that a command line names; EvalmakeError for a word that names nothing."""
    finder = _Finder(workspace, store, words)
    if len(words.targets) == 2:
        one, other = words.targets
        return finder.find(one, other), finder.find(other, one)
    return finder.find_with_now(words.targets[0])


@dataclass(frozen=True, slots=True)
class _Finder:
    """Finds sides for one command line."""

    workspace: Workspace
    store: Store
    words: Words

    def find(self, word: Word, other: Word | None) -> Side:
        """The side that a word names; a revision without a target has the one that `other` names."""
        kind, colon, name = word.text.partition(":")
        if colon and kind == PREFIX:
            return self._find_baseline(name, word)
        if names_cells(self.workspace, word):
            return side_of_cells(self.workspace, self.store, word.text, find_cells(self.workspace, word))
        if _is_plan(word):
            return side_of_plan(self.workspace, self.store, Path(word.text))
        if colon and kind and kind not in KINDS:
            return self._find_revision(kind, name, word, other)
        baselines = list_baselines(self.workspace.project.folder)
        if word.text in baselines:
            return self._find_baseline(word.text, word)
        return side_of_cells(self.workspace, self.store, word.text, find_cells(self.workspace, word, baselines))

    def find_with_now(self, word: Word) -> tuple[Side, Side]:
        """A side that is not of the Evalfile as it is now, and what its targets are now."""
        kind, colon, name = word.text.partition(":")
        is_baseline = (colon and kind == PREFIX) or word.text in list_baselines(self.workspace.project.folder)
        if not is_baseline and names_cells(self.workspace, word):
            message = f"`{word.text}` is one side, and a comparison has two"
            raise make_error("nothing-to-compare", message, word.span, help=["name the other side behind it"])
        before = self._find_baseline(name if colon else word.text, word) if is_baseline else self.find(word, None)
        if colon and kind != PREFIX and name:
            asked = find_cells(self.workspace, _cut(word, len(kind) + 1))
        elif colon and kind != PREFIX:
            asked = cells_of_targets(self.workspace, ())
        else:
            names = {cell.name for cell in before.cells}
            asked = [cell for group in self.workspace.cells.values() for cell in group if cell.name in names]
        return before, side_of_cells(self.workspace, self.store, _NOW, asked)

    def _find_baseline(self, name: str, word: Word) -> Side:
        return side_of_baseline(self.workspace.project.path, self.store, name, word.span)

    def _find_revision(self, revision: str, target: str, word: Word, other: Word | None) -> Side:
        """The cells of a revision's Evalfile: of its target, of the one that the other side names, or all."""

        def find(then: Workspace) -> Side:
            if target:
                cells = find_cells(then, _cut(word, len(revision) + 1))
            elif other is not None and names_cells(self.workspace, other):
                cells = find_cells(then, other)
            else:
                cells = cells_of_targets(then, ())
            return side_of_cells(then, self.store, word.text, cells)

        return side_of_revision(self.workspace, revision, word.span, self.words.overrides, find)


def _is_plan(word: Word) -> bool:
    return word.text.endswith(_PLAN_ENDING) and Path(word.text).is_file()


def _cut(word: Word, start: int) -> Word:
    """A word without its beginning."""
    span = word.span
    return Word(word.text[start:], span.source.span(span.start + start, span.end))
