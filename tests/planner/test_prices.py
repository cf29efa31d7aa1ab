"""Prices are no part of any identity."""

from __future__ import annotations

from tests.support.projects import Project

EVALFILE = """
executor here {{ backend = process{machine} }}
model stand-in {{ endpoint = "http://127.0.0.1:9/v1", name = "m"{model} }}
benchmark sums {{ harness = command, run = "true" }}
eval grid {{ model = stand-in, benchmark = sums, executor = here }}
"""


def test_a_price_is_no_part_of_the_identity(project: Project) -> None:
    """A plan keeps its digest whether models and executors have prices, and whatever they are."""
    digests = set()
    for machine, model in (
        ("", ""),
        (", price = { gpu = $2/h }", ", price = { in = $1/Mtok, out = $2/Mtok }"),
        (", price = { gpu = 3EUR/h }", ", price = { in = 9EUR/Mtok, out = 2EUR/Mtok, cached = 1EUR/Mtok }"),
    ):
        project.write("Evalfile", EVALFILE.format(machine=machine, model=model))
        digests.add(project.run("-n").stdout.rpartition("plan ")[2])
        project.run("-n", "-o", "plan.json")
        digests.add((project.root / "plan.json").read_text().count("price"))
    assert len(digests) == 2
