"""Any program as a model server: it listens on $EVALMAKE_PORT, or writes its own port to ./port."""

from __future__ import annotations

from typing import ClassVar

from evalmake.engines.model_server import NoSettings
from evalmake.engines.weights import find_weights
from evalmake.language.values import Files
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
        weights = find_weights(deployment) if isinstance(block.weights, Files) else None
        if weights is not None:
            env["EVALMAKE_WEIGHTS"] = weights.name
        return ServerCommand(
            ("/bin/sh", "-eu", "run.sh"),
            port=block.port,
            health=block.health or "/health",
            env=env,
            mounts=weights.mounts if weights is not None else {},
            files={"run.sh": block.run or "exit 64\n"},
            multi_node_launcher="",
        )
