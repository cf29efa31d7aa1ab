"""Checks that an executor can run the image of an evaluation or a server, and that there is one where it must."""

from __future__ import annotations

from evalmake.language.diagnostic import Diagnostics
from evalmake.planner.placement import job_image
from evalmake.plugin_api.executor import Capabilities
from evalmake.preflight.context import GraphContext, first_of_each
from evalmake.project.catalog import suggest_wheels
from evalmake.project.declarations import Declaration
from evalmake.project.pinned_inputs import packages_of


def check_evaluation_images(context: GraphContext, diagnostics: Diagnostics) -> None:
    """`process` runs no image, `docker` nothing else; `packages` do not reach into an executor's image."""
    for node in first_of_each(context.graph.nodes.values(), lambda n: (n.evaluation.benchmark.name, n.executor)):
        benchmark, executor = node.evaluation.benchmark, context.project.executors[node.executor]
        capabilities, about = context.capabilities(executor), f"eval {node.evaluation.eval}"
        image = job_image(benchmark, executor)
        if image and not _runs_images(executor, capabilities):
            _report_image(benchmark, executor, capabilities, about, diagnostics)
        elif not (image or capabilities.without_image):
            _report_no_image(benchmark, executor, about, diagnostics)
        elif image and packages_of(benchmark) and not benchmark.block.image:
            diagnostics.error(
                "executor-lacks",
                f"executor `{executor.name}` ({executor.plugin}) runs images, "
                "and `packages` are installed on this host",
                benchmark.fields.spans["packages",].value,
                "named by this benchmark",
                also=[(executor.fields.spans["image",].value, "the image it would run in")],
                about=about,
                help=[
                    "use an `image` that contains them",
                    "or add them to the executor's `image`, and leave out `packages`",
                ],
            )


def check_server_images(context: GraphContext, diagnostics: Diagnostics) -> None:
    """The same for deployments."""
    for deployment in context.servers():
        executor = context.project.executors[deployment.block.executor]
        capabilities, about = context.capabilities(executor), f"deployment {deployment.name}"
        if not (deployment.block.image or capabilities.without_image):
            _report_no_image(deployment, executor, about, diagnostics)
        if deployment.block.image and not _runs_images(executor, capabilities):
            _report_image(deployment, executor, capabilities, about, diagnostics)


def _runs_images(executor: Declaration, capabilities: Capabilities) -> bool:
    """Whether an executor runs images; Slurm does where its `container` says by which program."""
    return capabilities.images and getattr(executor.settings, "container", None) != "none"


def _report_image(
    declaration: Declaration, executor: Declaration, capabilities: Capabilities, about: str, diagnostics: Diagnostics
) -> None:
    source = declaration if declaration.block.image else executor
    user = "eval" if declaration.kind == "benchmark" else declaration.kind
    help = f"give the {user} an executor with `backend = docker`, `slurm` or `lepton`"
    if capabilities.images:
        help = f"name the program that runs images there: add `container = pyxis` to `{executor.name}`"
    diagnostics.error(
        "executor-lacks",
        f"executor `{executor.name}` ({executor.plugin}) cannot run an image",
        source.fields.spans["image",].value,
        f"this {declaration.kind} runs in one",
        about=about,
        help=[help, *suggest_wheels(source.fields.spans["image",].value.source.name)],
    )


def _report_no_image(declaration: Declaration, executor: Declaration, about: str, diagnostics: Diagnostics) -> None:
    also = " or to the executor" if declaration.kind == "benchmark" else ""
    subject = f"{declaration.kind} `{declaration.name}`"
    diagnostics.error(
        "missing-image",
        f"executor `{executor.name}` ({executor.plugin}) runs images, but {subject} has none",
        declaration.span,
        about=about,
        help=[f"add `image` to it{also}, or name an executor with `backend = process`"],
    )
