"""Evidence whose report takes columns together, and whose gates are over several benchmarks, holds."""

from __future__ import annotations

import json
from pathlib import Path

from evalmake.evidence_checks.verify import verify_evidence
from evalmake.signatures.keys import read_public_key
from tests.evidence_checks.conftest import failures, write_key_pair
from tests.support.workspaces import Bench

EVALFILE = """\
deployment d {
    engine = mock
    args   = { skill = 0.8 }
}
model m { deployment = d }
benchmark _sums {
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = number
    tags    = "{parity}"
}
benchmark a from _sums { scale = share }
benchmark b from _sums { scorer = contains }
eval grid {
    model     = m
    benchmark in [a, b]
    seed      in 1..2
    require headline >= 1%
    require average >= 0.9 within 90%
    when benchmark in [a, b] { require best <= 100% }
}
report evidence {
    of      = [grid]
    format  = in-toto
    path    = "evidence"
    sign    = file("audit.key")
    average = { core = { a = 2, b = 1 } }
    pooled  = true
    best    = { top = [a, b] }
}
report tagged {
    of       = [grid]
    format   = in-toto
    path     = "tagged"
    sign     = file("audit.key")
    rows     = tag
    column   = benchmark
    sections = { "Checked" = [even] }
}
report part {
    of     = ["grid/a/1", "grid/a/2"]
    format = in-toto
    path   = "part"
    sign   = file("audit.key")
}
"""


def test_averages_and_gates_over_benchmarks_are_written_again(tmp_path: Path) -> None:
    """The columns over others and the gates come out the same, also where the report shows one benchmark only."""
    bench = Bench(tmp_path)
    write_key_pair(tmp_path, "audit")
    rows = [{"question": f"{n} + {n} = ?", "answer": 2 * n, "parity": "odd" if n % 2 else "even"} for n in range(12)]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    bench.evalfile(EVALFILE)
    ended = bench.run()
    assert ended.status == 0, ended.text
    key = read_public_key(tmp_path / "audit.pub")
    for folder in ("evidence", "part", "tagged"):
        assert failures(verify_evidence(tmp_path / folder, [key])) == {}
        told = json.loads((tmp_path / folder / "report.json").read_text())
        over = next(gate for gate in told["gates"] if gate["metric"] == "average")
        assert (over["address"], over["met"], over["bound"], over["within"]) == ("grid/*", True, 0.9, 0.81)
        assert [one["benchmark"] for one in over["benchmarks"]] == ["a", "b"]
    told = json.loads((tmp_path / "evidence" / "report.json").read_text())
    assert [(one["column"], one["metric"]) for one in told["averages"]] == [
        ("core", "average"),
        ("pooled", "pooled"),
        ("top", "best"),
    ]
    tagged = json.loads((tmp_path / "tagged" / "report.json").read_text())
    assert [(one["row"], one["column"], one["samples"]) for one in tagged["table"]] == [
        (tag, benchmark, 6) for tag in ("even", "odd") for benchmark in "ab"
    ]
    assert [(one["title"], one["rows"]) for one in tagged["sections"]] == [("Checked", ["even"]), ("Other", ["odd"])]
    path = tmp_path / "evidence" / "report.json"
    value = json.dumps(told["averages"][0]["mean"])
    path.write_text(path.read_text().replace(f'"mean": {value}', '"mean": 0.999'))
    assert "report" in failures(verify_evidence(tmp_path / "evidence", [key]))


PROMPTS = """\
PLAIN  = "Add up: {question} Answer:"
POLITE = "Please add up: {question} Answer:"
deployment d {
    engine = mock
    args   = { skill = 0.5 }
}
model m { deployment = d }
benchmark a {
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = number
}
eval grid {
    model     = m
    benchmark = a
    prompt in [PLAIN, POLITE]
}
report evidence {
    of       = [grid]
    format   = in-toto
    path     = "evidence"
    sign     = file("audit.key")
    column   = prompt
    average  = { both = [PLAIN, "POLITE"] }
    sections = { "First" = [PLAIN], "Second" = ["POLITE"] }
}
"""


def test_two_prompts_of_one_benchmark_share_their_records(tmp_path: Path) -> None:
    """Their average tells that its columns share items, and a bare variable names its column, also in evidence."""
    bench = Bench(tmp_path)
    write_key_pair(tmp_path, "audit")
    rows = [{"question": f"{n} + {n} = ?", "answer": 2 * n} for n in range(30)]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    bench.evalfile(PROMPTS)
    ended = bench.run()
    assert ended.status == 0, ended.text
    told = json.loads((tmp_path / "evidence" / "report.json").read_text())
    assert [(one["title"], one["columns"]) for one in told["sections"][:2]] == [
        ("First", ["PLAIN"]),
        ("Second", ["POLITE"]),
    ]
    (both,) = told["averages"]
    assert both["mean"] is not None
    assert "share items" in json.dumps(both)
    assert failures(verify_evidence(tmp_path / "evidence", [read_public_key(tmp_path / "audit.pub")])) == {}
