"""vLLM's OpenAI-compatible server."""

from __future__ import annotations

from typing import ClassVar

from evalmake.engines.arguments import DashedArguments, ModelName, to_flags
from evalmake.engines.model_server import (
    LISTEN,
    ModelServer,
    ReservedArguments,
    revision_flags,
    served_name,
    weights_command,
)
from evalmake.engines.weights import find_weights, weights_scheme
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.harness import Program
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Count, Natural, Real, define_key

_MULTI_NODE = (
    '--nnodes "$EVALMAKE_NODES" --node-rank "$EVALMAKE_NODE" --master-addr "$EVALMAKE_HEAD"'
    " $([ $EVALMAKE_NODE = 0 ] || echo --headless)"
)


class VllmEngine(ModelServer):
    """Runs `vllm serve`."""

    class Args(ReservedArguments, DashedArguments):
        """These arguments are checked; the server gets all others unchanged."""

        served_model_name: ModelName = None
        tensor_parallel_size: Count | None = define_key(
            None, "The number of GPUs that share each layer.", "2", unset="the server decides"
        )
        pipeline_parallel_size: Count | None = define_key(
            None, "The number of groups of GPUs that the layers are divided among.", "2", unset="the server decides"
        )
        data_parallel_size: Count | None = define_key(
            None, "The number of copies of the model in one server.", "2", unset="the server decides"
        )
        max_model_len: Count | str | None = define_key(
            None, "The context length, in tokens.", "8192", unset="the server decides"
        )
        max_num_seqs: Count | None = define_key(
            None, "How many sequences are decoded at the same time.", "128", unset="the server decides"
        )
        max_num_batched_tokens: Count | None = define_key(
            None, "How many tokens one step holds at most.", "16384", unset="the server decides"
        )
        gpu_memory_utilization: Real | None = define_key(
            None, "The share of GPU memory that the server takes.", "0.85", unset="the server decides"
        )
        dtype: str | None = define_key(
            None, "The type of numbers of weights and activations.", '"bfloat16"', unset="the server decides"
        )
        quantization: str | None = define_key(
            None, "The quantization method of the weights.", '"fp8"', unset="the server decides"
        )
        seed: Natural | None = define_key(None, "The seed of the server.", "1", unset="the server decides")
        enforce_eager: bool | None = define_key(None, "Turns CUDA graphs off.", "true", unset="the server decides")
        trust_remote_code: bool | None = define_key(
            None, "Runs the code that comes with the weights.", "true", unset="the server decides"
        )
        enable_prefix_caching: bool | None = define_key(
            None, "Whether prompts share the cache of a common beginning.", "false", unset="the server decides"
        )

    program: ClassVar[Program] = Program("vllm", "vllm==0.11.0", command="vllm")
    weight_schemes = ("hf", "s3")

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The model under its deployment's name; weights in an object store are streamed."""
        weights, args = find_weights(deployment), dict(deployment.block.args)
        if weights_scheme(deployment.block.weights) == "s3":
            args.setdefault("load-format", "runai_streamer")
        argv = ["vllm", "serve", weights.name, *LISTEN, "--served-model-name", served_name(deployment)]
        argv += [*revision_flags(weights), *to_flags(args, negate_false=True)]
        return weights_command(deployment, weights, argv, multi_node_launcher=_MULTI_NODE)
