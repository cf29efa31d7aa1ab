"""`sidecar.json`: the gateways that a sidecar runs next to a command.

The sidecar loads this module before the command starts, so it imports next to nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple


class SidecarGateway(NamedTuple):
    """One gateway: its settings and session, and the variables that it takes and sets."""

    settings: str
    session: str  # the key of its session
    port: int  # the preferred port; another one is taken if it is in use
    variable: str  # set to the gateway's URL for the command
    secrets: Sequence[str]  # variables that only this gateway sees


def gateways_to_json(gateways: Sequence[SidecarGateway]) -> str:
    """The text of `sidecar.json`."""
    return json.dumps([gateway._asdict() for gateway in gateways])


def read_gateways(path: str) -> list[SidecarGateway]:
    """Read `sidecar.json`."""
    with open(path, "rb") as file:
        return [SidecarGateway(**gateway) for gateway in json.load(file)]
