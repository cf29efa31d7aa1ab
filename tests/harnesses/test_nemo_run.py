"""NeMo Evaluator 0.2.8 from the package index with a small harness made by its contract."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from evalmake.run.environments.environment import Environment
from tests.support.mock_servers import mock_server
from tests.support.sums import put_mgsm
from tests.support.workspaces import Bench

TOY = Path(__file__).parent / "nemo_toy"
ABOUT = "toy_evals-1.0.dist-info"
EVALFILE = """
deployment m { engine = mock, args = { ARGS } }
model m { deployment = m }

benchmark sums {
    harness  = nemo
    packages = ["nemo-evaluator==0.2.8", "toy-evals @ WHEEL"]
    task     = "toy.sums"
}

eval e {
    model     = m
    benchmark = sums
    limit     = 10
    params    = { temperature = 0.5 }
}
"""


@pytest.fixture(scope="session")
def wheel(environments: Path) -> str:
    """The URL of the small harness as a wheel, with the same bytes at every time."""
    folder = environments / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "toy_evals-1.0-py3-none-any.whl"
    files = {str(p.relative_to(TOY)): p.read_text() for p in sorted(TOY.rglob("*")) if p.is_file()}
    files = {name: text for name, text in files.items() if "__pycache__" not in name}
    files[f"{ABOUT}/METADATA"] = "Metadata-Version: 2.1\nName: toy-evals\nVersion: 1.0\n"
    files[f"{ABOUT}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{ABOUT}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{ABOUT}/RECORD"])
    unfinished = path.with_suffix(f".{os.getpid()}")
    with zipfile.ZipFile(unfinished, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)
    unfinished.replace(path)
    return path.as_uri()


@pytest.fixture
def nemo(bench: Bench, wheel: str) -> Bench:
    """A workspace whose benchmark is the small harness, on a model that is right now and then."""
    bench.evalfile(EVALFILE.replace("WHEEL", wheel).replace("ARGS", "skill = 0.6"))
    return bench


def test_scores_are_those_of_run_eval_by_hand(nemo: Bench, wheel: str, tmp_path: Path) -> None:
    """Value, count and standard error are equal, also without its proxy; a second build asks nothing."""
    first = nemo.run()
    assert first.status == 0, first.text
    (attempt,) = nemo.attempts()
    (score,) = attempt.scores
    assert attempt.metric == score.metric == "sums_acc_micro"
    told = by_hand(nemo, wheel, tmp_path)
    assert score.value == told["value"]
    assert score.value not in (0.0, 1.0)
    assert score.scored == told["stats"]["count"] == 10
    assert score.stderr == pytest.approx(told["stats"]["stderr"])
    assert score.reported == pytest.approx(told["stats"]["stderr"])
    rows = nemo.samples(attempt)
    assert [row["id"] for row in rows] == [str(n) for n in range(10)]
    assert sum(row["scores"]["sums_acc_micro"] for row in rows) == pytest.approx(10 * score.value)
    assert "nothing to do" in nemo.run().out
    assert len(nemo.attempts()) == 1
    nemo.clean()


def by_hand(bench: Bench, wheel: str, tmp_path: Path) -> dict[str, Any]:
    """The score in results.yml of the same run by the program's own flags, through its own proxy."""
    folder = programs(bench, f"toy-evals @ {wheel}")
    with mock_server({"skill": 0.6, "name": "m"}, tmp_path / "port") as url:
        results = run_eval(folder, "toy.sums", url, tmp_path)
    found: dict[str, Any] = results["tasks"]["sums"]["metrics"]["acc"]["scores"]["micro"]
    return found


def programs(bench: Bench, other: str) -> Path:
    """The folder of programs of the environment of NeMo Evaluator and another package."""
    packages = ("nemo-evaluator==0.2.8", other)
    return Environment(packages, Path(bench.env["EVALMAKE_ENVIRONMENTS"])).folder / "bin"


def run_eval(folder: Path, task: str, url: str, data: Path) -> dict[str, Any]:
    """What `nemo-evaluator run_eval` reports of ten samples at a temperature of 0.5."""
    out = data / "out"
    mine = {
        "KEY": "k",
        "NEMO_EVALUATOR_DATASET_DIR": str(data),
        "PATH": f"{folder}:{os.environ['PATH']}",
    }
    mine["HF_DATASETS_CACHE"] = str(data / "cache")  # else the rows may be those of an earlier run
    off = {"NEMO_EVALUATOR_TELEMETRY_LEVEL": "0", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    with socket.create_server(("127.0.0.1", 0)) as free:
        off["ADAPTER_PORT"] = str(free.getsockname()[1])
    done = subprocess.run(
        [
            str(folder / "nemo-evaluator"),
            "run_eval",
            "--eval_type",
            task,
            "--model_id",
            "m",
            "--model_type",
            "chat",
            "--model_url",
            f"{url}/v1/chat/completions",
            "--output_dir",
            str(out),
            "--api_key_name",
            "KEY",
            "--overrides",
            "config.params.limit_samples=10,config.params.temperature=0.5",
        ],
        env=os.environ | mine | off,
        cwd=data,
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout
    read = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))"
    argv = [str(folder / "python"), "-c", read, str(out / "results.yml")]
    found: dict[str, Any] = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    results: dict[str, Any] = found["results"]
    return results


