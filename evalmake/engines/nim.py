"""NVIDIA's NIM containers, which are told all they need by variables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from evalmake.engines.arguments import Dashed, Named, Port, Weighed, text
from evalmake.engines.weights import check_weights, scheme, weights_of
from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.executor import Mount
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, Count

_START = ("/opt/nvidia/nvidia_entrypoint.sh", "/opt/nim/start_server.sh")
_CACHE = "/opt/nim/.cache"


class NimEngine:
    """Starts the server of a NIM image: `max-model-len` is its variable NIM_MAX_MODEL_LEN."""

    class Settings(Block):
        """No keys beyond every deployment's."""

    class Args(Dashed):
        """Those that are most often given; any other is a variable that the image knows, too."""

        server_port: Port = None
        model_name: Weighed = None
        served_model_name: Named = None
        tensor_parallel_size: Count | None = None
        pipeline_parallel_size: Count | None = None
        max_model_len: Count | None = None
        model_profile: str | None = None

    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""

    @staticmethod
    def check_deployment(deployment: Declaration, found: Diagnostics) -> None:
        """It is an image, which has a model of its own unless weights are named."""
        block, about = deployment.block, f"deployment {deployment.name}"
        if not block.image:
            found.error(
                "missing-key",
                f"{about} has no `image`",
                deployment.span,
                about=about,
                help=["a NIM is an image, as nvcr.io/nim/meta/llama-3.1-8b-instruct with its tag"],
            )
        if block.weights:
            check_weights(deployment, found, ("hf",), revisions=False)

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The image's own start, the model under its deployment's name; what it fetches is kept."""
        block = deployment.block
        env = {"NIM_SERVER_PORT": "{port}", "NIM_SERVED_MODEL_NAME": deployment.name}
        mounts: dict[str, Mount] = {}
        if block.weights:
            weights = weights_of(deployment)
            mounts |= {k: m for k, m in weights.mounts.items() if not m.writable}
            hub = scheme(block.weights) == "hf"
            env["NIM_MODEL_NAME"] = block.weights if hub else weights.name
        if "NIM_CACHE_PATH" not in block.env:
            kept = os.environ.get("LOCAL_NIM_CACHE") or Path.home() / ".cache" / "nim"
            mounts[_CACHE] = Mount(Path(kept), writable=True)
            env["NIM_CACHE_PATH"] = _CACHE
        for key, value in block.args.items():
            if value is not None:
                told = int(value) if isinstance(value, bool) else value
                env[f"NIM_{key.replace('-', '_').upper()}"] = text(told)
        return ServerCommand(_START, port=block.port, health="/v1/health/ready", env=env, mounts=mounts)
