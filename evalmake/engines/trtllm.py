"""TensorRT-LLM's OpenAI-compatible server."""

from __future__ import annotations

from typing import ClassVar

from evalmake.engines.arguments import Arguments, ModelName, to_flags
from evalmake.engines.model_server import LISTEN, ModelServer, ReservedArguments, weights_command
from evalmake.engines.weights import find_weights
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.harness import Program
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Count, Real

# It starts its workers by MPI, which otherwise refuses root, and containers run as root.
_ALLOW_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


class TrtllmEngine(ModelServer):
    """Runs `trtllm-serve serve`."""

    class Args(ReservedArguments, Arguments):
        """The most common ones; all others of the server are passed on."""

        served_model_name: ModelName = None
        tp_size: Count | None = None
        pp_size: Count | None = None
        ep_size: Count | None = None
        max_seq_len: Count | None = None
        max_batch_size: Count | None = None
        max_num_tokens: Count | None = None
        kv_cache_free_gpu_memory_fraction: Real | None = None
        backend: str | None = None
        trust_remote_code: bool | None = None

    program: ClassVar[Program] = Program("tensorrt_llm", "tensorrt-llm==1.0.0", command="trtllm-serve")
    takes_revision = False

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The model under the last part of its path, its deployment's name; the server accepts any name."""
        weights = find_weights(deployment)
        argv = ("trtllm-serve", "serve", weights.name, *LISTEN, *to_flags(deployment.block.args))
        return weights_command(deployment, weights, argv, env=_ALLOW_ROOT)
