"""vLLM's OpenAI-compatible server."""

from __future__ import annotations

from typing import ClassVar

from evalmake.engines.arguments import Dashed, Host, Named, Port, Revised, Weighed, flags
from evalmake.engines.weights import check_weights, scheme, weights_of
from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.harness import Program
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, Count, Natural, Real, Texts

_SPREAD = (
    '--nnodes "$EVALMAKE_NODES" --node-rank "$EVALMAKE_NODE" --master-addr "$EVALMAKE_HEAD"'
    " $([ $EVALMAKE_NODE = 0 ] || echo --headless)"
)


class VllmEngine:
    """Runs `vllm serve`."""

    class Settings(Block):
        """What it is installed from, where it has no image."""

        packages: Texts = ()

    class Args(Dashed):
        """Those that are most often given; all others of `vllm serve` are passed on."""

        host: Host = None
        port: Port = None
        model: Weighed = None
        revision: Revised = None
        served_model_name: Named = None
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

    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""
    program: ClassVar[Program] = Program("vllm", "vllm==0.11.0", command="vllm")

    @staticmethod
    def check_deployment(deployment: Declaration, found: Diagnostics) -> None:
        """It takes files, a model of the hub, or an object store."""
        check_weights(deployment, found, ("hf", "s3"))

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The model under its deployment's name; from an object store, weights are streamed."""
        block, weights = deployment.block, weights_of(deployment)
        args = dict(block.args)
        if scheme(block.weights) == "s3":
            args.setdefault("load-format", "runai_streamer")
        return ServerCommand(
            (
                "vllm",
                "serve",
                weights.name,
                "--host",
                "{host}",
                "--port",
                "{port}",
                "--served-model-name",
                deployment.name,
                *(("--revision", weights.revision) if weights.revision else ()),
                *flags(args, negated=True),
            ),
            port=block.port,
            env=weights.env,
            mounts=weights.mounts,
            multi_node_launcher=_SPREAD,
        )
