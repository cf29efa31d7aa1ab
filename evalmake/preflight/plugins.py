"""Checks that the plugins of a build can work in this installation, and that harness programs are installed."""

from __future__ import annotations

from evalmake.language.diagnostic import Diagnostics
from evalmake.language.source import Span
from evalmake.planner.placement import has_own_python
from evalmake.preflight.context import BuildContext, first_of_each
from evalmake.run.environments.task_names import find_unknown_tasks


def check_plugins(context: BuildContext, diagnostics: Diagnostics) -> None:
    """A plugin says in `needs` (an executor in `capabilities.unavailable`) why it cannot work here."""
    benchmarks = [node.evaluation.benchmark for node in context.nodes]
    for benchmark in first_of_each(benchmarks, lambda one: one.plugin):
        needs = context.plugins.get("harnesses", benchmark.plugin).needs
        _report(needs, "harness", benchmark.plugin, benchmark.span, diagnostics)
    servers = context.servers(context.nodes)
    for deployment in first_of_each(servers, lambda one: one.plugin):
        needs = context.plugins.get("engines", deployment.plugin).needs
        _report(needs, "engine", deployment.plugin, deployment.span, diagnostics)
    names = [*(node.executor for node in context.nodes), *(one.block.executor for one in servers)]
    for name in dict.fromkeys(names):
        executor = context.project.executors[name]
        _report(context.capabilities(executor).unavailable, "executor", name, executor.span, diagnostics)


def check_harness_programs(context: BuildContext, diagnostics: Diagnostics) -> None:
    """A harness's program is installed beside evalmake or among the benchmark's packages.

    An executor with a Python of its own is not looked into.
    """
    for node in first_of_each(context.nodes, lambda n: (n.evaluation.benchmark.name, n.executor)):
        if has_own_python(context.project.executors[node.executor]):
            continue
        benchmark = node.evaluation.benchmark
        harness = context.plugins.get("harnesses", benchmark.plugin)
        missing = context.environments.missing_program(benchmark, harness)
        if missing is not None:
            diagnostics.append(missing)


def check_listed_tasks(context: BuildContext, diagnostics: Diagnostics) -> None:
    """A benchmark's task is one of its program, where an earlier build has listed those."""
    benchmarks = first_of_each([node.evaluation.benchmark for node in context.nodes], lambda one: one.name)
    find_unknown_tasks(benchmarks, context.plugins, context.environments, diagnostics, only_listed=True)


def _report(needs: str, kind: str, name: str, span: Span, diagnostics: Diagnostics) -> None:
    if needs:
        diagnostics.error("not-available", f"{kind} `{name}`: {needs}", span)
