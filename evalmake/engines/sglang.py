"""SGLang's OpenAI-compatible server."""

from __future__ import annotations

from typing import ClassVar

from evalmake.engines.arguments import DashedArguments, ModelName, WeightsName, to_flags
from evalmake.engines.model_server import (
    LISTEN,
    ModelServer,
    ReservedArguments,
    revision_flags,
    served_name,
    weights_command,
)
from evalmake.engines.weights import find_weights
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.harness import Program
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Count, Natural, Real, define_key

_MULTI_NODE = '--nnodes "$EVALMAKE_NODES" --node-rank "$EVALMAKE_NODE" --dist-init-addr "$EVALMAKE_HEAD:20000"'


class SglangEngine(ModelServer):
    """Runs `python3 -m sglang.launch_server`."""

    class Args(ReservedArguments, DashedArguments):
        """These arguments are checked; the server gets all others unchanged."""

        model_path: WeightsName = None
        served_model_name: ModelName = None
        tp_size: Count | None = define_key(
            None, "The number of GPUs that share each layer.", "2", unset="the server decides"
        )
        pp_size: Count | None = define_key(
            None, "The number of groups of GPUs that the layers are divided among.", "2", unset="the server decides"
        )
        dp_size: Count | None = define_key(
            None, "The number of copies of the model in one server.", "2", unset="the server decides"
        )
        ep_size: Count | None = define_key(
            None, "The number of GPUs that share the experts.", "2", unset="the server decides"
        )
        context_length: Count | None = define_key(
            None, "The context length, in tokens.", "8192", unset="the server decides"
        )
        max_running_requests: Count | None = define_key(
            None, "How many requests run at the same time.", "128", unset="the server decides"
        )
        mem_fraction_static: Real | None = define_key(
            None, "The share of GPU memory for weights and cache.", "0.85", unset="the server decides"
        )
        dtype: str | None = define_key(
            None, "The type of numbers of weights and activations.", '"bfloat16"', unset="the server decides"
        )
        quantization: str | None = define_key(
            None, "The quantization method of the weights.", '"fp8"', unset="the server decides"
        )
        random_seed: Natural | None = define_key(None, "The seed of the server.", "1", unset="the server decides")
        trust_remote_code: bool | None = define_key(
            None, "Runs the code that comes with the weights.", "true", unset="the server decides"
        )

    program: ClassVar[Program] = Program("sglang", "sglang[all]==0.5.3", command="sglang")

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The model under its deployment's name."""
        weights = find_weights(deployment)
        argv = ["python3", "-m", "sglang.launch_server", "--model-path", weights.name, *LISTEN]
        argv += [
            "--served-model-name",
            served_name(deployment),
            *revision_flags(weights),
            *to_flags(deployment.block.args),
        ]
        return weights_command(deployment, weights, argv, multi_node_launcher=_MULTI_NODE)
