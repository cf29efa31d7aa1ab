"""One order of precedence for request parameters: the eval's word beats the benchmark's, and that the model's."""

from __future__ import annotations

from typing import Any

import pytest

from evalmake.planner.graph import GraphBuilder, Node
from evalmake.project.matrix import Evaluation
from evalmake.project.request_parameters import find_gateway_parameters, find_overruled_names, list_sent_parameters
from evalmake.workspace import Workspace
from tests.support.projects import Project

EVALFILE = """\
model m {{
    endpoint = "http://127.0.0.1:1/v1"
    name     = "m"
    {model}
}}

benchmark b {{
    harness = command
    run     = "true"
    {benchmark}
}}

eval e {{
    model     = m
    benchmark = b
    {eval}
}}
"""

JUDGED = """\
model m {{
    endpoint = "http://127.0.0.1:1/v1"
    name     = "m"
}}

model judge from m {{ {params} }}

benchmark b {{
    harness = native
    files   = file("d.jsonl")
    prompt  = "{{q}}"
    target  = "{{a}}"
    scorer  = judge
    judge   = judge
}}

eval e {{
    model     = m
    benchmark = b
}}
"""


def cell(project: Project, model: str = "", benchmark: str = "", eval: str = "") -> Evaluation:
    """The only cell of an Evalfile with these lines in its declarations."""
    project.write("Evalfile", EVALFILE.format(model=model, benchmark=benchmark, eval=eval))
    return Workspace.open(project.root / "Evalfile").cells["e"][0]


def only_node(project: Project) -> Node:
    """What the only cell of the Evalfile is."""
    workspace = Workspace.open(project.root / "Evalfile")
    return GraphBuilder(workspace.project, workspace.plugins).node(workspace.cells["e"][0])


def adapter(params: str, more: str = "") -> str:
    """An adapter with these parameters."""
    return f"adapter = {{ params = {{ {params} }}{more} }}"


CASES: list[tuple[dict[str, str], dict[str, Any], dict[str, Any]]] = [
    # declarations; what the gateway adds; what is sent
    ({"model": adapter("t = 1"), "eval": "params = { t = 3 }"}, {}, {"t": 3}),
    ({"model": adapter("t = 1"), "benchmark": "params = { t = 2 }"}, {}, {"t": 2}),
    ({"benchmark": adapter("t = 2"), "eval": "params = { t = 3 }"}, {}, {"t": 3}),
    ({"model": adapter("t = 1"), "benchmark": "params = { u = 2 }"}, {"t": 1}, {"t": 1, "u": 2}),
    ({"benchmark": "params = { t = 2 }\n" + adapter("t = 4")}, {"t": 4}, {"t": 4}),
    ({"eval": "params = { t = 3 }\n" + adapter("t = 5")}, {"t": 5}, {"t": 5}),
    (
        {"model": adapter("k = { a = 1, b = 1 }"), "eval": "params = { k = { b = 2 } }"},
        {"k": {"a": 1}},
        {"k": {"a": 1, "b": 2}},
    ),
    ({"model": adapter("seed = 1"), "eval": "seed = 7"}, {}, {"seed": 7}),
    ({"model": adapter("seed = 1"), "eval": "seed in [7]"}, {}, {"seed": 7}),
    ({"model": adapter("seed = 1")}, {"seed": 1}, {"seed": 1}),
    ({"model": adapter("new = 1", ', rename = { old = "new" }'), "eval": "params = { old = 3 }"}, {}, {"new": 3}),
    ({"model": adapter("t = 1"), "eval": adapter("t = none")}, {}, {}),
    ({"model": "params = { t = 1, u = 1 }", "benchmark": "params = { t = 2 }"}, {}, {"t": 2, "u": 1}),
    ({"model": "params = { t = 1 }", "benchmark": "params = { t = 2 }", "eval": "params = { t = 3 }"}, {}, {"t": 3}),
    ({"model": "params = { t = 1 }\n" + adapter("t = 4")}, {"t": 4}, {"t": 4}),
    ({"model": "params = { t = 1 }", "benchmark": adapter("t = 4")}, {"t": 4}, {"t": 4}),
    ({"benchmark": "params = { t = 2, u = 1 }", "eval": "params = { t = none }"}, {}, {"u": 1}),
    ({"model": adapter("t = 1"), "benchmark": "params = { t = none }"}, {}, {}),
    ({"model": "params = { t = 1 }", "benchmark": "params = { t = none }", "eval": "params = { t = 3 }"}, {}, {"t": 3}),
    ({"model": "params = { t = 1, seed = 2 }", "eval": "params = { t = none }\nseed = 7"}, {}, {"seed": 7}),
]


