"""The `nemo` harness: NVIDIA's evaluation harnesses, wheels or containers, through `run_eval`.

The benchmark's `task` is the evaluation type, for example `simple_evals.mgsm`. The harness sends its
requests straight to `$EVALMAKE_MODEL_URL`, without NeMo Evaluator's proxy, cache or retries. (`proxy =
true` turns the proxy on, for versions without a client mode.) The benchmark's files are in the
harness's working folder, which is also $NEMO_EVALUATOR_DATASET_DIR. A benchmark with files gets a data
set cache of its own: Hugging Face identifies a cached folder by its name, so a shared cache returns the
rows of another folder of that name. In an image and without files, the harness runs in the image's
working directory, and `/results` is a link to the results folder, as NVIDIA's contract has it.

The harness gets no seed: `run_eval` has no field for one. A harness that takes a seed has it in `extra`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator

from evalmake.harnesses.hub_environment import build_hub_environment
from evalmake.harnesses.log_errors import holds_text
from evalmake.harnesses.nemo.judges import (
    AZURE_JUDGE,
    build_extra,
    build_judge_arguments,
    check_judge,
    has_azure_judge,
)
from evalmake.harnesses.nemo.results import read_run
from evalmake.harnesses.task_keys import refuse_dataset_files, refuse_fewshot, require_task
from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.harness import Command, Outcome, Program
from evalmake.project.catalog import find_counterparts, find_keys, find_lacks, fit_to_repeats
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, Count, ModelName, Parameters, define_key, read_symbol
from evalmake.project.matrix import Evaluation

Endpoint = Literal["chat", "completions", "completions_logprob", "embedding", "vlm"]
_RENAMED_PARAMS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_new_tokens",
    "max_new_tokens": "max_new_tokens",
}
_ENDPOINT_OF_API = {"chat": "chat", "completions": "completions", "embeddings": "embedding", "vlm": "vlm"}
_APIS_OF_ENDPOINT = {
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
{port}cd "$place"
{before}"$run_eval" run_eval --run_config "$config" \\
    --model_url "$EVALMAKE_MODEL_URL{route}" \\
    --model_id "$EVALMAKE_MODEL_NAME" \\
    --output_dir "$EVALMAKE_OUT/nemo"{judge}
"""
_PORT = """\
ADAPTER_PORT=$("${{1:-python3}}" -c "import socket; print(socket.create_server(('127.0.0.1', 0)).getsockname()[1])")
export ADAPTER_PORT
"""
"""A port for NeMo Evaluator's proxy. It looks for the first free one itself, and takes whatever listens there for its
own: of two jobs that start at once on a machine, one would ask through the other's proxy."""
_SETUP = """\
set +eu
. "${{config%/*}}/setup.sh" || exit
set -eu
"""
"""The end of the lines counts, as in NVIDIA's launcher; they may set variables and change the folder."""
_CLEANUP = """\
trap 'status=$?; set +eu; . "${{config%/*}}/cleanup.sh"; exit $status' EXIT
"""
_NOT_JUDGED = "will use exact matching for evaluation"
"""VLMEvalKit's warning that it grades without its judge."""

_SAFETY_PREFIX = "safety_eval."
"""Safety Harness compares the type that it is given with its tasks' plain names: `safety_eval.aegis_v2_reasoning` would
not look at the reasoning, and `safety_eval.compliance` would end without a result."""


