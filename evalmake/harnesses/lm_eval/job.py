"""Starts lm-eval in a job's folder, with an interpreter that has it and need not have evalmake.

`run.json` is lm-eval's own configuration without what only the job knows: the model's name and
address, where results go, and which tokenizer the server offers. The key stays in the environment:
whatever is an argument of lm-eval's is written into its results.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import shutil
import sys
import urllib.request
from pathlib import Path
from typing import Any

TASKS = Path("tasks")


def main() -> None:
    """Complete the configuration and hand over to lm-eval."""
    config = json.loads(Path("run.json").read_text(encoding="utf-8"))
    key = os.environ.get("EVALMAKE_API_KEY") or "none"
    os.environ["OPENAI_API_KEY"] = key
    _complete(config["model_args"], config["model"] == "local-completions", key)
    config["output_path"] = str(Path(os.environ["EVALMAKE_OUT"], "lm-eval").absolute())
    yaml = importlib.import_module("yaml")  # JSON is not quite YAML: 1e-05 would be a text
    path = Path("run.yaml").absolute()
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    if TASKS.is_dir():
        _make_real(TASKS)
        os.chdir(TASKS)  # what a task file names is beside it
    sys.argv = ["lm_eval", "run", "--config", str(path)]
    runpy.run_module("lm_eval", run_name="__main__", alter_sys=True)


def _complete(arguments: dict[str, Any], by_likelihood: bool, key: str) -> None:
    url = os.environ["EVALMAKE_MODEL_URL"]
    arguments["model"] = os.environ["EVALMAKE_MODEL_NAME"]
    arguments["base_url"] = f"{url}/{'completions' if by_likelihood else 'chat/completions'}"
    if not by_likelihood:
        return
    if "tokenizer_backend" not in arguments:
        offered = _ask(f"{url.removesuffix('/v1')}/tokenizer_info", key) is not None
        arguments["tokenizer_backend"] = "remote" if offered else "none"
    if arguments["tokenizer_backend"] == "none":
        arguments["tokenized_requests"] = False
        return
    _authorise(key)
    longest = _longest(url, arguments["model"], key)
    if "max_length" not in arguments and longest is not None:
        arguments["max_length"] = longest  # else lm-eval cuts prompts to 2048 tokens


def _longest(url: str, model: str, key: str) -> int | None:
    """The tokens that the server says fit into the model, as vLLM and SGLang do."""
    listed = (_ask(f"{url}/models", key) or {}).get("data") or []
    found = [one.get("max_model_len") for one in listed if one.get("id") == model]
    return found[0] if found and isinstance(found[0], int) else None


def _ask(url: str, key: str) -> dict[str, Any] | None:
    """A JSON object from the server; None where it has none there."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            found = json.load(reply)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _authorise(key: str) -> None:
    """Let lm-eval's client of the server's tokenizer send the key, which else is an argument."""
    utils = importlib.import_module("lm_eval.utils")
    plain: Any = getattr(utils, "RemoteTokenizer", None)
    if plain is None:
        return

    def remote(base_url: str, *more: Any, **named: Any) -> Any:
        return plain(base_url, *more[:3], **{**named, "auth_token": key})

    utils.RemoteTokenizer = remote  # type: ignore[attr-defined]


def _make_real(folder: Path) -> None:
    """Put files in the place of links: lm-eval looks for a task file's neighbours where it truly lies."""
    for path in [path for path in folder.rglob("*") if path.is_symlink()]:
        source = path.resolve()
        path.unlink()
        try:
            os.link(source, path)
        except OSError:
            shutil.copyfile(source, path)


if __name__ == "__main__":
    main()
