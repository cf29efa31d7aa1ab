"""The environments of a workspace: which benchmark or deployment has which, and whether its program is installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from evalmake.language.diagnostic import Diagnostic, EvalmakeError, make_diagnostic
from evalmake.language.source import Span
from evalmake.pins.lock import Lock, name_package_set
from evalmake.plugin_api.harness import HasProgram, Program
from evalmake.project.declarations import Declaration
from evalmake.project.pinned_inputs import packages_of
from evalmake.run.environments.environment import Environment, read_text
from evalmake.run.environments.installations import Installation, find_installations
from evalmake.run.events import Emit

FOLDER_VARIABLE = "EVALMAKE_ENVIRONMENTS"
"""Names a folder to keep environments in, in place of the store's."""
_LOG_LINES = 12


def environments_folder(store: Path) -> Path:
    """The folder of the environments of a store."""
    return Path(os.environ.get(FOLDER_VARIABLE) or store / "environments").absolute()


class Environments:
    """The environments of a workspace's benchmarks and deployments."""

    def __init__(self, store: Path, lock: Lock) -> None:
        self.lock = lock
        self.root = environments_folder(store)

    def environment_of(self, declaration: Declaration) -> Environment | None:
        """Its environment; None where it names no packages, or an image that has them."""
        packages = packages_of(declaration)
        if not packages or declaration.block.image:
            return None
        unpinned = Environment(packages, self.root)
        pin = self.lock.pins.get(name_package_set(packages))
        if pin is None or unpinned.listing_text == (pinned := "".join(f"{p}\n" for p in pin.packages)):
            return unpinned
        return Environment(packages, self.root, pinned)

    def installations(self, declarations: Iterable[Declaration]) -> list[Installation]:
        """The environments of `declarations` that are being installed, each once."""
        found = {e.digest: e for one in declarations if (e := self.environment_of(one)) is not None}
        return list(find_installations(found.values()))

    def resolved_versions(self, declaration: Declaration, plugin: object) -> dict[str, str]:
        """The versions that it runs with, as far as they are known: its environment's, or the installed program's."""
        if (environment := self.environment_of(declaration)) is not None:
            return environment.versions
        program = plugin.program if isinstance(plugin, HasProgram) else None
        if program is None or program.command or declaration.block.image:
            return {}
        try:
            return {program.distribution: version(program.distribution)}
        except PackageNotFoundError:
            return {}

    def watched_inputs(self, declaration: Iterable[Declaration]) -> tuple[set[str], dict[str, str | None]]:
        """The files, and the variables with their values, that resolved versions depend on."""
        listings = {str(e.listing_path) for one in declaration if (e := self.environment_of(one)) is not None}
        return listings, {FOLDER_VARIABLE: os.environ.get(FOLDER_VARIABLE)} if listings else {}

    def resolve_unknown(self, declaration: Iterable[Declaration], emit: Emit) -> bool:
        """Build environments that were never built, to learn their versions. Return whether there were any."""
        unknown = [one for one in declaration if (e := self.environment_of(one)) is not None and not e.listing_text]
        self.build(unknown, emit)
        return bool(unknown)

    def build(self, declaration: Iterable[Declaration], emit: Emit) -> None:
        """Build the environments that are not ready; EvalmakeError with those that failed."""
        users = {e.digest: (one, e) for one in declaration if (e := self.environment_of(one)) is not None}
        failed = [
            _build_failure(one, environment, reason)
            for one, environment in users.values()
            if not environment.is_ready and (reason := environment.build(emit))
        ]
        if failed:
            raise EvalmakeError(failed)

    def resolve_again(self, declaration: Declaration, emit: Emit) -> tuple[str, ...]:
        """Resolve its packages again, without changing the existing environment, and return the result."""
        self.root.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.root, prefix="anew-") as folder:
            trial = Environment(packages_of(declaration), Path(folder))
            if reason := trial.build(emit):
                raise EvalmakeError([_build_failure(declaration, trial, reason)])
            return tuple(trial.listing_text.splitlines())

    def verify(self, declarations: Iterable[Declaration]) -> list[str]:
        """What is wrong with the files of environments; those are installed again where that is possible."""
        named = {e.digest: e for one in declarations if (e := self.environment_of(one)) is not None}
        wrong = []
        for environment in named.values():
            try:
                damage = environment.find_damage()
            except OSError as error:
                damage = f"its files cannot be read: {error}"
            if damage:
                wrong.append(f"the environment of {environment.name}: {damage}; the next job has it installed again")
                with suppress(OSError):  # of somebody else's
                    environment.distrust()
        return wrong

    def missing_program(self, declaration: Declaration, plugin: object, path: str | None = None) -> Diagnostic | None:
        """The error where the program of a harness or engine is neither among its packages nor installed.

        `path` is where to look for an engine's program.
        """
        program = plugin.program if isinstance(plugin, HasProgram) else None
        environment = self.environment_of(declaration)
        if program is None or declaration.block.image:
            return None
        if environment is None and _is_installed(program, path):
            return None
        if environment is not None and not environment.listing_text:
            return None  # what its packages bring is known once they are installed
        if environment is not None and program.distribution in environment.versions:
            return None
        label = f"{program.distribution} is not among them" if environment else ""
        needed = ", ".join(f'"{one}"' for one in (program.requirement, *program.others))
        return make_diagnostic(
            "missing-harness",
            f"{declaration.name} runs {program.distribution}, which is not installed",
            _packages_span(declaration) if environment else declaration.span,
            label,
            about=f"{declaration.kind} {declaration.name}",
            help=[f"add to {'them' if environment else f'the {declaration.kind}'}: packages = [{needed}]"],
        )


def _is_installed(program: Program, path: str | None) -> bool:
    """Whether a program is installed: an engine's is a command, a harness's is a module next to evalmake."""
    if program.command:
        return shutil.which(program.command, path=path) is not None
    return find_spec(program.module) is not None


def _build_failure(declaration: Declaration, environment: Environment, reason: str) -> Diagnostic:
    lines = read_text(environment.log_path).splitlines()[-_LOG_LINES:]
    help_ = [f"the whole log: {environment.log_path}"]
    if environment.pinned:
        help_.append("they are pinned: `evalmake pin --update` resolves them again")
    elif environment.listing_text:
        help_.append(f"to resolve the packages again, remove {environment.listing_path}")
    return make_diagnostic(
        "environment-failed",
        f"the packages of {declaration.name} could not be installed: {reason}",
        _packages_span(declaration),
        about=f"{declaration.kind} {declaration.name}",
        notes=["\n".join(["the last lines of its log were", *lines])] if lines else [],
        help=help_,
    )


def _packages_span(declaration: Declaration) -> Span:
    span: Span = declaration.fields.spans["packages",].value
    return span
