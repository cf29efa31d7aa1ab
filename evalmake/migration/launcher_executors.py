"""`execution` of a launcher's configuration as executors: for evaluations, and for servers where they differ."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evalmake.language.diagnostic import make_error
from evalmake.language.values import SecretRef, Symbol
from evalmake.migration.configuration import Configuration, Text
from evalmake.migration.draft import Block, Draft, Expression, Item, write_seconds
from evalmake.migration.launcher_variables import read_lepton_variables
from evalmake.migration.yaml_file import Node

_NO_PLACE = {
    "output_dir": "results are in the store, `.evalmake/store`; a `report` block writes files",
    "auto_export": "reports are files: markdown, json or in-toto",
    "mode": "evaluations run in parallel as far as `slots` and the model's `concurrency` allow",
    "subproject": "names of jobs are evalmake's",
    "cpu_partition": "there are no jobs for export",
    "ntasks_per_node": "evalmake starts one task on each node",
    "max_walltime": "it is less than `walltime`, which ends the only job",
    "proxy": "evalmake's gateway divides requests among replicas",
    "deployment": "evalmake starts one task of a server on each node",
    "username": "it is part of `host`: USER@HOST",
    "gres": "evaluations of an endpoint need no GPU",
    "gpus_per_node": "evaluations of an endpoint need no GPU",
    "lepton_platform.tasks.api_tokens": "evalmake hands each job a token of its own gateway",
    "evaluation_tasks.use_shared_storage": "jobs share the folder `work` of the executor, or none",
    "endpoint_readiness_timeout": "an endpoint is asked when an evaluation starts",
}
_SHARED_MEMORY = Item(Expression("100GiB"), Node(None, remark="a most: none of it is set aside"))
"""What the launcher gives each container on this machine."""
_LEPTON_TASKS = "execution.lepton_platform.tasks"
_SBATCH_KEYS = ("qos", "reservation", "constraint")


@dataclass(slots=True)
class Executors:
    """The executors' names, and what deployments need to know of `execution`."""

    evaluations: str
    servers: str
    ready: Any = None
    limit: Any = None
    gpus: int | None = None
    replicas: int = 1
    gpus_in_use: list[int] = field(default_factory=list)
    counts_gpus: Block | None = None
    """The executor whose key `gpus` says how many its servers share."""


