"""Types of values that the settings of several executors have."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from evalmake.project.key_types import Texts, read_symbol

_MOUNT = re.compile(r"/[^:]*:/[^:]+(:ro|:rw)?")


def _check_mounts(mounts: tuple[str, ...]) -> tuple[str, ...]:
    for mount in mounts:
        if not _MOUNT.fullmatch(mount):
            raise ValueError(f'`{mount}` is not "/SOURCE:/TARGET" or "/SOURCE:/TARGET:rw"')
    return mounts


Unquoted = BeforeValidator(read_symbol)
"""For a `Literal`: its words are written without quotes."""
Mounts = Annotated[Texts, AfterValidator(_check_mounts)]
"""Folders of the host that a container sees."""
