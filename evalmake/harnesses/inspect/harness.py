"""The UK AISI's Inspect: a task of a package, or of one of the benchmark's own files.

It asks every question of `$EVALMAKE_MODEL_URL` through its provider for any OpenAI-compatible API,
which reads the address and the token from $EVALMAKE_BASE_URL and $EVALMAKE_API_KEY.  Its retries
and the client's are off, as the gateway has its own, and its reply cache starts empty each time.

Where the benchmark has data files, caches of data sets are for the job alone: Inspect's and Hugging
Face's know a file by its name, and give the rows that another of that name had.

The JSON log is written once, not sample by sample: Inspect writes all of it anew each time, and
1 000 samples took 152 s so, against 14 s.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from evalmake.harnesses.inspect.log_reader import read_run
from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.harness import Command, Outcome, Program
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, Count, ModelName, Parameters, Real
from evalmake.project.matrix import Evaluation

_SENT = (
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
_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
_SCRIPT = """\
export EVALMAKE_BASE_URL="$EVALMAKE_MODEL_URL" EVALMAKE_API_KEY="${{EVALMAKE_API_KEY:-none}}"
export EVALMAKE_JUDGE_BASE_URL="${{EVALMAKE_JUDGE_URL:-}}" EVALMAKE_JUDGE_API_KEY="${{EVALMAKE_JUDGE_API_KEY:-none}}"
export INSPECT_CACHE_DIR="$PWD/cache"
{caches}exec "$1" -m inspect_ai eval {task} \\
    --model "openai-api/evalmake/$EVALMAKE_MODEL_NAME" \\
    --log-dir "$EVALMAKE_OUT/inspect" \\
    {options}