def test_the_proxy_changes_nothing(nemo: Bench) -> None:
    """NeMo Evaluator's own proxy neither caches nor repeats, and the scores are the same."""
    assert nemo.run().status == 0
    nemo.edit('task     = "toy.sums"', 'task     = "toy.sums"\n    proxy = true')
    assert "nothing to do" in nemo.run().out  # how a request travels is no identity
    assert nemo.run("-B").status == 0
    one, two = nemo.attempts()
    assert one.scores == two.scores
    assert not [o.name for o in two.outputs if "cache" in o.name or "report" in o.name]
    port = re.search(r"Adapter server started on localhost:(\d+)", nemo.run("logs", "e").out)
    assert port
    assert port[1] != "3825"  # where each looks first, so that one of two jobs would ask through the other's


def test_files_are_the_data_set(nemo: Bench) -> None:
    """The benchmark's files lie where the contract has its data sets."""
    (nemo.root / "shift.json").write_text("5")
    nemo.edit('task     = "toy.sums"', 'task     = "toy.sums"\n    files = file("shift.json")')
    assert nemo.run().status == 0
    (attempt,) = nemo.attempts()
    assert nemo.samples(attempt)[1]["target"] == "7"


def test_an_endpoint_that_fails_is_no_zero(nemo: Bench) -> None:
    """The evaluation failed, in the words of what was raised."""
    nemo.edit("skill = 0.6", "status = 503")
    ended = nemo.run()
    assert ended.status == 2
    assert "HTTP Error 503" in ended.err
    assert [(a.status, a.scores) for a in nemo.attempts()] == [("failed", ())]


def test_a_parameter_without_effect_is_an_error(nemo: Bench) -> None:
    """NeMo Evaluator only warns; a result must not be on record under what it was not run with."""
    nemo.edit("temperature = 0.5", "temperature = 0.5, top_p = 0.5")
    ended = nemo.run()
    assert ended.status == 2
    assert "the task takes no `top_p`" in ended.err
    assert [(a.status, a.scores) for a in nemo.attempts()] == [("failed", ())]


def test_an_unknown_task_says_what_there_is(nemo: Bench) -> None:
    """In NeMo Evaluator's words."""
    nemo.edit("toy.sums", "toys.sums")
    ended = nemo.run()
    assert ended.status == 2
    assert "Unknown framework toys. Frameworks available: toy" in ended.err


def test_a_wheel_of_nvidias_scores_as_by_hand(bench: Bench, simple_evals: Environment, tmp_path: Path) -> None:
    """Every score of simple-evals' mgsm, on rows of our own, is that of its command line."""
    put_mgsm(bench.root)
    text = EVALFILE.replace('"toy-evals @ WHEEL"', '"nvidia-simple-evals==26.3"').replace("ARGS", "skill = 0.6")
    text = text.replace("toy.sums", "simple_evals.mgsm")
    bench.evalfile(text.replace('mgsm"', 'mgsm"\n    offline = true\n    files = glob("**/mgsm/*")'))
    ended = bench.run()
    assert ended.status == 0, ended.text
    (attempt,) = bench.attempts()
    scores = {score.metric: score.value for score in attempt.scores}
    with mock_server({"skill": 0.6, "name": "m"}, tmp_path / "port") as url:
        told = run_eval(simple_evals.folder / "bin", "simple_evals.mgsm", url, bench.root)
    expected = {
        f"{name}_{metric}_{way}": score["value"]
        for name, body in (*told["groups"].items(), *told["tasks"].items())
        for metric, ways in body["metrics"].items()
        for way, score in ways["scores"].items()
    }
    assert scores == expected
    assert attempt.metric == "mgsm_score_micro"
    assert 0 < scores["mgsm_score_micro"] < 1


def test_a_metric_that_is_absent_is_asked_for(nemo: Bench) -> None:
    """The result is kept: once another one is named, it counts, and nothing runs."""
    text = (nemo.root / "Evalfile").read_text()
    nemo.evalfile(text.replace('task     = "toy.sums"', 'task     = "toy.sums"\n    metric   = "sums_f1"'))
    first = nemo.run()
    assert first.status == 2
    assert "the harness reported no `sums_f1`; it reported sums_acc_micro" in first.err
    nemo.evalfile(text.replace('task     = "toy.sums"', 'task     = "toy.sums"\n    metric   = "sums_acc_*"'))
    again = nemo.run()
    assert again.status == 0, again.text
    assert len(nemo.attempts()) == 1
