"""The `inspect` harness: a task of an installed package, or of one of the benchmark's own files.

Inspect sends every request to `$EVALMAKE_MODEL_URL` through its provider for OpenAI-compatible APIs.
The provider reads the address from $EVALMAKE_BASE_URL and the token from $EVALMAKE_API_KEY. Retries
of Inspect and of its HTTP client are off, because the gateway retries. Its reply cache starts empty.

A benchmark with data files gets a data set cache of its own in the job's folder: Inspect and Hugging
Face identify a cached file by its name, so a shared cache returns the rows of another file of that name.

Inspect writes the JSON log once, at the end. Per-sample logging rewrites the whole file each time:
1 000 samples took 152 s instead of 14 s.
"""

from __future__ import annotations

import ast
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from evalmake.harnesses.hub_environment import build_hub_environment
from evalmake.harnesses.inspect.log_reader import read_run
from evalmake.harnesses.task_keys import refuse_dataset_files, refuse_fewshot, require_task
from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.harness import Command, Outcome, Program, find_seed_step
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, Count, ModelName, Parameters, define_key
from evalmake.project.matrix import Evaluation

_SUPPORTED_PARAMS = (
    "temperature",
    "top_p",
    "max_tokens",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "parallel_tool_calls",
    "reasoning_effort",
)
_RENAMED = {"stop": "stop_seqs", "n": "num_choices"}
_SCRIPT = """\
export EVALMAKE_BASE_URL="$EVALMAKE_MODEL_URL" EVALMAKE_API_KEY="${{EVALMAKE_API_KEY:-none}}"
export EVALMAKE_JUDGE_BASE_URL="${{EVALMAKE_JUDGE_URL:-}}" EVALMAKE_JUDGE_API_KEY="${{EVALMAKE_JUDGE_API_KEY:-none}}"
export INSPECT_CACHE_DIR="$PWD/cache"
{caches}exec "$1" run.py eval {task} \\
    --model "openai-api/evalmake/$EVALMAKE_MODEL_NAME" \\
    --log-dir "$EVALMAKE_OUT/inspect" \\
    {options}
"""
_CACHE_SCRIPT = """\
export HF_HOME="${HF_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/huggingface}" HF_DATASETS_CACHE="$PWD/cache/datasets"
export XDG_CACHE_HOME="$PWD/cache"
"""
_GRADER_OPTION = '"grader={\\"model\\": \\"openai-api/evalmake-judge/$EVALMAKE_JUDGE_NAME\\", '
_GRADER_OPTION += '\\"max_retries\\": 0, \\"model_args\\": {\\"max_retries\\": 0}}"'


class InspectHarness:
    """Runs `inspect eval`."""

    class Settings(Block):
        """Inspect of the UK AI Security Institute."""

        task_args: Parameters | None = define_key(None, "The arguments of the task.", '{ difficulty = "hard" }')
        epochs: Count | None = define_key(None, "How often each sample is asked.", "4", unset="the task decides")
        shuffle: bool = define_key(False, "Whether samples are shuffled before the limit applies.", "true")
        sandbox: str | None = define_key(None, "The sandbox of tools.", '"local"', unset="the task decides")
        judge: ModelName | None = define_key(None, "The model that Inspect calls the grader.", "grader")
        cluster: str | None = define_key(
            None, "The metadata field that groups samples that belong together.", '"document"'
        )
        offline: bool = define_key(
            False, "Keeps the harness from contacting hubs; everything it needs must be cached.", "true"
        )
        max_connections: Count | None = define_key(
            None, "How many requests Inspect sends at the same time.", "16", unset="the `concurrency` of the model"
        )
        request_timeout: Count | None = define_key(None, "How many seconds the harness waits for one reply.", "600")

    behaviour: ClassVar[int] = 2
    leaves_samples: ClassVar[bool] = True
    repeats_samples: ClassVar[bool] = True
    needs: ClassVar[str] = ""
    program: ClassVar[Program] = Program("inspect_ai", "inspect-ai==0.3.285", ("openai",))
    placement: ClassVar[tuple[str, ...]] = (
        "max_connections",
        "request_timeout",
        "offline",
    )

    @staticmethod
    def share_metrics(benchmark: Declaration) -> tuple[str, ...]:
        """Inspect's own accuracy."""
        return ("accuracy",)

    def command(self, evaluation: Evaluation) -> Command:
        """Build `inspect eval`; task arguments and request parameters are in files."""
        block = evaluation.benchmark.block
        files = {
            ".env": "",  # an empty one here keeps Inspect from reading a user's, in a folder above
            "generate.json": json.dumps(_build_generate_config(evaluation), ensure_ascii=False),
            "run.py": Path(__file__).with_name("job.py").read_text(encoding="utf-8"),
        }
        if arguments := _settings_of(evaluation.benchmark).task_args:
            files["task.json"] = json.dumps(arguments, ensure_ascii=False)
        local = _task_file(block.task) is not None
        task = shlex.quote(f"task/{block.task}" if local else block.task)
        options = " \\\n    ".join(_build_options(evaluation))
        given = block.files.files if block.files else ()
        caches = "" if all(file.name.endswith(".py") for file in given) else _CACHE_SCRIPT
        files["inspect.sh"] = _SCRIPT.format(task=task, options=options, caches=caches)
        inputs = {f"task/{file.name}": file.path for file in given}
        python = "python3" if block.image else "{python}"
        env = build_hub_environment(_settings_of(evaluation.benchmark).offline)
        env["EVALMAKE_SEED_STEP"] = str(find_seed_step(evaluation))
        argv = ("/bin/sh", "-eu", "inspect.sh", python)
        return Command(argv, files, inputs, env)

    def outcome(self, evaluation: Evaluation, outputs: Path, status: int) -> Outcome:
        """Read the outcome from the log; the exit status is 0 even when the evaluation failed."""
        settings = _settings_of(evaluation.benchmark)
        metric = evaluation.benchmark.block.metric
        return read_run(outputs, status, metric, settings.cluster)

    @staticmethod
    def check_benchmark(benchmark: Declaration, diagnostics: Diagnostics) -> None:
        """Check that a task is named and that its file is among the benchmark's files."""
        block, spans = benchmark.block, benchmark.fields.spans
        about = f"benchmark {benchmark.name}"
        refuse_dataset_files(benchmark, diagnostics)
        help_ = 'add the task, such as `task = "inspect_evals/humaneval"` or `task = "my_task.py@my_task"`'
        if not require_task(benchmark, help_, diagnostics):
            return
        name = _task_file(block.task)
        given = [f.name for f in (block.files.files if block.files else ())]
        if name is not None and name not in given:
            same_name = [one for one in given if Path(one).name == Path(name).name]
            diagnostics.error(
                "bad-value",
                f"`task`: `{name}` is not among the benchmark's files",
                spans["task",].value,
                about=about,
                notes=[f"they are {', '.join(given[:5])}"] if given else [],
                help=[f"did you mean `{same_name[0]}`?" if same_name else f'add it: `files = file("{name}")`'],
            )
        elif name is not None and "@" in block.task:
            _check_task_name(benchmark, name, block.task.partition("@")[2], diagnostics)
        help_ = "give it to the task, if the task takes it: `task_args = { fewshot = 5 }`"
        refuse_fewshot(benchmark, "Inspect leaves examples to the task", help_, diagnostics)

    @staticmethod
    def check_cell(cell: Evaluation, models: Mapping[str, Declaration], diagnostics: Diagnostics) -> None:
        """Check that the model serves chats and that the reply is not streamed."""
        judge = _settings_of(cell.benchmark).judge
        for model in (cell.model, *([models[judge]] if judge else [])):
            if model.block.api not in ("chat", "vlm"):
                diagnostics.error(
                    "bad-value",
                    f"the inspect harness sends chat requests, and model `{model.name}` does not serve chats",
                    model.fields.spans["api",].value,
                    about=f"eval {cell.eval}",
                    also=[(cell.benchmark.span, "this benchmark runs in the inspect harness")],
                )
        if cell.params.get("stream"):
            diagnostics.error(
                "bad-value",
                "`params`: `stream` is not for the inspect harness",
                cell.span,
                about=f"eval {cell.eval}",
                help=["leave it out"],
            )


