"""Environments of other people's programs, installed by evalmake once for all tests that use them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from unittest.mock import patch

from evalmake.run.environments.environment import Environment
from tests.support.repository import ROOT
from tests.support.shared_folders import locked

# pip takes a build for processors alone if it is told of one; the package index's comes with 3 GB for CUDA.
TRANSFORMERS = ("torch==2.13.0", "transformers[serving]==5.23.0")
LM_EVAL = ("lm-eval[api]==0.4.13",)
INSPECT = ("inspect-ai==0.3.285", "openai==3.54.0")
SIMPLE_EVALS = ("nemo-evaluator==0.2.8", "nvidia-simple-evals==26.3")
RETRIEVAL = ("pytrec-eval-terrier==0.5.10",)
RAGAS = ("ragas==0.4.3", "langchain-community==0.3.31")
ALL = (INSPECT, LM_EVAL, RETRIEVAL, SIMPLE_EVALS, TRANSFORMERS)
"""Those that every run of all tests needs; ragas's, of 600 MB, is for the weekly set."""

_TASKS = {"arc", "gsm8k", "hellaswag", "truthfulqa", "winogrande"}
_IMPORTS = {
    INSPECT: "inspect_ai._cli.main, inspect_ai.model._providers.openai_compatible",
    LM_EVAL: "lm_eval.__main__, lm_eval.evaluator, lm_eval.models.openai_completions, datasets, jinja2",
    RAGAS: "ragas.metrics, ragas.llms, langchain_openai",
    RETRIEVAL: "pytrec_eval, numpy",
    SIMPLE_EVALS: "nemo_evaluator.core.entrypoint",
    TRANSFORMERS: "torch, transformers.models.llama.modeling_llama, fastapi, uvicorn",
}


def build(root: Path, packages: tuple[str, ...]) -> tuple[Environment, str]:
    """Return an environment and why it could not be built, or ""; the first caller builds it."""
    environment = Environment(packages, root)
    root.mkdir(parents=True, exist_ok=True)
    with locked(environment.folder.with_suffix(".tests")):
        trimmed = environment.folder / ".trimmed"
        if trimmed.exists() and environment.is_ready:
            return environment, ""
        with patch.dict(os.environ, PIP_NO_COMPILE="0"):  # pip's word for "yes"
            failed = environment.build(lambda event: None)
        if not failed:
            _drop_tasks(environment.folder)
            _compile(environment, packages)
            environment.write_seal()
            trimmed.touch()
    return environment, failed


def build_for(python: str, packages: tuple[str, ...], folder: Path) -> Path:
    """Return a folder with an environment of another Python; the first caller builds it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".tests")):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([python, "-m", "venv", folder], check=True)
            subprocess.run([folder / "bin/pip", "install", "-q", *packages], check=True)
            _drop_tasks(folder)
            (folder / "complete").touch()
    return folder


def tiny_model(environment: Environment) -> Path:
    """The folder of a tiny model of random weights, which an environment with torch writes for the first caller."""
    script = ROOT / "tests" / "harnesses" / "tiny_model.py"
    digest = hashlib.sha256(script.read_bytes()).hexdigest()[:16]
    folder = environment.folder.with_name(f"tiny-model-{digest}")
    with locked(folder.with_suffix(".tests")):
        if not folder.exists():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            subprocess.run([environment.python, script, part], check=True, capture_output=True)
            part.rename(folder)
    return folder


def _drop_tasks(folder: Path) -> None:
    """Remove most of lm-eval's tasks: it reads all 14 000 files, for seven seconds, whenever it starts."""
    for tasks in folder.glob("lib/*/site-packages/lm_eval/tasks"):
        for task in tasks.iterdir():
            if task.is_dir() and task.name not in _TASKS:
                shutil.rmtree(task)
        for record in tasks.parents[1].glob("lm_eval-*.dist-info/RECORD"):  # else `verify` misses them
            lines = record.read_text().splitlines(keepends=True)
            record.write_text("".join(line for line in lines if _is_kept(line)))


def _is_kept(line: str) -> bool:
    """Whether a line of a RECORD is about a file that `_drop_tasks` leaves."""
    task = re.match(r'"?lm_eval/tasks/([^/]+)/', line)
    return not task or task[1] in _TASKS or task[1] == "__pycache__"


def _compile(environment: Environment, packages: tuple[str, ...]) -> None:
    """Compile what is used, which is a tenth of what pip would compile."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    argv = [environment.python, "-c", f"import {_IMPORTS[packages]}"]
    subprocess.run(argv, env=variables, check=True, capture_output=True)
