"""The GPUs of this host that an executor's `gpus` names: a count, `"all"`, or ids as `"0,2"`."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Annotated

from pydantic import AfterValidator

from evalmake.project.key_types import Count

_QUERY = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]


def _check_gpus(gpus: int | str | None) -> int | str | None:
    if isinstance(gpus, str) and not re.fullmatch(r"all|[\w-]+(,[\w-]+)*", gpus):
        raise ValueError('write GPUs as a count, "all", or ids such as "0,2"')
    return gpus


Gpus = Annotated[Count | str | None, AfterValidator(_check_gpus)]


def find_gpus(gpus: int | str | None) -> tuple[str, ...] | None:
    """Return the ids of the GPUs that a setting names; None if there is no setting.

    $CUDA_VISIBLE_DEVICES of evalmake itself limits a count and `"all"`, as it does for any program.
    """
    if gpus is None:
        return None
    if isinstance(gpus, str) and gpus != "all":
        return tuple(gpus.split(","))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    seen = None if visible is None else [one for one in visible.split(",") if one]
    if isinstance(gpus, str):
        return tuple(_detect_gpus() if seen is None else seen)
    return tuple(map(str, range(gpus)) if seen is None else seen[:gpus])


def _detect_gpus() -> list[str]:
    try:
        printed = subprocess.run(_QUERY, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return printed.stdout.split()
