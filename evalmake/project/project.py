"""The checked whole of an Evalfile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evalmake.language import tree
from evalmake.language.expressions import Scope, World
from evalmake.language.source import Span
from evalmake.pins.lock import Lock
from evalmake.project.declarations import Declared, EvalDecl
from evalmake.project.includes import FileSet, Loaded
from evalmake.project.schema import Settings


@dataclass(slots=True)
class AliasDecl:
    """`name: targets`."""

    node: tree.Alias
    file: Loaded
    doc: str


@dataclass(slots=True)
class Project:
    """An Evalfile, wholly checked: every declaration typed, every reference found."""

    path: Path
    files: FileSet
    settings: Settings
    executors: dict[str, Declared]
    deployments: dict[str, Declared]
    models: dict[str, Declared]
    benchmarks: dict[str, Declared]
    evals: dict[str, EvalDecl]
    reports: dict[str, Declared]
    aliases: dict[str, AliasDecl]
    overrides: dict[str, str]
    world: World
    scope: Scope
    lock: Lock
    names: dict[str, Span] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The root Evalfile's folder: paths in it are relative to this."""
        return self.path.absolute().parent

    def of(self, kind: str) -> Mapping[str, Declared]:
        """The declarations of one kind."""
        found: Mapping[str, Declared] = getattr(self, f"{kind}s")
        return found
