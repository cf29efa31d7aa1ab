"""What can be known to be wrong of a graph before anything runs: pairings, places, plugins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from evalmake.language.diagnostic import Diagnostics, closest_name
from evalmake.language.values import Files
from evalmake.planner.graph import Graph, Node
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.executor import Capabilities
from evalmake.project.declarations import Declaration
from evalmake.project.fields import Fields
from evalmake.project.pinned_inputs import packages_of
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.project.project import Project
from evalmake.project.references import find_judge
from evalmake.project.validation import validate


def check(project: Project, graph: Graph, plugins: PluginRegistry) -> None:
    """EvalmakeError with all that is wrong."""
    found = Diagnostics()
    check_places(project, graph, plugins, found)
    check_uses(project, graph, plugins, found)
    check_servers(project, graph, plugins, found)
    check_ports(project, graph, plugins, found)
    check_reach(project, graph, plugins, found)
    check_cells(project, graph, plugins, found)
    check_interceptors(project, graph, plugins, found)
    found.check()


def check_uses(project: Project, graph: Graph, plugins: PluginRegistry, found: Diagnostics) -> None:
    """What executors themselves lack for what they are used for."""
    uses = {(node.executor, False): node for node in graph.nodes.values()}
    places = {name: project.deployments[name].block.executor for name in graph.services}
    for name, serves in (*uses, *dict.fromkeys((place, True) for place in places.values())):
        executor = project.executors[name]
        check = getattr(plugins.get("executors", executor.plugin), "check_use", None)
        if check is not None:
            check(executor, serves, found)


def check_places(project: Project, graph: Graph, plugins: PluginRegistry, found: Diagnostics) -> None:
    """An executor must have what the harness needs: `process` cannot run an image."""
    told: set[tuple[str, str]] = set()
    for node in graph.nodes.values():
        benchmark = node.evaluation.benchmark
        executor = project.executors[node.executor]
        pair = (benchmark.name, executor.name)
        if pair in told:
            continue
        told.add(pair)
        capabilities = plugins.get("executors", executor.plugin).capabilities
        image = image_of(benchmark, executor)
        if image and not _runs_images(executor, capabilities):
            _no_container(benchmark, executor, capabilities, f"eval {node.evaluation.eval}", found)
        elif not (image or capabilities.without_image):
            _no_image("benchmark", benchmark, executor, f"eval {node.evaluation.eval}", found)
        elif image and packages_of(benchmark) and not benchmark.block.image:
            found.error(
                "executor-lacks",
                f"executor `{executor.name}` ({executor.plugin}) runs images, "
                "and `packages` are installed on this host",
                benchmark.fields.spans["packages",].value,
                "named by this benchmark",
                also=[(executor.fields.spans["image",].value, "what it would run in")],
                about=f"eval {node.evaluation.eval}",
                help=["name an `image` that has them", "or have them in the executor's `image`, without `packages`"],
            )
        if capabilities.sidecar:
            _not_there(benchmark, executor, f"eval {node.evaluation.eval}", found)


def check_reach(project: Project, graph: Graph, plugins: PluginRegistry, found: Diagnostics) -> None:
    """A job that brings its gateways asks models itself: they are beside it, or reached from anywhere."""
    told: set[tuple[str, str]] = set()
    for node in graph.nodes.values():
        cell, executor = node.evaluation, project.executors[node.executor]
        capabilities = plugins.get("executors", executor.plugin).capabilities
        if not capabilities.sidecar:
            continue
        if capabilities.remote:
            _no_loopback(project, node, executor, told, found)
        for name in node.services:
            deployment = project.deployments[name]
            other = project.executors[deployment.block.executor]
            public = plugins.get("executors", other.plugin).capabilities.remote
            if other is executor or public or (cell.eval, name) in told:
                continue
            told.add((cell.eval, name))
            found.error(
                "executor-lacks",
                f"evaluations on `{executor.name}` ({executor.plugin}) reach only servers on it, "
                f"and deployment `{name}` is on `{other.name}` ({other.plugin})",
                deployment.span,
                about=f"eval {cell.eval}",
                help=[f"give the deployment `executor = {executor.name}`, or the eval `executor = {other.name}`"],
            )


def _no_loopback(
    project: Project, node: Node, executor: Declaration, told: set[tuple[str, str]], found: Diagnostics
) -> None:
    """An address of this host's own means the job's own host, where no model is."""
    cell = node.evaluation
    for model in filter(None, (cell.model, find_judge(project, cell.benchmark))):
        if not _is_loopback(model.block.endpoint) or (cell.eval, model.name) in told:
            continue
        told.add((cell.eval, model.name))
        found.error(
            "executor-lacks",
            f"evaluations on `{executor.name}` ({executor.plugin}) ask their models from there, "
            f"and `{model.name}` is at an address of this host's own",
            model.fields.spans["endpoint",].value,
            about=f"eval {cell.eval}",
            help=["give the address by which others reach it", "or give the eval an executor that runs here"],
        )


def _is_loopback(endpoint: str | None) -> bool:
    host = urlsplit(endpoint or "").hostname or ""
    return host == "localhost" or host.startswith("127.") or host == "::1"


def sees_our_files(executor: Declaration) -> bool:
    """Whether jobs of an executor that is no container engine's find this host's files at their paths."""
    return getattr(executor.settings, "host", None) is None


def shares_allocations(executor: Declaration) -> bool:
    """Whether evaluations run within the job of the server that they ask, where it is on their executor."""
    return bool(getattr(executor.settings, "colocate", False))


def image_of(benchmark: Declaration, executor: Declaration) -> str | None:
    """What an evaluation runs in: its benchmark's image, which is part of what it is, or its executor's."""
    image: str | None = benchmark.block.image or getattr(executor.settings, "image", None)
    return image


def _runs_images(executor: Declaration, capabilities: Capabilities) -> bool:
    """Whether an executor runs images; one that leaves the way to its `container` must name it."""
    return capabilities.images and getattr(executor.settings, "container", None) != "none"


def _no_container(
    declared: Declaration, executor: Declaration, capabilities: Capabilities, about: str, found: Diagnostics
) -> None:
    named = declared if declared.block.image else executor
    user = "eval" if declared.kind == "benchmark" else declared.kind
    help = f"give the {user} an executor with `backend = docker`, `slurm` or `lepton`"
    if capabilities.images:
        help = f"add to `{executor.name}` what runs images there, as `container = pyxis`"
    found.error(
        "executor-lacks",
        f"executor `{executor.name}` ({executor.plugin}) cannot run an image",
        named.fields.spans["image",].value,
        f"this {declared.kind} runs in one",
        about=about,
        help=[help],
    )


def has_its_python(executor: Declaration) -> bool:
    """Whether its jobs run an interpreter that is not evalmake's own, with what is installed there."""
    own = (getattr(executor.settings, key, None) for key in ("python", "image"))
    return not sees_our_files(executor) or any(own)


