"""The interceptors of an evaluation, in a fixed order: system, parameters, third parties', reasoning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalmake.gateway.interceptors.interceptor import Interceptor
from evalmake.gateway.interceptors.parameters import HeaderFields, Parameters
from evalmake.gateway.interceptors.reasoning import Reasoning
from evalmake.gateway.interceptors.system_message import System
from evalmake.gateway.settings import AdapterSettings


def interceptors(adapter: AdapterSettings) -> list[Interceptor]:
    """Those that an adapter asks for, in order."""
    found: list[Interceptor] = []
    if adapter.system is not None:
        found.append(System(adapter.system, adapter.system_mode))
    if adapter.params or adapter.drop or adapter.rename:
        found.append(Parameters(adapter.params, adapter.drop, adapter.rename))
    if adapter.headers or adapter.drop_headers:
        found.append(HeaderFields(adapter.headers, adapter.drop_headers))
    found += [_plugin(name, settings) for name, settings in adapter.plugins.items()]
    if adapter.strip_reasoning is not False:
        found.append(Reasoning(adapter.strip_reasoning))
    return found


def _plugin(name: str, settings: Mapping[str, Any]) -> Interceptor:
    """A third party's; LookupError when it is not installed here."""
    from importlib.metadata import entry_points

    for point in entry_points(group="evalmake.interceptors", name=name):
        kind = point.load()
        made: Interceptor = kind(kind.Settings(**settings)) if kind.Settings else kind()
        return made
    raise LookupError(f"no interceptor is named `{name}`")
