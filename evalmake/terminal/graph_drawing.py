"""The graph of actions for Graphviz and Mermaid."""

from __future__ import annotations

from evalmake.planner.graph import Graph

_SHAPES = {"serve": "cylinder", "evaluate": "box", "report": "note"}
_BRACKETS = {"serve": ("[(", ")]"), "evaluate": ("[", "]"), "report": ("[/", "/]")}


def draw(graph: Graph, kind: str) -> str:
    """The graph as `dot` or `mermaid` text, in declaration order."""
    network = graph.network()
    lines = []
    if kind == "dot":
        lines = ["digraph evalmake {", "  rankdir = LR;"]
        for name, data in network.nodes(data=True):
            lines.append(f'  "{name}" [shape={_SHAPES[data["kind"]]}];')
        lines += [f'  "{a}" -> "{b}";' for a, b in network.edges]
        return "\n".join([*lines, "}"])
    ids = {name: f"n{index}" for index, name in enumerate(network.nodes)}
    for name, data in network.nodes(data=True):
        left, right = _BRACKETS[data["kind"]]
        lines.append(f'  {ids[name]}{left}"{name}"{right}')
    lines += [f"  {ids[a]} --> {ids[b]}" for a, b in network.edges]
    return "\n".join(["flowchart LR", *lines])
