"""A command line of Inspect, `inspect eval` or `inspect eval-set`, as an Evalfile."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from evalmake.language.diagnostic import make_error
from evalmake.language.values import SecretRef, Symbol, format_value
from evalmake.migration.arguments import POSITIONAL, read_arguments, read_pairs
from evalmake.migration.configuration import Configuration
from evalmake.migration.draft import Block, Draft, Expression, Item, guard_secret, write_seconds
from evalmake.migration.yaml_file import Node

_PARAMS = {
    "temperature": "temperature",
    "top-p": "top_p",
    "top-k": "top_k",
    "max-tokens": "max_tokens",
    "frequency-penalty": "frequency_penalty",
    "presence-penalty": "presence_penalty",
    "reasoning-effort": "reasoning_effort",
    "num-choices": "n",
    "top-logprobs": "top_logprobs",
}
_TRANSLATED = (*_PARAMS, "model", "model-base-url", "limit", "epochs", "seed", "sandbox", "system-message", "timeout")
_MORE = ("max-connections", "max-retries", "stop-seqs", "extra-body", "extra-headers", "attempt-timeout")
_LOGS = "logs are in the record: `evalmake logs`"
_REPORTS = "results are in the store; a `report` block writes files"
_RUN = "evalmake runs what is out of date, and goes on where it stopped"
_TASK = "it is a setting of the task: give it in `task_args`, or in a task file of your own"
_NO_PLACE: Mapping[str, str] = {
    **dict.fromkeys(("log-dir", "log-format", "log-level", "log-level-transcript", "log-buffer", "log-shared"), _LOGS),
    **dict.fromkeys(("display", "trace", "no-log-realtime", "no-log-samples", "log-images", "log-samples"), _LOGS),
    **dict.fromkeys(("retry-attempts", "retry-wait", "retry-connections", "retry-on-error", "id", "batch"), _RUN),
    **dict.fromkeys(("max-tasks", "max-samples", "max-subprocesses", "max-sandboxes"), "`slots` of an executor"),
    **dict.fromkeys(("solver", "solver-config", "approval", "message-limit", "token-limit", "turn-limit"), _TASK),
    **dict.fromkeys(("time-limit", "working-limit", "cost-limit", "task-config", "sample-id", "epochs-reducer"), _TASK),
    **dict.fromkeys(("tags", "metadata", "bundle-dir", "bundle-overwrite"), _REPORTS),
    **dict.fromkeys(("fail-on-error", "no-fail-on-error", "continue-on-fail"), "`coverage` says how many must succeed"),
    **dict.fromkeys(("no-score", "no-score-display", "cache-prompt", "cache", "model-config"), "evalmake decides it"),
}
_BARE = (
    "sample-shuffle",
    "trace",
    "bundle-overwrite",
    "no-score",
    "no-score-display",
    "no-fail-on-error",
    "log-samples",
)
_MAYBE = ("fail-on-error", "retry-on-error", "batch", "cache", "log-shared", "log-images", "sample-shuffle", "sandbox")
_EACH = {"M": "model-arg", "T": "task-arg", "S": "solver-arg"}
_FLAGS: Mapping[str, str] = {
    **dict.fromkeys((*_TRANSLATED, *_MORE, *_NO_PLACE), "one"),
    **dict.fromkeys((*_EACH.values(), "model-role"), "each"),
    **dict.fromkeys(_BARE, "flag"),
    **dict.fromkeys((one for one in _MAYBE if one != "sandbox"), "maybe"),
    "continue-on-fail": "flag",
    "no-log-samples": "flag",
    "no-log-realtime": "flag",
}
_SERVICES = {
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "openrouter": ("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "together": ("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "groq": ("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
}
_PACKAGES = ["inspect-ai==0.3.285", "openai"]


def translate_command(words: Sequence[str]) -> Draft:
    """The Evalfile for the words after `inspect`."""
    root = read_arguments(words[1:], _FLAGS, _EACH)
    if not words or words[0] not in ("eval", "eval-set"):
        raise make_error("bad-config", "only `inspect eval` and `inspect eval-set` are evaluations", root.span)
    draft = Draft("the command line")
    _Inspect(Configuration(root), draft).translate()
    return draft


@dataclass(slots=True)
class _Inspect:
    configuration: Configuration
    draft: Draft
    adapter: dict[str, Any] = field(default_factory=dict)
    _roles: dict[str, str] = field(default_factory=dict)

    def translate(self) -> None:
        models = self._write_models()
        names = self._write_benchmarks()
        block = self.draft.block("eval", self.draft.name("eval", "inspect-eval"))
        self._set_axis(block, "model", models)
        self._set_axis(block, "benchmark", names)
        block.set("seed", self._item("seed"))
        self._write_limit(block)
        params = {ours: item for theirs, ours in _PARAMS.items() if (item := self._item(theirs))}
        if stop := self._item("stop-seqs"):
            params["stop"] = Item(str(stop.value).split(","))
        block.set("params", params)
        self._read_adapter()
        block.set("adapter", self.adapter)
        block.set("timeout", Expression("7d"))
        for path, node in self.configuration.unread():
            key = path.partition(".")[0]
            self.draft.note(f"--{key}", _NO_PLACE.get(key, "evalmake has no key for it"), node)

    def _item(self, path: str) -> Item | None:
        node = self.configuration.find(path)
        return Item(self.configuration.read(node, path), node) if node else None

    def _pairs(self, flag: str) -> dict[str, Node]:
        node = self.configuration.find(flag)
        return read_pairs(node.use().plain(), node) if node else {}

    @staticmethod
    def _set_axis(block: Block, key: str, names: Sequence[Symbol]) -> None:
        block.set(key, names[0] if len(names) == 1 else list(names), "=" if len(names) == 1 else "in")

    def _write_models(self) -> list[Symbol]:
        given = self._item("model")
        if given is None:
            raise make_error(
                "bad-config", "no model is named", self.configuration.root.span, help=["add --model MODEL"]
            )
        arguments = self._pairs("model-arg")
        for role, node in self._pairs("model-role").items():
            self._roles[role] = self._write_model(str(node.value), {}, node)
            if role != "grader":
                self.draft.note(f"--model-role {role}", "evalmake knows one role, the grader: `judge`", node)
        return [Symbol(self._write_model(name.strip(), arguments, given.node)) for name in str(given.value).split(",")]

    def _write_model(self, text: str, arguments: Mapping[str, Node], node: Node | None) -> str:
        provider, _, name = text.partition("/")
        if provider in ("vllm", "hf"):
            return self._write_served_model(name, arguments)
        url = self._item("model-base-url") or (Item(arguments["base_url"].value) if "base_url" in arguments else None)
        key = _SERVICES.get(provider, ("", f"{provider.upper().replace('-', '_')}_API_KEY"))[1]
        if provider == "openai-api":
            provider, _, name = name.partition("/")
            key = f"{provider.upper().replace('-', '_')}_API_KEY"
            variable = f"{provider.upper().replace('-', '_')}_BASE_URL"
            url = url or Item(Expression(f'env("{variable}")'))
        if url is None and provider not in _SERVICES:
            raise make_error(
                "bad-config",
                f"the address of `{text}` is not known",
                node.span if node else None,
                notes=[f"known are {', '.join(_SERVICES)}, openai-api, vllm and hf"],
                help=["give the address of its OpenAI-compatible API: --model-base-url URL"],
            )
        declared = self.draft.name("model", name)
        block = self.draft.block("model", declared)
        block.set("endpoint", url or _SERVICES[provider][0])
        block.set("name", name)
        block.set("api_key", SecretRef(key))
        block.set("concurrency", self._item("max-connections"))
        for argument, value in arguments.items():
            if guard_secret(argument, str(value.value)):
                self.draft.note(f"-M {argument}", f"a secret is not copied: set {key}", value)
            elif argument != "base_url":
                self.draft.note(f"-M {argument}", "an endpoint has no such argument", value)
        return declared

    def _write_served_model(self, name: str, arguments: Mapping[str, Node]) -> str:
        served = self.draft.name("deployment", name)
        block = self.draft.block("deployment", served)
        block.set("engine", Symbol("vllm"))
        block.set("packages", ["vllm==0.11.0"])
        block.set("weights", f"hf://{name}")
        block.set("args", {key.replace("_", "-"): node.value for key, node in arguments.items()})
        block.set("served_name", name)
        block.set("resources", {"gpus": 1})
        declared = self.draft.name("model", name)
        model = self.draft.block("model", declared)
        model.set("deployment", Symbol(served))
        model.set("concurrency", self._item("max-connections"))
        return declared

    def _write_benchmarks(self) -> list[Symbol]:
        tasks = self.configuration.root.value.get(POSITIONAL)
        if tasks is None:
            raise make_error("bad-config", "no task is named", self.configuration.root.span, help=["add a task"])
        common: dict[str, Any] = {"epochs": self._item("epochs"), "task_args": self._plain_pairs("task-arg")}
        if shuffle := self._item("sample-shuffle"):
            common["shuffle"] = True
            if isinstance(shuffle.value, int) and not isinstance(shuffle.value, bool):
                self.draft.note("--sample-shuffle", "samples are shuffled by the eval's `seed`", shuffle.node)
        if sandbox := self._item("sandbox"):
            common["sandbox"] = sandbox
        if "grader" in self._roles:
            common["judge"] = Symbol(self._roles["grader"])
        return [Symbol(self._write_benchmark(str(node.use().value), common)) for node in tasks.value]

    def _write_benchmark(self, task: str, common: Mapping[str, Any]) -> str:
        path, at, name = task.partition("@")
        local = path.endswith(".py")
        title = (name or PurePath(path).stem) if local else task
        declared = self.draft.name("benchmark", title)
        block = self.draft.block("benchmark", declared)
        block.set("harness", Symbol("inspect"))
        extra = ["inspect-evals==0.28.0"] if task.startswith("inspect_evals/") else []
        block.set("packages", [_PACKAGES[0], *extra, _PACKAGES[1]])
        block.set("task", f"{PurePath(path).name}{at}{name}" if local else task)
        if local:
            block.set("files", Expression(f"file({format_value(path)})"))
        for key, value in common.items():
            block.set(key, value)
        return declared

    def _plain_pairs(self, flag: str) -> dict[str, Any]:
        return {key: node.plain() for key, node in self._pairs(flag).items()}

    def _write_limit(self, block: Block) -> None:
        item = self._item("limit")
        if item is None:
            return
        if isinstance(item.value, int):
            block.set("limit", item)
        elif found := re.fullmatch(r"0-(\d+)|(\d+)", str(item.value)):
            block.set("limit", int(found[1] or found[2]))
        else:
            self.draft.note("--limit", "a limit counts from the first item", item.node)

    def _read_adapter(self) -> None:
        if system := self._item("system-message"):
            self.adapter["system"] = system
        if tries := self._item("max-retries"):
            self.adapter["retry"] = tries
        timeout = self._item("attempt-timeout") or self._item("timeout")
        if timeout:
            self.adapter["timeout"] = write_seconds(float(timeout.value))
        for flag, key in (("extra-body", "params"), ("extra-headers", "headers")):
            if item := self._item(flag):
                pairs = read_pairs([str(item.value)], item.node or Node(None))
                kept = {name: node.plain() for name, node in pairs.items() if not guard_secret(name, str(node.value))}
                for name in set(pairs) - set(kept):
                    self.draft.note(
                        f"--{flag} {name}", "a secret is not copied: `headers` of a model take one", item.node
                    )
                self.adapter[key] = kept
