"""The mock engine: a stand-in model server with a declared skill (see `evalmake.engines.mock`)."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar

from pydantic import Field

from evalmake.engines.model_server import NoSettings
from evalmake.plugin_api.engine import ServerCommand
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, Natural, Real

Share = Annotated[Real, Field(ge=0, le=1)]


class MockEngine:
    """Serves `evalmake.engines.mock`."""

    class Args(Block):
        """A skill, and faults to rehearse."""

        skill: Share = 1.0
        seed: Natural = 0
        name: str | None = None
        latency: Any = None
        error_rate: Share = 0.0
        too_many_rate: Share = 0.0
        retry_after: Real = 1.0
        rate: Real | None = None
        hang_rate: Share = 0.0
        malformed_rate: Share = 0.0
        reset_rate: Share = 0.0
        status: Natural | None = None
        html: bool = False

    Settings = NoSettings
    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The server's command. The kernel chooses the port, and the server writes it to a file.

        In an image, which must have evalmake installed, it gets an address to listen on.
        """
        block = deployment.block
        settings = {key: getattr(value, "seconds", value) for key, value in block.args.items()}
        settings.setdefault("name", deployment.name)
        address = ("--host", "{host}", "--port", "{port}") if block.image else ("--port", "0")
        options = ("--port-file", "port", "--settings", json.dumps(settings, sort_keys=True))
        argv = ("{python}", "-P", "-m", "evalmake.engines.mock", *address, *options)
        return ServerCommand(argv, port=block.port if block.image else None)
