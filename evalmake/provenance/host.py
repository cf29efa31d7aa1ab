"""The class of machine that evalmake runs on. It tells no serial number and no address."""

from __future__ import annotations

import os
import platform
from contextlib import suppress

_CPU_FILE = "/proc/cpuinfo"
_CPU_NAMES = ("model name", "cpu model", "cpu", "Model", "Hardware")  # by architecture; "Serial" is left alone
_READ = 4096  # bytes of the file, which has a paragraph for each core


def describe_host(name: str) -> dict[str, object]:
    """The machine of this process: its name, system, processor, cores, and bytes of memory."""
    return {
        "name": name,
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": _read_cpu(),
        "cores": os.cpu_count(),
        "memory": _count_memory(),
    }


def _read_cpu() -> str:
    """The name of the processor; empty where the system does not tell it."""
    with suppress(OSError), open(_CPU_FILE, encoding="utf-8", errors="replace") as file:
        rows = (line.partition(":") for line in file.read(_READ).splitlines())
        known = {key.strip(): value.strip() for key, _, value in rows}
        return next((known[key] for key in _CPU_NAMES if known.get(key)), "")
    return ""


def _count_memory() -> int | None:
    with suppress(OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None
