"""SGLang's OpenAI-compatible server."""

from __future__ import annotations

from typing import ClassVar

from evalmake.engines.arguments import DashedArguments, ModelName, WeightsName, to_flags
from evalmake.engines.model_server import LISTEN, ModelServer, ReservedArguments, revision_flags, weights_command
from evalmake.engines.weights import find_weights
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.harness import Program
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Count, Natural, Real

_MULTI_NODE = '--nnodes "$EVALMAKE_NODES" --node-rank "$EVALMAKE_NODE" --dist-init-addr "$EVALMAKE_HEAD:20000"'


class SglangEngine(ModelServer):
    """Runs `python3 -m sglang.launch_server`."""

    class Args(ReservedArguments, DashedArguments):
        """The most common ones; all others of the server are passed on."""

        model_path: WeightsName = None
        served_model_name: ModelName = None
        tp_size: Count | None = None
        pp_size: Count | None = None
        dp_size: Count | None = None
        ep_size: Count | None = None
        context_length: Count | None = None
        max_running_requests: Count | None = None
        mem_fraction_static: Real | None = None
        dtype: str | None = None
        quantization: str | None = None
        random_seed: Natural | None = None
        trust_remote_code: bool | None = None

    program: ClassVar[Program] = Program("sglang", "sglang[all]==0.5.3", command="sglang")

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The model under its deployment's name."""
        weights = find_weights(deployment)
        argv = ["python3", "-m", "sglang.launch_server", "--model-path", weights.name, *LISTEN]
        argv += ["--served-model-name", deployment.name, *revision_flags(weights), *to_flags(deployment.block.args)]
        return weights_command(deployment, weights, argv, multi_node_launcher=_MULTI_NODE)