@dataclass(slots=True)
class ExecutorReader:
    """Reads `execution`; `served` says whether there are servers to start, `env` holds the variables of all tasks."""

    configuration: Configuration
    draft: Draft
    served: bool
    env: Mapping[str, Any]
    _block: Block = field(default_factory=lambda: Block(""))
    _mounts: dict[str, list[str]] = field(default_factory=dict)
    _secrets: dict[str, Item] = field(default_factory=dict)

    def read(self) -> Executors:
        """Write the executors; note what has no place."""
        kinds: Mapping[str, tuple[str, Callable[[Executors], None]]] = {
            "local": ("box", self._read_local),
            "slurm": ("cluster", self._read_slurm),
            "lepton": ("lepton", self._read_lepton),
        }
        kind, node = self._get("type"), self.configuration.find("execution")
        if kind not in kinds:
            known = ", ".join(kinds)
            raise make_error(
                "bad-config",
                f"`execution.type` is {f'`{kind}`' if kind else 'not given'}",
                node.span if node else None,
                notes=[f"known are {known}"],
                help=["name one in `defaults`: - execution: local"],
            )
        if self.draft.wheels and kind != "local":
            message = f"`--wheels` is for `execution: local`: wheels are installed on this machine, not on {kind}"
            raise make_error("bad-config", message, node.span if node else None)
        word, read = kinds[kind]
        name = self.draft.name("executor", word)
        self._block = self.draft.block("executor", name, "", node)
        found = Executors(name, name)
        read(found)
        self._write_servers(found)
        self._note_the_rest()
        return found

    def _get(self, key: str, default: Any = None) -> Any:
        return self.draft.resolve(self.configuration.get(f"execution.{key}", default))

    def _item(self, key: str) -> Item:
        return Item(self._get(key), self.configuration.find(f"execution.{key}"))

    def _find(self, key: str) -> Node | None:
        return self.configuration.find(f"execution.{key}")

    def _read_local(self, found: Executors) -> None:
        self._block.set("backend", Symbol("process" if self.draft.wheels else "docker"))
        mode = self._find("mode")
        if mode and mode.span and not self.served and self._get("mode") == "sequential":
            self._block.set("slots", Item(1, mode))
        if self.draft.wheels:
            self._block.set("env", dict(self.env))
            self._read_servers_beside_wheels(found)
            return
        self._read_docker_arguments()
        if self.served:
            found.counts_gpus = self._block
            found.ready = self._get("endpoint_readiness_timeout")
        self._read_mounts()
        self._block.set("mounts", self._mounts.get("evaluation"))
        self._block.set("env", dict(self.env))

    def _read_servers_beside_wheels(self, found: Executors) -> None:
        """Evaluations run as processes; only servers run in containers, on an executor of their own."""
        for key in ("mounts.evaluation", *(() if self.served else ("extra_docker_args", "mounts"))):
            if node := self._find(key):
                for path, leaf in node.leaves(f"execution.{key}"):
                    if leaf.span and leaf.value not in (None, "", {}, []):
                        self.draft.note(path, "wheels run in no container", leaf)
                    leaf.used = True
        if not self.served:
            return
        found.servers = self.draft.name("executor", "servers")
        self._block = found.counts_gpus = self.draft.block("executor", found.servers)
        self._block.set("backend", Symbol("docker"))
        self._read_docker_arguments()
        found.ready = self._get("endpoint_readiness_timeout")
        self._read_mounts()
        self._block.set("mounts", self._mounts.get("deployment"))

    def _read_docker_arguments(self) -> None:
        node = self._find("extra_docker_args")
        words, shm = split_words(str(self._get("extra_docker_args", "")), node), _SHARED_MEMORY
        while words:
            flag, equals, value = words.pop(0).partition("=")
            if not equals and words and not words[0].startswith("-"):
                value = words.pop(0)
            if flag in ("-v", "--volume"):
                for side in ("evaluation", "deployment"):
                    self._add_mount(side, value, node)
            elif flag == "--shm-size" and (size := re.fullmatch(r"(\d+)(?:([kmgtKMGT])[bB]?|[bB])?", value)):
                shm = Item(Expression(f"{size[1]}{size[2].upper()}iB" if size[2] else f"{size[1]}B"))
            elif flag in ("--ipc", "--shm-size"):
                why = "an executor says how much shared memory a container may use: `shm`"
                self.draft.note(f"execution.extra_docker_args {flag}", why, node)
            elif flag in ("-u", "--user"):
                self._block.set("user", value)
            elif flag == "--gpus" and not self.served:
                self._block.set("gpus", value)
            elif flag != "--gpus":
                why = "an executor has no such option; `evalmake help docker` lists those that it has"
                self.draft.note(f"execution.extra_docker_args {flag}", why, node)
        self._block.set("shm", shm)

    def _read_slurm(self, found: Executors) -> None:
        self._block.set("backend", Symbol("slurm"))
        self._read_host()
        work, account = self._item("output_dir"), self._item("account")
        self._block.set("work", work)
        self._block.set("account", account)
        self._block.set("partition", self._item("partition"))
        time = self._item("walltime")
        if time.value:
            seconds = _read_walltime(str(time.value), time.node)
            self._block.set("time", Item(write_seconds(seconds), time.node))
            if not self._set_total_time(seconds):
                found.limit = write_seconds(seconds)
        self._block.set("container", Symbol("pyxis"))
        self._block.set("comment", self._item("sbatch_comment"))
        self._read_sbatch_flags()
        self._read_nodes(found)
        self._read_mounts()
        home = self._find("mounts.mount_home")
        if home and self._get("mounts.mount_home") and home.span:
            self.draft.note(
                "execution.mounts.mount_home", "containers see no home: name what they need in `mounts`", home
            )
        self._block.set("mounts", self._unite_mounts() if self.served else self._mounts.get("evaluation"))
        if self.served:
            self._block.set("colocate", True)
            found.ready = self._get("endpoint_readiness_timeout")
        self._block.set("env", dict(self.env))

    def _set_total_time(self, time: int) -> bool:
        """Set `total_time`, up to which jobs of so many seconds are resumed; False where none is."""
        node = self._find("max_walltime")
        text = str(node.value) if node else "0"
        total = int(text) if text.isdigit() else _read_walltime(text, node)  # the launcher counts a number in seconds
        if total < time:
            return False
        self._block.set("total_time", Item(write_seconds(total), node))
        self._get("max_walltime")
        return True

    def _read_host(self) -> None:
        host, user = self._item("hostname"), self.configuration.find("execution.username")
        own = user is None or user.value == "${oc.env:USER}"
        if own:
            self._get("username")
        if host.value and host.value != "localhost":
            name = "" if own else f"{self._get('username')}@"
            self._block.set("host", Item(f"{name}{host.value}", host.node))

    def _read_nodes(self, found: Executors) -> None:
        nodes, instances = int(self._get("num_nodes", 1)), int(self._get("num_instances", 1))
        found.replicas = max(instances, 1)
        if self.served and nodes // found.replicas > 1:
            self._block.set("nodes", Item(nodes // found.replicas, self._find("num_nodes")))
        if not self.served:
            return
        gres = self._item("gres")
        if gpus := re.fullmatch(r"gpu:(?:[a-z0-9_-]+:)?(\d+)", str(gres.value or "")):
            found.gpus = int(gpus[1])
        elif gres.value:
            self._block.set("gres", gres)
        if (on_node := self._get("gpus_per_node")) is not None and str(on_node).isdigit():
            found.gpus = int(on_node)

    def _read_sbatch_flags(self) -> None:
        directives = []
        for key, node in self.configuration.items("execution.sbatch_extra_flags"):
            value = self.draft.resolve(self.configuration.read(node, f"execution.sbatch_extra_flags.{key}"))
            if value is None or value is False or (key == "exclusive" and not self.served and node.span is None):
                continue
            if key in _SBATCH_KEYS:
                self._block.set(key, Item(str(value), node))
            elif key in ("time", "gres", "account", "partition", "comment", "nodes"):
                self.draft.note(f"execution.sbatch_extra_flags.{key}", f"it is a key of the executor: `{key}`", node)
            else:
                directives.append(Item(f"--{key}" if value is True else f"--{key}={value}", node))
        self._block.set("directives", directives)

    def _read_lepton(self, found: Executors) -> None:
        tasks = _LEPTON_TASKS
        self._block.set("backend", Symbol("lepton"))
        self._block.set("node_group", self._item("lepton_platform.tasks.node_group"))
        self._block.set("shape", self._item("evaluation_tasks.resource_shape"))
        secrets, mounts = self.configuration.get(f"{tasks}.image_pull_secrets"), []
        for at, mount in enumerate(self._list_lepton_mounts()):
            if at == 0:
                self._block.set("work", self._join(mount, ("from", "path")))
            else:
                mounts.append(self._join(mount, ("from", "path", "mount_path"), ":rw"))
        if "work" in "".join(self._block.lines):
            self.draft.variables["WORK_HERE"] = '"/mnt/workspace"'
            self._block.set("here", Symbol("WORK_HERE"))
            why = "evalmake needs this folder here, too: WORK_HERE is its path on this host"
            self.draft.note(f"{tasks}.mounts.0", why, self.configuration.find(f"{tasks}.mounts.0"))
        self._block.set("mounts", mounts)
        self._block.set("pull_secrets", secrets)
        env, self._secrets = read_lepton_variables(self.configuration, self.draft, f"{tasks}.env_vars")
        self._block.set("secrets", self._secrets)
        self._block.set("env", {**self.env, **env})
        if self.served:
            found.ready = self._get("lepton_platform.deployment.endpoint_readiness_timeout")

    def _list_lepton_mounts(self) -> list[Mapping[str, Any]]:
        path = f"{_LEPTON_TASKS}.mounts"
        node, mounts = self.configuration.find(path), self.configuration.get(path) or []
        if not isinstance(mounts, list) or not all(isinstance(mount, dict) for mount in mounts):
            raise make_error("bad-config", "`mounts` takes a list of maps", node.span if node else None)
        return mounts

    def _join(self, mount: Mapping[str, Any], keys: tuple[str, ...], end: str = "") -> Any:
        """`FROM:PATH` as one text, which may have variables of the environment in it."""
        parts: list[Any] = []
        for key in keys:
            value = mount.get(key, "")
            parts += [":", *(value.parts if isinstance(value, Text) else [str(value)])]
        return self.draft.resolve(Text((*parts[1:], end)))

    def _read_mounts(self) -> None:
        for side in ("evaluation", "deployment"):
            for source, node in self.configuration.items(f"execution.mounts.{side}"):
                target = self.draft.resolve(self.configuration.read(node, f"execution.mounts.{side}"))
                self._add_mount(side, f"{source}:{target}", node)

    def _unite_mounts(self) -> list[str]:
        """The mounts of a cluster: there, servers and evaluations that ask them share an executor."""
        sides = [self._mounts.get(side, []) for side in ("evaluation", "deployment")]
        if sorted(sides[0]) != sorted(sides[1]):
            why = "on Slurm, evaluations and their servers share an executor, so both have all mounts"
            self.draft.note("execution.mounts", why, self._find("mounts"))
        return list(dict.fromkeys([*sides[0], *sides[1]]))

    def _add_mount(self, side: str, text: str, node: Node | None) -> None:
        """A mount of the launcher may be written to unless it says otherwise."""
        if not re.fullmatch(r"/[^:]*:/[^:]+(:r[ow])?", text):
            why = 'a mount is "/SOURCE:/TARGET": write the whole path'
            self.draft.note(f"execution.mounts {text}", why, node)
            return
        mount = text.removesuffix(":ro") if re.search(":r[ow]$", text) else f"{text}:rw"
        self._mounts.setdefault(side, []).append(mount)

    def _write_servers(self, found: Executors) -> None:
        """Servers with mounts of their own get an executor of their own, but for those on Slurm."""
        kind = self.configuration.get("execution.type")
        if kind == "lepton":
            self._write_lepton_servers(found)
        if kind != "local":
            return
        theirs = self._mounts.get("deployment", [])
        if self.draft.wheels or not self.served or theirs == self._mounts.get("evaluation", []):
            return
        found.servers = self.draft.name("executor", "servers")
        block = self.draft.block("executor", found.servers, found.evaluations)
        block.set("mounts", theirs or Expression("[]"))

    def _write_lepton_servers(self, found: Executors) -> None:
        """Endpoints have another shape, often another node group, and secrets of their own for images."""
        place = "lepton_platform.deployment"
        keys = {
            "node_group": self._item(f"{place}.node_group"),
            "shape": Item(
                self.draft.resolve(self.configuration.get("deployment.lepton_config.resource_shape")),
                self.configuration.find("deployment.lepton_config.resource_shape"),
            ),
            "pull_secrets": self._item(f"{place}.platform_defaults.image_pull_secrets"),
            "priority": self._item(f"{place}.platform_defaults.queue_config.priority_class"),
        }
        idle = "deployment.lepton_config.auto_scaler.scale_down.no_traffic_timeout"
        if (node := self.configuration.find(idle)) is not None:
            keys["autoscale"] = Item({"idle": write_seconds(float(self.configuration.get(idle)))}, node)
        _, secrets = read_lepton_variables(self.configuration, self.draft, "deployment.lepton_config.envs")
        inherited = {name: item.value for name, item in self._secrets.items()}
        keys["secrets"] = Item({name: s for name, s in secrets.items() if s.value != inherited.get(name)})
        tokens = self.configuration.get("deployment.lepton_config.api_tokens") or []
        if secret := next(filter(None, map(self._name_lepton_token, tokens)), ""):
            keys["key"] = Item(SecretRef(secret), self.configuration.find("deployment.lepton_config.api_tokens"))
        if not self.served:
            return
        if "key" not in keys:
            keys["key"] = Item(SecretRef("ENDPOINT_API_KEY"))
            why = "evalmake's endpoints ask their callers for a key: set ENDPOINT_API_KEY to a text of your own"
            self.draft.note("deployment.lepton_config.api_tokens", why, self.configuration.find("deployment"))
        found.servers = self.draft.name("executor", "endpoints")
        block = self.draft.block("executor", found.servers, found.evaluations)
        for key, item in keys.items():
            block.set(key, item)

    def _name_lepton_token(self, token: Any) -> str:
        """The name of the secret for a token of an endpoint; empty if it has none. A token itself is not copied."""
        given = token if isinstance(token, dict) else {}
        if isinstance(source := given.get("value_from"), dict) and source.get("token_name_ref"):
            return str(source["token_name_ref"])
        if not given.get("value"):
            return ""
        path = "deployment.lepton_config.api_tokens"
        why = "a token is not copied: set ENDPOINT_API_KEY before you run evalmake"
        self.draft.note(path, why, self.configuration.find(path))
        return "ENDPOINT_API_KEY"

    def _note_the_rest(self) -> None:
        for key, why in _NO_PLACE.items():
            node = self._find(key)
            for path, leaf in node.leaves(f"execution.{key}") if node else ():
                if leaf.span and not leaf.used and leaf.value not in (None, "", {}, []):
                    self.draft.note(path, why, leaf)
                leaf.used = True


def split_words(text: str, node: Node | None) -> list[str]:
    """The words of a text as a shell splits it."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise make_error("bad-config", f"it cannot be split into words: {error}", node.span if node else None) from None


def _read_walltime(text: str, node: Node | None) -> int:
    """Seconds: `1-04:00:00`, `04:00:00`, `30:00` or minutes, as sbatch reads them."""
    days, dash, rest = text.rpartition("-")
    parts = [int(part) for part in rest.split(":") if part.isdigit()]
    if len(parts) != len(rest.split(":")) or len(parts) > 3 or (dash and not days.isdigit()):
        raise make_error("bad-config", f"`{text}` is not a time as sbatch reads it", node.span if node else None)
    seconds = {1: (3600 if dash else 60,), 2: (3600, 60) if dash else (60, 1), 3: (3600, 60, 1)}[len(parts)]
    return int(days or 0) * 86400 + sum(n * unit for n, unit in zip(parts, seconds, strict=True))