def _settings_of(benchmark: Declaration) -> InspectHarness.Settings:
    assert isinstance(benchmark.settings, InspectHarness.Settings)
    return benchmark.settings


def _task_file(task: str) -> str | None:
    """The file in `FILE.py@TASK`; None for a task of a package."""
    name = task.partition("@")[0]
    return name if name.endswith(".py") else None


def _check_task_name(benchmark: Declaration, file: str, task: str, diagnostics: Diagnostics) -> None:
    """Check that `file` defines the task, without running it; a file that cannot be parsed is left to Inspect."""
    path = next(given.path for given in benchmark.block.files.files if given.name == file)
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    tasks = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and _is_task(node)]
    renamed = any(isinstance(call, ast.Call) for node in tree.body for call in getattr(node, "decorator_list", ()))
    if task in names or renamed or not tasks:  # `@task(name=...)`, or tasks that are made at run time
        return
    diagnostics.error(
        "bad-value",
        f"`task`: `{file}` has no task `{task}`",
        benchmark.fields.spans["task",].value,
        about=f"benchmark {benchmark.name}",
        help=[f"its tasks are {', '.join(f'`{name}`' for name in tasks)}"],
    )


def _is_task(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(decorator).split("(")[0].split(".")[-1] == "task" for decorator in function.decorator_list)


def _build_generate_config(evaluation: Evaluation) -> dict[str, Any]:
    """Map request parameters to Inspect's names; the others go into `extra_body` unchanged."""
    given = {"seed": evaluation.seed, **evaluation.params}
    config: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in given.items():
        if key in _SUPPORTED_PARAMS or key == "seed":
            config[key] = value
        elif key in _RENAMED:
            config[_RENAMED[key]] = [value] if key == "stop" and isinstance(value, str) else value
        else:
            extra[key] = value
    return config | ({"extra_body": extra} if extra else {})


def _build_options(evaluation: Evaluation) -> list[str]:
    """The command line's options."""
    settings = _settings_of(evaluation.benchmark)
    connections = settings.max_connections or evaluation.model.block.concurrency
    given = {
        "--task-config task.json": bool(settings.task_args),
        f"--limit {evaluation.limit}": evaluation.limit,
        f"--epochs {settings.epochs}": settings.epochs,
        f"--sample-shuffle {evaluation.seed}": settings.shuffle,
        f"--sandbox {shlex.quote(settings.sandbox or '')}": settings.sandbox,
        f"--model-role {_GRADER_OPTION}": settings.judge,
        f"--max-connections {connections}": connections,
        f"--timeout {settings.request_timeout}": settings.request_timeout,
    }
    return [
        "--generate-config generate.json",
        *(option for option, wanted in given.items() if wanted),
        "--max-retries 0 -M max_retries=0 --no-fail-on-error",
        "--log-format json --log-buffer 1000 --no-log-realtime --no-log-model-api",
        "--display plain --ctl-server false",
    ]
