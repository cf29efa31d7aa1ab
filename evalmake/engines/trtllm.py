"""TensorRT-LLM's OpenAI-compatible server."""

from __future__ import annotations

from typing import ClassVar

from evalmake.engines.arguments import Arguments, Host, Named, Port, Revised, Weighed, flags
from evalmake.engines.weights import check_weights, weights_of
from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.harness import Program
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, Count, Real, Texts

# It starts its workers by MPI, which otherwise refuses root, whom containers run as.
_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


class TrtllmEngine:
    """Runs `trtllm-serve serve`."""

    class Settings(Block):
        """What it is installed from, where it has no image."""

        packages: Texts = ()

    class Args(Arguments):
        """Those that are most often given; all others of the server are passed on."""

        host: Host = None
        port: Port = None
        model: Weighed = None
        revision: Revised = None
        served_model_name: Named = None
        tp_size: Count | None = None
        pp_size: Count | None = None
        ep_size: Count | None = None
        max_seq_len: Count | None = None
        max_batch_size: Count | None = None
        max_num_tokens: Count | None = None
        kv_cache_free_gpu_memory_fraction: Real | None = None
        backend: str | None = None
        trust_remote_code: bool | None = None

    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""
    program: ClassVar[Program] = Program("tensorrt_llm", "tensorrt-llm==1.0.0", command="trtllm-serve")

    @staticmethod
    def check_deployment(deployment: Declaration, found: Diagnostics) -> None:
        """It takes files, or a model of the hub as it is there now."""
        check_weights(deployment, found, ("hf",), revisions=False)

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The model under the last part of its path, which is its deployment's name; any is taken."""
        block, weights = deployment.block, weights_of(deployment)
        return ServerCommand(
            ("trtllm-serve", "serve", weights.name, "--host", "{host}", "--port", "{port}", *flags(block.args)),
            port=block.port,
            env={**weights.env, **_ROOT},
            mounts=weights.mounts,
        )
