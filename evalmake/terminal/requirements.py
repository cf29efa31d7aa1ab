"""What a plan needs beyond what runs: pins, secrets, and what benchmarks of the catalog require."""

from __future__ import annotations

from evalmake.pins.hub_address import hub_address
from evalmake.planner.plan import Plan
from evalmake.preflight.catalog_requirements import find_endpoints_past_the_gateway, missing_catalog_requirements
from evalmake.preflight.pins import unpinned_inputs_in_graph
from evalmake.preflight.secrets import required_secrets, signing_secrets
from evalmake.project.overrides import describe_replaced
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.project.project import Project
from evalmake.run.hub_data import find_missing_datasets
from evalmake.run.secrets import Secrets
from evalmake.terminal.plan import render_requirements


def find_requirements(project: Project, plan: Plan, plugins: PluginRegistry) -> list[str]:
    """The lines below a plan that `-n` prints."""
    unpinned = [each.written for each in unpinned_inputs_in_graph(project, plan.graph)]
    written = [plan.graph.reports[name].declaration for name, one in plan.reports.items() if one.must_write]
    unset = Secrets().missing_names(required_secrets(project, plan.stale) | signing_secrets(written))
    unmet, asked = missing_catalog_requirements(project, plan.stale), find_endpoints_past_the_gateway(plan.stale)
    missing = find_missing_datasets(plan.stale, plugins)
    lines = [f"to download: {', '.join(map(str, missing))}, from {hub_address()}"] if missing else []
    lines = [f"replaced: {told}" for told in describe_replaced(project.scope)] + lines
    return [*lines, *render_requirements(unpinned, unset, unmet, asked)]
