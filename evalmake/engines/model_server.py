"""What engines share: most start a server of someone else's that loads weights.

An engine's own file says what is its own: the server's arguments, the weights that it can load, its command.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from evalmake.engines.arguments import Address, Port, WeightsName, WeightsRevision
from evalmake.engines.weights import Weights, check_weights
from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.engine import ServerCommand
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, Texts, define_key

LISTEN = ("--host", "{host}", "--port", "{port}")
"""The flags by which most servers get the address to listen on."""


class NoSettings(Block):
    """No keys beyond every deployment's."""


class PackageSettings(Block):
    """The packages that the server is installed from, where it has no image."""

    packages: Texts = define_key(
        (), "The Python packages that evalmake installs, where there is no image.", '["vllm==0.11.0"]'
    )


class ReservedArguments(Block):
    """Arguments that evalmake sets: an Evalfile must not."""

    host: Address = None
    port: Port = None
    model: WeightsName = None
    revision: WeightsRevision = None


class ModelServer:
    """Base of engines whose server loads weights."""

    Settings: ClassVar[type[Block]] = PackageSettings
    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""
    weight_schemes: ClassVar[tuple[str, ...]] = ("hf",)
    """Where the server can load weights from, besides files."""
    takes_revision: ClassVar[bool] = True
    """Whether it can load a given revision of a model."""

    @classmethod
    def check_deployment(cls, deployment: Declaration, diagnostics: Diagnostics) -> None:
        """Check that the server can load the deployment's weights."""
        check_weights(deployment, diagnostics, cls.weight_schemes, cls.takes_revision)


def served_name(deployment: Declaration) -> str:
    """The model's id in requests to a server."""
    return str(deployment.block.served_name or deployment.name)


def revision_flags(weights: Weights) -> tuple[str, ...]:
    """The flag for the weights' revision, if they have one."""
    return ("--revision", weights.revision) if weights.revision else ()


def weights_command(
    deployment: Declaration,
    weights: Weights,
    argv: Iterable[str],
    env: Mapping[str, str] | None = None,
    multi_node_launcher: str | None = None,
) -> ServerCommand:
    """The command of a server that loads `weights`; `env` is added to what loading them needs."""
    return ServerCommand(
        tuple(argv),
        port=deployment.block.port,
        env={**weights.env, **(env or {})},
        mounts=weights.mounts,
        multi_node_launcher=multi_node_launcher,
    )
