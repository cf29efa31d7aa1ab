"""Logs on terminals and in CIs, whatever jobs print."""

from __future__ import annotations

from tests.support.workspaces import SCORE, TRIED, Bench, end, wait_for


def test_logs(bench: Bench) -> None:
    """`evalmake logs` prints a log safely, and with `--raw` its bytes; progress and errors are safe, too."""
    bench.evalfile(TRIED.replace("1..8", "1..1"))
    bench.job(f"printf '\\033]0;title\\007\\n::error::pwned\\nend'\n{SCORE}")
    env = {"GITHUB_ACTIONS": "true"}
    assert bench.run(env=env).status == 0
    safe = bench.run("logs", "tried/1", env=env).out
    assert safe.startswith("\ufffd]0;title\ufffd\n| ::error::pwned\nend\n-- attempt 1")
    raw = bench.run("logs", "--raw", "tried/1", env=env).out
    assert raw.startswith("\x1b]0;title\x07\n::error::pwned\nend\n-- attempt 1")


def test_the_log_of_a_failure_before_a_change(bench: Bench) -> None:
    """What failed and was changed since still has its log; what never ran has none."""
    bench.evalfile(TRIED.replace("1..8", "1..2"))
    bench.job("echo too bad; exit 3")
    assert bench.run("tried/1").status == 2
    bench.job(SCORE)
    assert bench.run("logs", "tried/1").out.startswith("too bad\n-- attempt 1, failed ")
    assert bench.run("logs", "tried/2").out == "tried/2 has not run\n"


def test_secrets_in_the_log_of_a_running_job(bench: Bench) -> None:
    """The log of a job that still runs holds no secret on disk, and in the end says which one it was."""
    bench.evalfile(TRIED.replace("1..8", "1..1"))
    bench.edit("slots   = 4", 'slots   = 4\n        env     = { TOK = secret("TOK") }')
    go = bench.root / "go"
    bench.job(f"echo one $TOK two; while ! test -e {go}; do sleep 0.05; done; echo three $TOK four\n{SCORE}")
    process = bench.start(env={"TOK": "tops3cretvalue99"})

    def logs() -> list[bytes]:
        return [log.read_bytes() for log in (bench.root / ".evalmake" / "work").glob("*/log")]

    wait_for(lambda: any(b" two\n" in log and b"tops3cretvalue99" not in log for log in logs()))
    go.touch()
    assert end(process).status == 0
    assert bench.run("logs", "tried/1").out.startswith("one [secret TOK] two\nthree [secret TOK] four\n")
    bench.clean()
