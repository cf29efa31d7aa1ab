"""The server that comes with Hugging Face's transformers."""

from __future__ import annotations

from typing import ClassVar

from evalmake.engines.arguments import DashedArguments, WeightsName, to_flags
from evalmake.engines.model_server import LISTEN, ModelServer, ReservedArguments
from evalmake.engines.weights import find_weights, hub_cache
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.harness import Program
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Natural


class TransformersEngine(ModelServer):
    """Runs `transformers serve`."""

    class Args(ReservedArguments, DashedArguments):
        """The most common ones; all others of the server are passed on."""

        force_model: WeightsName = None
        device: str | None = None
        dtype: str | None = None
        default_seed: Natural | None = None
        attn_implementation: str | None = None
        quantization: str | None = None
        continuous_batching: bool | None = None
        trust_remote_code: bool | None = None

    program: ClassVar[Program] = Program(
        "transformers", "transformers[serving]==5.23.0", ("torch==2.13.0",), "transformers"
    )

    def serve(self, deployment: Declaration) -> ServerCommand:
        """The model under the name that the server loads it by: this server knows no other.

        The server looks into the hub's cache whatever it serves, and fails without one.
        """
        block, weights = deployment.block, find_weights(deployment)
        model = f"{weights.name}@{weights.revision}" if weights.revision else weights.name
        mounts, env = hub_cache(deployment)
        return ServerCommand(
            ("transformers", "serve", model, *LISTEN, *to_flags(block.args)),
            port=block.port,
            env=env,
            mounts={**mounts, **weights.mounts},
            model=model,
        )
