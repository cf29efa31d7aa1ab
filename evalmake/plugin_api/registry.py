"""The installed plugins."""

from __future__ import annotations

from typing import Any, Protocol


class Registry(Protocol):
    """The installed plugins, loaded when first asked for."""

    def names(self, group: str) -> tuple[str, ...]:
        """The names in a group, nothing imported."""

    def get(self, group: str, name: str) -> Any:
        """The plugin class; KeyError when there is none."""
