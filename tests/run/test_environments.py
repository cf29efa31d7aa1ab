"""Environments of packages: built once, whole or not at all, and part of a result's identity."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from evalmake.run.environments import installer
from evalmake.run.environments.archive_hashes import combine_hashes, read_report
from evalmake.run.environments.environment import Environment
from evalmake.run.events import EnvironmentEnded, EnvironmentProgressed, EnvironmentStarted, Event
from tests.support.wheels import offline_variables, write_wheel
from tests.support.workspaces import Bench, end, read_until, wait_for

EVALFILE = """\
    model nobody {
        endpoint = "http://127.0.0.1:9/v1"
        name     = "nobody"
    }
    benchmark printed {
        harness  = command
        packages = ["thing"]
        files    = file("job.sh")
        run      = "sh data/job.sh"
    }
    eval tried {
        model     = nobody
        benchmark = printed
    }
"""
JOB = """python -c 'import thing; print("{\\"accuracy\\": %s}" % thing.VALUE)' > $EVALMAKE_OUT/scores.json\n"""
SLOW = """\
#!/bin/sh
if [ "$1" = venv ]; then
    for folder; do :; done
    exec PYTHON -m venv --without-pip "$folder"
fi
echo Downloading thing-1.0-py3-none-any.whl
echo $$ > BUSY
while [ -e HOLD ]; do sleep 0.05; done
exit 1
"""
"""A `uv` that says that it installs, and does not end before `HOLD` is gone."""


@pytest.fixture
def packages(bench: Bench, tmp_path: Path) -> Path:
    """A folder of wheels, the only source of installers; `bench` has a benchmark that needs one."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    bench.env |= offline_variables(wheels)
    bench.env.pop("EVALMAKE_ENVIRONMENTS", None)
    write_wheel(wheels, "1.0", 0.25)
    bench.evalfile(EVALFILE)
    bench.job(JOB)
    return wheels


def environments(bench: Bench) -> Path:
    """The folder of the store's environments."""
    return bench.root / ".evalmake" / "store" / "environments"


def only(bench: Bench, suffix: str) -> Path:
    """The only file with this suffix in the folder of environments."""
    (found,) = environments(bench).glob(f"*{suffix}")
    return found


def folder(bench: Bench) -> Path:
    """The only environment."""
    return only(bench, ".txt").with_suffix("")


def test_a_job_runs_in_its_environment(bench: Bench, packages: Path) -> None:
    """Programs of the environment come first on PATH, and the result records its packages."""
    done = bench.run()
    assert done.status == 0
    assert "installing thing in a separate environment" in done.err
    assert bench.scores() == {"tried": [0.25]}
    (attempt,) = bench.attempts()
    (listed,) = [output for output in attempt.outputs if output.name == "packages.txt"]
    with bench.store() as store:
        assert store.blob(listed.sha256) == b"thing==1.0\n"
        names = {name: store.part(digest) for name, digest in attempt.identity.items()}
    assert (names["benchmark"] or {})["resolved.thing"] == "str:1.0"


def test_it_is_built_once(bench: Bench, packages: Path) -> None:
    """A second benchmark, a changed one and a forced run use the same environment."""
    assert "installing" in bench.run().err
    bench.edit("files ", "params   = { temperature = 1 }\n    files ")
    assert "installing" not in bench.run("-B").err
    bench.edit("eval tried", 'benchmark other from printed { metric = "accuracy" }\neval tried')
    bench.edit("benchmark = printed", "benchmark in [printed, other]")
    done = bench.run()
    assert done.status == 0
    assert "installing" not in done.err


