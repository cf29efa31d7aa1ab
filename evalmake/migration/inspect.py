"""A command line of Inspect, `inspect eval` or `inspect eval-set`, as an Evalfile."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalmake.language.diagnostic import make_error
from evalmake.language.values import Symbol
from evalmake.migration.arguments import POSITIONAL, read_arguments, read_pairs
from evalmake.migration.configuration import Configuration
from evalmake.migration.draft import Block, Draft, Expression, Item, guard_secret, write_seconds
from evalmake.migration.inspect_blocks import NO_PLACE, NOWHERE, PARAMS, set_axis, write_benchmark, write_model
from evalmake.migration.yaml_file import Node

_TRANSLATED = (*PARAMS, "model", "model-base-url", "limit", "epochs", "seed", "sandbox", "system-message", "timeout")
_MORE = ("max-connections", "max-retries", "stop-seqs", "extra-body", "extra-headers", "attempt-timeout")
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
    **dict.fromkeys((*_TRANSLATED, *_MORE, *NO_PLACE), "one"),
    **dict.fromkeys((*_EACH.values(), "model-role"), "each"),
    **dict.fromkeys(_BARE, "flag"),
    **dict.fromkeys((one for one in _MAYBE if one != "sandbox"), "maybe"),
    "continue-on-fail": "flag",
    "no-log-samples": "flag",
    "no-log-realtime": "flag",
}


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
        set_axis(block, "model", models)
        set_axis(block, "benchmark", names)
        block.set("seed", self._item("seed"))
        self._write_limit(block)
        params = {ours: item for theirs, ours in PARAMS.items() if (item := self._item(theirs))}
        if stop := self._item("stop-seqs"):
            params["stop"] = Item(str(stop.value).split(","))
        block.set("params", params)
        self._read_adapter()
        block.set("adapter", self.adapter)
        block.set("timeout", Expression("7d"))
        for path, node in self.configuration.unread():
            key = path.partition(".")[0]
            self.draft.note(f"--{key}", NO_PLACE.get(key, NOWHERE), node)

    def _item(self, path: str) -> Item | None:
        node = self.configuration.find(path)
        return Item(self.configuration.read(node, path), node) if node else None

    def _pairs(self, flag: str) -> dict[str, Node]:
        node = self.configuration.find(flag)
        return read_pairs(node.use().plain(), node) if node else {}

    def _write_models(self) -> list[str]:
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
        return [self._write_model(name.strip(), arguments, given.node) for name in str(given.value).split(",")]

    def _write_model(self, text: str, arguments: Mapping[str, Node], node: Node | None) -> str:
        address, concurrency = self._item("model-base-url"), self._item("max-connections")
        return write_model(self.draft, text, address, arguments, concurrency, node)

    def _write_benchmarks(self) -> list[str]:
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
        return [write_benchmark(self.draft, str(node.use().value), common) for node in tasks.value]

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
