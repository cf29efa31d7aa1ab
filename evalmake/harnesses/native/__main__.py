"""`python -m evalmake.harnesses.native task.json`: run one evaluation.

Exit status: 0 success; 2 the task, its data or the settings are wrong; 3 the endpoint made the run
useless; 4 too few samples were scored; 128 + N after signal N.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalmake.harnesses.native.runner import Plan, Result

WRONG, USELESS, PARTIAL, BROKEN = 2, 3, 4, 1
SHOWN = 10
"""Mistakes printed one by one; the rest is counted."""

EPILOG = """\
environment:
  EVALMAKE_MODEL_URL, _NAME, _API   whom to ask: base URL ending in /v1; chat, completions or vlm
  EVALMAKE_API_KEY                  sent with each request, written nowhere
  EVALMAKE_PARAMS, EVALMAKE_SEED    merged into each request; its seed
  EVALMAKE_LIMIT                    how many records to ask; empty asks all
  EVALMAKE_OUT                      the folder for samples.jsonl and scores.json
  EVALMAKE_CONCURRENCY              requests under way at once (16)
  EVALMAKE_PROGRESS                 a file that tells how far the run is
  EVALMAKE_JUDGE_URL, _NAME, _API, _API_KEY, _PARAMS   the judge of the scorer 'judge'

A request is sent once. Trying again, limits and going on after an interruption are the work of
evalmake's gateway, which stands at EVALMAKE_MODEL_URL when evalmake runs an evaluation.

exit status:
  0 success, 2 wrong task, data or settings, 3 useless endpoint, 4 too few samples scored
"""


def main(argv: list[str] | None = None) -> int:
    """Run the task file that the arguments name; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m evalmake.harnesses.native",
        description="Ask a model the questions of a task and score its replies.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", help="the task file, JSON; file names in it are relative to it")
    return _run(parser.parse_args(argv).task)


def _run(name: str) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: os._exit(128 + number))
    from evalmake.harnesses.native.errors import TaskError

    try:
        plan = _plan(name)
    except TaskError as error:
        _complain(*error.messages)
        return WRONG
    try:
        result = _ask(plan)
    except OSError as error:
        _complain(str(error))
        return BROKEN
    return _report(result)


def _plan(name: str) -> Plan:
    """The plan; TaskError with the mistakes of both the settings and the task file."""
    from pathlib import Path

    from evalmake.harnesses.native.errors import TaskError
    from evalmake.harnesses.native.settings import read_settings
    from evalmake.harnesses.native.task_file import read_task

    try:
        settings = read_settings(os.environ)
    except TaskError as error:
        mistakes = error.messages
        try:
            read_task(Path(name))
        except TaskError as more:
            mistakes += more.messages
        raise TaskError(*mistakes) from None
    task = read_task(Path(name))
    from evalmake.harnesses.native.runner import make_plan

    return make_plan(task, settings)


def _ask(plan: Plan) -> Result:
    """Run the plan. Every finished sample is on the disk at once, so a signal may end it anywhere.

    The handlers belong to the loop now: they run between two of its steps.
    """
    import asyncio

    import uvloop

    from evalmake.harnesses.native.runner import Run

    run = Run(plan)

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


def _report(result: Result) -> int:
    if result.message is None:
        print(result.summary)
        return 0
    _complain(result.message)
    return USELESS if result.aborted else PARTIAL


def _complain(*messages: str) -> None:
    for message in messages[:SHOWN]:
        print(f"error: {message}", file=sys.stderr)
    if len(messages) > SHOWN:
        print(f"error: and {len(messages) - SHOWN} more", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