class NemoHarness:
    """Runs `nemo-evaluator run_eval`, or `eval-factory run_eval` where that is what there is."""

    class Settings(Block):
        """NVIDIA's packaged harnesses."""

        endpoint: Annotated[Endpoint | None, BeforeValidator(read_symbol)] = define_key(
            None, "The kind of endpoint that the task asks.", "chat", unset="that of the `api` of the model"
        )
        inner: str | None = define_key(None, "The name that the harness itself has for the task.", '"gpqa_diamond"')
        extra: Parameters | None = define_key(
            None, "The harness's own parameters, `params.extra` of its configuration.", "{ n_samples = 4 }"
        )
        judge: ModelName | None = define_key(None, "The model that grades the replies.", "grader")
        judge_route: str = define_key(
            "", "The end of the URL of the judge, such as `/chat/completions`.", '"/chat/completions"'
        )
        judge_key: str | None = define_key(
            None, "The harness's parameter for the name of the variable that holds the judge's key.", '"api_key"'
        )
        azure_judge: bool | None = define_key(
            None,
            "Whether the harness asks its judge as Azure's `gpt-4o`; the gateway takes that, too.",
            "true",
            unset="as the catalog says of the task",
        )
        setup: str | None = define_key(
            None, "Lines of shell that run before the harness, in its shell.", '"pip install sacrebleu"'
        )
        cleanup: str | None = define_key(
            None,
            "Lines of shell that run after the harness, whether or not it failed.",
            "'cp -r logs \"$EVALMAKE_OUT\"'",
        )
        judge_name: str | None = define_key(
            None,
            "The name by which the harness must know its judge; the gateway sends the judge's own.",
            '"gpt-4"',
            unset="that of the model",
        )
        proxy: bool = define_key(False, "Whether the adapter of NeMo Evaluator runs, too.", "true")
        offline: bool = define_key(
            False, "Keeps the harness from contacting hubs; everything it needs must be cached.", "true"
        )
        parallelism: Count | None = define_key(
            None, "How many requests the harness sends at the same time.", "16", unset="the `concurrency` of the model"
        )
        means: Parameters | None = define_key(
            None,
            "Metrics that the harness lacks, each the mean of those that it lists, in which `*` is any text.",
            '{ pass_rate = ["*_pass_rate_pass_rate"] }',
        )
        stream: bool | None = define_key(
            None, "Whether the harness asks for streamed replies, where it has the choice.", "true", unset="no"
        )
        max_retries: Count = define_key(1, "How often the harness itself tries a request.", "3")
        request_timeout: Count | None = define_key(None, "How many seconds the harness waits for one reply.", "600")

    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""
    program: ClassVar[Program] = Program("nemo_evaluator", "nemo-evaluator==0.2.8")
    placement: ClassVar[tuple[str, ...]] = (
        "means",
        "judge_name",
        "azure_judge",
        "parallelism",
        "max_retries",
        "request_timeout",
        "proxy",
        "offline",
    )

    def command(self, evaluation: Evaluation) -> Command:
        """Build `run_eval`; its configuration is JSON, which is also YAML."""
        block, settings = evaluation.benchmark.block, _settings_of(evaluation.benchmark)
        endpoint = _endpoint_kind(evaluation.benchmark, evaluation.model)
        files = {
            "run_config.json": json.dumps(_build_run_config(evaluation), indent=1, ensure_ascii=False),
            "nemo.sh": _SCRIPT.format(
                route=_ROUTES[endpoint],
                judge=build_judge_arguments(evaluation.benchmark, settings),
                port=_PORT.format() if settings.proxy else "",
                before=_build_start(evaluation.benchmark),
            ),
        }
        files |= {"setup.sh": f"{settings.setup}\n"} if settings.setup else {}
        files |= {"cleanup.sh": f"{settings.cleanup}\n"} if settings.cleanup else {}
        given = block.files.files if block.files else ()
        inputs = {f"data/{file.name}": file.path for file in given}
        python = () if block.image else ("{python}",)
        env = {**build_hub_environment(settings.offline), "NEMO_EVALUATOR_TELEMETRY_LEVEL": "0"}
        return Command(("/bin/sh", "-eu", "nemo.sh", *python), files, inputs, env)

    def outcome(self, evaluation: Evaluation, outputs: Path, status: int) -> Outcome:
        """Read results.yml; an interrupted run or unanswered requests are an error."""
        config = _build_run_config(evaluation)["config"]["params"]
        meant = [key for key in config if key not in ("parallelism", "max_retries", "request_timeout", "extra")]
        settings = _settings_of(evaluation.benchmark)
        meant += [f"extra.{key}" for key in config["extra"]]
        is_azure = has_azure_judge(evaluation.benchmark, settings)
        meant += ["extra.judge"] if settings.judge and not is_azure else []
        if settings.judge and is_azure and holds_text(outputs.parent / "log", _NOT_JUDGED):
            return Outcome(error="the harness gave its judge up, and graded without it: see the log")
        return read_run(outputs, status, evaluation.benchmark.block.metric, meant, settings.means or {})

    @staticmethod
    def renames_judge(benchmark: Declaration) -> bool:
        """Whether requests to the judge carry another name than its own."""
        settings = _settings_of(benchmark)
        return settings.judge_name is not None or has_azure_judge(benchmark, settings)

    @staticmethod
    def check_benchmark(benchmark: Declaration, diagnostics: Diagnostics) -> None:
        """Check that a task is named and that every key has a counterpart in `run_eval`."""
        require_task(benchmark, 'add the type of the evaluation, such as `task = "simple_evals.mgsm"`', diagnostics)
        reason = "each of NVIDIA's harnesses has its own name for it"
        refuse_fewshot(benchmark, reason, "give it to the harness: `extra = { num_fewshot = 5 }`", diagnostics)
        refuse_dataset_files(benchmark, diagnostics)
        _check_means(benchmark, diagnostics)

    @staticmethod
    def check_cell(cell: Evaluation, models: Mapping[str, Declaration], diagnostics: Diagnostics) -> None:
        """Check that the model serves the task's API and that `run_eval` can send the parameters."""
        about, endpoint = f"eval {cell.eval}", _endpoint_kind(cell.benchmark, cell.model)
        if cell.model.block.api not in _APIS_OF_ENDPOINT[endpoint]:
            api, served = cell.model.fields.spans.get(("api",)), cell.model.block.api
            diagnostics.error(
                "bad-value",
                f"the task needs {endpoint}, and model `{cell.model.name}` serves {served}",
                api.value if api else cell.model.span,
                about=about,
                also=[(cell.benchmark.fields.spans["endpoint",].value, "required here")],
                help=_suggest_alternatives(cell, endpoint, models),
            )
        _check_lacks(cell, diagnostics)
        check_judge(cell, _settings_of(cell.benchmark), diagnostics)
        _check_repeats(cell, diagnostics)
        for key in cell.params:
            if key not in _RENAMED_PARAMS:
                known = ", ".join(sorted(set(_RENAMED_PARAMS) - {"max_new_tokens"}))
                diagnostics.error(
                    "bad-value",
                    f"`params`: the nemo harness cannot send `{key}`",
                    cell.span,
                    about=about,
                    notes=[f"it can send {known}"],
                    help=[f"let the gateway add it: adapter = {{ params = {{ {key} = ... }} }}"],
                )


