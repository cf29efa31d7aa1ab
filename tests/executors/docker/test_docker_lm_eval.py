"""lm-eval itself in an image from a registry: it scores as in an environment of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalmake.planner.action import ActionResult
from evalmake.run.environments.environment import Environment
from tests.executors.docker.contained import Contained
from tests.executors.docker.images import image
from tests.support.docker_engine import Dockerd, push
from tests.support.sums import put_lm_eval

pytestmark = pytest.mark.timeout(600)  # an environment may have to be installed, and an image pushed

EVALFILE = """\
executor open   {{ backend = docker, host = "{host}" }}
executor closed {{ backend = docker, host = "{host}", network = gateway, user = "4242:4242" }}
executor here   {{ backend = process, env = {{ HOME = "{home}" }} }}

deployment stand-in {{ engine = mock, args = {{ skill = 0.7 }} }}
defaults model      {{ deployment = stand-in }}
model talks         {{}}
model completes     {{ api = completions }}

defaults benchmark {{ harness = lm-eval, files = glob("tasks/*"), offline = true }}
defaults eval      {{ seed = 7, limit = 12 }}

benchmark _sums          {{ task = "ev_arithmetic", fewshot = 2, metric = "exact_match.strict-match" }}
benchmark sums          from _sums {{ packages = ["lm-eval[api]==0.4.13"] }}
benchmark sums-in-image from _sums {{ image = "{image}" }}
eval sums               {{ model = talks, benchmark = sums, executor = here }}
eval sums-in-image      {{ model = talks, benchmark = sums-in-image, executor = open }}

benchmark choice          {{ task = "ev_choice", packages = ["lm-eval[api]==0.4.13"] }}
benchmark choice-in-image {{ task = "ev_choice", image = "{image}" }}
eval choice               {{ model = completes, benchmark = choice, executor = here }}
eval choice-in-image      {{ model = completes, benchmark = choice-in-image, executor = closed }}
"""


@pytest.fixture(scope="session")
def pushed(engine: Dockerd, lm_eval: Environment, shared_hub: str) -> tuple[str, str]:
    """An image with lm-eval, by its name in the registry; its digest."""
    made = image(engine, "lm-eval", lm_eval)
    name = f"{shared_hub}/acme/lm-eval:{made.partition(':')[2]}"
    return name, push(engine, made, name)


def test_it_scores_as_it_does_here(contained: Contained, pushed: tuple[str, str], environments: Path) -> None:
    """Scores and samples equal those on this host: as root on an open network, as an unknown user on a closed one."""
    put_lm_eval(contained.root / "tasks", "arithmetic.yaml", "choice.yaml")
    contained.env["EVALMAKE_ENVIRONMENTS"] = str(environments)
    name, digest = pushed
    home = contained.root.parent / "home"
    contained.evalfile(EVALFILE.format(host=contained.engine.url, home=home, image=name))
    ended = contained.run()

    assert ended.status == 0, ended.text
    found = {attempt.name: attempt for attempt in contained.attempts()}
    assert len(found) == 4
    for here in ("sums", "choice"):
        there = f"{here}-in-image"
        assert found[there].scores == found[here].scores
        assert found[there].scores[0].stderr
        assert samples(contained, found[there]) == samples(contained, found[here])
        assert found[there].facts["image-digest"] == f"{name.rpartition(':')[0]}@{digest}"
    (value, *_) = (score.value for score in found["sums"].scores)
    assert 0.4 < (value or 0) < 1, "not a score that any mistake would give"
    assert "nothing to do" in contained.run().out
    assert len(contained.attempts()) == 4
    contained.clean()


def samples(bench: Contained, attempt: ActionResult) -> list[dict[str, object]]:
    """What was asked, said and scored, without how long it took."""
    return [row | {"latency": None} for row in bench.samples(attempt)]
