"""Checks the interceptors that adapters name: installed, and with settings that they accept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalmake.language.diagnostic import Diagnostics, closest_name
from evalmake.preflight.context import GraphContext, first_of_each
from evalmake.project.fields import Fields
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.project.validation import validate


def check_interceptors(context: GraphContext, diagnostics: Diagnostics) -> None:
    """Models (judges included), benchmarks and evals each have an adapter of their own."""
    models = [context.project.models[name] for name in context.graph.sources]
    adapters = [(model.block, model.fields, f"model {model.name}") for model in models]
    for node in context.graph.nodes.values():
        cell = node.evaluation
        adapters.append((cell.benchmark.block, cell.benchmark.fields, f"benchmark {cell.benchmark.name}"))
        adapters.append((cell.variant.block, cell.variant.fields, f"eval {cell.eval}"))
    for block, fields, about in first_of_each(adapters, lambda adapter: id(adapter[0])):
        if block.adapter.plugins:
            _check_plugins(block.adapter.plugins, fields, about, context.plugins, diagnostics)


def _check_plugins(
    plugin_settings: Mapping[str, Mapping[str, Any]],
    fields: Fields,
    about: str,
    plugins: PluginRegistry,
    diagnostics: Diagnostics,
) -> None:
    key = ("adapter", "plugins")
    for name, settings in plugin_settings.items():
        place = fields.spans.get((*key, name)) or fields.spans[key]
        try:
            plugin = plugins.get("interceptors", name)
        except KeyError:
            names = plugins.names("interceptors")
            guess = closest_name(name, names)
            diagnostics.error(
                "unknown-plugin",
                f"no interceptor is named `{name}`",
                place.key,
                about=about,
                notes=[f"the installed ones are {', '.join(names)}" if names else "none are installed"],
                help=[f"did you mean `{guess}`?"] if guess else [],
            )
            continue
        if plugin.Settings is not None:
            validate(
                plugin.Settings,
                settings,
                fields,
                diagnostics,
                about,
                place.value,
                what=f"the `{name}` interceptor",
                prefix=(*key, name),
            )
        elif settings:
            diagnostics.error(
                "unknown-key",
                f"the interceptor `{name}` has no settings",
                place.value,
                about=about,
            )
