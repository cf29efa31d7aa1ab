"""The interface to the installed plugins."""

from __future__ import annotations

from typing import Any, Protocol


class PluginRegistry(Protocol):
    """Finds plugins by group and name; imports one only when it is chosen."""

    def names(self, group: str) -> tuple[str, ...]:
        """The names in a group; imports nothing."""

    def get(self, group: str, name: str) -> Any:
        """The plugin class; raises KeyError when there is none."""
