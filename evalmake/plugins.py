"""Plugins by their entry points: reading names imports nothing, and a plugin is imported when it is used."""

from __future__ import annotations

from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any

GROUPS = ("executors", "harnesses", "engines", "exporters", "interceptors")


class InstalledPlugins:
    """The installed plugins; evalmake's own are entry points, too."""

    def __init__(self) -> None:
        self._loaded: dict[tuple[str, str], Any] = {}

    @cached_property
    def _entry_points(self) -> dict[tuple[str, str], EntryPoint]:
        points = entry_points()  # each call reads the metadata of every package
        return {(group, point.name): point for group in GROUPS for point in points.select(group=f"evalmake.{group}")}

    def names(self, group: str) -> tuple[str, ...]:
        """The names in a group; imports nothing."""
        return tuple(sorted(name for kind, name in self._entry_points if kind == group))

    def get(self, group: str, name: str) -> Any:
        """The plugin class; KeyError when there is none."""
        key = (group, name)
        if key not in self._loaded:
            self._loaded[key] = self._entry_points[key].load()
        return self._loaded[key]

    def used(self) -> dict[str, dict[str, dict[str, str]]]:
        """The plugins that were imported, by group and name: the distribution that each is of, and its version."""
        found: dict[str, dict[str, dict[str, str]]] = {}
        for group, name in sorted(self._loaded):
            dist = self._entry_points[group, name].dist
            version = {"distribution": dist.name if dist else "", "version": dist.version if dist else ""}
            found.setdefault(group, {})[name] = version
        return found
