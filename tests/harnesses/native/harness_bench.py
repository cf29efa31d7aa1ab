"""A tiny OpenAI-compatible server and a way to run the harness against it."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from evalmake.harnesses.native.__main__ import main

Body = dict[str, Any]


@dataclass(frozen=True)
class Raw:
    """A response that is not the JSON of a good one."""

    status: int = 200
    text: str = '{"error": "no"}'
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        """A response to send: each can be sent only once."""
        return web.Response(status=self.status, text=self.text, content_type=self.kind, headers=self.headers)


HANG_UP = Raw(status=0)
"""No response: the connection is closed instead."""

Reply = Raw | str | Body | None
"""A response as it is; the text of a good one; its JSON; None never answers."""


@dataclass
class Server:
    """What the server says (`answer` is given a request's body) and what it was asked."""

    url: str = ""
    answer: Callable[[Body], Reply] = lambda body: "42"
    bodies: list[Body] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Note a request and answer it."""
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.paths.append(request.path)
        reply = self.answer(body)
        if reply is None:
            await asyncio.sleep(60)
        if reply is HANG_UP and request.transport is not None:
            request.transport.abort()
            return web.Response()
        if isinstance(reply, Raw):
            return reply.response()
        return web.json_response(completion(reply) if isinstance(reply, str) else reply)


@contextmanager
def serving() -> Iterator[Server]:
    """A server in a thread; it answers 42 until a test says otherwise."""
    state = Server()
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", state.handle)
        runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        state.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait(10)
    try:
        yield state
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def completion(text: str | None, finish_reason: str = "stop", **message: object) -> Body:
    """The JSON of a reply, for either API."""
    choice = {
        "message": {"role": "assistant", "content": text, **message},
        "text": text,
        "finish_reason": finish_reason,
    }
    usage = {"prompt_tokens": 7, "completion_tokens": 2}
    return {"choices": [choice], "usage": usage}


def refusal(status: int, text: str = '{"error": "no"}', **headers: str) -> Raw:
    """A response with another status than 200."""
    return Raw(status, text, headers=headers)


def question(body: Body) -> str:
    """The last thing that a request says."""
    return str(body["messages"][-1]["content"] if "messages" in body else body["prompt"])


@dataclass(frozen=True)
class Outcome:
    """What one run of the program came to."""

    status: int
    out: str
    err: str
    samples: list[Body]
    scores: Body

    @property
    def headline(self) -> Body:
        """The scores of the headline metric."""
        found: Body = self.scores["scores"][self.scores["metric"]]
        return found


class Native:
    """Runs the program in this process, in a folder of its own."""

    def __init__(self, folder: Path, server: Server, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.server = server
        self.capture = capture
        self.out = folder / "out"
        self.out.mkdir()
        self.env = {
            "EVALMAKE_MODEL_URL": server.url,
            "EVALMAKE_MODEL_NAME": "model",
            "EVALMAKE_MODEL_API": "chat",
            "EVALMAKE_OUT": str(self.out),
        }

    def write(self, name: str, content: str | list[Any]) -> Path:
        """Write a file; a list becomes JSON Lines."""
        path = self.folder / name
        if isinstance(content, list):
            content = "".join(json.dumps(one) + "\n" for one in content)
        path.write_text(content, encoding="utf-8")
        return path

    def task(self, data: list[Any] | None = None, **task: Any) -> Path:
        """Write a task file, and its data; None takes a key out."""
        base = {"files": ["data.jsonl"], "prompt": "{q}", "target": "{a}"}
        self.write("data.jsonl", [{"q": "6*7?", "a": "42"}] if data is None else data)
        given = {key: value for key, value in (base | task).items() if value is not None}
        return self.write("task.json", json.dumps(given))

    def __call__(self, data: list[Any] | None = None, **task: Any) -> Outcome:
        """Write and run a task."""
        os.environ.update(self.env)
        status = main([str(self.task(data, **task))])
        told = self.capture.readouterr()
        samples, scores = self.out / "samples.jsonl", self.out / "scores.json"
        return Outcome(
            status=status,
            out=told.out,
            err=told.err,
            samples=read_lines(samples) if samples.exists() else [],
            scores=json.loads(scores.read_text()) if scores.exists() else {},
        )


def add_judge(native: Native) -> None:
    """Give the program a judge behind the same server, told apart by its name."""
    native.env |= {
        "EVALMAKE_JUDGE_URL": native.server.url,
        "EVALMAKE_JUDGE_NAME": "judge",
        "EVALMAKE_JUDGE_API_KEY": "judge-key",
        "EVALMAKE_JUDGE_PARAMS": '{"max_tokens": 99}',
    }


def read_lines(path: Path) -> list[Body]:
    """The objects of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def questions(count: int) -> list[Body]:
    """Records whose answers are their numbers."""
    return [{"q": f"n{number}", "a": str(number)} for number in range(count)]
