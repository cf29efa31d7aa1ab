"""Gates over the benchmarks of an eval, in builds of all and of some of its cells."""

from __future__ import annotations

from pathlib import Path

from tests.support.workspaces import Bench

EVALFILE = """\
deployment d {
    engine = mock
    args   = { skill = 0.8 }
}
model m { deployment = d }
model n from m {}
benchmark a {
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = number
}
benchmark b from a { prompt = "Say: {question}" }
benchmark c from a { prompt = "Tell: {question}" }
eval grid {
    model     in [m, n]
    benchmark in [a, b, c]
    when benchmark in [a, b] { require average >= 1% }
    require pooled <= 0.5 within 99%
}
"""


def gates_of(bench: Bench, *words: str) -> dict[tuple[str, str], dict[str, object]]:
    """The gates of a build, by address and word."""
    return {(gate["address"], gate["metric"]): gate for gate in bench.build(*words)["gates"]}


def test_a_gate_over_benchmarks(tmp_path: Path) -> None:
    """It is judged once for each model, over the benchmarks of its condition, and not while one has no result."""
    bench = Bench(tmp_path)
    bench.sums(12)
    bench.evalfile(EVALFILE)
    part = gates_of(bench, "grid/m/a")
    assert {gate["met"] for gate in part.values()} == {None}
    assert "not judged: grid/m/b has no result" in str(part["grid/m/{a,b}", "average"]["message"])
    whole = gates_of(bench)
    assert {*whole} == {(f"grid/{m}/{of}", word) for m in "mn" for of, word in (("{a,b}", "average"), ("*", "pooled"))}
    for m in "mn":
        assert whole[f"grid/{m}/{{a,b}}", "average"]["met"] is True
        assert [name for name, _ in whole[f"grid/{m}/*", "pooled"]["benchmarks"]] == ["a", "b", "c"]  # type: ignore[attr-defined]
    later = gates_of(bench, "grid/m/a")
    assert later["grid/m/{a,b}", "average"] == whole["grid/m/{a,b}", "average"]
    shown = bench.run("audit", "grid/m/b")
    assert "the average of a, b" in shown.text
