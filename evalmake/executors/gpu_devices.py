"""The GPUs of this host, as an executor's `gpus` tells them: a count, `"all"`, or ids as `"0,2"`."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Annotated

from pydantic import AfterValidator

from evalmake.project.key_types import Count

_QUERY = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]


def _known(gpus: int | str | None) -> int | str | None:
    if isinstance(gpus, str) and not re.fullmatch(r"all|[\w-]+(,[\w-]+)*", gpus):
        raise ValueError('GPUs are a count, "all", or ids as "0,2"')
    return gpus


Gpus = Annotated[Count | str | None, AfterValidator(_known)]


def devices(gpus: int | str | None) -> tuple[str, ...] | None:
    """The names of the GPUs that a setting means; None where it means none in particular.

    $CUDA_VISIBLE_DEVICES of evalmake itself narrows them, as it would for any program.
    """
    if gpus is None:
        return None
    if isinstance(gpus, str) and gpus != "all":
        return tuple(gpus.split(","))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    seen = None if visible is None else [one for one in visible.split(",") if one]
    if isinstance(gpus, str):
        return tuple(_detected() if seen is None else seen)
    return tuple(map(str, range(gpus)) if seen is None else seen[:gpus])


def _detected() -> list[str]:
    try:
        told = subprocess.run(_QUERY, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return told.stdout.split()
