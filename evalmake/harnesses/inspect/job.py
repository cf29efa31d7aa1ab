"""Starts Inspect in a job's folder, with an interpreter that has Inspect; it need not have evalmake.

Inspect sends one seed with every request, so all epochs of a sample would be the same sample. A hook of Inspect's adds
a step to the seed for each epoch after the first. It leaves alone a seed that the task itself sets, and requests at
temperature 0. An Inspect without the hook sends what it sends; then the gateway tells equal requests apart.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import Any


def main() -> None:
    """Run Inspect's command line with the words of this one."""
    seed = json.loads(Path("generate.json").read_text(encoding="utf-8")).get("seed")
    _seed_epochs(seed, int(os.environ["EVALMAKE_SEED_STEP"]))
    sys.argv[0] = "inspect"
    runpy.run_module("inspect_ai", run_name="__main__", alter_sys=True)


def _seed_epochs(seed: int | None, step: int) -> None:
    """Register a hook that gives each epoch of a sample a seed of its own."""
    hooks: Any = importlib.import_module("inspect_ai.hooks")
    if seed is None or not hasattr(hooks, "BeforeModelGenerate"):
        return

    given = seed
    epoch = ContextVar("epoch", default=1)  # the hooks and requests of a sample run in one context

    class EpochSeeds(hooks.Hooks):  # type: ignore[misc]
        async def on_sample_attempt_start(self, data: Any) -> None:
            epoch.set(data.summary.epoch)

        async def on_before_model_generate(self, data: Any) -> None:
            repetition = epoch.get() - 1
            if repetition and data.config.seed == given and data.config.temperature != 0:
                data.config.seed = (given + repetition * step) % 2**31

    hooks.hooks("evalmake", "gives each epoch a seed of its own")(EpochSeeds)


if __name__ == "__main__":
    main()
