"""`deployment` and `auxiliary_deployments` of a launcher's configuration as deployments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalmake.language.diagnostic import make_error
from evalmake.language.values import Symbol
from evalmake.migration.configuration import Configuration
from evalmake.migration.draft import Block, Draft, Item, write_seconds
from evalmake.migration.launcher_executors import Executors, split_words
from evalmake.migration.launcher_variables import read_lepton_variables, read_variables
from evalmake.migration.yaml_file import Node, parse_scalar

_ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "vllm": {
        "tensor_parallel_size": "tensor-parallel-size",
        "pipeline_parallel_size": "pipeline-parallel-size",
        "data_parallel_size": "data-parallel-size",
        "gpu_memory_utilization": "gpu-memory-utilization",
    },
    "sglang": {"tensor_parallel_size": "tp-size", "pipeline_parallel_size": "pp-size", "data_parallel_size": "dp-size"},
    "trtllm": {"tensor_parallel_size": "tp_size", "pipeline_parallel_size": "pp_size"},
    "nim": {},
    "generic": {},
}
_ADDED: Mapping[str, Mapping[str, Any]] = {
    "vllm": {"trust-remote-code": True},
    "trtllm": {"backend": "pytorch", "trust_remote_code": True},
}
"""What the launcher's own command adds."""
_OURS = ("host", "port", "served-model-name", "model", "model-path")
_LEPTON_KEYS = {
    "endpoint_name": "evalmake names endpoints",
    "api_tokens": "`key = secret(...)` of the executor is what endpoints ask of their callers",
    "max_replicas": "`autoscale = { most = N, requests = M }` of the executor adds replicas",
    "auto_scaler": "`autoscale = { most = N, requests = M, idle = 1h }` of the executor stops idle replicas",
    "mounts": "`mounts` of the executor: the folder of a volume and the path that servers see",
}


