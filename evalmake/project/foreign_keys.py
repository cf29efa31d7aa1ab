"""Keys as other tools call them: what to write here instead."""

from __future__ import annotations

from collections.abc import Mapping

from evalmake.project import catalog

REQUEST_PARAMETERS = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "max_new_tokens",
    "max_completion_tokens",
    "stop",
    "frequency_penalty",
    "presence_penalty",
)
_NAMES: Mapping[str, Mapping[str, str]] = {
    "model": {
        "base_url": "endpoint",
        "url": "endpoint",
        "api_base": "endpoint",
        "host": "endpoint",
        "server": "endpoint",
        "model": "name",
        "model_name": "name",
        "model_id": "name",
        "key": "api_key",
        "token": "api_key",
        "rpm": "rate",
        "rate_limit": "rate",
        "parallel": "concurrency",
        "max_concurrency": "concurrency",
    },
    "benchmark": {
        "data": "files",
        "data_files": "files",
        "num_fewshot": "fewshot",
        "n_shot": "fewshot",
        "shots": "fewshot",
        "template": "prompt",
        "input": "prompt",
        "question": "prompt",
        "system_prompt": "system",
        "system_message": "system",
        "expected": "target",
        "answer": "target",
        "reference": "target",
        "options": "choices",
        "metrics": "metric",
        "filter": "where",
        "subset": "where",
        "split": "where",
        "regex": "pattern",
        "ignore_case": "normalize",
        "grader": "judge",
    },
    "eval": {
        "n": "limit",
        "num_samples": "limit",
        "max_samples": "limit",
        "limit_samples": "limit",
        "backend": "executor",
        "max_retries": "retries",
    },
    "report": {
        "columns": "column",
        "cols": "column",
        "row": "rows",
        "file": "path",
        "output": "path",
        "out": "path",
        "evals": "of",
        "targets": "of",
        "results": "of",
        "baseline": "compare",
        "averages": "average",
        "mean": "average",
        "macro": "average",
        "micro": "pooled",
        "max": "best",
        "groups": "sections",
        "type": "format",
    },
}
"""Kind -> a key of another tool -> the key here."""
_SYSTEM = 'write `adapter = { system = "..." }`; as an axis: `adapter.system in [SHORT, LONG]`'
_FORMS: Mapping[str, Mapping[str, str]] = {
    "model": {
        "system": 'write `adapter = { system = "..." }`',
        "system_prompt": 'write `adapter = { system = "..." }`',
    },
    "benchmark": {"threshold": "a bound belongs in an eval: `require METRIC >= 0.8`"},
    "eval": {
        "system": _SYSTEM,
        "system_prompt": _SYSTEM,
        "system_message": _SYSTEM,
        "models": "an axis makes a cell for each model: `model in [a, b]`",
        "tasks": "an axis makes a cell for each benchmark: `benchmark in [a, b]`",
        "benchmarks": "an axis makes a cell for each benchmark: `benchmark in [a, b]`",
        "seeds": "an axis makes a cell for each seed: `seed in 1..3`",
        "epochs": "to ask each question again, write `repeats = 3`, or add seeds: `seed in 1..3`",
        "threshold": "a bound is a requirement: `require METRIC >= 0.8`",
        "gate": "a bound is a requirement: `require METRIC >= 0.8`",
        "parallel": "`evalmake -j N`, or `slots` of the executor, bounds what runs at a time",
        "env": "the `env` of the executor is that of its jobs",
        "tags": 'an alias names several targets: `nightly: a b`; `tags = "{topic}"` of a benchmark groups its records',
        "weight": 'records have weights by a benchmark: `weight = "{share}"`; benchmarks have them in a report: '
        "`average = { NAME = { a = 2, b = 1 } }`",
    },
    "report": {
        "title": "a report is titled by its name: `report NAME { ... }`",
        "name": "a report is titled by its name: `report NAME { ... }`",
        "metric": 'a benchmark names the metric that reports show first: `metric = "..."`',
        "metrics": 'a report has all metrics; a benchmark names the one that it shows first: `metric = "..."`',
        "weights": "weights belong to an average: `average = { NAME = { a = 2, b = 1 } }`",
        "sort": "rows stand in the order of the Evalfile",
        "confidence": "write `settings { confidence = 99% }`, or `confidence` in an eval",
    },
}
"""Kind -> a key of another tool -> what to write here."""


_COMMAND = "`harness = command` runs any program; `evalmake help command` says how"
_PLUGINS: Mapping[str, Mapping[str, str]] = {
    "benchmark": {
        "promptfoo": "`evalmake import promptfooconfig.yaml` makes an Evalfile of one of its configurations",
        "nemo-evaluator": "its benchmarks are in the catalog: `evalmake catalog`",
        "openai": 'write `include "catalog:simple-evals"`',
        **dict.fromkeys(("lighteval", "opencompass", "deepeval", "olmes", "evals", "python", "shell"), _COMMAND),
    },
    "deployment": dict.fromkeys(
        ("ollama", "llama-cpp", "llamacpp", "tgi", "lmdeploy", "mlx", "localai"),
        "`engine = command` starts any server that has OpenAI's API: `run = ...`",
    ),
    "report": {
        **dict.fromkeys(("csv", "latex", "tex"), "`evalmake results --format {name}` prints the scores so"),
        "pdf": "write html, and print the page to a file",
        **dict.fromkeys(("table", "text", "txt", "md"), "write `format = markdown`"),
        **dict.fromkeys(("jsonl", "yaml"), "write `format = json`"),
    },
}
"""Kind -> a plugin that others have -> what there is here."""


_OWN_SCORER = "write `scorer = python`, with a function of your own in `scorer_file`"
_WORDS: Mapping[str, Mapping[str, str]] = {
    "scorer": {
        **dict.fromkeys(("llm", "llm-rubric", "model_graded_qa", "model_graded_fact", "g-eval", "rubric"), "judge"),
        **dict.fromkeys(("exact_match", "em", "match", "equals"), "exact"),
        **dict.fromkeys(("mcq", "multiple_choice", "letter"), "choice"),
        **dict.fromkeys(("includes", "substring", "icontains"), "contains"),
        **dict.fromkeys(("numeric", "numerical", "integer", "gsm8k"), "number"),
        **dict.fromkeys(("code", "custom", "function", "javascript"), "python"),
        **dict.fromkeys(("rouge", "bleu", "meteor", "chrf", "bertscore"), _OWN_SCORER),
        "pattern": "regex",
    }
}
"""A key -> a word of other tools -> the word here, or what to write."""


def find_own_word(key: str, word: str) -> str | None:
    """The word that a key takes for what other tools call `word`, or help where it takes none."""
    return _WORDS.get(key, {}).get(word)


def suggest_plugin(kind: str, name: str) -> list[str]:
    """Help for a plugin that is not there, such as a format of reports."""
    help = _PLUGINS.get(kind, {}).get(name)
    if kind == "benchmark" and help is None and name in catalog.harness_names():
        return [f'write `include "catalog:{name}"`, which declares its benchmarks']
    return [help.format(name={"tex": "latex"}.get(name, name))] if help else []


def find_own_name(kind: str, key: str) -> str | None:
    """The key of `kind` that another tool calls `key`."""
    return _NAMES.get(kind, {}).get(key)


def suggest_form(kind: str, key: str) -> list[str]:
    """Help for a key of another tool that has no counterpart of its own."""
    if key in REQUEST_PARAMETERS:
        return [f"`{key}` is a parameter of requests: `params = {{ {key} = ... }}`"]
    return [form] if (form := _FORMS.get(kind, {}).get(key)) else []
