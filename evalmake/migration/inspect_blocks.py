"""What command lines of Inspect and specifications of Inspect Flow have in common: models and tasks as blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from evalmake.language.diagnostic import make_error
from evalmake.language.values import SecretRef, Symbol, format_value
from evalmake.migration.draft import Block, Draft, Expression, Item, guard_secret
from evalmake.migration.yaml_file import Node

PARAMS = {
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
"""Parameters of requests by their options."""
_LOGS = "logs are in the record: `evalmake logs`"
_REPORTS = "results are in the store; a `report` block writes files"
_RUN = "evalmake runs what is out of date, and goes on where it stopped"
TASK = "it is a setting of the task: give it in `task_args`, or in a task file of your own"
NO_PLACE: Mapping[str, str] = {
    **dict.fromkeys(("log-dir", "log-format", "log-level", "log-level-transcript", "log-buffer", "log-shared"), _LOGS),
    **dict.fromkeys(("display", "trace", "no-log-realtime", "no-log-samples", "log-images", "log-samples"), _LOGS),
    **dict.fromkeys(("retry-attempts", "retry-wait", "retry-connections", "retry-on-error", "id", "batch"), _RUN),
    **dict.fromkeys(("max-tasks", "max-samples", "max-subprocesses", "max-sandboxes"), "`slots` of an executor"),
    **dict.fromkeys(("solver", "solver-config", "approval", "message-limit", "token-limit", "turn-limit"), TASK),
    **dict.fromkeys(("time-limit", "working-limit", "cost-limit", "task-config", "sample-id", "epochs-reducer"), TASK),
    **dict.fromkeys(("tags", "metadata", "bundle-dir", "bundle-overwrite"), _REPORTS),
    **dict.fromkeys(("fail-on-error", "no-fail-on-error", "continue-on-fail"), "`coverage` says how many must succeed"),
    **dict.fromkeys(("no-score", "no-score-display", "cache-prompt", "cache", "model-config"), "evalmake decides it"),
}
"""Why options have no place."""
NOWHERE = "evalmake has no key for it"
_SERVICES = {
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "openrouter": ("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "together": ("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "groq": ("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
}
_PACKAGES = ("inspect-ai==0.3.285", "openai")


def set_axis(block: Block, key: str, names: Sequence[str]) -> None:
    """Set a key to one name, or make an axis of several."""
    symbols = [Symbol(name) for name in names]
    block.set(key, symbols[0] if len(symbols) == 1 else symbols, "=" if len(symbols) == 1 else "in")


def write_model(
    draft: Draft,
    text: str,
    address: Item | None,
    arguments: Mapping[str, Node],
    concurrency: Item | None,
    node: Node | None,
    option: tuple[str, str] = ("--model-base-url", "-M"),
) -> str:
    """Write the model that Inspect calls `text`; its name. `option` has the words for an address and for arguments."""
    provider, _, name = text.partition("/")
    if provider in ("vllm", "hf"):
        return _write_served_model(draft, name, arguments, concurrency)
    url = address or (Item(arguments["base_url"].value) if "base_url" in arguments else None)
    key = _SERVICES.get(provider, ("", f"{_to_variable(provider)}_API_KEY"))[1]
    if provider == "openai-api":
        provider, _, name = name.partition("/")
        key = f"{_to_variable(provider)}_API_KEY"
        url = url or Item(Expression(f'env("{_to_variable(provider)}_BASE_URL")'))
    if url is None and provider not in _SERVICES:
        raise make_error(
            "bad-config",
            f"the address of `{text}` is not known",
            node.span if node else None,
            notes=[f"known are {', '.join(_SERVICES)}, openai-api, vllm and hf"],
            help=[f"give the address of its OpenAI-compatible API: {option[0]} URL"],
        )
    declared = draft.name("model", name)
    block = draft.block("model", declared)
    block.set("endpoint", url or _SERVICES[provider][0])
    block.set("name", name)
    block.set("api_key", SecretRef(key))
    block.set("concurrency", concurrency)
    for argument, value in arguments.items():
        if guard_secret(argument, str(value.value)):
            draft.note(f"{option[1]} {argument}", f"a secret is not copied: set {key}", value)
        elif argument != "base_url":
            draft.note(f"{option[1]} {argument}", "an endpoint has no such argument", value)
    return declared


def _to_variable(provider: str) -> str:
    return provider.upper().replace("-", "_")


def _write_served_model(draft: Draft, name: str, arguments: Mapping[str, Node], concurrency: Item | None) -> str:
    served = draft.name("deployment", name)
    block = draft.block("deployment", served)
    block.set("engine", Symbol("vllm"))
    block.set("packages", ["vllm==0.11.0"])
    block.set("weights", f"hf://{name}")
    block.set("args", {key.replace("_", "-"): node.value for key, node in arguments.items()})
    block.set("served_name", name)
    block.set("resources", {"gpus": 1})
    declared = draft.name("model", name)
    model = draft.block("model", declared)
    model.set("deployment", Symbol(served))
    model.set("concurrency", concurrency)
    return declared


def write_benchmark(
    draft: Draft, task: str, keys: Mapping[str, Any], packages: Sequence[str] = (), node: Node | None = None
) -> str:
    """Write the benchmark of a task, with more keys and packages, and the comments of its node; its name."""
    path, at, name = task.partition("@")
    local = path.endswith(".py")
    title = (name or PurePath(path).stem) if local else task
    declared = draft.name("benchmark", title)
    block = draft.block("benchmark", declared, "", node)
    block.set("harness", Symbol("inspect"))
    extra = ["inspect-evals==0.28.0"] if task.startswith("inspect_evals/") else []
    block.set("packages", [_PACKAGES[0], *extra, _PACKAGES[1], *packages])
    block.set("task", f"{PurePath(path).name}{at}{name}" if local else task)
    if local:
        block.set("files", Expression(f"file({format_value(path)})"))
    for key, value in keys.items():
        block.set(key, value)
    return declared
