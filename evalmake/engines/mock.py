"""The mock engine: a stand-in model server with a declared skill (see `evalmake.mock`)."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar

from pydantic import Field

from evalmake.planner.ports import Service
from evalmake.project.declare import Declared
from evalmake.project.schema import Block, Natural, Real

Share = Annotated[Real, Field(ge=0, le=1)]


class MockEngine:
    """Serves `evalmake.mock`."""

    class Settings(Block):
        """No keys beyond every deployment's."""

    class Args(Block):
        """What `args` may say: a skill, and faults to rehearse."""

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

    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""

    def serve(self, deployment: Declared) -> Service:
        """The server with the declared settings, on `port` or one that the kernel chooses.

        In an image, which must have evalmake, it is for all of its container's network.
        """
        block = deployment.block
        settings = {key: getattr(value, "seconds", value) for key, value in block.args.items()}
        settings.setdefault("name", deployment.name)
        argv = ["{python}", "-P", "-m", "evalmake.mock", "--port", str(block.port or 0)]
        argv += ["--host", "0.0.0.0"] if block.image else []
        argv += ["--port-file", "port", "--settings", json.dumps(settings, sort_keys=True)]
        return Service(tuple(argv), port=block.port)
