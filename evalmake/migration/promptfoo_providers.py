"""Providers of promptfoo as models: those that speak OpenAI's API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.language.values import SecretRef, Symbol
from evalmake.migration.draft import Draft, Item, guard_secret
from evalmake.migration.promptfoo_files import get_path, is_file
from evalmake.migration.yaml_file import Node, read_document

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
_DOCUMENTS = (".json", ".yaml", ".yml")
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


def read_provider(node: Node, path: str, draft: Draft, folder: Path, embeds: bool = False) -> Provider | None:
    """A provider as a model; None, with a note, if it has no place. One that `embeds` gives embeddings."""
    items = node.value if isinstance(node.value, dict) else {"id": node}
    if "id" not in items and len(items) == 1:  # `- openai:gpt-4o: { config: ... }`
        word, inner = next(iter(items.items()))
        items = {"id": Node(word, node.span), **(inner.value if isinstance(inner.value, dict) else {})}
    if "text" in items:  # of graders, by what they grade
        return read_provider(items["text"], f"{path}.text", draft, folder, embeds)
    if "id" not in items or not isinstance(items["id"].value, str):
        raise make_error("bad-config", "a provider has no `id` such as `openai:gpt-4o`", node.span)
    word, config = items["id"].value, _read_map(items.get("config"))
    found = _find_service(word, config, embeds)
    if found is None:
        draft.note(f"{path} {word}", _explain_refusal(word, embeds), node)
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
    _read_config(model, config, f"{path}.config", draft, folder)
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


def _explain_refusal(word: str, embeds: bool) -> str:
    """Why a provider is no model."""
    service = word.partition(":")[0]
    is_openai = not embeds and (service in _SERVICES or service.startswith("azure"))
    why = (
        "it speaks OpenAI's API, but not its chat or completions API" if is_openai else "it does not speak OpenAI's API"
    )
    return f"{why}; where it can, make it `openai:NAME` with `config: {{ apiBaseUrl: ... }}`"


def _read_config(model: Provider, config: Mapping[str, Node], path: str, draft: Draft, folder: Path) -> None:
    """Take over the parameters of requests, and note the rest."""
    for key, node in config.items():
        if key in _PARAMS:
            _read_param(model, key, node, f"{path}.{key}", draft, folder)
        elif key == "passthrough":
            for name, one in _read_map(node).items():
                _read_param(model, name, one, f"{path}.{key}.{name}", draft, folder)
        elif key == "apiKey" or (isinstance(node.value, str) and guard_secret(key, node.value)):
            draft.note(f"{path}.{key}", f"a secret is not copied: set {model.key or 'a variable'}", node)
        elif key not in _ADDRESS:
            draft.note(f"{path}.{key}", _NO_PLACE.get(key, "an endpoint has no such setting"), node)


def _read_param(model: Provider, key: str, node: Node, path: str, draft: Draft, folder: Path) -> None:
    """Take over a parameter, from its file if it names one; a file that cannot be read is noted."""
    if not is_file(node.value):
        model.params[key] = Item(node.plain(), node)
        return
    file = get_path(node.value, folder)
    if file.suffix not in _DOCUMENTS:
        draft.note(path, f"it is left out, as `{node.value}` is neither JSON nor YAML", node)
        return
    try:
        model.params[key] = Item(read_document(file).root.plain(), node)
    except EvalmakeError as error:
        draft.note(path, f"it is left out: {error}", node)


def _read_map(node: Node | None) -> dict[str, Node]:
    if node is None or node.value is None:
        return {}
    if not isinstance(node.value, dict):
        raise make_error("bad-config", "`config` takes a map", node.span)
    return dict(node.value)