def _not_there(declared: Declaration, executor: Declaration, about: str, found: Diagnostics) -> None:
    """What is installed, or lies, on this host is nothing to the nodes of a cluster behind ssh."""
    if sees_our_files(executor):
        return
    why = f"executor `{executor.name}` ({executor.plugin}) does not see this host's files"
    if packages_of(declared) and not declared.block.image:
        found.error(
            "executor-lacks",
            f"{why}, and `packages` are installed here",
            declared.fields.spans["packages",].value,
            f"named by this {declared.kind}",
            about=about,
            help=["name an `image` that has them", "or have them in the executor's `python`, and leave out `packages`"],
        )
    if isinstance(getattr(declared.block, "weights", None), Files):
        found.error(
            "executor-lacks",
            f"{why}, and the weights are some of them",
            declared.fields.spans["weights",].value,
            "known here only",
            about=about,
            help=["name where they lie on the cluster, as a text, or `hf://ORG/NAME@REVISION`"],
        )
    elif _cached_here(declared):
        found.error(
            "executor-lacks",
            f"{why}, where weights of the hub would be kept",
            declared.fields.spans["weights",].value,
            "fetched by the server",
            about=about,
            help=[
                "name an `image`, beside which the cluster keeps them",
                "or where they lie on the cluster, as a text",
                'or a cache of the cluster\'s own: `env = { HF_HOME = "/FOLDER" }`',
            ],
        )


