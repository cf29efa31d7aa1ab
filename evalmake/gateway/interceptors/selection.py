"""The interceptors of an evaluation, in a fixed order: system, parameters, third parties', reasoning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalmake.gateway.interceptors.interceptor import Interceptor
from evalmake.gateway.interceptors.reasoning import ReasoningFilter
from evalmake.gateway.interceptors.request_parameters import RequestHeaders, RequestParameters
from evalmake.gateway.interceptors.system_message import SystemMessage
from evalmake.gateway.settings import AdapterSettings


def select_interceptors(adapter: AdapterSettings) -> list[Interceptor]:
    """The interceptors that an adapter asks for, in order."""
    found: list[Interceptor] = []
    if adapter.system is not None:
        found.append(SystemMessage(adapter.system, adapter.system_mode))
    if adapter.params or adapter.drop or adapter.rename:
        found.append(RequestParameters(adapter.params, adapter.drop, adapter.rename))
    if adapter.headers or adapter.drop_headers:
        found.append(RequestHeaders(adapter.headers, adapter.drop_headers))
    found += [_load_plugin(name, settings) for name, settings in adapter.plugins.items()]
    if adapter.strip_reasoning is not False:
        found.append(ReasoningFilter(adapter.strip_reasoning))
    return found


def _load_plugin(name: str, settings: Mapping[str, Any]) -> Interceptor:
    """A third party's interceptor; raises LookupError when it is not installed here."""
    from importlib.metadata import entry_points

    for point in entry_points(group="evalmake.interceptors", name=name):
        kind = point.load()
        interceptor: Interceptor = kind(kind.Settings(**settings)) if kind.Settings else kind()
        return interceptor
    raise LookupError(f"no interceptor is named `{name}`")
