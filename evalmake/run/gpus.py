"""The GPUs of every executor: how many are free, and who has which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from evalmake.language.diagnostic import Diagnostics
from evalmake.planner.graph import Node
from evalmake.plugin_api.executor import Executor
from evalmake.project.project import Project


class Gpus:
    """The GPUs of a build; those of an executor that does not count them are never short."""

    def __init__(self, executors: Mapping[str, Executor]) -> None:
        self._all = {name: one.gpus() for name, one in executors.items()}
        self._taken: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._lent: set[str] = set()

    def of(self, executor: str) -> int | None:
        """How many an executor has; None where it does not count them."""
        devices = self._all.get(executor)
        return None if devices is None else len(devices)

    def held(self, holder: str) -> bool:
        """Whether `holder` has some."""
        return holder in self._taken

    def fit(self, wanted: Mapping[str, int]) -> bool:
        """Whether so many are free, by executor."""
        counted = {name: count for name, count in wanted.items() if self._counts(name)}
        return all(len(self._free(name)) >= count for name, count in counted.items())

    def take(self, holder: str, executor: str, count: int) -> tuple[str, ...]:
        """Those that `holder` has from now on: again the same where it has some."""
        if holder not in self._taken and count and self._counts(executor):
            self._taken[holder] = (executor, tuple(self._free(executor)[:count]))
        return self._taken.get(holder, ("", ()))[1]

    def claim(self, holder: str, executor: str, devices: Sequence[str]) -> None:
        """`holder` has these since an earlier build."""
        if devices:
            self._taken[holder] = (executor, tuple(devices))

    def lend(self, holder: str) -> None:
        """What `holder` has is in the hands of jobs that this build leaves alone."""
        self._lent.add(holder)

    def overlook(self) -> None:
        """Share what was lent: nothing in this build would ever give it back."""
        for holder in self._lent:
            self.give(holder)

    def give(self, holder: str) -> None:
        """What `holder` had is free."""
        self._taken.pop(holder, None)

    def _counts(self, executor: str) -> bool:
        return self._all.get(executor) is not None

    def _free(self, executor: str) -> list[str]:
        used = {one for place, devices in self._taken.values() if place == executor for one in devices}
        return [one for one in self._all[executor] or () if one not in used]


def wanted(node: Node, project: Project) -> Counter[str]:
    """How many GPUs an evaluation takes at least, by executor: its own, and those of its servers."""
    blocks = [node.evaluation.variant.block]
    blocks += [project.deployments[name].block for name in node.services]
    found: Counter[str] = Counter()
    for block in blocks:
        found[block.executor] += block.resources.gpus or 0
    return found


def check_gpus(nodes: Iterable[Node], project: Project, executors: Mapping[str, Executor]) -> None:
    """EvalmakeError where an evaluation takes more GPUs at once than there are."""
    found, gpus, told = Diagnostics(), Gpus(executors), set()
    for node in nodes:
        for executor, count in wanted(node, project).items():
            there = gpus.of(executor)
            key = (node.services, id(node.evaluation.variant), executor)
            if there is None or count <= there or key in told:
                continue
            told.add(key)
            who = [project.deployments[name] for name in node.services]
            takers = [one for one in who if one.block.executor == executor and one.block.resources.gpus]
            places = [
                (one.fields.spans["resources",].value, f"`{one.name}` takes {one.block.resources.gpus}")
                for one in takers
            ]
            found.error(
                "executor-lacks",
                f"executor `{executor}` has {_count(there)}, and {node.name} needs {count} at once",
                project.executors[executor].span,
                also=places,
                about=f"eval {node.evaluation.eval}",
            )
    found.check()


def _count(gpus: int) -> str:
    return f"{gpus or 'no'} GPU{'s' * (gpus != 1)}"
