"""SGLang's OpenAI-compatible server."""

from __future__ import annotations

from typing import ClassVar

from evalmake.engines.arguments import Dashed, Host, Named, Port, Revised, Weighed, flags
from evalmake.engines.weights import check_weights, weights_of
from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.harness import Program
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, Count, Natural, Real, Texts

_SPREAD = '--nnodes "$EVALMAKE_NODES" --node-rank "$EVALMAKE_NODE" --dist-init-addr "$EVALMAKE_HEAD:20000"'


class SglangEngine:
    """Runs `python3 -m sglang.launch_server`."""

    class Settings(Block):
        """What it is installed from, where it has no image."""

        packages: Texts = ()

    class Args(Dashed):
        """Those that are most often given; all others of the server are passed on."""

        host: Host = None
        port: Port = None
        model: Weighed = None
        model_path: Weighed = None
        revision: Revised = None
        served_model_name: Named = None
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

    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""
    program: ClassVar[Program] = Program("sglang", "sglang[all]==0.5.3", command="sglang")

    @staticmethod
    def check_deployment(deployment: Declaration, found: Diagnostics) -> None:
        """It takes files or a model of the hub."""
        check_weights(deployment, found, ("hf",))

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The model under its deployment's name."""
        block, weights = deployment.block, weights_of(deployment)
        return ServerCommand(
            (
                "python3",
                "-m",
                "sglang.launch_server",
                "--model-path",
                weights.name,
                "--host",
                "{host}",
                "--port",
                "{port}",
                "--served-model-name",
                deployment.name,
                *(("--revision", weights.revision) if weights.revision else ()),
                *flags(block.args),
            ),
            port=block.port,
            env=weights.env,
            mounts=weights.mounts,
            multi_node_launcher=_SPREAD,
        )
