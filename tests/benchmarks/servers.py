"""Requests per second: of the mock server at 64 connections, and of the native harness against it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONNECTIONS = 64
REQUESTS = 20_000
QUESTIONS = 5_000


def rates(folder: Path) -> Iterator[tuple[str, str]]:
    """What was measured, and the figure; `folder` is made."""
    folder.mkdir()
    with _mock(folder) as port:
        seconds = asyncio.run(_blast(port))
        yield f"mock, {CONNECTIONS} connections", f"{REQUESTS / seconds:.0f} requests/s"
        seconds = _native(folder, port)
        yield f"native harness, {QUESTIONS} questions", f"{QUESTIONS / seconds:.0f} requests/s"


@contextmanager
def _mock(folder: Path) -> Iterator[int]:
    argv = [sys.executable, "-m", "evalmake.engines.mock", "--port-file", "port"]
    server = subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        while not (folder / "port").exists():
            time.sleep(0.01)
        yield int((folder / "port").read_text())
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


async def _blast(port: int) -> float:
    """Seconds that all requests took; the client is bare sockets, so as to measure the server."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "What is 3 + 4?"}]})
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    request = (head + body).encode()
    start = time.perf_counter()
    await asyncio.gather(*(_converse(port, request, REQUESTS // CONNECTIONS) for _ in range(CONNECTIONS)))
    return time.perf_counter() - start


async def _converse(port: int, request: bytes, count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise RuntimeError(head.decode())
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        await reader.readexactly(int(length))
    writer.close()


def _native(folder: Path, port: int) -> float:
    """Seconds of a whole run of the harness, its start included."""
    rows = [{"q": f"What is {i} + 4?", "a": str(i + 4)} for i in range(QUESTIONS)]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {"files": ["data.jsonl"], "prompt": "{q}", "target": "{a}", "scorer": "number"}
    (folder / "task.json").write_text(json.dumps(task))
    (folder / "out").mkdir()
    env = os.environ | {
        "EVALMAKE_MODEL_URL": f"http://127.0.0.1:{port}/v1",
        "EVALMAKE_MODEL_NAME": "m",
        "EVALMAKE_MODEL_API": "chat",
        "EVALMAKE_CONCURRENCY": str(CONNECTIONS),
        "EVALMAKE_OUT": str(folder / "out"),
    }
    start = time.perf_counter()
    argv = [sys.executable, "-m", "evalmake.harnesses.native", "task.json"]
    subprocess.run(argv, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
