"""Secrets of jobs on a cluster: in no script, argument, record or log, and nobody else's to read."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.executors.slurm.clustered import ROOM, Clustered
from tests.support.daemons import until
from tests.support.http_replies import chat_completion, http_reply
from tests.support.scripted_upstream import ReceivedRequest, Upstream
from tests.support.workspaces import end

KEY, TOKEN = "sk-of-the-model-0123456789", "hf-of-the-executor-9876543210"
EVALFILE = f"""\
model subject {{
    endpoint = "URL"
    name     = "subject"
    api_key  = secret("MODEL_KEY")
}}
benchmark asking {{
    harness = command
    files   = file("job.sh")
    run     = "sh data/job.sh"
}}
eval asked {{
    model     = subject
    benchmark = asking
    executor  = cluster
    {ROOM}
}}
"""
JOB = """\
test "$HUB_TOKEN" = hf-of-the-"executor"-9876543210 || exit 3
test -z "$MODEL_KEY" || exit 4
env | grep -q sk-of-the-"model" && exit 5
test "$(id -u)" = 0 || ! grep -qs sk-of-the-"model" /proc/[0-9]*/environ || exit 7
head="Authorization: Bearer $EVALMAKE_API_KEY"
python3 - "$EVALMAKE_MODEL_URL/chat/completions" <<'ASK' || exit 6
import json, os, sys, urllib.request
head = {"Authorization": "Bearer " + os.environ["EVALMAKE_API_KEY"], "Content-Type": "application/json"}
body = {"model": "subject", "messages": [{"role": "user", "content": "hello"}]}
urllib.request.urlopen(urllib.request.Request(sys.argv[1], json.dumps(body).encode(), head)).read()
ASK
echo the token is "$HUB_TOKEN"
until test -e GO; do sleep 0.1; done
echo '{"accuracy": 1}' > $EVALMAKE_OUT/scores.json
"""


@pytest.fixture
def upstream() -> Upstream:
    """A model that answers only who has its key."""

    def script(seen: ReceivedRequest) -> list[bytes]:
        known = seen.header(b"authorization") == f"Bearer {KEY}".encode()
        return [http_reply(chat_completion("yes") if known else {"error": "who is it"}, 200 if known else 401)]

    return Upstream(script)


@pytest.fixture
def bench(either: Clustered, upstream: Upstream, tmp_path: Path) -> Clustered:
    """A workspace whose job waits for the file `go`."""
    go = either.cluster.folder / "run" / f"go-{tmp_path.name}"
    either.env |= {"MODEL_KEY": KEY, "HUB_TOKEN": TOKEN}
    either.forks = False
    either.job(JOB.replace("GO", str(go)))
    hidden = 'env = { HUB_TOKEN = secret("HUB_TOKEN") }'
    either.evalfile(either.executor(hidden), EVALFILE.replace("URL", upstream.url))
    return either


def go(bench: Clustered, tmp_path: Path) -> None:
    """Let the job end."""
    (bench.cluster.folder / "run" / f"go-{tmp_path.name}").touch()


def places(bench: Clustered) -> list[Path]:
    """Where files of the workspace, of its jobs there, and of Slurm itself are."""
    found = [bench.root, bench.cluster.folder / "log", bench.cluster.folder / "calls"]
    return [*found, bench.login.work, bench.login.home] if bench.login else found


def told(places: list[Path]) -> Iterator[Path]:
    """The files that have one of the secrets."""
    for place in places:
        for path in [place] if place.is_file() else place.rglob("*"):
            if path.is_file() and not path.is_symlink():
                data = path.read_bytes()
                if KEY.encode() in data or TOKEN.encode() in data:
                    yield path


def readable(path: Path, top: Path) -> bool:
    """Whether any other user can read a file, by its mode and those of the folders above it."""
    above = [p for p in path.parents if p.is_relative_to(top)]
    through = all(p.stat().st_mode & (stat.S_IXOTH | stat.S_IXGRP) for p in above)
    return through and bool(path.stat().st_mode & (stat.S_IROTH | stat.S_IRGRP))


def arguments() -> str:
    """The command lines of all processes."""
    return subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True).stdout


def test_while_it_runs_and_after(bench: Clustered, upstream: Upstream, tmp_path: Path) -> None:
    """The model gets its key and the job its token; neither is in any other file or output."""
    process = bench.start()
    until(lambda: upstream.received or process.poll() is not None)
    until(lambda: list(bench.jobs("RUNNING")) or process.poll() is not None)
    shown = arguments()
    assert KEY not in shown
    assert TOKEN not in shown
    work = bench.work()
    for path in told(places(bench)):
        assert path.name == "log", f"{path} has a secret"  # which the job printed
        assert not readable(path, work)
    for path in work.rglob("*"):
        if path.name in ("job.sh", "sidecar.json", "settings.json") or path.suffix == ".json":
            assert not readable(path, work), f"{path} has what lets a job in"
    go(bench, tmp_path)
    ended = end(process)

    assert ended.status == 0, ended.text
    assert {seen.header(b"authorization") for seen in upstream.received} == {f"Bearer {KEY}".encode()}
    assert list(told(places(bench))) == []
    assert "the token is " in bench.run("logs", "asked").out
    for attempt in bench.attempts():
        for output in attempt.outputs:
            data = bench.output(attempt, output.name)
            assert KEY.encode() not in data
            assert TOKEN.encode() not in data
    bench.clean()


def test_cancelled_while_it_waits(bench: Clustered) -> None:
    """A job that is cancelled before it ran leaves no secret behind."""
    for node in bench.cluster.nodes:
        bench.cluster.drain(node)
    try:
        process = bench.start("--detach")
        assert end(process).status == 0
        assert bench.jobs("PENDING")
        kept = list(told(places(bench)))
        assert {path.name for path in kept} == {".secrets", ".keys"}
        assert not [path for path in kept if path.stat().st_mode & 0o077]
        assert bench.run("cancel").status == 0
        assert bench.jobs() == []
        assert list(told(places(bench))) == []
        bench.clean()
    finally:
        for node in bench.cluster.nodes:
            bench.cluster.resume(node)


def test_far_files_are_the_users(far: Clustered) -> None:
    """Only the user can read copied files on the cluster, whatever their modes were here."""
    assert far.login is not None
    far.job("sleep 600\n")
    far.evalfile(far.executor(), EVALFILE.replace("URL", "http://127.0.0.1:9/v1"))
    far.env["MODEL_KEY"] = KEY
    assert far.run("--detach").status == 0
    place = far.work()
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert place.stat().st_uid == far.login.uid != os.getuid()
    assert far.run("clean").status == 0
    assert far.jobs() == []
    assert far.there() == []
