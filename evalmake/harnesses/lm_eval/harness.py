"""The `lm-eval` harness: a task of lm-evaluation-harness by name, or one in the benchmark's `files`.

All `files` are in one folder, which is lm-eval's `include_path` and its working folder, so a task file
may name data and functions next to it. lm-eval's retries are off, because the gateway retries. Its
client is always the concurrent one: the other sends different stop sequences for the same task.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator

from evalmake.harnesses.hub_environment import build_hub_environment
from evalmake.harnesses.lm_eval.log import explain_failure, find_silent_faults
from evalmake.harnesses.lm_eval.results import read_results
from evalmake.harnesses.task_keys import refuse_dataset_files, require_task
from evalmake.language.diagnostic import Diagnostics
from evalmake.language.values import Symbol
from evalmake.plugin_api.harness import Command, Outcome, Program, find_seed_step
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, Count, Parameters, define_key
from evalmake.project.matrix import Evaluation

Backend = Literal["huggingface", "tiktoken", "remote", "none"]
_DEFAULT_CONCURRENCY = 8
_RENAMED_PARAMS = {"max_tokens": "max_gen_toks", "max_completion_tokens": "max_gen_toks", "stop": "until"}
_LIST_TASKS = "from lm_eval.tasks import TaskManager; print(*TaskManager().all_tasks, sep='\\n')"
_UNSUPPORTED_PARAMS = {"n": "lm-eval reads one reply", "stream": "lm-eval reads whole replies"}


def _word(value: object) -> object:
    return value.text if isinstance(value, Symbol) else "none" if value is None else value


class LmEvalHarness:
    """Runs `lm_eval run`."""

    class Settings(Block):
        """The lm-evaluation-harness of EleutherAI."""

        tokenizer: str | None = define_key(
            None,
            "The tokenizer, for tasks that compare likelihoods.",
            '"Qwen/Qwen2.5-7B-Instruct"',
            unset="that of the server",
        )
        tokenizer_backend: Annotated[Backend | None, BeforeValidator(_word)] = define_key(
            None,
            "The library that reads the tokenizer.",
            "huggingface",
            type="one of huggingface, tiktoken, remote, none",
            validate_default=False,
        )
        tokenized_requests: bool | None = define_key(
            None, "Whether prompts are sent as token ids.", "true", unset="lm-eval decides"
        )
        max_length: Count | None = define_key(
            None, "The context length of the model, in tokens.", "8192", unset="that of the server, else of lm-eval"
        )
        think_end_token: str | None = define_key(None, "The tag that ends the reasoning of a reply.", '"</think>"')
        fewshot_as_multiturn: bool | None = define_key(
            None, "Whether worked examples are turns of a conversation.", "true", unset="lm-eval decides"
        )
        unsafe_code: bool | None = define_key(
            None, "Allows tasks that run the code that a model writes.", "true", unset="false"
        )
        model_args: Parameters | None = define_key(
            None, "More arguments for lm-eval's model.", '{ eos_string = "</s>" }'
        )
        metadata: Parameters | None = define_key(
            None, "Metadata for tasks that take some.", "{ max_seq_lengths = [4096] }"
        )
        concurrency: Count | None = define_key(
            None,
            "How many requests lm-eval sends at the same time.",
            "16",
            unset="the `concurrency` of the model, else 8",
        )
        request_timeout: Count | None = define_key(None, "How many seconds the harness waits for one reply.", "600")
        offline: bool = define_key(
            False, "Keeps the harness from contacting hubs; everything it needs must be cached.", "true"
        )

    behaviour: ClassVar[int] = 2
    leaves_samples: ClassVar[bool] = True
    repeats_samples: ClassVar[bool] = True
    needs: ClassVar[str] = ""
    program: ClassVar[Program] = Program("lm_eval", "lm-eval[api]==0.4.13", list_tasks=_LIST_TASKS)
    placement: ClassVar[tuple[str, ...]] = ("concurrency", "request_timeout", "offline")

    @staticmethod
    def share_metrics(benchmark: Declaration) -> tuple[str, ...]:
        """Those that lm-eval computes as a mean of zeros and ones."""
        return ("acc", "acc_norm", "exact_match", "pass@1", "pass_at_1")

    def command(self, evaluation: Evaluation) -> Command:
        """Build lm-eval's configuration, and a small program that completes it and starts lm-eval."""
        given = evaluation.benchmark.block.files
        files = {
            "run.json": json.dumps(_build_config(evaluation), indent=1, ensure_ascii=False),
            "run.py": Path(__file__).with_name("job.py").read_text(encoding="utf-8"),
        }
        inputs = {f"tasks/{file.name}": file.path for file in given.files} if given else {}
        settings = _settings_of(evaluation)
        env = {**build_hub_environment(settings.offline), "LMEVAL_LOG_LEVEL": "INFO"}
        env["EVALMAKE_SEED_STEP"] = str(find_seed_step(evaluation))
        env |= {"HF_ALLOW_CODE_EVAL": "1"} if settings.unsafe_code else {}
        python = "python3" if evaluation.benchmark.block.image else "{python}"
        return Command((python, "run.py"), files, inputs, env)

    def outcome(self, evaluation: Evaluation, outputs: Path, status: int) -> Outcome:
        """Read results and samples; exit status 0 without them is a failure."""
        settings, block = _settings_of(evaluation), evaluation.benchmark.block
        log = outputs.parent / "log"
        if status != 0:
            return Outcome(error=explain_failure(log) or f"exit status {status}")
        if problem := find_silent_faults(log, settings.max_length):
            return Outcome(error=problem)
        return read_results(outputs, block.task, block.metric)

    @staticmethod
    def check_benchmark(benchmark: Declaration, diagnostics: Diagnostics) -> None:
        """Check that one task is named, and that a task file is among the benchmark's files."""
        task, about = benchmark.block.task, f"benchmark {benchmark.name}"
        refuse_dataset_files(benchmark, diagnostics)
        if not require_task(benchmark, 'add the task, such as `task = "gsm8k"`', diagnostics):
            return
        if "," in task:
            diagnostics.error(
                "bad-value",
                "`task`: a benchmark is one task, or one group of tasks",
                benchmark.fields.spans["task",].value,
                about=about,
                help=["write a benchmark for each"],
            )
        elif task.endswith((".yaml", ".yml")):
            diagnostics.error(
                "bad-value",
                "`task`: this is a file, and lm-eval takes the name of a task",
                benchmark.fields.spans["task",].value,
                about=about,
                help=[f'name the task as its file does in `task: NAME`, and add `files = file("{task}")`'],
            )

    @staticmethod
    def check_cell(cell: Evaluation, models: Mapping[str, Declaration], diagnostics: Diagnostics) -> None:
        """Check that the model returns text, one whole reply for each request."""
        if cell.model.block.api == "embeddings":
            diagnostics.error(
                "bad-value",
                f"lm-eval needs text, and model `{cell.model.name}` returns embeddings",
                cell.model.fields.spans["api",].value,
                about=f"eval {cell.eval}",
                also=[(cell.benchmark.span, "this benchmark runs in lm-eval")],
            )
        for name, why in _UNSUPPORTED_PARAMS.items():
            if cell.params.get(name) not in (None, False, 1):
                diagnostics.error(
                    "bad-value",
                    f"`params`: `{name}` cannot be sent: {why}",
                    cell.span,
                    about=f"eval {cell.eval}",
                    help=["leave it out"],
                )


