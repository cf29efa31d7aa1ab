"""Before anything runs, a plan says which requirements of its evaluations are not met."""

from __future__ import annotations

import pytest

from tests.support.projects import Project

CATALOG = """
include "catalog:hle"
include "catalog:mtbench"
include "catalog:simple-evals"
include "catalog:tau2-bench"
executor box {{ backend = docker, env = {{ {env} }} }}
model m {{ endpoint = "http://127.0.0.1:9/v1", name = "m" }}
model j {{ endpoint = "http://127.0.0.1:9/v1", name = "j", api_key = secret("J_KEY") }}
{more}
eval e {{ model = m, benchmark in [{benchmarks}], executor = box }}
"""
BOX = "in the `env` of executor `box`, required by"
HERS = 'extra = { user = { api_key = "HER_KEY" } }'
AIME = "simple-evals.aime-2025"
TAU = "tau2-bench.tau2-bench-retail"
NVIDIA = "past the gateway: https://integrate.api.nvidia.com/v1/chat/completions, asked by"
HLE = "benchmark h from hle.hle { judge = m }"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have some of these."""
    for name in ("HF_TOKEN", "J_KEY", "JUDGE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def needs(project: Project, benchmarks: str, more: str = "", env: str = "", **given: str) -> list[str]:
    """The lines of a plan that say what it needs."""
    project.write("Evalfile", CATALOG.format(env=env, more=more, benchmarks=benchmarks))
    said = project.run("-n", env=given).stdout.splitlines()
    return [line for line in said if line.startswith(("unset: ", "unmet: ", "past the gateway: "))]


@pytest.mark.parametrize(
    ("benchmarks", "more", "env", "said"),
    [
        ("h", HLE, "", [f"unmet: HF_TOKEN {BOX} h"]),
        ("h", HLE, 'HF_TOKEN = "of mine"', []),
        (
            f"h, aa, {TAU}",
            f"{HLE}\nbenchmark aa from hle.hle-aa-v2 {{ judge = m }}",
            "",
            [f"unmet: HF_TOKEN {BOX} h, aa", f"unmet: USER_API_KEY {BOX} {TAU}", f"{NVIDIA} {TAU}"],
        ),
        ("b", f"benchmark b from {AIME} {{ judge = m }}", "", []),
        ("b", f"benchmark b from {TAU} {{ {HERS} }}", "", [f"{NVIDIA} b"]),
        ("b", f"benchmark b from {TAU} {{ {HERS}, judge = m }}", "", [f"{NVIDIA} b"]),
        (
            "b",
            f"benchmark _b from {TAU} {{ }}\nbenchmark b from _b {{ }}",
            "",
            [f"unmet: USER_API_KEY {BOX} b", f"{NVIDIA} b"],
        ),
        ("b", "benchmark b from mtbench.mtbench { judge = m }", "", []),
        ("simple-evals.mgsm", "", "", []),
    ],
)
def test_what_the_catalog_requires(project: Project, benchmarks: str, more: str, env: str, said: list[str]) -> None:
    """A variable that the executor does not give, and whom else the harness asks; what is replaced is your own."""
    assert needs(project, benchmarks, more, env) == said


def test_secrets_without_a_value(project: Project) -> None:
    """Those of models, judges and executors, once each; not those that are set or unused."""
    judged = f"benchmark b from {AIME} {{ judge = j }}\n{HLE}"
    env = 'HF_TOKEN = secret("HF_TOKEN")'
    told = "unset: J_KEY, HF_TOKEN; `export NAME=...`, or `keyring set evalmake NAME`"
    assert needs(project, "b, h", judged, env) == [told]
    assert needs(project, "b, h", judged, env, J_KEY="x") == [told.replace("J_KEY, ", "")]
    assert needs(project, "b, h", judged, env, J_KEY="x", HF_TOKEN="y") == []


def test_a_run_says_what_is_unmet_before_it_starts(project: Project) -> None:
    """On the screen, above whatever comes of it."""
    project.write("Evalfile", CATALOG.format(env='X = secret("J_KEY")', more=HLE, benchmarks="h"))
    said = project.run(status=2).stderr
    assert said.startswith(f"unmet: HF_TOKEN {BOX} h\nerror: the secret `J_KEY` ")
    assert "unmet" not in project.run("-s", status=2).stderr
