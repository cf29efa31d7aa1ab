"""`evalmake pin`: what tags, branches and sets of packages mean now, written to the lock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalmake.commands.local_images import local_image
from evalmake.commands.request import locate
from evalmake.language.diagnostic import Diagnostic, EvalmakeError, make_diagnostic, make_error
from evalmake.pins.lock import Pin
from evalmake.project.command_words import Word, Words
from evalmake.project.pinned_inputs import UnpinnedInput, find_unpinned_inputs
from evalmake.run.events import Emit
from evalmake.terminal.pins import Change, as_json_lines, as_text
from evalmake.workspace import Workspace

if TYPE_CHECKING:
    from evalmake.pins.registry_client import RegistryClient


def pin_command(
    file: Path | None,
    directory: Path | None,
    words: Sequence[str],
    update: bool,
    check: bool,
    as_json: bool,
) -> int:
    """Pin what is not pinned, pin anew, or only compare; status 1 when a check finds a difference."""
    if update and check:
        raise click.UsageError("--check moves no pin: leave out --check or --update")
    asked = Words.of(words, "pin")
    workspace = Workspace.open(locate(file), asked.overrides, locked=False)
    lock = workspace.project.lock
    known = {each.text: each for each in find_unpinned_inputs(workspace.project) if each.resolvable}
    chosen = _chosen(known, asked.targets)
    changes: list[Change] = []
    if not check and not words:
        changes += [Change("dropped", name, lock.pins.pop(name)) for name in _unused(workspace, known)]
    problems = _resolve(workspace, chosen, update, check, changes)
    if not check and any(change.counts for change in changes):
        lock.write()
    if changes or not problems:
        text = as_json_lines(changes) if as_json else as_text(changes, lock.path, check)
        click.echo(text, nl=False)
    if problems:
        raise EvalmakeError(problems)
    return int(check and any(change.counts for change in changes))


def _chosen(known: dict[str, UnpinnedInput], names: Sequence[Word]) -> list[UnpinnedInput]:
    """The inputs that the words of the command line mean: all, without any."""
    found: dict[str, UnpinnedInput] = {} if names else known
    for name in names:
        meant = {text: each for text, each in known.items() if _matches(each, name.text)}
        if not meant:
            written = ", ".join(each.written for each in known.values())
            raise make_error(
                "unknown-name",
                f"nothing that can be pinned is like `{name.text}`",
                name.span,
                notes=[f"what can be: {written or 'nothing'}"],
            )
        found |= meant
    return list(found.values())


def _matches(each: UnpinnedInput, name: str) -> bool:
    """Whether an input holds this text, or is like this pattern."""
    return name in each.written or fnmatchcase(each.written, name)


def _unused(workspace: Workspace, known: Iterable[str]) -> list[str]:
    """The lock's entries that the Evalfile no longer names; packages may be another platform's."""
    stems = {name.partition(" (")[0] for name in known}
    return [name for name in workspace.project.lock.pins if name.partition(" (")[0] not in stems]


def _resolve(
    workspace: Workspace, chosen: Sequence[UnpinnedInput], update: bool, check: bool, changes: list[Change]
) -> list[Diagnostic]:
    """Add what happens to each input to `changes`, and to the lock; what could not be resolved."""
    from evalmake.pins.registry_client import RegistryClient, UnresolvedName
    from evalmake.terminal.progress import progress

    pins, problems = workspace.project.lock.pins, []
    with closing(progress(False, False)) as emit, closing(RegistryClient()) as registry:
        resolver = _Resolver(workspace, registry, emit)
        for each in chosen:
            before = pins.get(each.text)
            if before is None and check:
                changes.append(Change("unpinned", each.written))
                continue
            if before is not None and not (update or (check and each.sort != "packages")):
                changes.append(Change("same", each.written, before, before))
                continue
            try:
                now = resolver.pin(each, anew=update)
            except UnresolvedName as error:
                why = f"{each.title} cannot be resolved: {error}"
                problems.append(make_diagnostic("pin-failed", why, each.span, about=each.about, help=error.help))
            except EvalmakeError as error:
                problems += error.diagnostics
            else:
                changes.append(_compared(each, before, now))
                pins[each.text] = changes[-1].now or now
    return problems


def _compared(each: UnpinnedInput, before: Pin | None, now: Pin) -> Change:
    """What became of a pin; one that means the same keeps its date."""
    if before is None:
        return Change("pinned", each.written, None, now)
    if before.meaning == now.meaning:
        return Change("same", each.written, before, before)
    return Change("moved", each.written, before, now)


@dataclass(frozen=True, slots=True)
class _Resolver:
    """Asks registries, the hub, the installer and, for what no registry has, a local engine."""

    workspace: Workspace
    registry: RegistryClient
    emit: Emit

    def pin(self, each: UnpinnedInput, anew: bool) -> Pin:
        """What an input means now; packages that were resolved here before only where `anew`."""
        today = datetime.now(UTC).date().isoformat()
        if each.sort == "image":
            return self._image(each.text, today)
        if each.sort == "packages":
            return Pin(today, packages=self._packages(each, anew))
        from evalmake.pins.hub_client import resolve_commit

        return Pin(today, commit=resolve_commit(each.text, each.sort))

    def _image(self, image: str, today: str) -> Pin:
        """An image's pin, which is the one that it has where its digest is the same."""
        from evalmake.pins.registry_client import UnresolvedName

        before = self.workspace.project.lock.pins.get(image)
        try:
            digest = self.registry.digest(image)
            if before is not None and before.digest == digest:
                return before
            return Pin(today, digest, platforms=self.registry.platforms(image, digest))
        except UnresolvedName:
            if id := local_image(self.workspace.project, image):
                return Pin(today, id, local=True)
            raise

    def _packages(self, each: UnpinnedInput, anew: bool) -> tuple[str, ...]:
        environments = self.workspace.environments()
        if anew:
            return environments.resolve_again(each.declared, self.emit)
        environments.resolve_unknown([each.declared], self.emit)
        environment = environments.environment_of(each.declared)
        return tuple(environment.text.splitlines()) if environment else ()
