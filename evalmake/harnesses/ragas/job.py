"""Asks the model for the replies that the rows lack, and lets ragas grade all; runs where ragas is installed.

The metrics are those of `ragas.metrics`, whose prompts ask any chat model for text. The retries of ragas and of its
client are off, because the gateway retries. Where the judge gives no verdict, the row has an error and no score: ragas
turns some of these into NaN, of others it is the exception.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import math
import os
import warnings
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

from evalmake.harnesses.job_requests import (
    Endpoint,
    Progress,
    RequestError,
    base_body,
    concurrency,
    digest,
    limit,
    write_samples,
)
from evalmake.harnesses.ragas.rows import TASKS, Row, Task, chat_of, is_recorded, messages_of, read_rows

UNREADABLE = "the judge's verdict cannot be read"


def main() -> None:
    """Ask, grade, and write the samples."""
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    told = json.loads(Path("task.json").read_text(encoding="utf-8"))
    task = TASKS[told["task"]]
    rows, mistakes = read_rows([(name, Path(name)) for name in told["files"]], task)
    if mistakes:
        raise SystemExit(mistakes[0])
    rows = rows[: limit()]
    grader = _Grader(task, told["metric_args"])
    write_samples(asyncio.run(_ask_all(rows, grader)))


async def _ask_all(rows: list[Row], grader: _Grader) -> list[Row]:
    """The samples of all rows, in their order."""
    places, progress = asyncio.Semaphore(concurrency()), Progress(len(rows))
    names: Counter[str] = Counter()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(concurrency()))

    async def ask(id: str, row: Row) -> Row:
        async with places:
            sample = await _make_sample(id, row, grader)
        progress.add(1, failed=sample["error"] is not None)
        return sample

    samples = []
    for row in rows:
        id = str(row["id"]) if row.get("id") is not None else digest(row)
        names[id] += 1
        samples.append(ask(id if names[id] == 1 else f"{id}#{names[id]}", row))
    return list(await asyncio.gather(*samples))


async def _make_sample(id: str, row: Row, grader: _Grader) -> Row:
    """The sample of a row; one with an error has no scores."""
    task = grader.task
    target = row.get("reference") or row.get("reference_topics") or row.get("reference_tool_calls")
    sample: Row = {"id": id, "item": digest(row), "repetition": 1, "scores": {}, "error": None, "target": target}
    if is_recorded(row, task):
        messages = messages_of(row) if task.conversation else []
        message = messages[-1] if messages else {"content": row["response"]}
    else:
        started = monotonic()
        try:
            reply = await asyncio.to_thread(_ask_model, row, task)
            message = _read_reply(reply, sample)
        except RequestError as error:
            return sample | {"error": str(error)}
        sample["latency"] = monotonic() - started
        messages = [*messages_of(row), message] if task.conversation else []
    calls = message.get("tool_calls")
    sample["reply"] = "\n".join(filter(None, (message["content"], calls and json.dumps(calls, ensure_ascii=False))))
    return sample | await grader.grade(row, message["content"], messages)


def _ask_model(row: Row, task: Task) -> dict[str, Any]:
    body = base_body(json.loads(os.environ["EVALMAKE_PARAMS"])) | {"messages": chat_of(row, task)}
    return Endpoint("MODEL").post("/chat/completions", body | ({"tools": row["tools"]} if row.get("tools") else {}))


def _read_reply(reply: Mapping[str, Any], sample: Row) -> dict[str, Any]:
    """The reply as a message of ragas's; what it cost goes into `sample`."""
    try:
        choice = reply["choices"][0]
        given = choice["message"]
        calls = [_read_call(call["function"]) for call in given.get("tool_calls") or ()]
        usage = reply.get("usage") or {}
    except (LookupError, TypeError, AttributeError):
        raise RequestError("the reply is no chat completion") from None
    sample |= {"tokens_in": usage.get("prompt_tokens"), "tokens_out": usage.get("completion_tokens")}
    sample["finish_reason"] = choice.get("finish_reason")
    message = {"type": "ai", "content": str(given.get("content") or "")}
    return message | ({"tool_calls": calls} if calls else {})


def _read_call(function: Mapping[str, Any]) -> dict[str, Any]:
    """A call; arguments that are no object in JSON are those of no reference."""
    try:
        args = json.loads(function.get("arguments") or "{}")
    except ValueError:
        args = None
    return {"name": str(function["name"]), "args": args if isinstance(args, dict) else {}}


class _Grader:
    """A metric of ragas's, for one row after the other or for several at once."""

    def __init__(self, task: Task, arguments: Mapping[str, Any]) -> None:
        self.task = task
        self._arguments = arguments
        self._metrics: Any = importlib.import_module("ragas.metrics")
        self._samples: Any = importlib.import_module("ragas.dataset_schema")
        self._judges = _Judges() if task.judged else None

    async def grade(self, row: Row, response: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
        """The fields of a sample that say how it was graded."""
        task = self.task
        metric = getattr(self._metrics, task.metric_class)(**self._arguments)
        judge = metric.llm = self._judges.make() if self._judges else None
        columns = {name: row[name] for name in task.columns}
        try:
            if task.conversation:
                sample = self._samples.MultiTurnSample(user_input=messages, **columns)
                value = float(await metric.multi_turn_ascore(sample))
            else:
                sample = self._samples.SingleTurnSample(user_input=row["user_input"], response=response, **columns)
                value = float(await metric.single_turn_ascore(sample))
        except Exception as error:  # of ragas, LangChain or their clients
            value, why = math.nan, f"{UNREADABLE}: {type(error).__name__}: {error}"
        else:
            why = UNREADABLE
        if judge is not None and judge.failure:  # also where a score was made of what was left
            return {"error": f"judge: {judge.failure}"}
        if math.isnan(value):
            return {"error": why, "cause_kind": "scorer"}
        return {"scores": {task.metric: value}}


class _Judges:
    """Makes judges, one for each row: ragas sets the temperature of its client, whoever else is using it."""

    def __init__(self) -> None:
        wrapper: Any = importlib.import_module("ragas.llms.base").LangchainLLMWrapper
        self._client: Any = importlib.import_module("langchain_openai").ChatOpenAI
        self._run_config: Any = importlib.import_module("ragas.run_config").RunConfig(max_retries=1, timeout=10**6)

        class Judge(wrapper):  # type: ignore[misc]
            failure = ""
            """Why it gave no reply to one of the requests."""

            async def agenerate_text(self, *arguments: Any, **named: Any) -> Any:
                try:
                    return await super().agenerate_text(*arguments, **named)
                except Exception as error:
                    self.failure = self.failure or f"{error}"
                    raise

        self._judge = Judge

    def make(self) -> Any:
        """A judge that has not been asked yet."""
        judge = Endpoint("JUDGE")
        client = self._client(
            model=judge.name,
            base_url=judge.url,
            api_key=judge.key,
            seed=int(os.environ["EVALMAKE_SEED"]),
            max_retries=0,
            use_responses_api=False,
        )
        return self._judge(client, self._run_config)


if __name__ == "__main__":
    main()