def _settings_of(benchmark: Declaration) -> NemoHarness.Settings:
    assert isinstance(benchmark.settings, NemoHarness.Settings)
    return benchmark.settings


def _check_lacks(cell: Evaluation, diagnostics: Diagnostics) -> None:
    """Check that the task has a place for a judge and a limit, where they are given: it would ignore them."""
    lacks, about = find_lacks(cell.benchmark.fields.values), f"eval {cell.eval}"
    if "limit" in lacks and cell.limit is not None:
        message = "the task takes no `limit`: it always asks everything"
        span = cell.variant.fields.spans.get(("limit",))
        diagnostics.error("bad-value", message, span.value if span else cell.span, about=about)
    if "judge" in lacks and _settings_of(cell.benchmark).judge:
        diagnostics.error(
            "bad-value",
            "the task takes no `judge`: it would be graded without it",
            cell.benchmark.fields.spans["judge",].value,
            about=about,
            help=["see `evalmake catalog show` for what grades it; `extra` holds the harness's own parameters"],
        )


def _check_repeats(cell: Evaluation, diagnostics: Diagnostics) -> None:
    """Check that the catalog's metric is of as many samples of each question as are asked for."""
    benchmark = cell.benchmark
    metric, repeats = benchmark.block.metric or "", (_settings_of(benchmark).extra or {}).get("num_repeats")
    if not isinstance(repeats, int) or metric != find_keys(benchmark.fields.values).get("metric"):
        return
    fit = fit_to_repeats(metric, repeats)
    if fit != metric:
        diagnostics.error(
            "bad-value",
            f"with `num_repeats = {repeats}`, the harness does not report `{metric}` of all samples",
            benchmark.fields.spans["extra",].value,
            about=f"eval {cell.eval}",
            help=[f'write `metric = "{fit}"`'],
        )


