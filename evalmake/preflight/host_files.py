"""Checks that nothing on this host is needed where jobs cannot see it: on the nodes of a cluster behind ssh."""

from __future__ import annotations

from evalmake.language.diagnostic import Diagnostics
from evalmake.language.values import Files
from evalmake.planner.placement import sees_host_files
from evalmake.preflight.context import GraphContext, first_of_each
from evalmake.project.declarations import Declaration
from evalmake.project.pinned_inputs import packages_of


def check_host_files(context: GraphContext, diagnostics: Diagnostics) -> None:
    """Packages and weights of this host do not exist for jobs that do not see its files."""
    for node in first_of_each(context.graph.nodes.values(), lambda n: (n.evaluation.benchmark.name, n.executor)):
        _check(context, node.evaluation.benchmark, node.executor, f"eval {node.evaluation.eval}", diagnostics)
    for deployment in context.servers():
        _check(context, deployment, deployment.block.executor, f"deployment {deployment.name}", diagnostics)


def _check(context: GraphContext, declaration: Declaration, place: str, about: str, diagnostics: Diagnostics) -> None:
    executor = context.project.executors[place]
    if not context.capabilities(executor).sidecar or sees_host_files(executor):
        return
    why = f"executor `{executor.name}` ({executor.plugin}) does not see this host's files"
    if packages_of(declaration) and not declaration.block.image:
        diagnostics.error(
            "executor-lacks",
            f"{why}, but `packages` are installed here",
            declaration.fields.spans["packages",].value,
            f"named by this {declaration.kind}",
            about=about,
            help=[
                "use an `image` that contains them",
                "or install them for the executor's `python`, and leave out `packages`",
            ],
        )
    _check_weights(declaration, why, about, diagnostics)


def _check_weights(declaration: Declaration, why: str, about: str, diagnostics: Diagnostics) -> None:
    if isinstance(getattr(declaration.block, "weights", None), Files):
        diagnostics.error(
            "executor-lacks",
            f"{why}, such as the weights",
            declaration.fields.spans["weights",].value,
            "only on this host",
            about=about,
            help=["write their path on the cluster as a text, or use `hf://ORG/NAME@REVISION`"],
        )
    elif _caches_weights_here(declaration):
        diagnostics.error(
            "executor-lacks",
            f"{why}, but weights of the hub would be cached on this host",
            declaration.fields.spans["weights",].value,
            "downloaded by the server",
            about=about,
            help=[
                "use an `image`: the cluster then caches the weights",
                "or write their path on the cluster as a text",
                'or name a cache on the cluster: `env = { HF_HOME = "/FOLDER" }`',
            ],
        )


def _caches_weights_here(declaration: Declaration) -> bool:
    """Whether a server would keep the weights it downloads in this host's cache."""
    block = declaration.block
    if block.image or not str(getattr(block, "weights", None)).startswith("hf://"):
        return False
    return not {"HF_HOME", "HF_HUB_CACHE"} & set(block.env)
