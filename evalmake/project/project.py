"""A loaded and checked Evalfile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evalmake.language import tree
from evalmake.language.expressions import Scope
from evalmake.language.external_inputs import ExternalInputs
from evalmake.language.source import Span
from evalmake.pins.lock import Lock
from evalmake.project.declarations import Declaration
from evalmake.project.eval_declaration import EvalDeclaration
from evalmake.project.fields import Fields
from evalmake.project.includes import FileSet, LoadedFile
from evalmake.project.settings_schema import Settings


@dataclass(slots=True)
class AliasDeclaration:
    """`name: targets`."""

    node: tree.Alias
    file: LoadedFile
    doc: str


@dataclass(slots=True)
class Project:
    """A checked Evalfile: every declaration is typed, every reference found."""

    path: Path
    files: FileSet
    settings: Settings
    executors: dict[str, Declaration]
    deployments: dict[str, Declaration]
    models: dict[str, Declaration]
    benchmarks: dict[str, Declaration]
    evals: dict[str, EvalDeclaration]
    reports: dict[str, Declaration]
    aliases: dict[str, AliasDeclaration]
    overrides: dict[str, str]
    external: ExternalInputs
    scope: Scope
    lock: Lock
    names: dict[str, Span] = field(default_factory=dict)
    baselines: dict[str, bytes] = field(default_factory=dict)
    """The files of the baselines that requirements compare with, by their names, as far as they are there."""
    settings_fields: Fields = field(default_factory=Fields)
    """What the `settings` block says, with its places."""
    missing_baselines: dict[str, str] = field(default_factory=dict)
    """The names of the others, each with one that may be meant."""

    @property
    def folder(self) -> Path:
        """The root Evalfile's folder: paths in it are relative to this."""
        return self.path.absolute().parent

    def of(self, kind: str) -> Mapping[str, Declaration]:
        """The declarations of one kind."""
        found: Mapping[str, Declaration] = getattr(self, f"{kind}s")
        return found
