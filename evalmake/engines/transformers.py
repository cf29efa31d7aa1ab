"""The server that comes with Hugging Face's transformers."""

from __future__ import annotations

from typing import ClassVar

from evalmake.engines.arguments import Dashed, Host, Port, Revised, Weighed, flags
from evalmake.engines.weights import check_weights, hub, weights_of
from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.harness import Program
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, Natural, Texts


class TransformersEngine:
    """Runs `transformers serve`."""

    class Settings(Block):
        """What it is installed from, where it has no image."""

        packages: Texts = ()

    class Args(Dashed):
        """Those that are most often given; all others of the server are passed on."""

        host: Host = None
        port: Port = None
        model: Weighed = None
        force_model: Weighed = None
        revision: Revised = None
        device: str | None = None
        dtype: str | None = None
        default_seed: Natural | None = None
        attn_implementation: str | None = None
        quantization: str | None = None
        continuous_batching: bool | None = None
        trust_remote_code: bool | None = None

    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""
    program: ClassVar[Program] = Program(
        "transformers", "transformers[serving]==5.23.0", ("torch==2.13.0",), "transformers"
    )

    @staticmethod
    def check_deployment(deployment: Declaration, found: Diagnostics) -> None:
        """It takes files or a model of the hub."""
        check_weights(deployment, found, ("hf",))

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The model under the name that it was started with, as this server takes no other.

        It looks into the hub's cache whatever it serves, and fails where there is none.
        """
        block, weights = deployment.block, weights_of(deployment)
        model = f"{weights.name}@{weights.revision}" if weights.revision else weights.name
        mounts, env = hub(deployment)
        return ServerCommand(
            ("transformers", "serve", model, "--host", "{host}", "--port", "{port}", *flags(block.args)),
            port=block.port,
            env=env,
            mounts={**mounts, **weights.mounts},
            model=model,
        )
