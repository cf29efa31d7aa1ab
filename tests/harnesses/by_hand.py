"""The same evaluations, run as their users run them: by the programs' own command lines."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

from evalmake.planner.action import ActionResult
from evalmake.result_verification import find_contradictions
from evalmake.run.environments.environment import Environment
from evalmake.workspace import Workspace
from tests.support.workspaces import Bench

OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}


def lm_eval(
    environment: Environment, tasks: Path, words: str, out: Path, env: Mapping[str, str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What `lm_eval run WORDS` leaves of a task in the folder `tasks`: its results, its samples."""
    argv = [environment.python, "-m", "lm_eval", "run", *words.split(), "--include_path", "."]
    _run([*argv, "--output_path", out, "--log_samples"], tasks, {**OFFLINE, **env})
    (results,) = out.rglob("results_*.json")
    (samples,) = out.rglob("samples_*.jsonl")
    return json.loads(results.read_text()), lines(samples.read_bytes())


def inspect(environment: Environment, folder: Path, words: list[str], url: str) -> dict[str, Any]:
    """The log of `inspect eval WORDS` in a folder; the model is `openai-api/byhand/NAME`."""
    argv = [environment.folder / "bin" / "inspect", "eval", *words]
    argv += ["--log-format", "json", "--log-dir", "by-hand", "--display", "none"]
    _run(argv, folder, {"BYHAND_API_KEY": "k", "BYHAND_BASE_URL": url})
    (log,) = (folder / "by-hand").glob("*.json")
    found: dict[str, Any] = json.loads(log.read_text())
    return found


def reported(results: Mapping[str, Any], task: str) -> dict[str, tuple[float, float]]:
    """What lm-eval reports of a task: its value and standard error by our name of each metric."""
    found = {}
    for key, value in results["results"][task].items():
        metric, comma, filter = key.partition(",")
        if comma and not metric.endswith("_stderr"):
            name = metric if filter == "none" else f"{metric}.{filter}"
            found[name] = (value, results["results"][task][f"{metric}_stderr,{filter}"])
    return found


def recorded(attempt: ActionResult) -> dict[str, tuple[float | None, float | None]]:
    """The same of an attempt on record."""
    return {score.metric: (score.value, score.stderr) for score in attempt.scores}


def lines(data: bytes) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines."""
    return [json.loads(line) for line in data.decode().split("\n") if line]


def _run(argv: list[Any], folder: Path, env: Mapping[str, str]) -> None:
    done = subprocess.run(argv, cwd=folder, env=os.environ | env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]


def contradictions(bench: Bench) -> list[str]:
    """What the stored outputs of a workspace's results contradict, as `verify` says."""
    with patch.dict(os.environ, bench.env):
        workspace = Workspace.open(bench.root / "Evalfile")
        nodes = list(workspace.graph(()).nodes.values())
    with bench.store() as store:
        assert any(store.history(node.action.digest) for node in nodes)
        return list(find_contradictions(workspace, nodes, store))
