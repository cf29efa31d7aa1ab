"""Requirements that compare with a baseline or a model of the same eval, in a project."""

from __future__ import annotations

import json
import shutil

from tests.support.projects import Project

GATE = "    require accuracy no worse than baseline main by 3%\n"


def require(project: Project, text: str) -> None:
    """Add requirements to the eval `grid`."""
    evalfile = project.root / "Evalfile"
    head, found, tail = evalfile.read_text().partition("eval grid {\n")
    evalfile.write_text(head + found + text + tail)


def worsen(project: Project) -> None:
    """Let the model `good` be worse."""
    evalfile = project.root / "Evalfile"
    evalfile.write_text(evalfile.read_text().replace("skill = 0.80, seed = 1", "skill = 0.70, seed = 1"))


def test_a_loss_against_a_baseline_fails_the_build(compared: Project) -> None:
    """The baseline's items are paired where the store has them; else the gate is judged and labelled unpaired."""
    compared.run("baseline", "set", "main", "grid")
    require(compared, GATE)
    compared.run("grid")
    worsen(compared)
    said = compared.run("grid", status=1).stderr
    assert "0.680 against 0.785 of baseline main: a loss of 0.105 (400 paired items); a loss must be below" in said
    shutil.rmtree(compared.root / ".evalmake")
    said = compared.run("grid", status=1).stderr
    assert "unpaired: the items of the baseline are not in this store" in said


def test_a_model_is_compared_with_the_same_cell(compared: Project) -> None:
    """`better than model NAME` compares each cell with that of the model, over the items of both."""
    require(compared, "    when model in [worse, alike] { require accuracy better than model good }\n")
    gates = json.loads(compared.run("grid", "--json", status=1).stdout)["gates"]
    assert [(gate["address"], gate["met"], gate["paired"]) for gate in gates] == [
        ("grid/worse", False, True),
        ("grid/alike", False, True),
    ]
    assert (gates[0]["than"], gates[0]["reference"], gates[0]["value"]) == ("model good", 0.785, 0.715)


def test_a_baseline_that_is_missing_is_never_met(compared: Project) -> None:
    """A missing baseline says how it is made; once it is there, the same command judges anew."""
    require(compared, GATE)
    said = compared.run("grid", status=2).stderr
    assert "no baseline is named `main`: `evalmake baseline set main` writes it" in said
    compared.run("baseline", "set", "mian", "grid")
    assert "did you mean `mian`?" in compared.run("grid", status=2).stderr
    compared.run("baseline", "set", "main", "grid")
    compared.run("grid")


def test_a_baseline_of_other_items_is_not_compared_with(compared: Project) -> None:
    """Where a limit changed what is asked, the gate is not judged, and says how the baseline is renewed."""
    compared.run("baseline", "set", "main", "grid")
    require(compared, GATE + "    limit = 100\n")
    said = compared.run("grid", status=2).stderr
    assert "baseline main is of other items (400 against 100)" in said
    assert "`evalmake baseline update main --because" in said


def test_the_other_model_must_have_a_result(compared: Project) -> None:
    """A cell whose counterpart has no result is not judged, and says which command makes it."""
    require(compared, "    limit = 50\n    when model = worse { require accuracy better than model good }\n")
    said = compared.run("grid/worse", status=2).stderr
    assert "grid/good has no result to compare with: `evalmake grid/good` runs it" in said


def test_a_dry_run_says_what_a_gate_is_compared_with(compared: Project) -> None:
    """`-n` lists the gates that compare: with what, and whether paired."""
    require(compared, GATE + "    when model = worse { require accuracy better than model good }\n")
    assert "cannot be judged: no baseline is named `main`" in compared.run("-n", "grid").stdout
    compared.run("baseline", "set", "main", "grid")
    said = compared.run("-n", "grid").stdout.splitlines()
    assert said[:2] == [
        "gate grid/{good,worse,alike}: accuracy no worse than baseline main by 3%; compared with baseline main, paired",
        "gate grid/worse: accuracy better than model good; compared with the same cell of model good",
    ]


def test_a_damaged_baseline_is_never_met(compared: Project) -> None:
    """A file that is no baseline keeps the gate from being judged, without a traceback."""
    require(compared, GATE)
    compared.write("baselines/main.toml", "version = 1\n")
    assert "baselines/main.toml is not a baseline that evalmake wrote" in compared.run("grid", status=2).stderr


def test_evidence_proves_a_gate_that_compares(compared: Project) -> None:
    """Who verifies evidence judges such a gate again, paired, by what the evidence holds; its message was signed."""
    evalfile = compared.root / "Evalfile"
    evidence = 'report proof { of = [grid], path = "proof", format = in-toto, sign = file("audit.key") }\n'
    require(compared, "    limit = 50\n    when model = worse { require accuracy no worse than model good by 30% }\n")
    evalfile.write_text(evalfile.read_text() + evidence)
    compared.run("key", "new", "audit")
    compared.run("grid", "proof")
    said = compared.run("verify", "proof", "--key", "audit.pub").stdout
    assert said.endswith("proof: it holds\n")
    [gate] = json.loads((compared.root / "proof" / "report.json").read_text())["gates"]
    assert (gate["met"], gate["than"], gate["paired"]) == (True, "model good", True)