@pytest.mark.parametrize(("declared", "added", "sent"), CASES)
def test_the_later_word_counts(
    declared: dict[str, str], added: dict[str, Any], sent: dict[str, Any], project: Project
) -> None:
    """The gateway adds nothing that would replace what a declaration with a later word says."""
    one = cell(project, **declared)
    assert find_gateway_parameters(one).added == added
    assert {each.name: each.value for each in list_sent_parameters(one)} == sent


def test_the_parameters_of_a_model_are_defaults(project: Project) -> None:
    """A parameter of the model counts where nothing else is said, in the identity as if the eval had said it."""

    def digest(**declared: str) -> str:
        """The digest of the only cell."""
        cell(project, **declared)
        return only_node(project).action.digest

    assert dict(cell(project, model="params = { t = 1 }", eval="params = { u = 2 }").params) == {"t": 1, "u": 2}
    same = digest(model="params = { t = 1 }")
    assert same == digest(benchmark="params = { t = 1 }") == digest(eval="params = { t = 1 }")
    assert digest(model="params = { t = 2 }", eval="params = { t = 1 }") == same != digest()


def test_a_judge_is_asked_with_its_own_parameters(project: Project) -> None:
    """The parameters of a model that judges are part of what the benchmark is."""

    def part(params: str) -> str:
        """The digest of the benchmark."""
        project.write("d.jsonl", '{"q": "x", "a": "y"}\n')
        project.write("Evalfile", JUDGED.format(params=params))
        return dict(only_node(project).action.parts)["benchmark"].digest

    assert part("") == part("params = {}") != part("params = { t = 1 }") != part("params = { t = 2 }")


def test_a_seed_stands_in_one_place(project: Project) -> None:
    """An eval's seed beats the benchmark's `params`, and cannot be beside a seed in its own."""
    assert dict(cell(project, benchmark="params = { seed = 2 }", eval="seed = 7").params) == {}
    assert dict(cell(project, benchmark="params = { seed = 2 }").params) == {"seed": 2}
    project.write("Evalfile", EVALFILE.format(model="", benchmark="", eval="seed in 1..3\nparams = { seed = 1 }"))
    said = project.run("-n", status=2).stderr
    assert "`params`: the eval has a `seed` of its own, which this one would replace in every run [bad-value]" in said


@pytest.mark.parametrize("where", ["model", "benchmark", "eval"])
def test_what_the_native_harness_cannot_send(where: str, project: Project) -> None:
    """A parameter that would ask another model, or pay for replies that nothing scores, is refused wherever it is."""
    text = EVALFILE.replace('run     = "true"', 'files = file("d.jsonl")\n prompt = "{{q}}"\n target = "{{a}}"')
    text = text.replace("harness = command", "harness = native")
    project.write("d.jsonl", '{"q": "x", "a": "y"}\n')
    for line in (adapter("n = 4"), adapter('model = "other"')):
        project.write("Evalfile", text.format(**{"model": "", "benchmark": "", "eval": "", where: line}))
        assert "`adapter.params`: " in project.run("-n", status=2).stderr


def test_none_takes_a_parameter_away(project: Project) -> None:
    """`none` in an eval's adapter removes what the benchmark's `params` send."""
    one = cell(project, benchmark="params = { t = 2 }", eval=adapter("t = none"))
    assert find_gateway_parameters(one).removed == ("t",)
    assert list_sent_parameters(one) == []


def test_only_a_changed_meaning_is_a_new_identity(project: Project) -> None:
    """A result is stale where an adapter won before; everywhere else the identity stays."""
    assert find_overruled_names(cell(project, model=adapter("t = 1, u = 1"), eval="params = { t = 3 }")) == ("t",)
    assert find_overruled_names(cell(project, model=adapter("t = 1"), eval="params = { u = 3 }")) == ()
    assert find_overruled_names(cell(project, model=adapter("t = 1"), eval=adapter("t = 3"))) == ()


def test_show_says_what_is_sent(project: Project) -> None:
    """`show` of a cell, also of an eval without axes, has each value that is sent, and whose word it is."""
    cell(
        project,
        model=adapter("t = 1, top_k = 4", ', drop = ["stop"], system = "Be brief."'),
        benchmark='params = { t = 2, stop = ["x"] }',
        eval="params = { t = 3 }\nrequire accuracy >= 0.5",
    )
    said = project.run("show", "e").stdout
    for line in (
        'model  = "m"          Evalfile:3, model m',
        'system = "Be brief."  Evalfile:4, adapter of model m',
        "seed   = 0            default",
        "stop   = (dropped)    Evalfile:10, benchmark b, by the adapter of model m",
        "t      = 3            Evalfile:16, eval e, over 1 of model m and 2 of benchmark b",
        "top_k  = 4            Evalfile:4, adapter of model m",
        "require accuracy >= 0.5  Evalfile:17",
    ):
        assert f"    {line}\n" in said
