"""Starts lm-eval in a job's folder, with an interpreter that has lm-eval; it need not have evalmake.

`run.json` is lm-eval's configuration without the fields that only the job knows: the model's name and
address, the folder for results, and the server's tokenizer. The key stays in the environment, because
lm-eval writes its arguments into its results.

lm-eval sends one seed with every request, so all `repeats` of a sample would be the same sample. Here each repetition
after the first gets a seed of its own, if it is sampled at all.
"""

from __future__ import annotations

import copy
import importlib
import json
import os
import runpy
import shutil
import sys
import urllib.request
from collections import Counter
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

TASKS = Path("tasks")


def main() -> None:
    """Complete the configuration and run lm-eval."""
    config = json.loads(Path("run.json").read_text(encoding="utf-8"))
    key = os.environ.get("EVALMAKE_API_KEY") or "none"
    os.environ["OPENAI_API_KEY"] = key
    _complete_model_args(config["model_args"], config["model"] == "local-completions", key)
    config["output_path"] = str(Path(os.environ["EVALMAKE_OUT"], "lm-eval").absolute())
    yaml = importlib.import_module("yaml")  # YAML reads JSON's 1e-05 as text
    path = Path("run.yaml").absolute()
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    if TASKS.is_dir():
        _replace_links_with_files(TASKS)
        os.chdir(TASKS)  # a task file names files relative to its own folder
        sys.meta_path.append(TaskModules(sorted({str(path.parent.absolute()) for path in Path().rglob("*.py")})))
    if step := int(os.environ.get("EVALMAKE_SEED_STEP", "0")):
        _seed_repetitions(step)
    if config["model_args"].get("tokenizer_backend", "none") != "none":
        _record_token_prompts(Path(config["output_path"]).parent / "token-prompts.txt")
    sys.argv = ["lm_eval", "run", "--config", str(path)]
    runpy.run_module("lm_eval", run_name="__main__", alter_sys=True)


class TaskModules:
    """Finds modules beside a task's functions, after all others: no helper hides a library of lm-eval's."""

    def __init__(self, folders: list[str]) -> None:
        self._folders = folders

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The module's spec; ImportError if two folders have one, as Python keeps one module of a name."""
        if path is not None:
            return None
        found = [spec for folder in self._folders if (spec := PathFinder.find_spec(name, [folder]))]
        if len(found) > 1:
            raise ImportError(f"several folders of the task files have a Python module {name}: rename one of them")
        return found[0] if found else None


def _complete_model_args(arguments: dict[str, Any], by_likelihood: bool, key: str) -> None:
    url = os.environ["EVALMAKE_MODEL_URL"]
    arguments["model"] = os.environ["EVALMAKE_MODEL_NAME"]
    arguments["base_url"] = f"{url}/{'completions' if by_likelihood else 'chat/completions'}"
    if not by_likelihood:
        return
    if "tokenizer_backend" not in arguments:
        offered = _get_json(f"{url.removesuffix('/v1')}/tokenizer_info", key) is not None
        arguments["tokenizer_backend"] = "remote" if offered else "none"
    if arguments["tokenizer_backend"] == "none":
        arguments["tokenized_requests"] = False
        return
    _send_key_to_tokenizer(key)
    longest = _get_max_length(url, arguments["model"], key)
    if "max_length" not in arguments and longest is not None:
        arguments["max_length"] = longest  # without it lm-eval truncates prompts to 2048 tokens


def _get_max_length(url: str, model: str, key: str) -> int | None:
    """Get the model's maximum length in tokens, which vLLM and SGLang report."""
    listed = (_get_json(f"{url}/models", key) or {}).get("data") or []
    found = [one.get("max_model_len") for one in listed if one.get("id") == model]
    return found[0] if found and isinstance(found[0], int) else None


def _get_json(url: str, key: str) -> dict[str, Any] | None:
    """Get a JSON object from the server; None if there is none at this URL."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            found = json.load(reply)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _send_key_to_tokenizer(key: str) -> None:
    """Make lm-eval's tokenizer client send the key without naming it in an argument."""
    utils = importlib.import_module("lm_eval.utils")
    plain: Any = getattr(utils, "RemoteTokenizer", None)
    if plain is None:
        return

    def remote(base_url: str, *more: Any, **named: Any) -> Any:
        return plain(base_url, *more[:3], **{**named, "auth_token": key})

    utils.RemoteTokenizer = remote  # type: ignore[attr-defined]


def _seed_repetitions(step: int) -> None:
    """Make lm-eval add `step` to the seed for each repetition of a request."""
    client: Any = importlib.import_module("lm_eval.models.api_models").TemplateAPI
    plain = client.generate_until

    def generate_until(self: Any, requests: list[Any], *more: Any, **named: Any) -> Any:
        seen: Counter[int] = Counter()
        changed = []
        for request in requests:  # lm-eval repeats a request by naming the same object again
            repetition = seen[id(request)]
            seen[id(request)] += 1
            changed.append(_add_to_seed(request, self._seed, repetition * step) if repetition else request)
        return plain(self, changed, *more, **named)

    client.generate_until = generate_until


def _add_to_seed(request: Any, seed: int, amount: int) -> Any:
    """A copy of the request with another seed; the request itself if it is greedy."""
    context, parameters, *more = request.arguments
    if not parameters.get("temperature"):
        return request
    changed = copy.copy(request)
    changed.arguments = (context, {**parameters, "seed": (parameters.get("seed", seed) + amount) % 2**31}, *more)
    return changed


def _record_token_prompts(path: Path) -> None:
    """Write down which text each prompt of token ids stands for, as digests: the gateway knows a request by its prompt.

    A line is `TEXT PROMPT`. A text for a perplexity may be several prompts.
    """
    client: Any = importlib.import_module("lm_eval.models.api_models").TemplateAPI
    digest = importlib.import_module("xxhash").xxh3_64_hexdigest
    ask, roll = client.amodel_call, client.loglikelihood_rolling
    whole_text = ""

    async def amodel_call(self: Any, **named: Any) -> Any:
        prompt = self.create_message(named["messages"])
        if prompt and isinstance(prompt[0], list):
            context, *more = (named.get("cache_keys") or [None])[0] or (whole_text,)
            text = context + "".join(part for part in more if isinstance(part, str))
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{digest(text.encode('utf-8', 'replace'))} {digest(json.dumps(prompt).encode())}\n")
        return await ask(self, **named)

    def loglikelihood_rolling(self: Any, requests: list[Any], *more: Any, **named: Any) -> Any:
        nonlocal whole_text
        found = []
        for request in requests:  # lm-eval asks for one text after another in any case
            (whole_text,) = request.args
            found += roll(self, [request], *more, **named)
        return found

    client.amodel_call, client.loglikelihood_rolling = amodel_call, loglikelihood_rolling


def _replace_links_with_files(folder: Path) -> None:
    """Replace symbolic links by files: lm-eval resolves a task file before it looks for its neighbours."""
    for path in [path for path in folder.rglob("*") if path.is_symlink()]:
        source = path.resolve()
        path.unlink()
        try:
            os.link(source, path)
        except OSError:
            shutil.copyfile(source, path)


if __name__ == "__main__":
    main()
