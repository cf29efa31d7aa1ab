"""vLLM's OpenAI-compatible server."""

from __future__ import annotations

from typing import ClassVar

from evalmake.engines.arguments import DashedArguments, ModelName, to_flags
from evalmake.engines.model_server import LISTEN, ModelServer, ReservedArguments, revision_flags, weights_command
from evalmake.engines.weights import find_weights, weights_scheme
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.harness import Program
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Count, Natural, Real

_MULTI_NODE = (
    '--nnodes "$EVALMAKE_NODES" --node-rank "$EVALMAKE_NODE" --master-addr "$EVALMAKE_HEAD"'
    " $([ $EVALMAKE_NODE = 0 ] || echo --headless)"
)


class VllmEngine(ModelServer):
    """Runs `vllm serve`."""

    class Args(ReservedArguments, DashedArguments):
        """The most common ones; all others of `vllm serve` are passed on."""

        served_model_name: ModelName = None
        tensor_parallel_size: Count | None = None
        pipeline_parallel_size: Count | None = None
        data_parallel_size: Count | None = None
        max_model_len: Count | str | None = None
        max_num_seqs: Count | None = None
        max_num_batched_tokens: Count | None = None
        gpu_memory_utilization: Real | None = None
        dtype: str | None = None
        quantization: str | None = None
        seed: Natural | None = None
        enforce_eager: bool | None = None
        trust_remote_code: bool | None = None
        enable_prefix_caching: bool | None = None

    program: ClassVar[Program] = Program("vllm", "vllm==0.11.0", command="vllm")
    weight_schemes = ("hf", "s3")

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The model under its deployment's name; weights in an object store are streamed."""
        weights, args = find_weights(deployment), dict(deployment.block.args)
        if weights_scheme(deployment.block.weights) == "s3":
            args.setdefault("load-format", "runai_streamer")
        argv = ["vllm", "serve", weights.name, *LISTEN, "--served-model-name", deployment.name]
        argv += [*revision_flags(weights), *to_flags(args, negate_false=True)]
        return weights_command(deployment, weights, argv, multi_node_launcher=_MULTI_NODE)
