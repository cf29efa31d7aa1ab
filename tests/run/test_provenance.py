"""What is known of a build and of an attempt when they run, as outputs of each attempt."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from evalmake.planner.action import ActionResult
from evalmake.signatures.keys import parse_public_key
from evalmake.store.journal import Journal
from tests.support.keys import pem_of
from tests.support.workspaces import NOBODY, SCORE, SCRIPTED, TRIED, Bench, end, wait_for

ONE = f"""\
    DEPTH = 1
    include "more.evalfile"
{NOBODY}{SCRIPTED}
    eval tried {{
        model     = nobody
        benchmark = scripted
        seed      = DEPTH
        resources = {{ cpus = 1 }}
    }}
"""
SECRET = f"""\
    executor here {{
        backend = process
        env     = {{ GIVEN = secret("CANARY_GIVEN") }}
    }}
{NOBODY}{SCRIPTED}
    TEXT = "none"
    eval tried {{
        model     = nobody
        benchmark = scripted
        executor  = here
        tags      = [TEXT]
    }}
"""


def provenance(bench: Bench, attempt: ActionResult) -> tuple[dict[str, Any], dict[str, Any]]:
    """What an attempt's outputs say of its build, and of itself."""
    build, own = (bench.output(attempt, f"provenance/{name}.json") for name in ("build", "attempt"))
    return json.loads(build), json.loads(own)


def test_a_build(bench: Bench) -> None:
    """Its files by digest, what was asked for, who asked, and on what machine; the attempt says why it ran."""
    bench.evalfile(ONE)
    (bench.root / "more.evalfile").write_text("# nothing\n")
    (bench.root / "Evalfile.lock").write_text('{"version": 1, "pins": {}}')
    bench.job(SCORE)
    assert bench.run("tried", "DEPTH=7").status == 0
    (attempt,) = bench.attempts()
    build, own = provenance(bench, attempt)

    def digest(name: str) -> dict[str, str]:
        return {"name": name, "sha256": sha256((bench.root / name).read_bytes()).hexdigest()}

    assert build["evalfile"] == digest("Evalfile")
    assert build["includes"] == [digest("more.evalfile")]
    assert build["lock"] == digest("Evalfile.lock")
    assert (build["targets"], build["overrides"]) == (["tried"], {"DEPTH": "7"})
    assert (build["forced"], build["because"], build["git"]) == (False, "", None)
    assert (build["user"], build["host"]["name"]) == (attempt.facts["user"], attempt.facts["host"])
    assert build["host"]["cores"] == os.cpu_count()
    assert build["python"] == platform.python_version()
    assert build["plan"].startswith("sha256:")
    assert own["executor"] == {"name": "local", "backend": "process"}
    assert own["reasons"] == [{"kind": "never-run", "subject": "", "before": None, "now": None}]
    assert (own["placement"], own["taken_over"], own["retry"]) == ({"cpus": 1}, False, 0)


def test_changes_and_reasons_are_kept(bench: Bench) -> None:
    """What had changed since the last result, and why `-B` was asked for."""
    bench.evalfile(ONE.replace('    include "more.evalfile"\n', ""))
    bench.job(SCORE)
    assert bench.run().status == 0
    bench.job(SCORE + "# another\n")
    assert bench.run().status == 0
    assert bench.run("-B", "--because", "the server was restarted").status == 0
    _, changed, forced = sorted(bench.attempts(), key=lambda one: one.finished)
    (reason,) = provenance(bench, changed)[1]["reasons"]
    assert (reason["kind"], reason["subject"]) == ("changed", "benchmark.files.sha256")
    assert reason["before"] != reason["now"]
    build, own = provenance(bench, forced)
    assert (build["forced"], build["because"]) == (True, "the server was restarted")
    assert [reason["kind"] for reason in own["reasons"]] == ["forced"]


def test_a_reason_needs_an_order(bench: Bench) -> None:
    """`--because` without `-B` says why nothing happens, so it is an error."""
    bench.evalfile(TRIED)
    ended = bench.run("--because", "I like it")
    assert ended.status == 2
    assert "`-B`" in ended.err


def test_a_signed_plan(bench: Bench) -> None:
    """An attempt of a saved plan names its digest, its targets, and the keys that signed it."""
    bench.evalfile(TRIED)
    bench.job(SCORE)
    private, public = pem_of(1)
    (bench.root / "1.key").write_text(private)
    (bench.root / "1.key").chmod(0o600)
    (bench.root / "1.pub").write_text(public)
    assert bench.run("-n", "-o", "plan.json", "--sign", "1.key", "tried/2").status == 0
    assert bench.run("--plan", "plan.json", "--require-signature", "--key", "1.pub").status == 0
    (attempt,) = bench.attempts()
    build, _ = provenance(bench, attempt)
    assert build["plan"] == json.loads((bench.root / "plan.json").read_text())["digest"]
    assert (build["targets"], build["plan_signed_by"]) == (["tried/2"], [parse_public_key(public, "").key_id])


def test_attempts_of_a_build_share_a_text(bench: Bench) -> None:
    """The store keeps what is known of a build once, and failed attempts have it, too."""
    bench.evalfile(TRIED)
    bench.job(f"[ $EVALMAKE_SEED = 3 ] && exit 1\n{SCORE}")
    assert bench.run("-k").status == 2
    attempts = bench.attempts()
    assert {attempt.status for attempt in attempts} == {"succeeded", "failed"}
    assert len({bench.output(attempt, "provenance/build.json") for attempt in attempts}) == 1
    assert all(provenance(bench, attempt)[1]["version"] == 1 for attempt in attempts)
    assert bench.journal() == []
    assert not [*(bench.root / ".evalmake/journal").glob("*.provenance")]
    assert bench.run("verify").status == 0
    assert bench.run("gc").out == "0 entries, 0 bytes freed\n"


