"""Checkpoints of NVIDIA's NeMo framework, served over Ray by the script in its container."""

from __future__ import annotations

from math import prod
from typing import Annotated

from evalmake.engines.arguments import Address, Arguments, ModelName, Port, WeightsName, reserved, to_flags
from evalmake.engines.model_server import LISTEN, ModelServer, served_name
from evalmake.engines.weights import find_weights
from evalmake.plugin_api.engine import ServerCommand
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, Count, define_key

_SCRIPT = "/opt/Export-Deploy/scripts/deploy/nlp/deploy_ray_inframework.py"
_GPU_FACTORS = (
    "tensor_model_parallel_size",
    "pipeline_model_parallel_size",
    "context_parallel_size",
    "num_replicas",
)
GpuCount = Annotated[None, reserved("it is the product of the parallel sizes and of `num_replicas`")]


class RayEngine(ModelServer):
    """Runs `deploy_ray_inframework.py`."""

    class Settings(Block):
        """The kind of checkpoint: Megatron's, or that of NeMo 2 (`legacy`)."""

        legacy: bool = define_key(False, "Whether the checkpoint is one of NeMo 2, not of Megatron.", "true")

    class Args(Arguments):
        """These arguments are checked; the server gets all others unchanged."""

        host: Address = None
        port: Port = None
        model_id: ModelName = None
        megatron_checkpoint: WeightsName = None
        nemo_checkpoint: WeightsName = None
        num_gpus: GpuCount = None
        cuda_visible_devices: GpuCount = None
        tensor_model_parallel_size: Count | None = define_key(
            None, "The number of GPUs that share each layer.", "2", unset="the server decides"
        )
        pipeline_model_parallel_size: Count | None = define_key(
            None, "The number of groups of GPUs that the layers are divided among.", "2", unset="the server decides"
        )
        context_parallel_size: Count | None = define_key(
            None, "The number of GPUs that share one sequence.", "2", unset="the server decides"
        )
        expert_model_parallel_size: Count | None = define_key(
            None, "The number of GPUs that share the experts.", "2", unset="the server decides"
        )
        num_replicas: Count | None = define_key(
            None, "The number of copies of the model in one server.", "2", unset="the server decides"
        )
        num_nodes: Count | None = define_key(None, "The number of nodes.", "2", unset="the server decides")
        enable_cuda_graphs: bool | None = define_key(None, "Turns CUDA graphs on.", "true", unset="the server decides")
        enable_flash_decode: bool | None = define_key(
            None, "Turns flash decoding on.", "true", unset="the server decides"
        )

    weight_schemes = ()

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The checkpoint under its deployment's name, on as many GPUs as its arguments call for."""
        block, weights = deployment.block, find_weights(deployment)
        gpus = prod(block.args.get(name) or 1 for name in _GPU_FACTORS)
        assert isinstance(deployment.settings, RayEngine.Settings)
        checkpoint = "--nemo_checkpoint" if deployment.settings.legacy else "--megatron_checkpoint"
        devices = ",".join(map(str, range(gpus)))
        argv = ["python", _SCRIPT, checkpoint, weights.name, "--model_id", served_name(deployment), *LISTEN]
        argv += ["--num_gpus", str(gpus), "--cuda_visible_devices", devices, *to_flags(block.args)]
        return ServerCommand(tuple(argv), port=block.port, health="/v1/health", mounts=weights.mounts)