def _cached_here(declared: Declaration) -> bool:
    """Whether what a server fetches from the hub would lie where this host keeps it."""
    block = declared.block
    if block.image or not str(getattr(block, "weights", None)).startswith("hf://"):
        return False
    return not {"HF_HOME", "HF_HUB_CACHE"} & set(block.env)


def check_detached(project: Project, nodes: Iterable[Node], plugins: PluginRegistry, found: Diagnostics) -> None:
    """Jobs that are left to themselves can need nothing of the evalmake that began them."""
    told: set[str] = set()
    for node in nodes:
        cell, executor = node.evaluation, project.executors[node.executor]
        if cell.eval in told:
            continue
        told.add(cell.eval)
        if not plugins.get("executors", executor.plugin).capabilities.sidecar:
            why = f"jobs of executor `{executor.name}` ({executor.plugin}) need evalmake while they run"
            help = "leave out --detach, or give it an executor with `backend = slurm` or `lepton`"
        elif node.services:
            why = f"evalmake looks after deployment `{next(iter(node.services))}` while it is used"
            help = "leave out --detach: what a killed evalmake left is found again, too"
        else:
            continue
        found.error(
            "not-available",
            f"eval `{cell.eval}` cannot be left to itself: {why}",
            cell.span,
            help=[help],
        )


def _has_port(service: ServerCommand) -> bool:
    """Whether it is known on what port a server will listen."""
    return bool(service.port) or "{port}" in (*service.argv, *service.env.values())


def _no_image(kind: str, declared: Declaration, executor: Declaration, about: str, found: Diagnostics) -> None:
    also = " or to the executor" if kind == "benchmark" else ""
    found.error(
        "missing-image",
        f"executor `{executor.name}` ({executor.plugin}) runs images, and {kind} `{declared.name}` names none",
        declared.span,
        about=about,
        help=[f"add `image` to it{also}, or name an executor with `backend = process`"],
    )


def check_servers(project: Project, graph: Graph, plugins: PluginRegistry, found: Diagnostics) -> None:
    """What an engine can tell of a deployment; an executor must have what it needs.

    A server in a container needs an image, and a port that is known before it starts.
    """
    for name in graph.services:
        declared = project.deployments[name]
        engine = plugins.get("engines", declared.plugin)
        check, before = getattr(engine, "check_deployment", None), len(found)
        if check is not None:
            check(declared, found)
        servable = len(found) == before and not engine.needs
        executor = project.executors[declared.block.executor]
        capabilities = plugins.get("executors", executor.plugin).capabilities
        if not (declared.block.image or capabilities.without_image):
            _no_image("deployment", declared, executor, f"deployment {name}", found)
        elif capabilities.private_network and servable and not _has_port(engine().serve(declared)):
            found.error(
                "missing-key",
                f"deployment `{name}` needs `port`",
                declared.span,
                about=f"deployment {name}",
                notes=["what listens in a container is reached only by a port that was named before"],
                help=["add the port that it listens on, at 0.0.0.0, as `port = 8000`"],
            )
        if capabilities.sidecar:
            _not_there(declared, executor, f"deployment {name}", found)
        if servable and engine().serve(declared).multi_node_launcher is None:
            _check_nodes(declared, executor, found)
        if declared.block.image and not _runs_images(executor, capabilities):
            _no_container(declared, executor, capabilities, f"deployment {name}", found)


def _check_nodes(declared: Declaration, executor: Declaration, found: Diagnostics) -> None:
    """What cannot be served on several nodes at once is not to be given them."""
    nodes = getattr(executor.settings, "nodes", None) or 1
    if nodes > 1:
        found.error(
            "executor-lacks",
            f"executor `{executor.name}` gives {nodes} nodes, and the `{declared.plugin}` engine serves on one",
            declared.span,
            about=f"deployment {declared.name}",
            help=["give it an executor without `nodes`, or an engine that can: `vllm`, `sglang`, `command`"],
        )


