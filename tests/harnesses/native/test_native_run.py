"""Whole runs: samples, results, limits, progress, signals."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from evalmake.harnesses.native.sample_log import Progress, Sample, SampleLog
from tests.harnesses.native.harness_bench import Body, Native, Reply, question, questions, read_lines, refusal

KEYS = "id item index input request reply answer target scores error tokens_in tokens_out latency finish_reason cluster"


def parrot(body: Body) -> Reply:
    """Right for even questions, wrong for odd ones."""
    number = int(question(body)[1:])
    return str(number if number % 2 == 0 else -1)


def test_a_run_leaves_samples_and_scores(native: Native) -> None:
    """Samples are in the order of the data, and scores.json sums them up."""
    native.server.answer = parrot
    run = native(questions(40), scorer="number")
    assert run.status == 0, run.err
    assert [sample["index"] for sample in run.samples] == list(range(40))
    assert list(run.samples[0]) == KEYS.split()
    assert run.samples[3]["input"] == {"q": "n3", "a": "3"}
    assert (run.samples[3]["answer"], run.samples[3]["target"]) == ("-1", "3")
    assert run.scores["status"] == "success"
    assert run.headline["value"] == 0.5
    assert run.headline["stderr"] == pytest.approx((0.25 / 39) ** 0.5)
    assert 0.34 < run.headline["low"] < 0.5 < run.headline["high"] < 0.66
    assert run.scores["usage"] == {
        "requests": 40,
        "tokens_in": 280,
        "tokens_out": 80,
        "errors": 0,
        "truncated": 0,
    }
    assert sorted(path.name for path in native.out.iterdir()) == ["samples.jsonl", "scores.json"]


def test_a_full_disk_is_told_in_one_line(native: Native, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample that cannot be written ends the run with the system's message, not with a traceback."""

    def write(log: SampleLog, sample: Sample) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "samples.jsonl")

    monkeypatch.setattr(SampleLog, "add", write)
    run = native(questions(3))
    assert (run.status, run.err) == (1, "error: [Errno 28] No space left on device: 'samples.jsonl'\n")


def test_one_sample_has_no_standard_error(native: Native) -> None:
    """What cannot be estimated is null, not zero."""
    assert native().headline["stderr"] is None


def test_clusters_are_counted(native: Native) -> None:
    """A score tells of how many clusters its error is, and of none where there are none."""
    data = [{"q": "1", "a": "1", "c": str(n % 4)} for n in range(12)]
    assert native(data, cluster="c").headline["clusters"] == 4
    assert "clusters" not in native(data).headline


def test_clusters_widen_the_error(native: Native) -> None:
    """Items of one cluster that fall and rise together are worth less than as many alone."""
    data = [{"q": f"n{number}", "a": "0", "c": number // 10} for number in range(40)]
    native.server.answer = lambda body: str(int(question(body)[1:]) // 10 % 2)
    alone, together = native(data).headline, native(data, cluster="c").headline
    assert together["value"] == alone["value"] == 0.5
    assert together["stderr"] == pytest.approx((4 / 3 * 4 * 25) ** 0.5 / 40)
    assert together["stderr"] > 2 * alone["stderr"]


def test_two_runs_differ_in_latency_only(native: Native) -> None:
    """The same answers leave the same files, whatever order they came in."""
    native.server.answer = parrot
    first, second = native(questions(50)), native(questions(50))
    assert first.scores == second.scores
    for run in (first, second):
        for sample in run.samples:
            del sample["latency"]
    assert first.samples == second.samples


def test_limits_nest_whatever_the_seed(native: Native) -> None:
    """A smaller limit asks some of the same items as a larger one, also under another seed."""
    asked = []
    for limit, seed in (("5", "1"), ("12", "2")):
        native.env |= {"EVALMAKE_LIMIT": limit, "EVALMAKE_SEED": seed}
        asked.append({sample["item"] for sample in native(questions(30)).samples})
    assert [len(items) for items in asked] == [5, 12]
    assert asked[0] < asked[1]


def test_progress(native: Native) -> None:
    """The progress file ends with all counted."""
    native.env["EVALMAKE_PROGRESS"] = str(native.folder / "progress.json")
    native.server.answer = lambda body: refusal(400) if question(body) == "n2" else "x"
    native(questions(6))
    state = json.loads((native.folder / "progress.json").read_text())
    assert state == {"done": 6, "total": 6, "errors": 1}


def test_progress_is_written_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast samples come, the progress file is written four times a second at most."""
    clock = [100.0]
    monkeypatch.setattr("evalmake.harnesses.native.sample_log.time.monotonic", lambda: clock[0])
    progress = Progress(tmp_path / "p", 1000)
    sample = Sample("0", "i", 0, {}, {}, "r", "a", "t", {}, None, 1, 1, 0.1, "stop", None)
    seen = set()
    for _ in range(100):
        progress.add(sample)
        seen.add((tmp_path / "p").read_text())
        clock[0] += 0.01
    assert len(seen) == 4


def test_strange_text_survives(native: Native) -> None:
    """Lone surrogates and integers beyond 64 bits, which strict JSON writers refuse, are kept."""
    native.server.answer = lambda body: "half \ud83d"
    run = native([{"q": "?", "a": 2**70}])
    assert run.status == 0, run.err
    assert run.samples[0]["reply"] == "half \ud83d"
    assert run.samples[0]["target"] == 2**70


def program(native: Native) -> subprocess.Popen[str]:
    """The program in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "evalmake.harnesses.native", str(native.folder / "task.json")],
        env={**os.environ, **native.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run(native: Native, number: signal.Signals) -> None:
    """A signal ends the run though requests hang; what was answered is on disk, no result is."""
    hanging = threading.Event()

    def answer(body: Body) -> Reply:
        if int(question(body)[1:]) < 20:
            return "x"
        if len(native.server.bodies) >= 24:
            hanging.set()
        return None

    native.server.answer = answer
    native.env |= {"EVALMAKE_CONCURRENCY": "4", "EVALMAKE_PROGRESS": str(native.folder / "p")}
    native.task(questions(100))
    process = program(native)
    assert hanging.wait(20)
    process.send_signal(number)
    assert process.wait(20) == 128 + number
    assert process.communicate() == ("", "")
    assert len(read_lines(native.out / "samples.jsonl")) == 20
    assert json.loads((native.folder / "p").read_text())["done"] == 20
    assert not (native.out / "scores.json").exists()


def test_a_mistake_shows_no_traceback(native: Native) -> None:
    """The program itself says one line and exits with 2."""
    native.task(scorer="best")
    process = program(native)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_a_run_loads_few_libraries() -> None:
    """Jobs are many and short: a run loads what it sends requests with, and no client library beside it."""
    code = (
        "import sys\nbefore = set(sys.modules)\nimport evalmake.harnesses.native.runner\n"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(names - sys.stdlib_module_names))\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"aiohttp", "httpx", "requests", "pydantic"} & set(told.stdout.split())


def test_help_imports_little(tmp_path: Path) -> None:
    """Help does not pay for the client: it needs the standard library's small part only."""
    code = (
        "import sys\n"
        "from evalmake.harnesses.native.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'aiohttp', 'asyncio', 'orjson', 'uvloop', 'dataclasses', 'pyarrow'}\n"
        "print(heavy & set(sys.modules))\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "EVALMAKE_MODEL_URL" in told.stdout
    assert told.stdout.splitlines()[-1] == "set()"
