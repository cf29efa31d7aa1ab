"""Allocates the GPUs of each executor to jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evalmake.plugin_api.executor import Executor


class GpuAllocation:
    """The GPUs of a build. An executor that does not count its GPUs always has enough."""

    def __init__(self, executors: Mapping[str, Executor]) -> None:
        self._devices = {name: one.gpus() for name, one in executors.items()}
        self._held: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._lent: set[str] = set()

    def count(self, executor: str) -> int | None:
        """How many GPUs an executor has; None where it does not count them."""
        devices = self._devices.get(executor)
        return None if devices is None else len(devices)

    def is_held(self, holder: str) -> bool:
        """Whether `holder` has GPUs."""
        return holder in self._held

    def are_free(self, needed: Mapping[str, int]) -> bool:
        """Whether so many GPUs are free, by executor."""
        return all(
            len(self._free(name)) >= count for name, count in needed.items() if self._devices.get(name) is not None
        )

    def take(self, holder: str, executor: str, count: int) -> tuple[str, ...]:
        """Give GPUs to `holder`; the same ones again where it has some."""
        if holder not in self._held and count and self._devices.get(executor) is not None:
            self._held[holder] = (executor, tuple(self._free(executor)[:count]))
        return self._held.get(holder, ("", ()))[1]

    def claim(self, holder: str, executor: str, devices: Sequence[str]) -> None:
        """Note that `holder` has had these GPUs since an earlier build."""
        if devices:
            self._held[holder] = (executor, tuple(devices))

    def lend(self, holder: str) -> None:
        """Note that jobs outside this build use the GPUs of `holder`."""
        self._lent.add(holder)

    def share_lent(self) -> None:
        """Treat lent GPUs as free, because nothing in this build would ever free them."""
        for holder in self._lent:
            self.free(holder)

    def free(self, holder: str) -> None:
        """Take back what `holder` has."""
        self._held.pop(holder, None)

    def _free(self, executor: str) -> list[str]:
        used = {one for place, devices in self._held.values() if place == executor for one in devices}
        return [one for one in self._devices[executor] or () if one not in used]
