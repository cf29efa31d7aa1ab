"""What kind of value a key of a configuration takes, by the key's name: another is an error with its line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MOST = 10**12
_MAP, _LIST, _TEXT, _NUMBER, _COUNT = "a map", "a list", "a text", "a number", "a whole number"
_KINDS: Mapping[str, str] = {
    **dict.fromkeys(("params_to_add", "params_to_rename", "headers_to_add", "api_endpoint", "target"), _MAP),
    **dict.fromkeys(("lepton_config", "envs", "value_from", "adapter_config", "nemo_evaluator_config"), _MAP),
    **dict.fromkeys(("params_to_remove", "headers_to_remove", "interceptors", "image_pull_secrets"), _LIST),
    **dict.fromkeys(("url", "model_id", "api_key_name", "system_message", "custom_system_prompt", "strategy"), _TEXT),
    **dict.fromkeys(("pre_cmd", "post_cmd", "container", "image", "hostname", "account", "partition"), _TEXT),
    **dict.fromkeys(("extra_args", "extra_docker_args", "served_model_name", "progress_tracking_url"), _TEXT),
    **dict.fromkeys(("hf_model_handle", "checkpoint_path", "include_path", "base_url", "system_instruction"), _TEXT),
    **dict.fromkeys(("start_reasoning_token", "end_reasoning_token", "output_dir", "username", "mode"), _TEXT),
    **dict.fromkeys(("temperature", "top_p", "limit_samples", "limit", "request_timeout", "timeout"), _NUMBER),
    **dict.fromkeys(("endpoint_readiness_timeout", "gpu_memory_utilization", "no_traffic_timeout"), _NUMBER),
    **dict.fromkeys(("max_new_tokens", "parallelism", "max_retries", "num_nodes", "num_instances", "port"), _COUNT),
    **dict.fromkeys(("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size", "min_replicas"), _COUNT),
    **dict.fromkeys(("max_logged_requests", "max_logged_responses", "max_requests", "max_responses"), _COUNT),
    **dict.fromkeys(("num_concurrent", "num_fewshot", "max_length", "max-connections", "max-retries", "seed"), _COUNT),
}
_FREE = (".extra.", ".params_to_add.", ".gen_kwargs.", ".metadata.", "command_params.")
"""Below these, names are of somebody else."""


def stand_in(path: str) -> Any:
    """A value of the right kind for one that is missing, so that all that are missing are found at once."""
    kind = _KINDS.get(path.rpartition(".")[2], _TEXT)
    return {_MAP: {}, _LIST: [], _TEXT: "", _NUMBER: 1, _COUNT: 1}[kind]


def find_wrong_kind(path: str, value: Any) -> str:
    """The kind that a value at a path should have and has not; empty where it is right."""
    name = path.rpartition(".")[2]
    kind = _KINDS.get(name)
    if kind is None or any(part in f".{path}" for part in _FREE) or (name == "seed" and not isinstance(value, int)):
        return ""
    if kind in (_NUMBER, _COUNT):
        types = (int,) if kind == _COUNT else (int, float)
        right = isinstance(value, types) and not isinstance(value, bool) and 0 <= value < _MOST
        return "" if right else kind
    if kind == _TEXT:
        return kind if isinstance(value, dict | list) else ""
    return "" if isinstance(value, dict if kind == _MAP else list) else kind