def _settings_of(evaluation: Evaluation) -> LmEvalHarness.Settings:
    settings = evaluation.benchmark.settings
    assert isinstance(settings, LmEvalHarness.Settings)
    return settings


def _build_config(evaluation: Evaluation) -> dict[str, Any]:
    """Build lm-eval's configuration file, without the fields that `job` adds."""
    block, settings = evaluation.benchmark.block, _settings_of(evaluation)
    chat = evaluation.model.block.api != "completions"
    config = {
        "model": "local-chat-completions" if chat else "local-completions",
        "model_args": _build_model_args(evaluation, settings),
        "tasks": [block.task],
        "num_fewshot": block.fewshot,
        "limit": evaluation.limit,
        "seed": evaluation.seed,
        "gen_kwargs": {_RENAMED_PARAMS.get(name, name): v for name, v in evaluation.params.items()} or None,
        "apply_chat_template": chat or None,
        "fewshot_as_multiturn": settings.fewshot_as_multiturn,
        "confirm_run_unsafe_code": settings.unsafe_code,
        "metadata": settings.metadata,
        "include_path": "." if block.files else None,
        "log_samples": True,
    }
    return {key: value for key, value in config.items() if value is not None}


def _build_model_args(evaluation: Evaluation, settings: LmEvalHarness.Settings) -> dict[str, Any]:
    backend = settings.tokenizer_backend or ("huggingface" if settings.tokenizer else None)
    asked = settings.concurrency or evaluation.model.block.concurrency or _DEFAULT_CONCURRENCY
    arguments = {
        "tokenizer": settings.tokenizer,
        "tokenizer_backend": backend,
        "tokenized_requests": settings.tokenized_requests,
        "max_length": settings.max_length,
        "think_end_token": settings.think_end_token,
        "timeout": settings.request_timeout,
        "seed": evaluation.seed,
        "num_concurrent": max(2, asked),
        "max_retries": 1,
    }
    given = {key: value for key, value in arguments.items() if value is not None}
    return given | (settings.model_args or {})
