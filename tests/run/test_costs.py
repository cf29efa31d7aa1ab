"""What a build costs: shown at its end, in `history` and in reports, and kept with each attempt."""

from __future__ import annotations

import json

from evalmake.language.money import format_money
from tests.support.projects import Project

EVALFILE = """
deployment stand-in { engine = mock }
model stand-in { deployment = stand-in, price = { in = $150/Mtok, out = $600/Mtok } }
benchmark sums { harness = native, files = file("d.jsonl"), prompt = "{q}", target = "{a}", scorer = exact }
eval grid { model = stand-in, benchmark = sums }
report card { of = [grid], path = "card.md" }
report data { of = [grid], path = "card.json", format = json }
"""


def test_a_build_shows_what_it_cost(project: Project) -> None:
    """The cost is that of the tokens which the model was asked for; scoring stored replies again has none."""
    project.write("Evalfile", EVALFILE)
    project.write("d.jsonl", '{"q": "1", "a": "1"}\n')
    done = project.run()
    [attempt] = json.loads(project.run("history", "--json").stdout)
    usage = attempt["usage"]
    cost = (usage["paid_tokens_in"] * 150 + usage["paid_tokens_out"] * 600) / 1e6
    assert 0 < usage["cost_USD"] == round(cost, 9)
    assert "\ncost $" in done.stdout
    assert "tok in" in done.stdout
    assert ", $" in project.run("history").stdout
    assert " · cost $" in (project.root / "card.md").read_text()
    assert json.loads((project.root / "card.json").read_text())["results"][0]["cost"] == {"USD": usage["cost_USD"]}
    project.write("Evalfile", EVALFILE.replace("scorer = exact", "scorer = contains"))
    again = project.run().stdout
    assert "1 ran" in again
    assert "cost" not in again


def test_a_new_price_runs_nothing_and_changes_no_record(project: Project) -> None:
    """A record of before has no cost, and is not made again for one."""
    project.write("Evalfile", EVALFILE.replace(", price = { in = $150/Mtok, out = $600/Mtok }", ""))
    project.write("d.jsonl", '{"q": "1", "a": "1"}\n')
    assert "cost" not in project.run().stdout
    project.write("Evalfile", EVALFILE)
    assert "1 to run" not in project.run("-n").stdout
    assert "$" not in project.run("history").stdout


def test_a_plan_says_what_past_runs_cost(project: Project) -> None:
    """The estimate of `-n` is in money by the prices of now, also where the past run had none."""
    project.write("Evalfile", EVALFILE.replace(", price = { in = $150/Mtok, out = $600/Mtok }", ""))
    project.write("d.jsonl", '{"q": "1", "a": "1"}\n')
    project.run()
    [attempt] = json.loads(project.run("history", "--json").stdout)
    assert "$" not in project.run("-n", "-B").stdout
    project.write("Evalfile", EVALFILE)
    cost = (attempt["usage"]["tokens_in"] * 150 + attempt["usage"]["tokens_out"] * 600) / 1e6
    assert f" tokens, {format_money(cost, 'USD')}" in project.run("-n", "-B").stdout
