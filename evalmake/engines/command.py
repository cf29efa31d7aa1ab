"""Any program as a model server: it listens on $EVALMAKE_PORT, or writes its own to ./port."""

from __future__ import annotations

from typing import ClassVar

from evalmake.plugin_api.engine import ServerCommand
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block


class CommandEngine:
    """Runs `run` in a shell."""

    class Settings(Block):
        """No keys beyond every deployment's."""

    Args: ClassVar[None] = None
    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The shell text; `port` fixes the port, else the server writes `port` once it listens."""
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
