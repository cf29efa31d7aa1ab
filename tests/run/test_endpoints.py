"""Wrong endpoints and data: the message names them, and there is no score."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.run.request_evalfiles import ASKED, SAMPLER, model
from tests.support.certificates import behind_tls, make_certificate
from tests.support.http_replies import chat_completion, http_reply
from tests.support.scripted_upstream import Upstream
from tests.support.workspaces import SUMS, Bench

EVALFILE = """\
    model subject {
        endpoint = "ENDPOINT"
        name     = "subject"
    }
    eval asked {
        model     = subject
        benchmark = sums
        adapter   = { retry = 0 }
    }
"""


class Server(ThreadingHTTPServer):
    """A server that accepts as many connections at once as the harness makes."""

    daemon_threads = True
    request_queue_size = 100


class Answers(BaseHTTPRequestHandler):
    """Answers /KIND/v1/chat/completions as KIND says."""

    def do_POST(self) -> None:
        """Read the request, and fail in the way that the path names."""
        self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.path.split("/")[1]
        if kind == "never":
            self.server.over.wait(5)  # type: ignore[attr-defined]
            return
        status, text = {
            "401": (401, '{"error": "no such key"}'),
            "403": (403, "not for you"),
            "302": (302, ""),
            "429": (429, "slow down"),
            "500": (500, "broken"),
            "404": (404, "no such model"),
            "400": (400, "too long"),
            "html": (200, "<html>Please sign in</html>"),
        }[kind]
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "https://models.example/v1/chat/completions")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a server that fails in every way."""
    made = Server(("127.0.0.1", 0), Answers)
    made.over = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.over.set()  # type: ignore[attr-defined]
    made.shutdown()
    made.server_close()
    thread.join()


IN_A_ROW = "3 requests in a row failed, the last one: "
SHORT = "0 of 2 samples were scored, and 100% must be; the most common reason"
ROUTE = "/t/"
"""What stands in every address of the gateway's."""


@pytest.mark.parametrize(
    ("kind", "how", "reason"),
    [
        ("401", "", 'HTTP 401: {"error": "no such key"}'),
        ("429", IN_A_ROW, "HTTP 429: slow down"),
        ("500", IN_A_ROW, "HTTP 500: broken"),
        ("html", IN_A_ROW, "the reply is not JSON: <html>Please sign in</html>"),
        ("never", IN_A_ROW, "nothing came for 0.3 s"),
    ],
)
def test_unhelpful_endpoint(bench: Bench, server: str, kind: str, how: str, reason: str) -> None:
    """The failure names the evaluation, the model's own URL and the reason; there is no score."""
    bench.evalfile(EVALFILE.replace("ENDPOINT", f"{server}/{kind}/v1"), SUMS)
    if kind == "never":
        bench.edit("retry = 0", "retry = 0, timeout = 300ms")
    bench.sums(60)
    ended = bench.run()

    assert ended.status == 2
    url = f"{server}/{kind}/v1/chat/completions"
    assert f"error: asked failed: {how}{url}: {reason} [evaluation-failed]\n" in ended.err
    assert "help: its log: evalmake logs asked" in ended.err
    assert ROUTE not in ended.err
    assert ROUTE not in bench.run("logs", "asked").out
    assert bench.scores() == {}
    assert [a.scores for a in bench.attempts()] == [()]
    bench.clean()


@pytest.mark.parametrize(
    ("kind", "key", "error", "cure"),
    [
        (
            "401",
            "",
            "HTTP 401: ",
            'model subject has no `api_key`: write `api_key = secret("NAME")`, and set the variable',
        ),
        ("403", "", "HTTP 403: ", "model subject has no `api_key`: write "),
        (
            "403",
            'api_key = secret("KEY")',
            "HTTP 403: ",
            "see the secret KEY, which `api_key` of model subject names: ",
        ),
        ("302", "", "HTTP 302, to https://models.example/v1/chat/completions: (empty)", "let its `endpoint` be there"),
    ],
)
def test_what_helps_where_a_server_refuses_all(
    bench: Bench, server: str, kind: str, key: str, error: str, cure: str
) -> None:
    """A refused key names `api_key` and whether the model has one, and a redirect where it leads."""
    endpoint = f'{server}/{kind}/v1"\n        {key}'
    bench.evalfile(EVALFILE.replace('ENDPOINT"', endpoint), SUMS)
    bench.env["KEY"] = "a-key-that-nobody-accepts"
    bench.sums(2)
    ended = bench.run()

    assert ended.status == 2
    assert error in ended.err
    assert cure in next(line for line in ended.err.splitlines() if line.startswith("help: "))
    assert f"/{kind}/v1/chat/completions: {error}" in ended.err
    assert "nobody-accepts" not in ended.text


GIVES_UP = """\
import http.client, os, sys, urllib.parse
url = urllib.parse.urlsplit(os.environ["EVALMAKE_MODEL_URL"])
head = {"Authorization": f"Bearer {os.environ['EVALMAKE_API_KEY']}", "Content-Type": "application/json"}
connection = http.client.HTTPConnection(url.netloc)
connection.request("POST", url.path + "/chat/completions", '{"model": "subject", "messages": []}', head)
connection.getresponse()
sys.exit("HTTP 401: words of my own")
"""