def _check_means(benchmark: Declaration, diagnostics: Diagnostics) -> None:
    for name, metrics in (_settings_of(benchmark).means or {}).items():
        if not isinstance(metrics, tuple | list) or not metrics or not all(isinstance(one, str) for one in metrics):
            diagnostics.error(
                "bad-value",
                f"`means`: `{name}` lists no names of metrics",
                benchmark.fields.spans["means",].value,
                about=f"benchmark {benchmark.name}",
                help=[f'write `means = {{ {name} = ["METRIC", "METRIC"] }}`'],
            )


def _suggest_alternatives(cell: Evaluation, endpoint: str, models: Mapping[str, Declaration]) -> list[str]:
    """Suggest a model that serves the benchmark, and benchmarks that this model serves."""
    served, api = _APIS_OF_ENDPOINT[endpoint], cell.model.block.api
    fit = next((model.name for model in models.values() if model.block.api in served), None)
    parsed = cell.benchmark.parsed
    name = parsed.node.parents[0].text if parsed and parsed.node.parents else cell.benchmark.name
    kinds = tuple(kind for kind, apis in _APIS_OF_ENDPOINT.items() if api in apis)
    twins = [f"`{twin}` is the same benchmark for {api}" for twin in find_counterparts(name, kinds)]
    return [
        f"model `{fit}` serves it" if fit else f"a model for it has `api = {served[0]}`",
        *twins,
    ]


def _build_start(benchmark: Declaration) -> str:
    """Build what stands before the command: a shell that has to clean up stays, another becomes the harness."""
    settings = _settings_of(benchmark)
    setup = _SETUP.format() if settings.setup else ""
    setup += AZURE_JUDGE if settings.judge and has_azure_judge(benchmark, settings) else ""
    return _CLEANUP.format() + setup if settings.cleanup else f"{setup}exec "


def _endpoint_kind(benchmark: Declaration, model: Declaration) -> str:
    """The endpoint type in NVIDIA's terms."""
    return _settings_of(benchmark).endpoint or _ENDPOINT_OF_API[model.block.api]


def _build_run_config(evaluation: Evaluation) -> dict[str, Any]:
    """Build the configuration without the fields that only the job knows."""
    settings = _settings_of(evaluation.benchmark)
    params = {_RENAMED_PARAMS[key]: value for key, value in evaluation.params.items() if key in _RENAMED_PARAMS}
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
            "type": (evaluation.benchmark.block.task or "").removeprefix(_SAFETY_PREFIX),
            "params": {key: value for key, value in given.items() if value is not None}
            | {"extra": build_extra(settings)},
        },
        "target": {
            "api_endpoint": {
                "type": _endpoint_kind(evaluation.benchmark, evaluation.model),
                "api_key_name": "EVALMAKE_API_KEY",
                **({} if settings.stream is None else {"stream": settings.stream}),
                "adapter_config": adapter if settings.proxy else adapter | {"mode": "client"},
            }
        },
    }
