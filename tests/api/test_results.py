"""Results as Python objects: names, numbers, tables, pages of a notebook, pickles."""

from __future__ import annotations

import pickle
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import evalmake
from evalmake.terminal.diagnostics import to_json
from tests.support.workspaces import NOBODY, SCRIPTED, Bench

Ask = Callable[..., evalmake.Result]
EVALFILE = """\
eval grid {
    model     = nobody
    benchmark = scripted
    seed      in 1..2
}

report card {
    of   = [grid]
    path = "card.md"
}
"""
JOB = "echo '{\"accuracy\": 0.5}' > $EVALMAKE_OUT/scores.json\n"


@pytest.fixture
def results(bench: Bench) -> evalmake.Results:
    """The results of two cells."""
    bench.job(JOB)
    bench.evalfile(NOBODY, SCRIPTED, EVALFILE)
    return evalmake.build(evalmake.load("Evalfile"))


def fail_in_a_worker(folder: str) -> None:
    """Evaluate what cannot be: run by a pool's process."""
    model = evalmake.Model(endpont="http://127.0.0.1:9/v1", name="m")
    evalmake.evaluate(model, evalmake.Benchmark(harness="command", run="true"), workspace=folder)


def test_an_error_can_be_pickled(tmp_path: Path) -> None:
    """Diagnostics and text survive pickling."""
    with pytest.raises(evalmake.EvalmakeError) as raised:
        fail_in_a_worker(str(tmp_path))
    copy = pickle.loads(pickle.dumps(raised.value))
    assert isinstance(copy, evalmake.EvalmakeError)
    assert str(copy) == str(raised.value)
    assert [to_json(d) for d in copy.diagnostics] == [to_json(d) for d in raised.value.diagnostics]
    assert "endpont" in str(copy)


def test_a_process_pool_raises_the_error(tmp_path: Path) -> None:
    """A process pool raises the error of a call, and keeps working."""
    with ProcessPoolExecutor(1) as pool:
        for _ in range(2):
            with pytest.raises(evalmake.EvalmakeError, match="endpont"):
                pool.submit(fail_in_a_worker, str(tmp_path)).result(timeout=120)


def test_a_notebook_shows_only_frames_of_the_caller(tmp_path: Path) -> None:
    """Jupyter shows the traceback that the error itself returns: nothing of evalmake, nor of what it calls."""
    with pytest.raises(evalmake.EvalmakeError) as raised:
        fail_in_a_worker(str(tmp_path))
    shown = "\n".join(raised.value._render_traceback_())
    assert "in fail_in_a_worker" in shown
    assert str(Path(evalmake.__file__).parent) not in shown
    assert "contextlib" not in shown
    assert shown.endswith(f"EvalmakeError: {raised.value}")


def raise_from_an_error(folder: str) -> None:
    """Raise something else from an error of evalmake."""
    try:
        fail_in_a_worker(folder)
    except evalmake.EvalmakeError as error:
        raise RuntimeError("no score") from error


@pytest.mark.parametrize("depth", [1, 300])
def test_what_was_raised_from_an_error_shows_only_frames_of_the_caller(tmp_path: Path, depth: int) -> None:
    """An error that something else was raised from shows nothing of evalmake, in Python as in Jupyter."""

    def go_deeper(left: int) -> None:
        raise_from_an_error(str(tmp_path)) if left == 0 else go_deeper(left - 1)

    with pytest.raises(RuntimeError) as raised:
        go_deeper(depth)
    cause = raised.value.__cause__
    assert cause is not None
    frames = [frame.name for frame in traceback.extract_tb(cause.__traceback__)]
    assert frames == ["raise_from_an_error", "fail_in_a_worker"]
    shown = "".join(traceback.format_exception(raised.value))
    assert "in fail_in_a_worker" in shown
    assert str(Path(evalmake.__file__).parent) not in shown
    assert "contextlib" not in shown
    assert f"EvalmakeError: {cause}" in shown


def test_a_traceback_can_be_replaced(tmp_path: Path) -> None:
    """`with_traceback`, which libraries call, works on an error of evalmake."""
    with pytest.raises(evalmake.EvalmakeError) as raised:
        fail_in_a_worker(str(tmp_path))
    assert raised.value.with_traceback(None).__traceback__ is None
    raised.value.__traceback__ = raised.tb
    assert [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)][-1] == "fail_in_a_worker"


def test_results_contain_names(results: evalmake.Results) -> None:
    """`name in results` is true if `results[name]` works; a result is in them, too."""
    assert "grid/1" in results
    assert results["grid/1"] in results
    assert "grid/3" not in results
    assert 1 not in results


def test_a_result_converts_to_float(results: evalmake.Results) -> None:
    """`float(result)` is the headline score."""
    assert [float(result) for result in results] == [0.5, 0.5]


def test_to_frame(results: evalmake.Results, monkeypatch: pytest.MonkeyPatch) -> None:
    """`to_frame` gives pandas a row for each metric of each result."""
    pandas = ModuleType("pandas")
    pandas.DataFrame = lambda rows: rows  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    rows = results.to_frame()
    assert [row["evaluation"] for row in rows] == ["grid/1", "grid/2"]
    assert rows[1] | {"evaluation": "grid/2", "model": "nobody", "benchmark": "scripted", "seed": 2} == rows[1]
    assert (rows[1]["metric"], rows[1]["headline"], rows[1]["value"]) == ("accuracy", True, 0.5)


def test_to_frame_without_pandas(results: evalmake.Results, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pandas, the message says how to install it."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        results.to_frame()


def test_flat_samples(ask: Ask) -> None:
    """With `flat`, each sample names its evaluation and contains no maps."""
    result = ask(limit=3)
    plain, flat = result.samples(), result.samples(flat=True)
    assert [row["id"] for row in plain] == [row["id"] for row in flat]
    assert {row["model"] for row in flat} == {result.model}
    assert {(row["benchmark"], row["seed"], row["evaluation"]) for row in flat} == {
        (result.benchmark, result.seed, result.name)
    }
    assert not any(isinstance(value, dict) for row in flat for value in row.values())
    assert [row["scores.accuracy"] for row in flat] == [row["scores"]["accuracy"] for row in plain]


def html(shown: Any) -> str:
    """What a notebook shows."""
    page = shown._repr_html_()
    assert page.startswith("<div><table>")
    return str(page)


def test_notebook_tables(results: evalmake.Results) -> None:
    """A score, a project and a plan each have an HTML table."""
    assert "<td>accuracy</td><td>0.500</td>" in html(results["grid/1"].scores["accuracy"])
    project = evalmake.load("Evalfile")
    assert "<td>eval</td><td>grid</td><td>2 cells</td>" in html(project)
    assert "0 to run, 2 up to date" in html(evalmake.plan(project))
    Path("job.sh").write_text(JOB + "true\n")
    assert "<td>grid/1</td><td>run</td>" in html(evalmake.plan(project))
