"""What jobs print and names hold neither controls a terminal nor commands a CI."""

from __future__ import annotations

import pytest

from evalmake.terminal.safe_text import clean, clean_log

_CI = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION")


@pytest.mark.parametrize(
    ("text", "outside", "in_ci"),
    [
        ("a\x1b]0;title\x07", "a\ufffd]0;title\ufffd", "a\ufffd]0;title\ufffd"),
        ("x\n  ::error::y", "x\n  ::error::y", "x\n|   ::error::y"),
        ("a::b", "a::b", "a::b"),
        ("x ##vso[task] ##[set-env]", "x ##vso[task] ##[set-env]", "x # #vso[task] # #[set-env]"),
    ],
)
def test_clean(monkeypatch: pytest.MonkeyPatch, text: str, outside: str, in_ci: str) -> None:
    """Escapes are replaced everywhere, the commands of a CI only in one."""
    for name in _CI:
        monkeypatch.delenv(name, raising=False)
    assert clean(text) == outside
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert clean(text) == in_ci


def test_clean_log() -> None:
    """A log keeps its text in all languages, loses its colours, and shows each state of a progress bar."""
    assert clean_log("\x1b[31mred\x1b[0m 1%\r2%\r\n\u3000é\x1b7".encode()) == "red 1%\n2%\n\u3000é\ufffd7"
