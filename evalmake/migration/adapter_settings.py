"""`adapter_config` of NeMo Evaluator as an `adapter` of evalmake: its older keys, and its list of interceptors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evalmake.language.diagnostic import make_error
from evalmake.language.values import Symbol
from evalmake.migration.configuration import Configuration
from evalmake.migration.draft import Draft, Item, guard_secret
from evalmake.migration.yaml_file import Node

_STATISTICS = "the record of each evaluation holds counts, tokens and times without it"
_CACHE = "evalmake has one reply cache for all evaluations, in the workspace"
_ALL = 1_000_000
"""How many replies are logged where no number is given: all of them."""
_NO_PLACE = {
    "generate_html_report": "a `report` block writes reports",
    "html_report_size": "a `report` block writes reports",
    "include_json": "a `report` block writes reports",
    "tracking_requests_stats": _STATISTICS,
    "logging_aggregated_stats_interval": _STATISTICS,
    "log_failed_requests": "failures are counted in the record, and `evalmake logs` shows them",
    "save_responses": "replies are in the reply cache; `log` keeps some in the record",
    "save_requests": "requests are in the reply cache; `log` keeps some in the record",
    "max_saved_requests": _CACHE,
    "max_saved_responses": _CACHE,
    "caching_dir": _CACHE,
    "output_dir": "outputs are in the store",
    "mode": "evalmake's gateway takes the place of the adapter",
    "endpoint_type": "the benchmark and the model say it",
    "headers_to_rename": "the gateway adds and removes headers: `headers`, `drop_headers`",
    "use_nvcf": "the gateway has no client for NVCF functions",
    "use_omni_info": "the gateway has no such interceptor",
    "track_reasoning": _STATISTICS,
    "include_if_reasoning_not_finished": "reasoning without its closing tag is removed as well",
    "progress_tracking_interval": "the gateway decides when it posts progress",
    "discovery": "interceptors of your own are Python packages: `plugins`",
    "post_eval_hooks": "a `report` block writes reports",
}
ADAPTER_KEYS = (
    *_NO_PLACE,
    *("use_system_prompt", "custom_system_prompt", "use_caching", "use_reasoning", "process_reasoning_traces"),
    *("start_reasoning_token", "end_reasoning_token", "use_request_logging", "max_logged_requests"),
    *("use_response_logging", "max_logged_responses", "use_progress_tracking", "progress_tracking_url"),
    *("params_to_add", "params_to_remove", "params_to_rename", "headers_to_add", "headers_to_remove"),
    *("use_raise_client_errors", "interceptors"),
)
"""The keys that an `adapter_config` may have."""
NOT_USED = {
    "custom_system_prompt": "it is not used: `use_system_prompt` is not true",
    "max_logged_requests": "it is not used: `use_request_logging` is not true",
    "max_logged_responses": "it is not used: `use_response_logging` is not true",
    "progress_tracking_url": "it is not used: `use_progress_tracking` is not true",
}
"""Why keys that no task's settings have read have no effect."""