def check_ports(project: Project, graph: Graph, plugins: PluginRegistry, found: Diagnostics) -> None:
    """Two servers of one build on the same executor cannot both have one port."""
    first: dict[tuple[str, int], Declaration] = {}
    for name in sorted(graph.services, key=list(project.deployments).index):
        declared = project.deployments[name]
        port, executor = declared.block.port, project.executors[declared.block.executor]
        if not port or plugins.get("executors", executor.plugin).capabilities.private_network:
            continue
        if declared.block.replicas > 1:
            found.error(
                "same-port",
                f"the {declared.block.replicas} servers of `{name}` have the same port {port}",
                declared.fields.spans["port",].value,
                "given to each of them",
                also=[(declared.fields.spans["replicas",].value, "so many servers")],
                about=f"deployment {name}",
                notes=[f"all run on executor `{declared.block.executor}`"],
                help=["leave out `port`: each is then given one of its own"],
            )
        other = first.setdefault((declared.block.executor, port), declared)
        if other is not declared:
            found.error(
                "same-port",
                f"deployments `{other.name}` and `{name}` have the same port {port}",
                declared.fields.spans["port",].value,
                "given again here",
                also=[(other.fields.spans["port",].value, f"the port of `{other.name}`")],
                about=f"deployment {name}",
                notes=[f"both run on executor `{declared.block.executor}`"],
                help=["give one of them another `port`"],
            )


def check_cells(project: Project, graph: Graph, plugins: PluginRegistry, found: Diagnostics) -> None:
    """What a harness can tell of a benchmark with a model, once for all cells that are alike."""
    told: set[tuple[int, str, str]] = set()
    for node in graph.nodes.values():
        cell = node.evaluation
        alike = (id(cell.variant), cell.benchmark.name, cell.model.name)
        if alike not in told:
            told.add(alike)
            check = getattr(plugins.get("harnesses", cell.benchmark.plugin), "check_cell", None)
            if check is not None:
                check(cell, project.models, found)


def check_interceptors(project: Project, graph: Graph, plugins: PluginRegistry, found: Diagnostics) -> None:
    """Those that adapters name beyond the gateway's own must be installed, and take their settings."""
    asked = [project.models[name] for name in graph.sources]  # judges too
    places = [(model.block, model.fields, f"model {model.name}") for model in asked]
    for node in graph.nodes.values():
        cell = node.evaluation
        benchmark, variant = cell.benchmark, cell.variant
        places.append((benchmark.block, benchmark.fields, f"benchmark {benchmark.name}"))
        places.append((variant.block, variant.fields, f"eval {cell.eval}"))
    told: set[int] = set()
    for block, fields, about in places:
        if id(block) not in told and block.adapter.plugins:
            _interceptors(block.adapter.plugins, fields, about, plugins, found)
        told.add(id(block))


def _interceptors(
    asked: Mapping[str, Mapping[str, Any]],
    fields: Fields,
    about: str,
    plugins: PluginRegistry,
    found: Diagnostics,
) -> None:
    place = ("adapter", "plugins")
    for name, settings in asked.items():
        written = fields.spans.get((*place, name)) or fields.spans[place]
        try:
            plugin = plugins.get("interceptors", name)
        except KeyError:
            names = plugins.names("interceptors")
            meant = closest_name(name, names)
            found.error(
                "unknown-plugin",
                f"no interceptor is named `{name}`",
                written.key,
                about=about,
                notes=[f"the installed ones are {', '.join(names)}" if names else "none is installed"],
                help=[f"did you mean `{meant}`?"] if meant else [],
            )
            continue
        if plugin.Settings is not None:
            validate(
                plugin.Settings,
                settings,
                fields,
                found,
                about,
                written.value,
                what=f"the `{name}` interceptor",
                prefix=(*place, name),
            )
        elif settings:
            found.error(
                "unknown-key",
                f"the interceptor `{name}` has no settings",
                written.value,
                about=about,
            )
