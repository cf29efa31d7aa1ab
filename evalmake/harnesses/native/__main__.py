"""`python -m evalmake.harnesses.native task.json`: run one evaluation.

Exit status: 0 success; 2 the task, its data or the settings are wrong; 3 the endpoint ended the run;
4 no sample was scored; 5 stored samples are not all that would be asked; 128 + N after signal N.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalmake.harnesses.native.runner import Plan, Result

BAD_INPUT, ENDPOINT_FAILED, NONE_SCORED, IO_FAILED, ASKS_AFTER_ALL = 2, 3, 4, 1, 5
MAX_PRINTED_ERRORS = 10
"""Errors printed one by one; the rest is counted."""

EPILOG = """\
environment:
  EVALMAKE_MODEL_URL, _NAME, _API   the model: base URL ending in /v1; chat, completions or vlm
  EVALMAKE_API_KEY                  sent with each request, never written
  EVALMAKE_PARAMS, EVALMAKE_SEED    merged into each request; its seed
  EVALMAKE_LIMIT                    number of records; empty means all
  EVALMAKE_OUT                      the folder for samples.jsonl and scores.json
  EVALMAKE_CONCURRENCY              concurrent requests (16)
  EVALMAKE_PROGRESS                 a file for the progress of the run
  EVALMAKE_JUDGE_URL, _NAME, _API, _API_KEY, _PARAMS   the judge of the scorer 'judge'
  EVALMAKE_EMBEDDER_URL, ...        the model with embeddings of checks of the type 'similar', in the same way

Each request is sent once. evalmake's gateway, which listens at EVALMAKE_MODEL_URL when evalmake runs
an evaluation, retries requests, keeps limits and resumes interrupted runs.

exit status:
  0 success, 2 wrong task, data or settings, 3 the endpoint failed, 4 no sample scored,
  5 stored samples are not all that would be asked
"""


def main(argv: list[str] | None = None) -> int:
    """Run the task file named by the arguments; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m evalmake.harnesses.native",
        description="Send the questions of a task to a model and score its replies.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", help="the task file, JSON; file names in it are relative to it")
    return _run_task(parser.parse_args(argv).task)


def _run_task(name: str) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: os._exit(128 + number))
    from evalmake.harnesses.native.errors import MissingReply, TaskError

    try:
        plan = _make_plan(name)
    except TaskError as error:
        _print_errors(*error.messages)
        return BAD_INPUT
    try:
        result = _run_plan(plan)
    except OSError as error:
        _print_errors(str(error))
        return IO_FAILED
    except MissingReply as error:
        _print_errors(str(error))
        return ASKS_AFTER_ALL
    return _print_result(result)


def _make_plan(name: str) -> Plan:
    """Make the plan; TaskError with the errors of both the settings and the task file."""
    from pathlib import Path

    from evalmake.harnesses.native.errors import TaskError
    from evalmake.harnesses.native.settings import read_settings
    from evalmake.harnesses.native.task_file import read_task

    task, mistakes = None, tuple[str, ...]()
    try:
        task = read_task(Path(name))
    except TaskError as error:
        mistakes = error.messages
    try:
        has_model, asks_model = task is None or task.answer is None, task is None or task.samples is None
        settings = read_settings(os.environ, has_model, asks_model)
    except TaskError as error:
        raise TaskError(*error.messages, *mistakes) from None
    if task is None:
        raise TaskError(*mistakes)
    from evalmake.harnesses.native.runner import make_plan

    return make_plan(task, settings)


def _run_plan(plan: Plan) -> Result:
    """Run the plan. Each finished sample is on disk at once, so a signal may end the run at any moment.

    The loop calls the signal handlers between two of its steps.
    """
    import asyncio

    import uvloop

    from evalmake.harnesses.native.runner import Run

    run = Run(plan)
    gc.freeze()
    gc.enable()

    def stop(number: int) -> None:
        run.progress.write()
        os._exit(128 + number)

    async def result() -> Result:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop, number)
        return await run.result()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(result())


def _print_result(result: Result) -> int:
    if result.message is None:
        print(result.summary)
        return 0
    _print_errors(result.message)
    return ENDPOINT_FAILED if result.aborted else NONE_SCORED


def _print_errors(*messages: str) -> None:
    for message in messages[:MAX_PRINTED_ERRORS]:
        print(f"error: {message}", file=sys.stderr)
    if len(messages) > MAX_PRINTED_ERRORS:
        print(f"error: and {len(messages) - MAX_PRINTED_ERRORS} more", file=sys.stderr)


if __name__ == "__main__":
    gc.disable()  # imports and plans leave no garbage; a run turns the collector on again
    sys.exit(main())
