"""Checkpoints of NVIDIA's NeMo framework, served over Ray by the script in its container."""

from __future__ import annotations

from math import prod
from typing import Annotated, ClassVar

from evalmake.engines.arguments import Arguments, Host, Named, Port, Weighed, flags, kept
from evalmake.engines.weights import check_weights, weights_of
from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.engine import ServerCommand
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, Count

_SCRIPT = "/opt/Export-Deploy/scripts/deploy/nlp/deploy_ray_inframework.py"
_SPLIT = (
    "tensor_model_parallel_size",
    "pipeline_model_parallel_size",
    "context_parallel_size",
    "num_replicas",
)
Counted = Annotated[None, kept("it is the product of the parallel sizes and of `num_replicas`")]


class RayEngine:
    """Runs `deploy_ray_inframework.py`."""

    class Settings(Block):
        """Which checkpoints: Megatron's, or those of NeMo 2 (`legacy`)."""

        legacy: bool = False

    class Args(Arguments):
        """Those that are most often given; all others of the script are passed on."""

        host: Host = None
        port: Port = None
        model_id: Named = None
        megatron_checkpoint: Weighed = None
        nemo_checkpoint: Weighed = None
        num_gpus: Counted = None
        cuda_visible_devices: Counted = None
        tensor_model_parallel_size: Count | None = None
        pipeline_model_parallel_size: Count | None = None
        context_parallel_size: Count | None = None
        expert_model_parallel_size: Count | None = None
        num_replicas: Count | None = None
        num_nodes: Count | None = None
        enable_cuda_graphs: bool | None = None
        enable_flash_decode: bool | None = None

    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""

    @staticmethod
    def check_deployment(deployment: Declaration, found: Diagnostics) -> None:
        """It takes files only."""
        check_weights(deployment, found, ())

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The checkpoint under its deployment's name, on all the GPUs that its arguments come to."""
        block, weights = deployment.block, weights_of(deployment)
        gpus = prod(block.args.get(name) or 1 for name in _SPLIT)
        assert isinstance(deployment.settings, RayEngine.Settings)
        kind = "--nemo_checkpoint" if deployment.settings.legacy else "--megatron_checkpoint"
        return ServerCommand(
            (
                "python",
                _SCRIPT,
                kind,
                weights.name,
                "--model_id",
                deployment.name,
                "--host",
                "{host}",
                "--port",
                "{port}",
                "--num_gpus",
                str(gpus),
                "--cuda_visible_devices",
                ",".join(map(str, range(gpus))),
                *flags(block.args),
            ),
            port=block.port,
            health="/v1/health",
            mounts=weights.mounts,
        )