def test_a_build_that_was_killed_at_its_end(bench: Bench) -> None:
    """What a killed build left of itself goes with the next build, also where nothing is left to run."""
    bench.evalfile(TRIED)
    bench.job(SCORE)
    assert bench.run().status == 0
    Journal(bench.root / ".evalmake/journal").keep_provenance("17f-1", b"{}")
    assert bench.run().out.startswith("nothing to do")
    assert bench.journal() == []


def test_a_cancelled_attempt(bench: Bench) -> None:
    """Ctrl-C leaves the record of an attempt, with its provenance."""
    bench.evalfile(ONE.replace('    include "more.evalfile"\n', ""))
    bench.job("touch $EVALMAKE_OUT/began\nsleep 1000\n")
    process = bench.start()
    wait_for(lambda: any((bench.root / ".evalmake/work").glob("*/out/began")))
    process.send_signal(signal.SIGINT)
    end(process)
    (attempt,) = bench.attempts()
    assert attempt.status == "cancelled"
    assert provenance(bench, attempt)[0]["evalfile"]["name"] == "Evalfile"


def test_a_job_cannot_forge_it(bench: Bench) -> None:
    """Files of these names that a job writes are not what the record keeps; its others are."""
    bench.evalfile(ONE.replace('    include "more.evalfile"\n', ""))
    names = ("build.json", "attempt.json", "own.json")
    forged = "".join(f"echo forged > $EVALMAKE_OUT/provenance/{name}\n" for name in names)
    bench.job(f"mkdir $EVALMAKE_OUT/provenance\n{forged}{SCORE}")
    assert bench.run().status == 0
    (attempt,) = bench.attempts()
    assert provenance(bench, attempt)[0]["version"] == 1
    assert bench.output(attempt, "provenance/own.json") == b"forged\n"
    assert bench.run("verify").status == 0


def test_no_secret_is_kept(bench: Bench) -> None:
    """A secret in an override, a reason, a branch or a target is replaced by its name."""
    canary = "canary-5d0f6a17c9"
    bench.env["CANARY_GIVEN"] = canary
    bench.evalfile(SECRET.replace("        tags      = [TEXT]\n", ""))
    bench.job(SCORE)
    assert bench.run("-B", "--because", f"of {canary}", f"TEXT=my {canary}").status == 0
    (attempt,) = bench.attempts()
    build = provenance(bench, attempt)[0]
    assert build["because"] == "of [secret CANARY_GIVEN]"
    assert build["overrides"] == {"TEXT": "my [secret CANARY_GIVEN]"}
    files = [path for path in (bench.root / ".evalmake").rglob("*") if path.is_file()]
    assert not [path for path in files if canary.encode() in path.read_bytes()]


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_the_repository(bench: Bench) -> None:
    """The commit that the project's folder is at."""
    bench.evalfile(ONE.replace('    include "more.evalfile"\n', ""))
    bench.job(SCORE)
    words = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(bench.root)]
    for more in (["init", "-q"], ["add", "Evalfile"], ["commit", "-qm", "x"]):
        subprocess.run([*words, *more], check=True)
    assert bench.run().status == 0
    (attempt,) = bench.attempts()
    found = provenance(bench, attempt)[0]["git"]
    done = subprocess.run([*words, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    assert (found["commit"], found["dirty"], found["untracked"]) == (done.stdout.strip(), False, 1)


def hold(bench: Bench) -> Path:
    """A job that goes on until the file that is returned is gone."""
    held = bench.root / "held"
    held.touch()
    bench.evalfile(ONE.replace('    include "more.evalfile"\n', ""))
    bench.job(f"touch $EVALMAKE_OUT/began\nwhile [ -e {held} ]; do sleep 0.05; done\n{SCORE}")
    return held


@pytest.mark.parametrize("lost", [False, True])
def test_a_job_of_a_killed_build(bench: Bench, lost: bool) -> None:
    """The next build records what was known of the build that started the job; where that is lost, it says so."""
    held = hold(bench)
    process = bench.start("DEPTH=2")
    kept = bench.root / ".evalmake/journal"
    wait_for(lambda: any((bench.root / ".evalmake/work").glob("*/out/began")) and any(kept.glob("*.provenance")))
    process.kill()
    process.wait()
    for path in kept.glob("*.provenance") if lost else ():
        path.write_bytes(path.read_bytes()[:-1])
    held.unlink()
    assert bench.run("tried", "DEPTH=2").status == 0
    (attempt,) = bench.attempts()
    build, own = provenance(bench, attempt)
    assert (build["targets"], own["taken_over"]) == ((["tried"], True) if lost else ([], False))
    assert not [*kept.glob("*.provenance")]


def test_an_accepted_result_keeps_it(bench: Bench) -> None:
    """`accept` keeps the outputs of the attempt that it takes over, and says who accepted it and why."""
    bench.evalfile(ONE.replace('    include "more.evalfile"\n', ""))
    bench.job(SCORE)
    assert bench.run().status == 0
    bench.job(SCORE + "# a comment\n")
    assert bench.run("accept", "tried", "--because", "only a comment").status == 0
    ran, accepted = sorted(bench.attempts(), key=lambda one: "accepted-because" in one.facts)
    assert accepted.facts["accepted-because"] == "only a comment"
    assert accepted.facts["accepted-from"] == ran.action
    assert accepted.facts["user"] == ran.facts["user"]
    assert provenance(bench, accepted) == provenance(bench, ran)
