"""NVIDIA's NIM containers, which take all their settings from variables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from evalmake.engines.arguments import DashedArguments, ModelName, Port, WeightsName, to_word
from evalmake.engines.model_server import NoSettings, served_name
from evalmake.engines.weights import check_weights, find_weights, weights_scheme
from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.executor import Mount
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Count, define_key

_START = ("/opt/nvidia/nvidia_entrypoint.sh", "/opt/nim/start_server.sh")
_CACHE = "/opt/nim/.cache"


class NimEngine:
    """Starts the server of a NIM image: `max-model-len` is its variable NIM_MAX_MODEL_LEN."""

    class Args(DashedArguments):
        """These arguments are checked; the server gets all others unchanged."""

        server_port: Port = None
        model_name: WeightsName = None
        served_model_name: ModelName = None
        tensor_parallel_size: Count | None = define_key(
            None, "The number of GPUs that share each layer.", "2", unset="the server decides"
        )
        pipeline_parallel_size: Count | None = define_key(
            None, "The number of groups of GPUs that the layers are divided among.", "2", unset="the server decides"
        )
        max_model_len: Count | None = define_key(
            None, "The context length, in tokens.", "8192", unset="the server decides"
        )
        model_profile: str | None = define_key(
            None, "The profile of the NIM.", '"vllm-bf16-tp1"', unset="the server decides"
        )

    Settings = NoSettings
    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""

    @staticmethod
    def check_deployment(deployment: Declaration, diagnostics: Diagnostics) -> None:
        """Check that there is an image. It has a model of its own, unless the deployment names weights."""
        block, about = deployment.block, f"deployment {deployment.name}"
        if not block.image:
            diagnostics.error(
                "missing-key",
                f"{about} has no `image`",
                deployment.span,
                about=about,
                help=["a NIM is an image, as nvcr.io/nim/meta/llama-3.1-8b-instruct with its tag"],
            )
        if block.weights:
            check_weights(deployment, diagnostics, ("hf",), takes_revision=False)

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The image's own start, with the model under its deployment's name and a cache on this host."""
        block = deployment.block
        env = {"NIM_SERVER_PORT": "{port}", "NIM_SERVED_MODEL_NAME": served_name(deployment)}
        mounts: dict[str, Mount] = {}
        if block.weights:
            weights = find_weights(deployment)
            # The hub's cache is left out: a NIM downloads into its own.
            mounts |= {path: mount for path, mount in weights.mounts.items() if not mount.writable}
            from_hub = weights_scheme(block.weights) == "hf"
            env["NIM_MODEL_NAME"] = block.weights if from_hub else weights.name
        if "NIM_CACHE_PATH" not in block.env:
            cache = os.environ.get("LOCAL_NIM_CACHE") or Path.home() / ".cache" / "nim"
            mounts[_CACHE] = Mount(Path(cache), writable=True)
            env["NIM_CACHE_PATH"] = _CACHE
        for key, value in block.args.items():
            if value is not None:
                word = to_word(int(value) if isinstance(value, bool) else value)
                env[f"NIM_{key.replace('-', '_').upper()}"] = word
        return ServerCommand(_START, port=block.port, health="/v1/health/ready", env=env, mounts=mounts)
