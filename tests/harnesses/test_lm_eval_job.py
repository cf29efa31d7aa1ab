"""The program that starts lm-eval, with a stand-in for lm-eval that tells what it was given."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from evalmake.harnesses.lm_eval import job

STAND_IN = """\
import json, os, sys
from lm_eval import utils
with open(sys.argv[sys.argv.index("--config") + 1]) as file:
    config = json.load(file)
from lm_eval.models.api_models import Request, TemplateAPI
given = utils.RemoteTokenizer("http://x", 300, True, None, None)
warm, cold = Request("a", {"temperature": 0.5}), Request("b", {"temperature": 0})
print(json.dumps({
    "config": config, "token": given[-1], "folder": os.getcwd(), "key": os.environ["OPENAI_API_KEY"],
    "seeds": TemplateAPI().generate_until([warm, warm, warm, cold, cold]),
    "links": [name for name in os.listdir(".") if os.path.islink(name)],
}))
"""
UTILS = """\
def RemoteTokenizer(base_url, timeout=30, verify=True, ca=None, auth_token=None):
    return [base_url, timeout, verify, ca, auth_token]
"""
API_MODELS = """\
class Request:
    def __init__(self, *arguments):
        self.arguments = arguments

class TemplateAPI:
    _seed = 3

    def generate_until(self, requests):
        return [request.arguments[1].get("seed", self._seed) for request in requests]

    amodel_call = loglikelihood_rolling = None
"""


class Answers(BaseHTTPRequestHandler):
    """A server that has a tokenizer and says how long its prompts may be, to whom has the key."""

    def do_GET(self) -> None:
        """Answer /tokenizer_info and /v1/models."""
        told = {
            "/vllm/tokenizer_info": {"eos_token": "x"},
            "/vllm/v1/models": {"data": [{"id": "other"}, {"id": "m", "max_model_len": 4096}]},
            "/bare/v1/models": {"data": [{"id": "m"}]},
        }.get(self.path)
        allowed = self.headers["Authorization"] == "Bearer key-1"
        self.send_response(401 if not allowed else 200 if told else 404)
        self.end_headers()
        self.wfile.write(json.dumps(told if allowed else {}).encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The server's URL."""
    made = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()
    thread.join()


def started(root: Path, url: str, model: str, **arguments: object) -> dict[str, Any]:
    """What lm-eval is given, in a job's folder with a task file that is a link."""
    package = root / "packages" / "lm_eval"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(STAND_IN)
    (package / "utils.py").write_text(UTILS)
    (package / "models").mkdir()
    (package / "models" / "__init__.py").touch()
    (package / "models" / "api_models.py").write_text(API_MODELS)
    (root / "packages" / "yaml.py").write_text("from json import dumps as safe_dump\n")
    (root / "kept").write_text("task: t\n")
    (root / "tasks").mkdir()
    (root / "tasks" / "t.yaml").symlink_to(root / "kept")
    shutil.copyfile(job.__file__, root / "run.py")
    (root / "run.json").write_text(json.dumps({"model": model, "model_args": arguments}))
    done = subprocess.run(
        [sys.executable, "run.py"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(root / "packages"),
            "EVALMAKE_OUT": str(root / "out"),
            "EVALMAKE_MODEL_URL": url,
            "EVALMAKE_MODEL_NAME": "m",
            "EVALMAKE_API_KEY": "key-1",
            "EVALMAKE_SEED_STEP": "100",
        },
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_chat_takes_no_tokenizer(tmp_path: Path, server: str) -> None:
    """A chat has its route and key; task files are real ones in lm-eval's working folder."""
    given = started(tmp_path, f"{server}/vllm/v1", "local-chat-completions", seed=3)
    assert given["config"]["model_args"] == {
        "seed": 3,
        "model": "m",
        "base_url": f"{server}/vllm/v1/chat/completions",
    }
    assert given["config"]["output_path"] == str(tmp_path / "out" / "lm-eval")
    assert given["key"] == "key-1"
    assert "key-1" not in json.dumps(given["config"])
    assert given["folder"] == str(tmp_path / "tasks")
    assert given["links"] == []


def test_the_server_s_tokenizer_is_used(tmp_path: Path, server: str) -> None:
    """Where the server offers its tokenizer that is used, with the key and with the model's length."""
    given = started(tmp_path, f"{server}/vllm/v1", "local-completions")
    arguments = given["config"]["model_args"]
    assert (arguments["tokenizer_backend"], arguments["max_length"]) == ("remote", 4096)
    assert given["token"] == "key-1"


def test_without_a_tokenizer(tmp_path: Path, server: str) -> None:
    """Where it offers none, prompts are sent as texts, and lm-eval refuses tasks by likelihood."""
    arguments = started(tmp_path, f"{server}/bare/v1", "local-completions")["config"]["model_args"]
    assert arguments["tokenizer_backend"] == "none"
    assert arguments["tokenized_requests"] is False
    assert "max_length" not in arguments


def test_what_was_said_is_kept(tmp_path: Path, server: str) -> None:
    """A tokenizer and a length that the benchmark names are not replaced."""
    said = {"tokenizer": "gpt2", "tokenizer_backend": "huggingface", "max_length": 99}
    given = started(tmp_path, f"{server}/vllm/v1", "local-completions", **said)
    assert given["config"]["model_args"].items() >= said.items()


def test_helpers_are_found_in_one_folder_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module beside a task's functions can be imported; of two with one name, neither is taken for the other."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "beside_a_task.py").write_text(f"FOLDER = {name!r}\n")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, job.TaskModules([str(tmp_path / "a"), str(tmp_path / "b")])])
    with pytest.raises(ImportError, match="several folders of the task files have a Python module beside_a_task"):
        importlib.import_module("beside_a_task")
    (tmp_path / "a" / "beside_a_task.py").unlink()
    assert importlib.import_module("beside_a_task").FOLDER == "b"
    del sys.modules["beside_a_task"]


def test_each_repetition_has_a_seed(tmp_path: Path, server: str) -> None:
    """The first keeps the eval's seed, each later one has its own; greedy requests all keep it."""
    assert started(tmp_path, f"{server}/vllm/v1", "local-chat-completions")["seeds"] == [3, 103, 203, 3, 3]
