"""Engines whose deployments load, format and plan here, and which cannot serve in this version."""

from __future__ import annotations

from typing import ClassVar, NoReturn

from evalmake.project.declare import Declared
from evalmake.project.schema import Block


class VllmEngine:
    """vLLM's OpenAI-compatible server."""

    class Settings(Block):
        """No keys beyond every deployment's."""

    Args: ClassVar[None] = None
    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = "this version of evalmake cannot start this engine"

    def serve(self, deployment: Declared) -> NoReturn:
        """There is no command yet."""
        raise NotImplementedError(self.needs)
