"""What nemo-evaluator-launcher 0.2.6 takes where a configuration says nothing: the files that its `defaults` name.

Only facts that matter to an Evalfile; the commands of the servers are the engines' own affair.
"""

from __future__ import annotations

from collections.abc import Mapping

from evalmake.migration.yaml_file import MISSING

_SERVER = {"checkpoint_path": MISSING, "served_model_name": MISSING, "port": 8000, "extra_args": "", "env_vars": {}}
_VLLM = {
    **_SERVER,
    "type": "vllm",
    "image": "vllm/vllm-openai:latest",
    "tensor_parallel_size": 8,
    "pipeline_parallel_size": 1,
    "data_parallel_size": 1,
    "gpu_memory_utilization": 0.95,
}

SHIPPED: Mapping[str, object] = {
    "execution/local": {
        "type": "local",
        "output_dir": MISSING,
        "extra_docker_args": "",
        "mode": "sequential",
        "endpoint_readiness_timeout": 600,
    },
    "execution/slurm/default": {
        "type": "slurm",
        "hostname": MISSING,
        "username": "${oc.env:USER}",
        "account": MISSING,
        "output_dir": MISSING,
        "partition": "batch",
        "cpu_partition": None,
        "num_nodes": 1,
        "num_instances": 1,
        "ntasks_per_node": 1,
        "gres": "gpu:8",
        "walltime": "01:00:00",
        "max_walltime": "120:00:00",
        "endpoint_readiness_timeout": None,
        "subproject": "nemo-evaluator-launcher",
        "sbatch_comment": None,
        "sbatch_extra_flags": {"exclusive": True},
        "mounts": {"deployment": {}, "evaluation": {}, "auxiliary": {}, "mount_home": True},
    },
    "execution/lepton/default": {
        "type": "lepton",
        "output_dir": MISSING,
        "env_var_names": [],
        "evaluation_tasks": {"resource_shape": "cpu.small", "timeout": 3600, "use_shared_storage": True},
        "lepton_platform": {
            "deployment": {"endpoint_readiness_timeout": 1200, "platform_defaults": {}},
            "tasks": {"env_vars": {}},
        },
    },
    "deployment/none": {"type": "none"},
    "deployment/vllm": _VLLM,
    "deployment/vllm_ray": {**_VLLM, "distributed_executor_backend": "ray"},
    "deployment/sglang": {
        **_SERVER,
        "type": "sglang",
        "image": "lmsysorg/sglang:latest",
        "tensor_parallel_size": 8,
        "pipeline_parallel_size": 1,
        "data_parallel_size": 1,
    },
    "deployment/trtllm": {
        **_SERVER,
        "type": "trtllm",
        "image": "nvcr.io/nvidia/tensorrt-llm/release:1.0.0",
        "tensor_parallel_size": 8,
        "pipeline_parallel_size": 1,
    },
    "deployment/nim": {"type": "nim", "image": MISSING, "served_model_name": MISSING, "port": 8000},
    "deployment/generic": {**_SERVER, "type": "generic", "image": MISSING, "command": MISSING, "checkpoint_path": None},
}
