"""NVIDIA's evaluation harnesses, by the contract of their wheels and containers: `run_eval`.

The benchmark's `task` is the evaluation's type, as `simple_evals.mgsm`.  The harness talks straight
to `$EVALMAKE_MODEL_URL`: NeMo Evaluator's own proxy is left out (`proxy = true` puts it back, for a
version that has no client mode), and it neither caches nor repeats.  The benchmark's files lie in
the folder in which the harness runs, which is also $NEMO_EVALUATOR_DATASET_DIR.  With files there is
a cache of data sets for the job alone: Hugging Face's knows a folder by its name, and gives the rows
that another folder of that name had.  In an image, and without files, it runs where the image
says, and `/results` leads to where results are left, as the contract has it.

It is given no seed, as its configuration has no place for one; where a harness has, it is in `extra`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from evalmake.harnesses.nemo.results import read_run
from evalmake.language.diagnostic import Diagnostics
from evalmake.language.values import Symbol
from evalmake.plugin_api.harness import Command, Outcome, Program
from evalmake.project.catalog import find_counterparts
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, Count, ModelName, Parameters, Real
from evalmake.project.matrix import Evaluation

Endpoint = Literal["chat", "completions", "completions_logprob", "embedding", "vlm"]
_PARAMS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_new_tokens",
    "max_new_tokens": "max_new_tokens",
}
_BY_API = {"chat": "chat", "completions": "completions", "embeddings": "embedding", "vlm": "vlm"}
_SERVED_BY = {
    "chat": ("chat", "vlm"),
    "completions": ("completions",),
    "completions_logprob": ("completions",),
    "embedding": ("embeddings",),
    "vlm": ("vlm",),
}
_ROUTES = {
    "chat": "/chat/completions",
    "vlm": "/chat/completions",
    "embedding": "/embeddings",
    "completions": "/completions",
    "completions_logprob": "/completions",
}
_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
_SCRIPT = """\
export EVALMAKE_API_KEY="${{EVALMAKE_API_KEY:-none}}" EVALMAKE_JUDGE_API_KEY="${{EVALMAKE_JUDGE_API_KEY:-none}}"
[ $# -eq 0 ] || PATH="$(dirname "$1"):$PATH"
run_eval=$(command -v nemo-evaluator || command -v eval-factory) || {{
    echo "neither nemo-evaluator nor eval-factory is on the PATH"
    exit 127
}}
config="$PWD/run_config.json"
place="$PWD/data"
if [ -d data ]; then
    export HF_DATASETS_CACHE="$PWD/cache"
elif [ -n "${{EVALMAKE_IMAGE_WORKDIR:-}}" ]; then
    place=$EVALMAKE_IMAGE_WORKDIR
    [ -e /results ] || ln -s "$EVALMAKE_OUT/nemo" /results 2>/dev/null || :
fi
mkdir -p data "$EVALMAKE_OUT/nemo"
export NEMO_EVALUATOR_DATASET_DIR="$PWD/data"
cd "$place"
exec "$run_eval" run_eval --run_config "$config" \\
    --model_url "$EVALMAKE_MODEL_URL{route}" \\
    --model_id "$EVALMAKE_MODEL_NAME" \\
    --output_dir "$EVALMAKE_OUT/nemo"{judge}
"""
_JUDGE = """ \\
    --overrides "config.params.extra.judge.url=$EVALMAKE_JUDGE_URL{route},\\
config.params.extra.judge.model_id=$EVALMAKE_JUDGE_NAME,\\
config.params.extra.judge.{key}=EVALMAKE_JUDGE_API_KEY"
"""


def _word(value: object) -> object:
    return value.text if isinstance(value, Symbol) else value


class NemoHarness:
    """Runs `nemo-evaluator run_eval`, or `eval-factory run_eval` where that is what there is."""

    class Settings(Block):
        """What `harness = nemo` may say.

        `endpoint` is the kind that the task asks for, by default that of the model's `api`; `inner`
        is what the harness itself calls the task, and `extra` its own parameters, the `params.task`
        and `params.extra` of the contract.  `judge` is the model that it calls the judge, told it by
        a URL that ends in `judge_route`, and `judge_key` its word for the variable with the judge's
        key.  `request_timeout` is in seconds.
        """

        endpoint: Annotated[Endpoint | None, BeforeValidator(_word)] = None
        inner: str | None = None
        extra: Parameters | None = None
        judge: ModelName | None = None
        judge_route: str = ""
        judge_key: str | None = None
        proxy: bool = False
        offline: bool = False
        coverage: Real = Field(default=1.0, ge=0, le=1)
        parallelism: Count | None = None
        max_retries: Count = 1
        request_timeout: Count | None = None

    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""
    program: ClassVar[Program] = Program("nemo_evaluator", "nemo-evaluator==0.2.8")
    placement: ClassVar[tuple[str, ...]] = (
        "coverage",
        "parallelism",
        "max_retries",
        "request_timeout",
        "proxy",
        "offline",
    )

    def command(self, evaluation: Evaluation) -> Command:
        """`run_eval` with its configuration as JSON, which is YAML too."""
        block, settings = evaluation.benchmark.block, _settings(evaluation.benchmark)
        endpoint = _endpoint(evaluation.benchmark, evaluation.model)
        files = {
            "run_config.json": json.dumps(_run_config(evaluation), indent=1, ensure_ascii=False),
            "nemo.sh": _SCRIPT.format(route=_ROUTES[endpoint], judge=_told_judge(settings)),
        }
        given = block.files.files if block.files else ()
        inputs = {f"data/{file.name}": file.path for file in given}
        python = () if block.image else ("{python}",)
        env = {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
        env["NEMO_EVALUATOR_TELEMETRY_LEVEL"] = "0"
        env |= dict.fromkeys(_OFFLINE, "1") if settings.offline else {}
        return Command(("/bin/sh", "-eu", "nemo.sh", *python), files, inputs, env)

    def outcome(self, evaluation: Evaluation, outputs: Path, status: int) -> Outcome:
        """What its results.yml says, where nothing says that it was interrupted or left unasked."""
        config = _run_config(evaluation)["config"]["params"]
        meant = [key for key in config if key not in ("parallelism", "max_retries", "request_timeout", "extra")]
        settings = _settings(evaluation.benchmark)
        meant += [f"extra.{key}" for key in config["extra"]]
        meant += ["extra.judge"] if settings.judge else []
        return read_run(outputs, status, evaluation.benchmark.block.metric, meant, settings.coverage)

    @staticmethod
    def check_benchmark(benchmark: Declaration, found: Diagnostics) -> None:
        """A task must be named, and a request be what the contract can say."""
        block, spans = benchmark.block, benchmark.fields.spans
        about = f"benchmark {benchmark.name}"
        if not block.task:
            found.error(
                "missing-key",
                "the nemo harness needs `task`",
                benchmark.parsed.name_span if benchmark.parsed else benchmark.span,
                about=about,
                help=['add the evaluation\'s type, as `task = "simple_evals.mgsm"`'],
            )
        if block.fewshot is not None:
            found.error(
                "bad-value",
                "`fewshot`: each of NVIDIA's harnesses has its own word for it",
                spans["fewshot",].value,
                about=about,
                help=["give it to the harness, as `extra = { num_fewshot = 5 }`"],
            )

    @staticmethod
    def check_cell(cell: Evaluation, models: Mapping[str, Declaration], found: Diagnostics) -> None:
        """The model must be served as the task asks, and its parameters be those of the contract."""
        about, endpoint = f"eval {cell.eval}", _endpoint(cell.benchmark, cell.model)
        if cell.model.block.api not in _SERVED_BY[endpoint]:
            api, served = cell.model.fields.spans.get(("api",)), cell.model.block.api
            found.error(
                "bad-value",
                f"the task asks for {endpoint}, and model `{cell.model.name}` serves {served}",
                api.value if api else cell.model.span,
                about=about,
                also=[(cell.benchmark.fields.spans["endpoint",].value, "it is asked for here")],
                help=_instead(cell, endpoint, models),
            )
        for key in cell.params:
            if key not in _PARAMS:
                known = ", ".join(sorted(set(_PARAMS) - {"max_new_tokens"}))
                found.error(
                    "bad-value",
                    f"`params`: the nemo harness cannot send `{key}`",
                    cell.span,
                    about=about,
                    notes=[f"it can send {known}"],
                    help=[f"have it added on the way to the model: adapter = {{ params = {{ {key} = ... }} }}"],
                )


def _settings(benchmark: Declaration) -> NemoHarness.Settings:
    assert isinstance(benchmark.settings, NemoHarness.Settings)
    return benchmark.settings


def _instead(cell: Evaluation, endpoint: str, models: Mapping[str, Declaration]) -> list[str]:
    """Another model for the benchmark, and another benchmark for the model."""
    served, api = _SERVED_BY[endpoint], cell.model.block.api
    fit = next((model.name for model in models.values() if model.block.api in served), None)
    parsed = cell.benchmark.parsed
    name = parsed.node.parent.text if parsed and parsed.node.parent else cell.benchmark.name
    kinds = tuple(kind for kind, apis in _SERVED_BY.items() if api in apis)
    twins = [f"`{twin}` asks the same of {api}" for twin in find_counterparts(name, kinds)]
    return [
        f"model `{fit}` serves it" if fit else f"a model for it has `api = {served[0]}`",
        *twins,
    ]


def _told_judge(settings: NemoHarness.Settings) -> str:
    """The arguments that name the judge, where there is one."""
    if not settings.judge:
        return ""
    key = settings.judge_key or "api_key"
    return _JUDGE.format(route=settings.judge_route, key=key).rstrip("\n")


def _endpoint(benchmark: Declaration, model: Declaration) -> str:
    """The kind of endpoint by NVIDIA's word."""
    return _settings(benchmark).endpoint or _BY_API[model.block.api]


def _run_config(evaluation: Evaluation) -> dict[str, Any]:
    """All but what only the job knows: the model's address and name, and where results go."""
    settings = _settings(evaluation.benchmark)
    params = {_PARAMS[key]: value for key, value in evaluation.params.items() if key in _PARAMS}
    given = {
        **params,
        "limit_samples": evaluation.limit,
        "task": settings.inner,
        "parallelism": settings.parallelism or evaluation.model.block.concurrency,
        "max_retries": settings.max_retries,
        "request_timeout": settings.request_timeout,
    }
    adapter = {
        "use_caching": False,
        "tracking_requests_stats": False,
        "generate_html_report": False,
    }
    return {
        "config": {
            "type": evaluation.benchmark.block.task,
            "params": {key: value for key, value in given.items() if value is not None}
            | {"extra": settings.extra or {}},
        },
        "target": {
            "api_endpoint": {
                "type": _endpoint(evaluation.benchmark, evaluation.model),
                "api_key_name": "EVALMAKE_API_KEY",
                "adapter_config": adapter if settings.proxy else adapter | {"mode": "client"},
            }
        },
    }
