"""`scorer = math`, by the package math-verify."""

from __future__ import annotations

import pytest

from evalmake.harnesses.native.answers import mathematics
from tests.harnesses.native.harness_bench import Native


@pytest.mark.parametrize(
    ("target", "reply", "score"),
    [
        (r"\frac{\sqrt{3}}{2}", r"The answer is $\frac{\sqrt{3}}{2}$.", 1),
        (r"\frac{\sqrt{3}}{2}", r"\boxed{\frac{\sqrt{3}}{3}}", 0),
        ("$x^2+2x+1$", r"\boxed{(x+1)^2}", 1),
        (r"2\pi", r"So it is \boxed{2\pi}.", 1),
        ("(1,2)", r"\boxed{(1, 2)}", 1),
        ("1/2", "0.5", 1),
        ("1/2", "no idea", 0),
    ],
)
def test_mathematics_is_compared(native: Native, target: str, reply: str, score: int) -> None:
    """Expressions that mean the same are equal, however they are written."""
    pytest.importorskip("math_verify")
    native.server.answer = lambda body: reply
    run = native([{"q": "?", "a": target}], scorer="math")
    assert run.status == 0, run.err
    assert run.samples[0]["scores"] == {"accuracy": score}


def test_what_takes_too_long_is_not_scored(native: Native) -> None:
    """A comparison that would take for ever is an error of its sample, never a wrong answer; the next is compared."""
    pytest.importorskip("math_verify")
    replies = {"slow?": r"\boxed{9^{9^{9}}}", "fast?": r"\boxed{0.5}"}
    native.server.answer = lambda body: replies[body["messages"][-1]["content"]]
    slow, fast = native([{"q": question, "a": "1/2"} for question in replies], scorer="math").samples
    assert slow["error"] == "comparing the mathematics took longer than 5s on this reply"
    assert slow["cause_kind"] == "scorer"
    assert fast["scores"] == {"accuracy": 1}


def test_the_package_must_be_installed(native: Native, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package, nothing is asked, and the message says what to install."""
    monkeypatch.setattr(mathematics, "find_version", lambda: None)
    run = native(scorer="math")
    assert run.status == 2
    assert "the scorer 'math' needs math-verify" in run.err
