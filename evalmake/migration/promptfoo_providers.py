"""Providers of promptfoo as models: those that speak OpenAI's API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evalmake.language.diagnostic import make_error
from evalmake.language.values import SecretRef, Symbol
from evalmake.migration.draft import Draft, Item, guard_secret
from evalmake.migration.yaml_file import Node

_SERVICES: Mapping[str, tuple[str, str]] = {
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "openrouter": ("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "togetherai": ("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "groq": ("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": ("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "deepseek": ("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "ollama": ("http://localhost:11434/v1", ""),
    "localai": ("http://localhost:8080/v1", ""),
    "vllm": ("http://localhost:8000/v1", ""),
}
"""Address and variable of the key of services, by the word before the colon."""
_KINDS = {"chat": "chat", "completion": "completions", "completions": "completions"}
_EMBEDDINGS = ("embedding", "embeddings")
_PARAMS = (
    *("temperature", "max_tokens", "max_completion_tokens", "top_p", "top_k", "frequency_penalty", "presence_penalty"),
    *("stop", "seed", "response_format", "tools", "tool_choice", "reasoning_effort", "logprobs", "top_logprobs"),
)
_ADDRESS = ("apiBaseUrl", "apiKeyEnvar", "apiKey")
_NO_PLACE = {
    "cost": "evalmake knows no prices",
    "showThinking": "`adapter = { strip_reasoning = true }` keeps reasoning from the scorer",
    "functionToolCallbacks": "evalmake runs no code of a configuration",
    "label": "the name of the model",
}


@dataclass(slots=True)
class Provider:
    """A model in the making."""

    label: str
    name: Item
    endpoint: Item
    key: str
    api: str
    node: Node
    params: dict[str, Any] = field(default_factory=dict)
    prompts: Node | None = None
    """The only prompts that it is asked, by their labels."""

    def write(self, draft: Draft, concurrency: Node | None) -> str:
        """Write the model; its name."""
        declared = draft.name("model", self.label)
        block = draft.block("model", declared, "", self.node)
        if self.api != "chat":
            block.set("api", Symbol(self.api))
        block.set("endpoint", self.endpoint)
        block.set("name", self.name)
        if self.key:
            block.set("api_key", SecretRef(self.key))
        if concurrency is not None:
            block.set("concurrency", Item(concurrency.value, concurrency))
        if self.params:
            block.set("params", self.params)
        return declared


def read_provider(node: Node, path: str, draft: Draft, embeds: bool = False) -> Provider | None:
    """A provider as a model; None, with a note, if it has no place. One that `embeds` gives embeddings."""
    items = node.value if isinstance(node.value, dict) else {"id": node}
    if "id" not in items and len(items) == 1:  # `- openai:gpt-4o: { config: ... }`
        word, inner = next(iter(items.items()))
        items = {"id": Node(word, node.span), **(inner.value if isinstance(inner.value, dict) else {})}
    if "text" in items:  # of graders, by what they grade
        return read_provider(items["text"], f"{path}.text", draft, embeds)
    if "id" not in items or not isinstance(items["id"].value, str):
        raise make_error("bad-config", "a provider has no `id` such as `openai:gpt-4o`", node.span)
    word, config = items["id"].value, _read_map(items.get("config"))
    found = _find_service(word, config, embeds)
    if found is None:
        why = "it does not speak OpenAI's API; where it can, make it `openai:NAME` with `config: { apiBaseUrl: ... }`"
        draft.note(f"{path} {word}", why, node)
        return None
    url, key, kind, name = found
    address, variable = config.get("apiBaseUrl"), config.get("apiKeyEnvar")
    label = items["label"].value if "label" in items else name
    model = Provider(
        label=str(label),
        name=Item(name, None),
        endpoint=Item(address.value, address) if address else Item(url),
        key=str(variable.value) if variable else key,
        api=kind,
        node=node,
    )
    _read_config(model, config, f"{path}.config", draft)
    for key_name, one in items.items():
        if key_name == "prompts" and isinstance(one.value, list):
            model.prompts = one
        elif key_name not in ("id", "label", "config"):
            draft.note(f"{path}.{key_name}", _NO_PLACE.get(key_name, "a model has no key for it"), one)
    return model


def _find_service(word: str, config: Mapping[str, Node], embeds: bool) -> tuple[str, str, str, str] | None:
    """The address, the variable of the key, the API and the name of a model; None if it has no such API."""
    service, _, rest = word.partition(":")
    if service not in _SERVICES or not rest:
        return None
    kind, _, name = rest.partition(":")
    if embeds:
        return (*_SERVICES[service], "embeddings", name if kind in _EMBEDDINGS and name else rest)
    if name and kind in _KINDS:
        return (*_SERVICES[service], _KINDS[kind], name)
    if kind in (*_EMBEDDINGS, "image", "assistant", "responses", "realtime", "moderation", "agents"):
        return None
    return (*_SERVICES[service], "chat", rest)


def _read_config(model: Provider, config: Mapping[str, Node], path: str, draft: Draft) -> None:
    """Take over the parameters of requests, and note the rest."""
    for key, node in config.items():
        if key in _PARAMS:
            model.params[key] = Item(node.plain(), node)
        elif key == "passthrough":
            model.params |= {name: Item(one.plain(), one) for name, one in _read_map(node).items()}
        elif key == "apiKey" or (isinstance(node.value, str) and guard_secret(key, node.value)):
            draft.note(f"{path}.{key}", f"a secret is not copied: set {model.key or 'a variable'}", node)
        elif key not in _ADDRESS:
            draft.note(f"{path}.{key}", _NO_PLACE.get(key, "an endpoint has no such setting"), node)


def _read_map(node: Node | None) -> dict[str, Node]:
    if node is None or node.value is None:
        return {}
    if not isinstance(node.value, dict):
        raise make_error("bad-config", "`config` takes a map", node.span)
    return dict(node.value)
