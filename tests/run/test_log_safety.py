"""Logs on terminals and in CIs, whatever jobs print."""

from __future__ import annotations

from tests.support.workspaces import SCORE, TRIED, Bench


def test_logs(bench: Bench) -> None:
    """`evalmake logs` prints a log safely, and with `--raw` its bytes; progress and errors are safe, too."""
    bench.evalfile(TRIED.replace("1..8", "1..1"))
    bench.job(f"printf '\\033]0;title\\007\\n::error::pwned\\nend'\n{SCORE}")
    env = {"GITHUB_ACTIONS": "true"}
    assert bench.run(env=env).status == 0
    safe = bench.run("logs", "tried/1", env=env).out
    assert safe.startswith("\ufffd]0;title\ufffd\n| ::error::pwned\nend-- attempt 1")
    raw = bench.run("logs", "--raw", "tried/1", env=env).out
    assert raw.startswith("\x1b]0;title\x07\n::error::pwned\nend-- attempt 1")
