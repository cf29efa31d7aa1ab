"""`evalmake pin`: write to the lock file what tags, branches and package lists resolve to now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalmake.command_line.evalfile import locate_evalfile
from evalmake.command_line.options import declare, json_option
from evalmake.executors.docker.local_images import find_local_image
from evalmake.language.diagnostic import Diagnostic, EvalmakeError, make_diagnostic, make_error
from evalmake.pins.lock import Pin
from evalmake.project.command_words import Word, Words
from evalmake.project.pinned_inputs import UnpinnedInput, find_unpinned_inputs
from evalmake.run.events import Emit
from evalmake.terminal.pins import Change, to_json_lines, to_text
from evalmake.workspace import Workspace

if TYPE_CHECKING:
    from evalmake.pins.registry_client import RegistryClient


@declare("pin")
@click.argument("words", nargs=-1, metavar="[NAME...]")
@click.option("-u", "--update", is_flag=True, help="Resolve names again, even if pinned (all of them, without a NAME).")
@click.option("--check", is_flag=True, help="Write nothing; status 1 if anything has moved or is not pinned.")
@json_option
def command(file: Path | None, words: Sequence[str], update: bool, check: bool, as_json: bool) -> int:
    """Pin what is not pinned, pin again, or only compare; status 1 when a check finds a difference."""
    if update and check:
        raise click.UsageError("--check writes no pin: leave out --check or --update")
    parsed = Words.of(words, "pin")
    workspace = Workspace.open(locate_evalfile(file), parsed.overrides, locked=False)
    lock = workspace.project.lock
    known = {each.text: each for each in find_unpinned_inputs(workspace.project) if each.resolvable}
    selected = _select_inputs(known, parsed.targets)
    changes: list[Change] = []
    if not check and not words:
        changes += [Change("dropped", name, lock.pins.pop(name)) for name in _unused_pins(workspace, known)]
    problems = _resolve(workspace, selected, update, check, changes)
    if not check and any(change.counts for change in changes):
        lock.write()
    if changes or not problems:
        text = to_json_lines(changes) if as_json else to_text(changes, lock.path, check)
        click.echo(text, nl=False)
    if problems:
        raise EvalmakeError(problems)
    return int(check and any(change.counts for change in changes))


def _select_inputs(known: dict[str, UnpinnedInput], names: Sequence[Word]) -> list[UnpinnedInput]:
    """The inputs that match a word of the command line; without words, all."""
    found: dict[str, UnpinnedInput] = {} if names else known
    for name in names:
        meant = {text: each for text, each in known.items() if _matches(each, name.text)}
        if not meant:
            written = ", ".join(each.written for each in known.values())
            raise make_error(
                "unknown-name",
                f"nothing that can be pinned matches `{name.text}`",
                name.span,
                notes=[f"you can pin {written or 'nothing'}"],
            )
        found |= meant
    return list(found.values())


def _matches(each: UnpinnedInput, name: str) -> bool:
    """Whether an input contains this text or matches this pattern."""
    return name in each.written or fnmatchcase(each.written, name)


def _unused_pins(workspace: Workspace, known: Iterable[str]) -> list[str]:
    """Entries of the lock that the Evalfile no longer names. Packages of another platform stay."""
    stems = {name.partition(" (")[0] for name in known}
    return [name for name in workspace.project.lock.pins if name.partition(" (")[0] not in stems]


def _resolve(
    workspace: Workspace, selected: Sequence[UnpinnedInput], update: bool, check: bool, changes: list[Change]
) -> list[Diagnostic]:
    """Resolve each input, add it to `changes` and to the lock; return what could not be resolved."""
    from evalmake.pins.registry_client import RegistryClient, UnresolvedName
    from evalmake.terminal.progress import open_view

    pins, problems = workspace.project.lock.pins, []
    with closing(open_view(False, False)) as emit, closing(RegistryClient()) as registry:
        resolver = _Resolver(workspace, registry, emit)
        for each in selected:
            before = pins.get(each.text)
            if before is None and check:
                changes.append(Change("unpinned", each.written))
                continue
            if before is not None and not (update or (check and each.sort != "packages")):
                changes.append(Change("same", each.written, before, before))
                continue
            try:
                now = resolver.pin(each, again=update)
            except UnresolvedName as error:
                why = f"{each.title} cannot be resolved: {error}"
                problems.append(make_diagnostic("pin-failed", why, each.span, about=each.about, help=error.help))
            except EvalmakeError as error:
                problems += error.diagnostics
            else:
                changes.append(_compare(each, before, now))
                pins[each.text] = changes[-1].now or now
    return problems


def _compare(each: UnpinnedInput, before: Pin | None, now: Pin) -> Change:
    """The change of a pin; one that resolves to the same keeps its date."""
    if before is None:
        return Change("pinned", each.written, None, now)
    if before.meaning == now.meaning:
        return Change("same", each.written, before, before)
    return Change("moved", each.written, before, now)


@dataclass(frozen=True, slots=True)
class _Resolver:
    """Asks registries, the hub, the package installer and, for local images, a Docker engine."""

    workspace: Workspace
    registry: RegistryClient
    emit: Emit

    def pin(self, each: UnpinnedInput, again: bool) -> Pin:
        """What an input resolves to now; packages that are resolved already only with `again`."""
        today = datetime.now(UTC).date().isoformat()
        if each.sort == "image":
            return self._image(each.text, today)
        if each.sort == "packages":
            return Pin(today, packages=self._packages(each, again))
        from evalmake.pins.hub_client import resolve_commit

        return Pin(today, commit=resolve_commit(each.text, each.sort))

    def _image(self, image: str, today: str) -> Pin:
        """The pin of an image; the present one if the digest has not changed."""
        from evalmake.pins.registry_client import UnresolvedName

        before = self.workspace.project.lock.pins.get(image)
        try:
            digest = self.registry.digest(image)
            if before is not None and before.digest == digest:
                return before
            return Pin(today, digest, platforms=self.registry.platforms(image, digest))
        except UnresolvedName:
            if id := find_local_image(self.workspace.project, image):
                return Pin(today, id, local=True)
            raise

    def _packages(self, each: UnpinnedInput, again: bool) -> tuple[str, ...]:
        environments = self.workspace.environments()
        if again:
            return environments.resolve_again(each.declaration, self.emit)
        environments.resolve_unknown([each.declaration], self.emit)
        environment = environments.environment_of(each.declaration)
        return tuple(environment.listing_text.splitlines()) if environment else ()
