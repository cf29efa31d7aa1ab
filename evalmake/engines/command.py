"""Any program as a model server: it listens on $EVALMAKE_PORT, or writes its own port to ./port."""

from __future__ import annotations

from typing import ClassVar

from evalmake.engines.model_server import NoSettings
from evalmake.plugin_api.engine import ServerCommand
from evalmake.project.declarations import Declaration


class CommandEngine:
    """Runs `run` in a shell."""

    Settings = NoSettings
    Args: ClassVar[None] = None
    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The shell text. `port` fixes the port; without it, the server writes `port` once it listens."""
        block = deployment.block
        env = {"EVALMAKE_PORT": str(block.port)} if block.port else {}
        return ServerCommand(
            ("/bin/sh", "-eu", "run.sh"),
            port=block.port,
            health=block.health or "/health",
            env=env,
            files={"run.sh": block.run or "exit 64\n"},
            multi_node_launcher="",
        )