@pytest.mark.parametrize(
    ("kind", "cure"), [("403", "subject has no `api_key`"), ("302", "let its `endpoint` be there"), ("400", None)]
)
def test_what_helps_does_not_depend_on_what_a_program_says(
    bench: Bench, server: str, kind: str, cure: str | None
) -> None:
    """A program's own words neither hide that its model's server refused it, nor make it so."""
    bench.evalfile(model(f"{server}/{kind}/v1"), SAMPLER, ASKED.replace("sums", "sampler"))
    bench.job(GIVES_UP, "job.py")
    ended = bench.run()
    assert ended.status == 2
    helps = [line for line in ended.err.splitlines() if line.startswith("help: ")]
    assert helps[-1] == "help: its log: evalmake logs asked"
    assert [cure is not None and cure in line for line in helps[:-1]] == [True] * (cure is not None)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("404", "HTTP 404: no such model"),
        ("400", f"{SHORT} (2): HTTP 400: too long"),
        ("429", f"{SHORT} (2): HTTP 429: slow down"),
    ],
)
def test_few_refusals(bench: Bench, server: str, kind: str, reason: str) -> None:
    """The message quotes the model's reply, and a note has its URL."""
    bench.evalfile(EVALFILE.replace("ENDPOINT", f"{server}/{kind}/v1"), SUMS)
    bench.sums(2)
    ended = bench.run()

    assert ended.status == 2
    assert f"error: asked failed: {reason} [evaluation-failed]\n" in ended.err
    assert f"note: its model is subject at {server}/{kind}/v1\n" in ended.err
    last = f"note: the last error of its model: {server}/{kind}/v1/chat/completions: "
    assert last + reason.removeprefix(f"{SHORT} (2): ") in ended.err
    assert ROUTE not in ended.err
    assert bench.scores() == {}


def test_refusing_endpoint(bench: Bench) -> None:
    """The message names an address on which nothing listens."""
    bench.evalfile(EVALFILE.replace("ENDPOINT", "http://127.0.0.1:9/v1"), SUMS)
    bench.sums()
    ended = bench.run()

    assert ended.status == 2
    url = "http://127.0.0.1:9/v1/chat/completions"
    assert f"error: asked failed: {IN_A_ROW}{url}: cannot connect: Connect" in ended.err
    assert ROUTE not in ended.err
    assert bench.scores() == {}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"question": "What is 1 + 1?", "answer": 2', "sums.jsonl:3"),
        ('{"question": "What is 1 + 1?"}', "answer"),
    ],
)
def test_bad_data(bench: Bench, line: str, reason: str) -> None:
    """A record that is not JSON or lacks a field is an error with file and line before anything runs."""
    bench.evalfile(EVALFILE.replace("ENDPOINT", "http://127.0.0.1:9/v1"), SUMS)
    bench.sums(2)
    with (bench.root / "sums.jsonl").open("a") as stream:
        stream.write(line + "\n")
    ended = bench.run()

    assert ended.status == 2
    message = ended.err[ended.err.index("error: ") :].splitlines()[0]
    assert reason in message
    assert "sums.jsonl:3" in message
    assert bench.scores() == {}


@pytest.fixture
def certificate(bench: Bench) -> Path:
    """A self-signed certificate for localhost, with its key, beside the Evalfile."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate")
    return make_certificate(bench.root / "ca.pem")


@pytest.mark.parametrize("key", ['ca = file("ca.pem")', 'ca = "ca.pem"', "verify = false"])
def test_a_certificate_that_only_you_trust(bench: Bench, certificate: Path, key: str) -> None:
    """`ca` names the certificates to trust, and `verify = false` trusts any; neither is part of the identity."""
    upstream = Upstream([http_reply(chat_completion("3"))])
    bench.evalfile(model(behind_tls(certificate, upstream), key), SUMS, ASKED)
    bench.sums(1)
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert bench.scores() == {"asked": [1.0]}
    bench.edit(key, "")
    assert "nothing to do" in bench.run().out


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ('ca = "no.pem"', "`ca` cannot be read: No such file or directory"),
        ('ca = file("Evalfile")', "`ca` is no use: it holds no certificate in PEM form"),
    ],
)
def test_a_certificate_that_is_none(bench: Bench, key: str, why: str) -> None:
    """A plan and a build say what is wrong with `ca`, and where, before anything starts."""
    bench.evalfile(model("https://localhost:9/v1", key), SUMS, ASKED)
    bench.sums(1)
    for words in ((), ("-n",)):
        ended = bench.run(*words)
        assert ended.status == 2
        assert why in ended.err
        assert key in ended.err


def test_an_endpoint_without_its_version(bench: Bench) -> None:
    """The error about a 404 from an endpoint without `/v1` says what to write."""
    upstream = Upstream([http_reply({"detail": "Not Found"}, 404)])
    url = upstream.url.removesuffix("/v1")
    bench.evalfile(model(url), SUMS, ASKED)
    bench.sums(1)
    ended = bench.run()
    assert ended.status == 2
    assert f'the endpoint has no `/v1`: most servers want endpoint = "{url}/v1"' in ended.err
