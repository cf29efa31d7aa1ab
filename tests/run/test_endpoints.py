"""Endpoints and data that are wrong: a message that names them, and never a score."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from workspaces import SUMS, Bench

EVALFILE = """\
    model subject {
        endpoint = "ENDPOINT"
        name     = "subject"
    }
    defaults benchmark {
        request_retries = 0
        request_timeout = 0.3
    }
    eval asked {
        model     = subject
        benchmark = sums
    }
"""


class Server(ThreadingHTTPServer):
    """Takes as many connections at once as the harness makes."""

    daemon_threads = True
    request_queue_size = 100


class Answers(BaseHTTPRequestHandler):
    """Answers /KIND/v1/chat/completions as KIND says."""

    def do_POST(self) -> None:
        """Read the request, and be as unhelpful as the path asks."""
        self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.path.split("/")[1]
        if kind == "never":
            self.server.over.wait(5)  # type: ignore[attr-defined]
            return
        status, text = {
            "401": (401, '{"error": "no such key"}'),
            "429": (429, "slow down"),
            "500": (500, "broken"),
            "html": (200, "<html>Please sign in</html>"),
        }[kind]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a server of every unhelpful kind."""
    made = Server(("127.0.0.1", 0), Answers)
    made.over = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.over.set()  # type: ignore[attr-defined]
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("401", 'HTTP 401 Unauthorized: {"error": "no such key"}'),
        ("429", "HTTP 429 Too Many Requests: slow down"),
        ("500", "HTTP 500 Internal Server Error: broken"),
        ("html", "HTML instead of JSON: <html>Please sign in</html>"),
        ("never", "no answer within 0.3 s"),
    ],
)
def test_unhelpful_endpoint(bench: Bench, server: str, kind: str, reason: str) -> None:
    """The failure names the evaluation, the URL and the reason; there is no score."""
    bench.evalfile(EVALFILE.replace("ENDPOINT", f"{server}/{kind}/v1"), SUMS)
    bench.sums(60)
    ended = bench.run()

    assert ended.status == 2
    assert "error: asked failed: " in ended.err
    assert f"{server}/{kind}/v1" in ended.err
    assert reason in ended.err
    assert "help: its log: evalmake logs asked" in ended.err
    assert bench.scores() == {}
    assert [a.scores for a in bench.attempts()] == [()]
    bench.clean()


def test_refusing_endpoint(bench: Bench) -> None:
    """An address at which nobody listens is named."""
    bench.evalfile(EVALFILE.replace("ENDPOINT", "http://127.0.0.1:9/v1"), SUMS)
    bench.sums()
    ended = bench.run()

    assert ended.status == 2
    assert "http://127.0.0.1:9/v1/chat/completions: cannot connect: Connect" in ended.err
    assert bench.scores() == {}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"question": "What is 1 + 1?", "answer": 2', "sums.jsonl:3"),
        ('{"question": "What is 1 + 1?"}', "answer"),
    ],
)
def test_bad_data(bench: Bench, line: str, reason: str) -> None:
    """A record that is no JSON or lacks a field fails the evaluation with its file and line."""
    bench.evalfile(EVALFILE.replace("ENDPOINT", "http://127.0.0.1:9/v1"), SUMS)
    bench.sums(2)
    with (bench.root / "sums.jsonl").open("a") as stream:
        stream.write(line + "\n")
    ended = bench.run()

    assert ended.status == 2
    message = ended.err[ended.err.index("error: asked failed") :].splitlines()[0]
    assert reason in message
    assert "sums.jsonl:3" in message
    assert bench.scores() == {}
