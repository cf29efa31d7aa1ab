"""A node of the plan on its way to a result."""

from __future__ import annotations

from dataclasses import dataclass

from evalmake.planner.graph import Node


@dataclass(slots=True, eq=False)
class Task:
    """A node on its way. `excused` counts tries that failed through no fault of the job's."""

    node: Node
    executor: str
    tries: int = 0
    excused: int = 0
    not_before: float = 0.0
    id: str = ""
    servers: tuple[str, ...] = ()
    started: float = 0.0
    shown: tuple[int, int, int] = (0, 0, 0)
    timed_out: bool = False
