"""Checks whether an executor suffices for what it is used for, and whether it says what a benchmark should."""

from __future__ import annotations

import re

from evalmake.language.diagnostic import Diagnostics
from evalmake.language.values import SecretRef
from evalmake.plugin_api.executor import ChecksUse
from evalmake.preflight.context import GraphContext

_CHOOSES_A_JUDGE = re.compile(
    r"(OPENAI|AZURE|ANTHROPIC|MEGABENCH)_\w*(BASE|URL|MODEL|ENDPOINT|DEPLOYMENT|VERSION)\w*|(\w+_)?JUDGE(_\w+)?|LOCAL_LLM"
)
_IS_A_KEY = re.compile(r"(\w+_)?(KEY|TOKEN|SECRET|ID|PASSWORD)")
"""What a secret may be: it says who asks a judge, and not which."""


def check_executor_use(context: GraphContext, diagnostics: Diagnostics) -> None:
    """A plugin's `check_use` names what an executor lacks to run evaluations, or to run servers."""
    evaluations = dict.fromkeys((node.executor, False) for node in context.graph.nodes.values())
    servers = dict.fromkeys((deployment.block.executor, True) for deployment in context.servers())
    for name, serves in (*evaluations, *servers):
        executor = context.project.executors[name]
        plugin = context.plugins.get("executors", executor.plugin)
        if isinstance(plugin, ChecksUse):
            plugin.check_use(executor, serves, diagnostics)


def check_judges_of_executors(context: GraphContext, diagnostics: Diagnostics) -> None:
    """A variable that chooses what grades is the benchmark's: those of an executor are no part of the identity."""
    for name in dict.fromkeys(node.executor for node in context.graph.nodes.values()):
        executor = context.project.executors[name]
        chosen = [
            variable
            for variable, value in executor.block.env.items()
            if _CHOOSES_A_JUDGE.fullmatch(variable)
            and not (isinstance(value, SecretRef) and _IS_A_KEY.fullmatch(variable))
        ]
        for variable in chosen:
            diagnostics.error(
                "bad-value",
                f"`{variable}` chooses what grades, and an executor's `env` is no part of the identity",
                executor.fields.spans["env",].value,
                about=f"executor {name}",
                notes=["with another value, evalmake would find nothing to do"],
                help=[f"give it to the benchmark: `env = {{ {variable} = ... }}`"],
            )