"""
_CACHES = """\
export HF_HOME="${HF_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/huggingface}" HF_DATASETS_CACHE="$PWD/cache/datasets"
export XDG_CACHE_HOME="$PWD/cache"
"""
_GRADER = '"grader={\\"model\\": \\"openai-api/evalmake-judge/$EVALMAKE_JUDGE_NAME\\", '
_GRADER += '\\"max_retries\\": 0, \\"model_args\\": {\\"max_retries\\": 0}}"'


class InspectHarness:
    """Runs `inspect eval`."""

    class Settings(Block):
        """What `harness = inspect` may say; `judge` is the model that Inspect calls the grader.

        `cluster` names the metadata by which samples belong together, where no `stderr(cluster=...)`
        of the task says it.  `request_timeout` is in seconds.
        """

        task_args: Parameters | None = None
        epochs: Count | None = None
        shuffle: bool = False
        sandbox: str | None = None
        judge: ModelName | None = None
        cluster: str | None = None
        offline: bool = False
        coverage: Real = Field(default=1.0, ge=0, le=1)
        max_connections: Count | None = None
        request_timeout: Count | None = None

    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""
    program: ClassVar[Program] = Program("inspect_ai", "inspect-ai==0.3.285", ("openai",))
    placement: ClassVar[tuple[str, ...]] = (
        "max_connections",
        "request_timeout",
        "offline",
        "coverage",
    )

    def command(self, evaluation: Evaluation) -> Command:
        """`inspect eval` with the task's arguments and the request's parameters in files."""
        block = evaluation.benchmark.block
        files = {
            ".env": "",  # Inspect reads the first that it finds here or above
            "generate.json": json.dumps(_generate_config(evaluation), ensure_ascii=False),
        }
        if arguments := _settings(evaluation.benchmark).task_args:
            files["task.json"] = json.dumps(arguments, ensure_ascii=False)
        local = _file_of(block.task) is not None
        task = shlex.quote(f"task/{block.task}" if local else block.task)
        options = " \\\n    ".join(_options(evaluation))
        given = block.files.files if block.files else ()
        caches = "" if all(file.name.endswith(".py") for file in given) else _CACHES
        files["inspect.sh"] = _SCRIPT.format(task=task, options=options, caches=caches)
        inputs = {f"task/{file.name}": file.path for file in given}
        python = "python3" if block.image else "{python}"
        env = {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
        env |= dict.fromkeys(_OFFLINE, "1") if _settings(evaluation.benchmark).offline else {}
        argv = ("/bin/sh", "-eu", "inspect.sh", python)
        return Command(argv, files, inputs, env)

    def outcome(self, evaluation: Evaluation, outputs: Path, status: int) -> Outcome:
        """What its log says, and never its exit status alone: that is 0 also when it failed."""
        settings = _settings(evaluation.benchmark)
        metric = evaluation.benchmark.block.metric
        return read_run(outputs, status, metric, settings.cluster, settings.coverage)

    @staticmethod
    def check_benchmark(benchmark: Declaration, found: Diagnostics) -> None:
        """A task must be named, and its file, where it is in one, be given."""
        block, spans = benchmark.block, benchmark.fields.spans
        about = f"benchmark {benchmark.name}"
        if not block.task:
            found.error(
                "missing-key",
                "the inspect harness needs `task`",
                benchmark.parsed.name_span if benchmark.parsed else benchmark.span,
                about=about,
                help=['add the task, as `task = "inspect_evals/humaneval"` or `task = "my_task.py@my_task"`'],
            )
            return
        name = _file_of(block.task)
        given = [f.name for f in (block.files.files if block.files else ())]
        if name is not None and name not in given:
            alike = [one for one in given if Path(one).name == Path(name).name]
            found.error(
                "bad-value",
                f"`task`: `{name}` is not among the benchmark's files",
                spans["task",].value,
                about=about,
                notes=[f"they are {', '.join(given[:5])}"] if given else [],
                help=[f"did you mean `{alike[0]}`?" if alike else f'add it, as `files = file("{name}")`'],
            )
        if block.fewshot is not None:
            found.error(
                "bad-value",
                "`fewshot`: Inspect leaves examples to the task",
                spans["fewshot",].value,
                about=about,
                help=["give it to the task, as `task_args = { fewshot = 5 }`, if it takes that"],
            )

    @staticmethod
    def check_cell(cell: Evaluation, models: Mapping[str, Declaration], found: Diagnostics) -> None:
        """Inspect asks in chats, and reads whole replies."""
        judge = _settings(cell.benchmark).judge
        for model in (cell.model, *([models[judge]] if judge else [])):
            if model.block.api not in ("chat", "vlm"):
                found.error(
                    "bad-value",
                    f"the inspect harness asks in chats, and model `{model.name}` has none",
                    model.fields.spans["api",].value,
                    about=f"eval {cell.eval}",
                    also=[(cell.benchmark.span, "this benchmark runs in the inspect harness")],
                )
        if cell.params.get("stream"):
            found.error(
                "bad-value",
                "`params`: `stream` is not for the inspect harness",
                cell.span,
                about=f"eval {cell.eval}",
                help=["leave it out"],
            )


def _settings(benchmark: Declaration) -> InspectHarness.Settings:
    assert isinstance(benchmark.settings, InspectHarness.Settings)
    return benchmark.settings


def _file_of(task: str) -> str | None:
    """The file of `FILE.py@TASK`; none for a task of a package."""
    name = task.partition("@")[0]
    return name if name.endswith(".py") else None


def _generate_config(evaluation: Evaluation) -> dict[str, Any]:
    """The request's parameters by Inspect's names; what has none goes into the body as it is."""
    given = {"seed": evaluation.seed, **evaluation.params}
    config: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in given.items():
        if key in _SENT or key == "seed":
            config[key] = value
        elif key in _RENAMED:
            config[_RENAMED[key]] = [value] if key == "stop" and isinstance(value, str) else value
        else:
            extra[key] = value
    return config | ({"extra_body": extra} if extra else {})


def _options(evaluation: Evaluation) -> list[str]:
    """The rest of the command line, an option each."""
    settings = _settings(evaluation.benchmark)
    connections = settings.max_connections or evaluation.model.block.concurrency
    lenient = 1 - settings.coverage
    given = {
        "--task-config task.json": bool(settings.task_args),
        f"--limit {evaluation.limit}": evaluation.limit,
        f"--epochs {settings.epochs}": settings.epochs,
        f"--sample-shuffle {evaluation.seed}": settings.shuffle,
        f"--sandbox {shlex.quote(settings.sandbox or '')}": settings.sandbox,
        f"--model-role {_GRADER}": settings.judge,
        f"--max-connections {connections}": connections,
        f"--timeout {settings.request_timeout}": settings.request_timeout,
        f"--fail-on-error {lenient:g}": 0 < lenient < 1,
        "--no-fail-on-error": lenient == 1,
    }
    return [
        "--generate-config generate.json",
        *(option for option, wanted in given.items() if wanted),
        "--max-retries 0 -M max_retries=0",
        "--log-format json --log-buffer 1000 --no-log-realtime --no-log-model-api",
        "--display plain --ctl-server false",
    ]
