"""`notify`: one POST tells how a build ended, whatever the build found, and nothing depends on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.http_replies import http_reply
from tests.support.scripted_upstream import Upstream
from tests.support.workspaces import Bench

EVALFILE = """\
settings {{ notify = {address} }}
model acme {{ endpoint = "http://127.0.0.1:9/v1", name = "acme" }}
benchmark sums {{ harness = command, run = "{run}" }}
eval grid {{
    model = acme, benchmark = sums, seed in 1..2
    require accuracy >= 70%
}}
"""
SCORING = "sh ../../../job.sh"


@pytest.fixture
def upstream() -> Upstream:
    """Who is told."""
    return Upstream([http_reply(b"ok")])


def make_bench(root: Path, address: str, run: str = SCORING) -> Bench:
    """A project of two evaluations whose gate is not met."""
    bench = Bench(root)
    (root / "job.sh").write_text("echo '{\"accuracy\": 0.5}' > $EVALMAKE_OUT/scores.json\n")
    bench.evalfile(EVALFILE.format(address=address, run=run))
    return bench


def test_the_end_of_a_build_is_told_once(tmp_path: Path, upstream: Upstream) -> None:
    """A build that runs something sends its summary, gates and evaluations; one with nothing to do sends nothing."""
    bench = make_bench(tmp_path, f'"{upstream.url}/team"')
    assert bench.run().status == 1
    assert bench.run().status == 1
    [told] = upstream.bodies
    assert told["title"] == "evalmake Evalfile: a gate is not met"
    assert told["text"].splitlines()[1:3] == ["0 gates met, 1 not met", "2 ran"]
    assert told["text"].splitlines()[3].startswith("- grid: accuracy is 0.500, below 0.70")
    assert (told["status"], told["ran"], told["failed"]) == (1, ["grid/1", "grid/2"], [])
    assert [gate["met"] for gate in told["gates"]] == [False]


def test_a_failure_is_told(tmp_path: Path, upstream: Upstream) -> None:
    """Evaluations that failed are named."""
    bench = make_bench(tmp_path, f'"{upstream.url}/team"', "exit 3")
    assert bench.run("-k").status == 2
    [told] = upstream.bodies
    assert told["title"] == "evalmake Evalfile: failed"
    assert told["failed"] == ["grid/1", "grid/2"]


def test_the_address_may_be_a_secret(tmp_path: Path) -> None:
    """An address in a secret is used and never printed, stored or left in a job's environment."""
    upstream = Upstream([http_reply(b"no", status=404)])
    secret = f"{upstream.url}/hooks/T0-very-secret-1x9Qz"
    bench = make_bench(tmp_path, 'secret("HOOK")', "env > $EVALMAKE_OUT/env.txt; " + SCORING)
    ended = bench.run(env={"HOOK": secret})
    assert ended.status == 1
    assert "cannot notify the address in the secret `HOOK`: it answered with status 404 [notify-failed]" in ended.err
    assert "very-secret" not in ended.text
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and b"very-secret" in path.read_bytes()]
    assert kept == []


def test_an_unset_secret_is_told_before_anything_runs(tmp_path: Path) -> None:
    """A build whose address has no value does not begin."""
    ended = make_bench(tmp_path, 'secret("HOOK_THAT_IS_UNSET")').run()
    assert ended.status == 2
    assert "the secret `HOOK_THAT_IS_UNSET` is neither in the environment" in ended.err
    assert "Evalfile:1:21" in ended.err


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ('"team"', '`notify`: write a URL, "https://HOST/PATH", or `secret("NAME")`'),
        ('"https://me:pw@host/x"', '`notify`: a URL holds no user or password: use `secret("NAME")`'),
        ("7", '`notify`: write a URL, "https://HOST/PATH", or `secret("NAME")`'),
    ],
)
def test_addresses_that_are_none(tmp_path: Path, address: str, said: str) -> None:
    """What is no address is refused, with what one is."""
    ended = make_bench(tmp_path, address).run("-n")
    assert ended.status == 2
    assert said in ended.err
