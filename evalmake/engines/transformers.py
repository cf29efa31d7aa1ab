"""The server that comes with Hugging Face's transformers."""

from __future__ import annotations

from typing import ClassVar

from evalmake.engines.arguments import DashedArguments, WeightsName, to_flags
from evalmake.engines.model_server import LISTEN, ModelServer, ReservedArguments
from evalmake.engines.weights import find_weights, hub_cache
from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.engine import ServerCommand
from evalmake.plugin_api.harness import Program
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Natural, define_key


class TransformersEngine(ModelServer):
    """Runs `transformers serve`."""

    class Args(ReservedArguments, DashedArguments):
        """These arguments are checked; the server gets all others unchanged."""

        force_model: WeightsName = None
        device: str | None = define_key(None, "The device that runs the model.", '"cuda"', unset="the server decides")
        dtype: str | None = define_key(
            None, "The type of numbers of weights and activations.", '"bfloat16"', unset="the server decides"
        )
        default_seed: Natural | None = define_key(
            None, "The seed of requests that name none.", "1", unset="the server decides"
        )
        attn_implementation: str | None = define_key(
            None, "The attention implementation.", '"sdpa"', unset="the server decides"
        )
        quantization: str | None = define_key(
            None, "The quantization method of the weights.", '"fp8"', unset="the server decides"
        )
        continuous_batching: bool | None = define_key(
            None, "Batches requests as they arrive.", "true", unset="the server decides"
        )
        trust_remote_code: bool | None = define_key(
            None, "Runs the code that comes with the weights.", "true", unset="the server decides"
        )

    program: ClassVar[Program] = Program(
        "transformers", "transformers[serving]==5.23.0", ("torch==2.13.0",), "transformers"
    )

    @classmethod
    def check_deployment(cls, deployment: Declaration, diagnostics: Diagnostics) -> None:
        """Check the weights, and that the model keeps the name that they have."""
        super().check_deployment(deployment, diagnostics)
        if deployment.block.served_name:
            diagnostics.error(
                "bad-value",
                "`served_name`: this server names a model by its weights",
                deployment.fields.spans["served_name",].value,
                about=f"deployment {deployment.name}",
                help=["remove it"],
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