@dataclass(slots=True)
class DeploymentReader:
    """Reads one deployment at a path; `name` is the declaration's."""

    configuration: Configuration
    draft: Draft
    path: str
    executors: Executors

    def read(self) -> str:
        """Write the deployment; return its name."""
        kind, node = self._get("type"), self.configuration.find(self.path)
        engine = "vllm" if kind == "vllm_ray" else str(kind)
        if engine not in _ARGUMENTS:
            raise make_error(
                "bad-config",
                f"`{self.path}.type` is {f'`{kind}`' if kind else 'not given'}",
                node.span if node else None,
                notes=[f"known are none, {', '.join(_ARGUMENTS)}"],
                help=["name one in `defaults`: - deployment: vllm"],
            )
        self._drop_lepton_elsewhere()
        served = self._item("served_model_name")
        name = self.draft.name("deployment", str(served.value or "server"))
        block = self.draft.block("deployment", name, "", node)
        command = self.configuration.find(f"{self.path}.command")
        if command is not None:
            self._write_command(block, engine, command)
        else:
            self._write_engine(block, engine)
        if served.value and served.value != name:
            block.set("served_name", served)
        self._write_environment(block)
        block.set("port", self._read_port())
        block.set("health", self._item("endpoints.health"))
        block.set("executor", Symbol(self.executors.servers))
        if self._get("pre_cmd"):
            why = "a server has no commands before its own: its `image` may, or `engine = command` with `run`"
            self.draft.note(f"{self.path}.pre_cmd", why, self.configuration.find(f"{self.path}.pre_cmd"))
        if self.configuration.get(f"{self.path}.num_nodes", 1) != 1:
            why = "an executor says how many nodes its servers span: `nodes`"
            self.draft.note(f"{self.path}.num_nodes", why, self.configuration.find(f"{self.path}.num_nodes"))
        self._write_size(block, engine)
        return name

    def _drop_lepton_elsewhere(self) -> None:
        """Where servers do not run on Lepton, nothing that is said of endpoints there counts."""
        node, lepton = self.configuration.find(self.path), self.configuration.find(f"{self.path}.lepton_config")
        if node and lepton and self.configuration.get("execution.type") != "lepton":
            self.draft.note(f"{self.path}.lepton_config", "it is for `execution: lepton`", lepton)
            for _, leaf in lepton.leaves():
                leaf.used = True
            del node.value["lepton_config"]

    def _get(self, key: str, default: Any = None) -> Any:
        return self.draft.resolve(self.configuration.get(f"{self.path}.{key}", default))

    def _item(self, key: str) -> Item:
        return Item(self._get(key), self.configuration.find(f"{self.path}.{key}"))

    def _read_port(self) -> Item | None:
        """The port of servers; several of them on one node cannot share the one that the launcher gives."""
        port = self._item("port")
        is_own = port.node is not None and port.node.span is not None
        return port if is_own or self.executors.replicas == 1 else None

    def _write_engine(self, block: Block, engine: str) -> None:
        block.set("engine", Symbol(engine))
        block.set("image", self._item("image"))
        self._write_weights(block, engine)
        if args := self._read_arguments(engine):
            block.set("args", args)

    def _write_command(self, block: Block, engine: str, command: Node) -> None:
        """A command of the user's own is `engine = command`, with the launcher's words put in."""
        block.set("engine", Symbol("command"))
        block.set("image", self._item("image"))
        for key in (*_ARGUMENTS[engine], "extra_args", "port", "served_model_name"):
            self._get(key)
        for key in ("checkpoint_path", "hf_model_handle"):
            if self.configuration.find(f"{self.path}.{key}") and f"deployment.{key}" not in str(command.value):
                self._write_weights(block, engine)
                break
        block.set("run", Item(self.draft.resolve(self.configuration.read(command, f"{self.path}.command")), command))
        why = "the command must listen at `port` and answer to the model's name; the engines add more by themselves"
        self.draft.note(f"{self.path}.command", why, command)

    def _write_weights(self, block: Block, engine: str) -> None:
        handle, path = self._item("hf_model_handle"), self.configuration.find(f"{self.path}.checkpoint_path")
        if handle.value:
            block.set("weights", Item(f"hf://{handle.value}", handle.node))
            if path is not None:
                path.used = True
        elif engine != "nim" or path is not None:
            block.set("weights", self._item("checkpoint_path"))

    def _read_arguments(self, engine: str) -> dict[str, Any]:
        args: dict[str, Any] = {}
        for theirs, ours in _ARGUMENTS[engine].items():
            item = self._item(theirs)
            if item.value not in (None, 1):
                args[ours] = item
        args |= _ADDED.get(engine, {})
        node = self.configuration.find(f"{self.path}.extra_args")
        for flag, value in _read_flags(str(self._get("extra_args", "")), node):
            name = flag if engine == "trtllm" else flag.replace("_", "-")
            if name in _OURS:
                self.draft.note(f"{self.path}.extra_args --{flag}", "evalmake sets it", node)
            else:
                args[name] = Item(value, node if node and node.comments else None)
        return args

    def _write_environment(self, block: Block) -> None:
        env = read_variables(self.configuration, self.draft, "env_vars")
        env |= read_variables(self.configuration, self.draft, "execution.env_vars.deployment")
        env |= read_variables(self.configuration, self.draft, f"{self.path}.env_vars")
        plain, _ = read_lepton_variables(self.configuration, self.draft, f"{self.path}.lepton_config.envs")
        block.set("env", env | plain)

    def _write_size(self, block: Block, engine: str) -> None:
        shape = str(self._get("lepton_config.resource_shape", ""))
        on_lepton = re.fullmatch(r"gpu\.(\d+)x.*", shape)
        sizes = [self.configuration.get(f"{self.path}.{key}", 1) for key in _ARGUMENTS[engine] if "parallel" in key]
        wanted = 1
        for size in sizes:
            wanted *= int(size)
        gpus = self.executors.gpus or (int(on_lepton[1]) if on_lepton else wanted)
        block.set("resources", {"gpus": gpus})
        self.executors.gpus_in_use.append(gpus)
        if self.executors.ready:
            block.set("ready", write_seconds(float(self.executors.ready)))
        replicas = int(self._get("lepton_config.min_replicas", 0) or self.executors.replicas)
        if replicas > 1:
            block.set("replicas", replicas)
        for key, why in _LEPTON_KEYS.items():
            if node := self.configuration.find(f"{self.path}.lepton_config.{key}"):
                for _, leaf in node.leaves():
                    if not leaf.used:
                        self.draft.note(f"{self.path}.lepton_config.{key}", why, leaf)
                    leaf.used = True


def _read_flags(text: str, node: Node | None) -> list[tuple[str, Any]]:
    """`--a 1 --b=2 --c` as pairs; a flag without a value is true."""
    found: list[tuple[str, Any]] = []
    for word in split_words(text, node):
        if word.startswith("--"):
            flag, equals, value = word[2:].partition("=")
            found.append((flag, parse_scalar(value) if equals else True))
        elif found and found[-1][1] is True:
            found[-1] = (found[-1][0], parse_scalar(word))
        elif found:
            flag, before = found[-1]
            found[-1] = (flag, [*(before if isinstance(before, list) else [before]), parse_scalar(word)])
        else:
            message = f"`extra_args` begins with `{word}`, which is no flag"
            raise make_error("bad-config", message, node.span if node else None)
    return found
