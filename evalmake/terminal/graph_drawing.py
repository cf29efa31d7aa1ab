"""The graph of actions as Graphviz and Mermaid text."""

from __future__ import annotations

from evalmake.planner.graph import Graph

_SHAPES = {"serve": "cylinder", "evaluate": "box", "report": "note"}
_BRACKETS = {"serve": ("[(", ")]"), "evaluate": ("[", "]"), "report": ("[/", "/]")}


def draw_graph(graph: Graph, format: str) -> str:
    """The graph as `dot` or `mermaid` text, in declaration order."""
    return _draw_dot(graph) if format == "dot" else _draw_mermaid(graph)


def _draw_dot(graph: Graph) -> str:
    network = graph.network()
    lines = ["digraph evalmake {", "  rankdir = LR;"]
    lines += [f'  "{name}" [shape={_SHAPES[data["kind"]]}];' for name, data in network.nodes(data=True)]
    lines += [f'  "{a}" -> "{b}";' for a, b in network.edges]
    return "\n".join([*lines, "}"])


def _draw_mermaid(graph: Graph) -> str:
    """Mermaid's ids take fewer characters than our names do, so nodes are numbered."""
    network = graph.network()
    ids = {name: f"n{index}" for index, name in enumerate(network.nodes)}
    lines = ["flowchart LR"]
    for name, data in network.nodes(data=True):
        left, right = _BRACKETS[data["kind"]]
        lines.append(f'  {ids[name]}{left}"{name}"{right}')
    lines += [f"  {ids[a]} --> {ids[b]}" for a, b in network.edges]
    return "\n".join(lines)