def test_hashes_of_packages(bench: Bench, packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record has the hash of each archive as pip resolved it; of an older environment, that of each RECORD."""
    bench.env["PATH"] = os.pathsep.join(p for p in bench.env["PATH"].split(os.pathsep) if not Path(p, "uv").exists())
    monkeypatch.setenv("PATH", bench.env["PATH"])
    assert bench.run().status == 0
    (wheel,) = packages.glob("*.whl")
    (record,) = folder(bench).glob("lib/python*/site-packages/thing-1.0.dist-info/RECORD")
    listing = only(bench, ".txt").read_text()
    only(bench, ".hashes").unlink()
    assert bench.run("-B").status == 0
    assert only(bench, ".txt").read_text() == listing
    found = sorted(bench.attempts(), key=lambda attempt: attempt.attempt)
    assert found[0].identity == found[1].identity
    for attempt, of, file in zip(found, ("archive", "RECORD"), (wheel, record), strict=True):
        assert json.loads(bench.output(attempt, "provenance/attempt.json"))["packages"] == [
            {
                "name": "thing",
                "version": "1.0",
                "sha256": sha256(file.read_bytes()).hexdigest(),
                "of": of,
                "needed_by": "benchmark printed",
            }
        ]
    assert not [*environments(bench).glob("*.report")]


def test_reports_that_are_none(tmp_path: Path) -> None:
    """A report that is missing, broken or without hashes tells nothing, and hashes of other versions do not count."""
    path = tmp_path / "report"
    assert read_report(path) == {}
    digest = "ab" * 32
    good = {
        "metadata": {"name": "A.b", "version": "1"},
        "download_info": {"archive_info": {"hashes": {"sha256": digest}}},
    }
    bare = {"metadata": {"name": "c", "version": "1"}, "download_info": {"dir_info": {}}}
    for text in ("", "[]", "{", '{"install": 7}', json.dumps({"install": [7]})):
        path.write_text(text)
        assert read_report(path) == {}
    path.write_text(json.dumps({"install": [good, bare]}))
    known = read_report(path)
    assert known == {"a-b": ["1", digest]}
    for versions, expected in (({"a-b": "1"}, True), ({"a-b": "2"}, False), ({"a-b": "https://x/y.whl"}, True)):
        hashes = combine_hashes(json.dumps(known), tmp_path, versions)
        assert hashes == ({"a-b": (digest, "archive")} if expected else {})
    for damaged in ("", "{", "[1]", '{"a-b": 7}', '{"a-b": ["1", 7]}'):
        assert combine_hashes(damaged, tmp_path, {"a-b": "1"}) == {}


def test_a_dry_run_builds_none(bench: Bench, packages: Path) -> None:
    """`-n` and `-q` plan without knowing the versions, and install nothing."""
    assert "1 to run" in bench.run("-n").out
    assert bench.run("-q").status == 1
    assert not environments(bench).exists()
    bench.run()
    assert bench.run("-q").status == 0


def test_two_builds_share_one(bench: Bench, packages: Path, tmp_path: Path) -> None:
    """When two evalmakes need an environment at once, one builds it and the other waits."""
    shared = {"EVALMAKE_ENVIRONMENTS": str(tmp_path / "shared")}
    other = Bench(tmp_path / "other", bench.env)
    other.root.mkdir()
    other.evalfile(EVALFILE)
    other.job(JOB)
    first, second = bench.start(env=shared), other.start(env=shared)
    done = [end(first), end(second)]
    assert [one.status for one in done] == [0, 0]
    assert sum(one.err.count("installing thing") for one in done) == 1
    assert bench.scores() == other.scores() == {"tried": [0.25]}


def start_slow(bench: Bench, tmp_path: Path) -> tuple[subprocess.Popen[str], Path]:
    """A build whose installer waits for the end of the file `hold`, and the file with the installer's process id."""
    programs, busy, hold = tmp_path / "bin", tmp_path / "busy", tmp_path / "hold"
    programs.mkdir()
    hold.touch()
    text = SLOW.replace("PYTHON", sys.executable).replace("BUSY", str(busy))
    (programs / "uv").write_text(text.replace("HOLD", str(hold)))
    (programs / "uv").chmod(0o755)
    build = bench.start(env={"PATH": f"{programs}:{os.environ['PATH']}"})
    wait_for(lambda: busy.exists() and busy.read_text().strip() != "")
    return build, busy


def test_status_shows_packages_that_are_being_installed(bench: Bench, packages: Path, tmp_path: Path) -> None:
    """With what the installer does, for those targets, and from any folder with `--all`; afterwards nothing is left."""
    build, _ = start_slow(bench, tmp_path)
    [one] = json.loads(bench.run("status", "--json").out)
    assert (one["name"], one["kind"], one["state"]) == ("thing", "packages", "installing")
    assert "downloading" in one["detail"]
    for words in ((), ("tried",), ("--all",)):
        shown = bench.run("status", *words).out
        assert shown.startswith("packages of thing")
        assert "no unfinished jobs" not in shown
    (tmp_path / "hold").unlink()
    end(build)
    assert bench.run("status").out == "no unfinished jobs\n"


@pytest.mark.parametrize("whose", ["installer", "evalmake"])
def test_killed_in_the_middle(bench: Bench, packages: Path, tmp_path: Path, whose: str) -> None:
    """An environment whose installation was killed is built again, never used."""
    first, busy = start_slow(bench, tmp_path)
    installer = int(busy.read_text())
    os.kill(installer if whose == "installer" else first.pid, signal.SIGKILL)
    if whose == "installer":
        ended = end(first)
        assert ended.status == 2
        assert "[environment-failed]" in ended.err
        second = bench.start()
    else:
        first.communicate()
        second = bench.start()  # the orphaned installer still writes, and still holds the lock
        read_until(second, "waiting for another evalmake")
        assert not list(environments(bench).glob("*.txt"))
    (tmp_path / "hold").unlink()
    done = end(second)
    assert done.status == 0, done.text
    assert "installing thing" in done.err
    assert bench.scores() == {"tried": [0.25]}


def test_a_lost_one_is_built_of_the_same_versions(bench: Bench, packages: Path) -> None:
    """Where only the listing is left, its versions are installed as soon as something runs."""
    bench.run()
    shutil.rmtree(folder(bench))
    write_wheel(packages, "1.1", 0.75)
    assert "nothing to do" in bench.run().out
    assert not folder(bench).exists()
    done = bench.run("-B")
    assert "installing thing" in done.err
    assert [scores for scores in bench.scores().values()] == [[0.25]]
    assert {attempt.scores[0].value for attempt in bench.attempts()} == {0.25}
    assert only(bench, ".txt").read_text() == "thing==1.0\n"


def module(bench: Bench) -> Path:
    """The installed module."""
    (found,) = folder(bench).glob("lib/python*/site-packages/thing.py")
    return found


def test_a_changed_module_is_installed_again(bench: Bench, packages: Path) -> None:
    """A job never runs in an environment with one byte of a module changed: it is installed again before."""
    bench.run()
    module(bench).write_text("VALUE = 0.95\n")
    done = bench.run("-B")
    assert "installing thing" in done.err
    assert {attempt.scores[0].value for attempt in bench.attempts()} == {0.25}


@pytest.mark.parametrize("name", ["thing/__init__.py", "sitecustomize.py"])
def test_a_module_that_nobody_installed(bench: Bench, packages: Path, name: str) -> None:
    """A file that was put among an environment's packages does not stay there when a job runs."""
    bench.run()
    (module(bench).parent / name).parent.mkdir(exist_ok=True)
    (module(bench).parent / name).write_text("VALUE = 0.95\n")
    bench.run("-B")
    assert {attempt.scores[0].value for attempt in bench.attempts()} == {0.25}


def test_verify_hashes_environments(bench: Bench, packages: Path) -> None:
    """`verify` names a module that is not what was installed, whatever its size and time say."""
    bench.run()
    assert "all match" in bench.run("verify").out
    path, before = module(bench), module(bench).stat()
    path.write_text("VALUE = 0.35\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    checked = bench.run("verify")
    assert checked.status == 2
    assert "the environment of thing: lib/python" in checked.out
    assert "thing.py was changed; the next job has it installed again" in checked.out
    bench.run("-B")
    assert {attempt.scores[0].value for attempt in bench.attempts()} == {0.25}
    assert "all match" in bench.run("verify").out


def test_touched_files_are_proved_by_their_hashes(bench: Bench, packages: Path) -> None:
    """Files with new times, as a backup leaves them, and environments of evalmake 0.1 are hashed, not installed."""
    bench.run()
    os.utime(module(bench))
    assert "installing" not in bench.run("-B").err
    only(bench, ".seal").unlink()
    assert "installing" not in bench.run("-B").err
    assert only(bench, ".seal").exists()


def test_another_resolution_is_another_identity(bench: Bench, packages: Path) -> None:
    """Versions are part of the identity: other versions make a result stale, and `-n` names them."""
    bench.run()
    assert "nothing to do" in bench.run().out  # twice: the second is remembered
    assert "nothing to do" in bench.run().out
    write_wheel(packages, "1.1", 0.75)
    assert "nothing to do" in bench.run().out
    listing = only(bench, ".txt")
    shutil.rmtree(folder(bench))
    listing.unlink()
    done = bench.run()
    assert "installing thing" in done.err
    assert "1 ran" in done.out
    assert sorted(attempt.scores[0].value or 0 for attempt in bench.attempts()) == [0.25, 0.75]
    listing.write_text("thing==1.2\n")
    assert "nothing to do" in bench.run().out, "it was changed by hand"
    listing.with_suffix(".sha256").unlink()
    assert "benchmark.resolved.thing: 1.1 -> 1.2" in bench.run("-n").out


def test_a_lost_listing_is_read_from_the_environment(bench: Bench, packages: Path) -> None:
    """A lost listing is read from the environment, and nothing runs again."""
    bench.run()
    only(bench, ".txt").unlink()
    write_wheel(packages, "1.1", 0.75)
    done = bench.run()
    assert "nothing to do" in done.out
    assert only(bench, ".txt").read_text() == "thing==1.0\n"


def test_what_cannot_be_installed(bench: Bench, packages: Path) -> None:
    """A package that cannot be installed is an error at its place in the Evalfile, before anything starts."""
    bench.edit('"thing"', '"thing", "no-such-thing==1.0"')
    done = bench.run()
    assert done.status == 2
    assert "error: the packages of printed could not be installed" in done.err
    assert 'packages = ["thing", "no-such-thing==1.0"]' in done.err
    assert "no-such-thing" in done.err.partition("the last lines of its log were")[2]
    assert bench.attempts() == []
    assert "[environment-failed]" in bench.run().err, "it is tried again"


def test_a_version_that_is_gone(bench: Bench, packages: Path) -> None:
    """A resolved version that is no longer available is an error that says how to go on."""
    bench.run()
    shutil.rmtree(folder(bench))
    (packages / "thing-1.0-py3-none-any.whl").unlink()
    write_wheel(packages, "1.1", 0.75)
    bench.env["PIP_NO_CACHE_DIR"] = bench.env["UV_NO_CACHE"] = "1"
    done = bench.run("-B")
    assert done.status == 2
    assert f"to resolve the packages again, remove {only(bench, '.txt')}" in done.err


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("Collecting torch>=2.1 (from lm-eval[hf])", "resolving torch>=2.1"),
        ("  Downloading torch-2.6.0-cp312.whl (766.7 MB)", "downloading torch-2.6.0-cp312.whl"),
        ("Downloading torch (731.2MiB)", "downloading torch"),
        ("  Building wheel for rouge-score (setup.py): started", "building rouge-score"),
        ("Installing collected packages: a, b, c, torch, e", "installing a, b, c and 2 more"),
        ("Resolved 87 packages in 2.31s", "Resolved 87 packages in 2.31s"),
        ("", ""),
    ],
)
def test_a_line_of_the_installer(tmp_path: Path, line: str, step: str) -> None:
    """The lines of pip and uv become what the installer does; an unknown line stays as it is."""
    (tmp_path / "log").write_text(f"an earlier line\n{line}\n" if line else "")
    assert installer.describe_step(tmp_path / "log") == step


def test_a_long_installation_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While an installer works, its last line is reported again and again, with the time that it has taken."""
    program = tmp_path / "bin" / "uv"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\ntest $1 = venv && exit 0\necho 'Downloading torch (731.2MiB)'\n"
        f"until [ -e {tmp_path}/seen ]; do sleep 0.01; done\nexit 7\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setattr(installer, "_REPORT_PAUSE", 0.01)
    events: list[Event] = []

    def emit(event: Event) -> None:
        events.append(event)
        if isinstance(event, EnvironmentProgressed) and event.doing == "downloading torch":
            (tmp_path / "seen").touch()

    environment = Environment(("torch==2.6.0",), tmp_path)
    assert environment.build(emit) == "the installer ended with exit status 7"
    assert isinstance(events[0], EnvironmentStarted)
    assert events[-1] == EnvironmentEnded("torch")
    shown = [event for event in events if isinstance(event, EnvironmentProgressed)]
    assert {event.name for event in shown} == {"torch"}
    assert shown[-1].doing == "downloading torch"
    assert [event.seconds for event in shown] == sorted(event.seconds for event in shown)
