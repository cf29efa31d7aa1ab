"""TensorRT-LLM's OpenAI-compatible server."""

from __future__ import annotations

from typing import ClassVar

from evalmake.engines.arguments import Arguments, ModelName, to_flags
from evalmake.engines.model_server import LISTEN, ModelServer, ReservedArguments, weights_command
from evalmake.engines.weights import find_weights
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.harness import Program
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Count, Real, define_key

# It starts its workers by MPI, which otherwise refuses root, and containers run as root.
_ALLOW_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


class TrtllmEngine(ModelServer):
    """Runs `trtllm-serve serve`."""

    class Args(ReservedArguments, Arguments):
        """These arguments are checked; the server gets all others unchanged."""

        served_model_name: ModelName = None
        tp_size: Count | None = define_key(
            None, "The number of GPUs that share each layer.", "2", unset="the server decides"
        )
        pp_size: Count | None = define_key(
            None, "The number of groups of GPUs that the layers are divided among.", "2", unset="the server decides"
        )
        ep_size: Count | None = define_key(
            None, "The number of GPUs that share the experts.", "2", unset="the server decides"
        )
        max_seq_len: Count | None = define_key(
            None, "The context length, in tokens.", "8192", unset="the server decides"
        )
        max_batch_size: Count | None = define_key(
            None, "How many requests one batch holds at most.", "64", unset="the server decides"
        )
        max_num_tokens: Count | None = define_key(
            None, "How many tokens one batch holds at most.", "8192", unset="the server decides"
        )
        kv_cache_free_gpu_memory_fraction: Real | None = define_key(
            None, "The share of free GPU memory for the cache.", "0.85", unset="the server decides"
        )
        backend: str | None = define_key(None, "The backend of the server.", '"pytorch"', unset="the server decides")
        trust_remote_code: bool | None = define_key(
            None, "Runs the code that comes with the weights.", "true", unset="the server decides"
        )

    program: ClassVar[Program] = Program("tensorrt_llm", "tensorrt-llm==1.0.0", command="trtllm-serve")
    takes_revision = False

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The model under the last part of its path, its deployment's name or `served_name`; the server accepts any."""
        weights = find_weights(deployment)
        argv = ("trtllm-serve", "serve", weights.name, *LISTEN, *to_flags(deployment.block.args))
        return weights_command(deployment, weights, argv, env=_ALLOW_ROOT)
