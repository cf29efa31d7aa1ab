"""What `sign` means to digests: those of plans with one secret stay what they were."""

from __future__ import annotations

import json

import pytest

from tests.support.projects import Project

EVALFILE = """
model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }

benchmark b { harness = command, run = "true" }

eval e { model = m, benchmark = b }

report r { of = [e], path = "r.md"SIGN }
"""


@pytest.mark.parametrize(
    ("sign", "digest"),
    [
        ("", "sha256:e2aa4ff6b48fd7a7f64cf87d7ee6d28febf0a8b8189963bd1749fb204706c19a"),
        (', sign = secret("KEY")', "sha256:5c63998295b5cf742b802626619c71142a24eed1e39e5449353ffb196a7c2805"),
        (', sign = [secret("KEY")]', "sha256:5c63998295b5cf742b802626619c71142a24eed1e39e5449353ffb196a7c2805"),
    ],
)
def test_digests_of_plans_stay(project: Project, sign: str, digest: str) -> None:
    """Plans without a key or with one secret have the digests that earlier versions gave them."""
    assert _digest(project, sign) == digest


def test_every_key_counts(project: Project) -> None:
    """Other keys, other files and more keys give other plans."""
    project.write("a.key", "")
    project.write("b.key", "")
    keys = (
        'secret("A")',
        'file("a.key")',
        'file("b.key")',
        '[secret("A"), file("a.key")]',
        '[secret("A"), secret("B")]',
    )
    digests = {_digest(project, f", sign = {key}") for key in ('secret("B")', *keys)}
    assert len(digests) == len(keys) + 1


def _digest(project: Project, sign: str) -> str:
    project.write("Evalfile", EVALFILE.replace("SIGN", sign))
    project.run("-n", "-o", "plan.json", status=None)
    digest: str = json.loads((project.root / "plan.json").read_text())["digest"]
    return digest