class AdapterSettings:
    """Reads one `adapter_config`; `keys` is the adapter that comes of it."""

    def __init__(self, configuration: Configuration, draft: Draft, path: str) -> None:
        self.configuration = configuration
        self.draft = draft
        self.path = path
        self.keys: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """The adapter; what has no place in it is noted."""
        listed = self.configuration.find(f"{self.path}.interceptors")
        self._read_older_keys()
        if listed is not None:
            if self.keys:
                why = "NeMo Evaluator refuses them beside its older keys; here both count, and the interceptors win"
                self.draft.note("adapter_config.interceptors", why, listed)
            self._read_interceptors(listed)
        for key, node in self.configuration.items(self.path):
            if key in _NO_PLACE and not node.used:
                self.draft.note(f"adapter_config.{key}", _NO_PLACE[key], node.use())
        return self.keys

    def _get(self, key: str) -> Any:
        return self.draft.resolve(self.configuration.get(f"{self.path}.{key}"))

    def _item(self, key: str) -> Item:
        return Item(self._get(key), self.configuration.find(f"{self.path}.{key}"))

    def _read_older_keys(self) -> None:
        if self._get("use_system_prompt"):
            system = self._item("custom_system_prompt")
            if system.value is not None:
                self._set_system(system, None)
        self._change_requests(self.path)
        flags = ("process_reasoning_traces", "use_reasoning")  # the second is the older name of the first
        if said := [flag for flag in flags if self._get(flag)]:
            self._strip(self.path, said[0])
        for tag in ("start_reasoning_token", "end_reasoning_token"):
            self._get(tag)
        self._log("use_request_logging", "max_logged_requests", "requests")
        self._log("use_response_logging", "max_logged_responses", "replies")
        if self._get("use_caching") is False:
            self.keys["cache"] = Item(False, self.configuration.find(f"{self.path}.use_caching"))
        if self._get("use_raise_client_errors"):
            self.keys["client_errors"] = Item(True, self.configuration.find(f"{self.path}.use_raise_client_errors"))
        if self._get("use_progress_tracking") and (url := self._get("progress_tracking_url")):
            self.keys["progress_url"] = url

    def _set_system(self, system: Item, strategy: Any) -> None:
        """NeMo Evaluator puts its message before the conversation's own, evalmake in place of it."""
        self.keys["system"] = system
        mode = strategy or "prepend"
        if mode not in ("replace", "prepend", "append"):
            raise make_error("bad-config", f"there is no strategy `{mode}`", system.node.span if system.node else None)
        if mode != "replace":
            self.keys["system_mode"] = Symbol(str(mode))

    def _change_requests(self, path: str) -> None:
        for theirs, ours in (
            ("params_to_add", "params"),
            ("params_to_remove", "drop"),
            ("params_to_rename", "rename"),
            ("headers_to_add", "headers"),
            ("headers_to_remove", "drop_headers"),
        ):
            node = self.configuration.find(f"{path}.{theirs}")
            if node is None:
                continue
            value = self.draft.resolve(self.configuration.read(node, f"{path}.{theirs}"))
            if not value:
                continue
            if theirs == "headers_to_add":
                value = {name: text for name, text in value.items() if not self._is_secret(name, text, node)}
            if theirs == "params_to_add":
                self._note_nulls(theirs, node)
            self.keys[ours] = Item(value, node)
        if isinstance(added := self.keys.get("params"), Item) and "extra_body" in added.value:
            why = "sent as a field of this name, as the launcher does; a server may want its entries in `params`"
            self.draft.note("params_to_add.extra_body", why, added.node)

    def _note_nulls(self, place: str, node: Node) -> None:
        """Note entries that are null: the launcher sends them, and `none` of an Evalfile takes a parameter away."""
        if not isinstance(node.value, dict):
            return
        for key, own in node.value.items():
            self._note_nulls(f"{place}.{key}", own)
            if own.value is None:
                why = f'a null is not sent, but left out; `drop = ["{key}"]` takes the harness\'s own away, too'
                self.draft.note(f"{place}.{key}", why, own)

    def _is_secret(self, name: str, text: Any, node: Node) -> bool:
        secret = guard_secret(name, str(text))
        if secret:
            why = f'a secret is not copied: headers = {{ "{name}" = secret("{secret.name}") }} in the model'
            self.draft.note(f"headers_to_add.{name}", why, node)
        return secret is not None

    def _strip(self, path: str, key: str) -> None:
        start = self.configuration.get(f"{path}.start_reasoning_token")
        end = self.configuration.get(f"{path}.end_reasoning_token")
        tags = [start or "<think>", end or "</think>"]
        value = True if tags == ["<think>", "</think>"] else tags
        self.keys["strip_reasoning"] = Item(value, self.configuration.find(f"{self.path}.{key}"))

    def _log(self, flag: str, count: str, what: str) -> None:
        if self._get(flag):
            self._keep(what, self._get(count), self.configuration.find(f"{self.path}.{flag}"))

    def _keep(self, what: str, most: Any, node: Node | None) -> None:
        """The launcher counts requests and replies apart; one number does where both are alike."""
        log = self.keys["log"].value if "log" in self.keys else {}
        counts = dict(log) if isinstance(log, dict) else {"requests": log, "replies": log}
        counts[what] = int((2 if what == "requests" else _ALL) if most is None else most)
        alike = len(counts) == 2 and len(set(counts.values())) == 1
        self.keys["log"] = Item(counts[what] if alike else counts, node)

    def _read_interceptors(self, listed: Node) -> None:
        readers: Mapping[str, Callable[[str, Node], None]] = {
            "system_message": self._read_system,
            "payload_modifier": lambda path, node: self._change_requests(path),
            "reasoning": self._read_reasoning,
            "request_logging": lambda path, node: self._read_log(path, "requests", node),
            "response_logging": lambda path, node: self._read_log(path, "replies", node),
            "caching": self._read_caching,
            "progress_tracking": self._read_progress,
            "raise_client_errors": self._read_client_errors,
            "endpoint": lambda path, node: None,
            "response_stats": lambda path, node: None,
        }
        if not isinstance(listed.value, list):
            raise make_error("bad-config", "`interceptors` takes a list", listed.span)
        for at, node in enumerate(listed.value):
            path = f"{self.path}.interceptors.{at}"
            name = str(node.value if isinstance(node.value, str) else self.configuration.get(f"{path}.name"))
            node.used = True
            if self.configuration.get(f"{path}.enabled", True) is False:
                self.draft.note(f"interceptors.{name}", "it is turned off", node.use())
            elif name in readers:
                readers[name](f"{path}.config", node)
            else:
                why = "the gateway has no such interceptor; `plugins` takes those of Python packages"
                self.draft.note(f"interceptors.{name}", why, node.use())

    def _read_system(self, path: str, node: Node) -> None:
        text = self.draft.resolve(self.configuration.get(f"{path}.system_message"))
        self._set_system(Item(text, node), self.configuration.get(f"{path}.strategy"))

    def _read_reasoning(self, path: str, node: Node) -> None:
        self._strip(path, "interceptors")
        self.keys["strip_reasoning"] = Item(self.keys["strip_reasoning"].value, node)

    def _read_log(self, path: str, what: str, node: Node) -> None:
        key = "max_requests" if what == "requests" else "max_responses"
        self._keep(what, self.configuration.get(f"{path}.{key}"), node)

    def _read_caching(self, path: str, node: Node) -> None:
        for key in ("cache_dir", "save_requests", "save_responses", "max_saved_requests", "max_saved_responses"):
            if own := self.configuration.find(f"{path}.{key}"):
                self.draft.note(f"caching.{key}", _CACHE, own.use())
        if self.configuration.get(f"{path}.reuse_cached_responses") is False:
            self.keys["cache"] = Item(False, node)

    def _read_progress(self, path: str, node: Node) -> None:
        if url := self.draft.resolve(self.configuration.get(f"{path}.progress_tracking_url")):
            self.keys["progress_url"] = Item(url, node)

    def _read_client_errors(self, path: str, node: Node) -> None:
        self.keys["client_errors"] = Item(True, node)
        if own := self.configuration.find(path):
            for key, value in self.configuration.items(path):
                self.draft.note(f"raise_client_errors.{key}", "evalmake ends at each 4xx but 408 and 429", value.use())
            own.used = True
