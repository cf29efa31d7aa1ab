"""What `evalmake list` prints."""

from __future__ import annotations

import json

from evalmake.workspace import Workspace

_Row = tuple[str, str, str, str]


def to_text(workspace: Workspace) -> str:
    """A line for each target: name, kind, content, and the first line of its comment."""
    rows = _rows(workspace)
    width = max((len(name) for _, name, _, _ in rows), default=0)
    lines = [
        f"{name:<{width}}  {kind}: {content}" + (f"  # {doc.splitlines()[0]}" if doc else "")
        for kind, name, content, doc in rows
    ]
    return "\n".join(lines) or "this Evalfile declares no targets"


def to_json_lines(workspace: Workspace) -> str:
    """An object a line."""
    keys = ("kind", "name", "what", "doc")
    return "\n".join(json.dumps(dict(zip(keys, row, strict=True))) for row in _rows(workspace))


def _rows(workspace: Workspace) -> list[_Row]:
    """Evals, reports and aliases: kind, name, content, comment."""
    project = workspace.project
    return [
        *(("eval", n, f"{len(workspace.cells[n])} cells", d.doc) for n, d in project.evals.items()),
        *(("report", n, str(d.block.path), d.doc) for n, d in project.reports.items()),
        *(("alias", n, " ".join(t.text for t in a.node.targets), a.doc) for n, a in project.aliases.items()),
    ]
