"""The mock engine: a stand-in model server with a declared skill (see `evalmake.engines.mock`)."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar

from pydantic import Field

from evalmake.engines.model_server import NoSettings, served_name
from evalmake.plugin_api.engine import ServerCommand
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, Natural, Real, define_key

Share = Annotated[Real, Field(ge=0, le=1)]


class MockEngine:
    """Serves `evalmake.engines.mock`."""

    class Args(Block):
        """A skill, and faults to rehearse."""

        skill: Share = define_key(1.0, "The share of questions that the server answers correctly.", "0.9")
        seed: Natural = define_key(0, "The seed of its random choices.", "1")
        name: str | None = define_key(
            None, "The model id that it answers to.", '"apprentice"', unset="the name of the deployment"
        )
        latency: Any = define_key(
            None,
            "How long a reply takes: a duration, or a list of the shortest and the longest.",
            "50ms",
            type="duration, number of seconds, or list of two",
            unset="no delay",
        )
        error_rate: Share = define_key(0.0, "The share of requests that get status 500.", "0.05")
        too_many_rate: Share = define_key(0.0, "The share of requests that get status 429.", "0.05")
        retry_after: Real = define_key(1.0, "The seconds in the Retry-After header of a 429 reply.", "5")
        rate: Real | None = define_key(
            None, "How many requests per second are answered; others get 429.", "10", unset="no limit"
        )
        hang_rate: Share = define_key(0.0, "The share of requests that get no reply.", "0.05")
        malformed_rate: Share = define_key(0.0, "The share of replies that are broken JSON.", "0.05")
        reset_rate: Share = define_key(0.0, "The share of connections that are reset.", "0.05")
        status: Natural | None = define_key(None, "The status of every reply.", "503", unset="200")
        html: bool = define_key(False, "Whether every reply is a page of HTML.", "true")

    Settings = NoSettings
    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The server's command. The kernel chooses the port, and the server writes it to a file.

        In an image, which must have evalmake installed, it gets an address to listen on.
        """
        block = deployment.block
        settings = {key: getattr(value, "seconds", value) for key, value in block.args.items()}
        settings.setdefault("name", served_name(deployment))
        address = ("--host", "{host}", "--port", "{port}") if block.image else ("--port", "0")
        options = ("--port-file", "port", "--settings", json.dumps(settings, sort_keys=True))
        argv = ("{python}", "-P", "-m", "evalmake.engines.mock", *address, *options)
        return ServerCommand(argv, port=block.port if block.image else None)
