"""Secrets reach the jobs that need them, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.workspaces import Bench, end, wait_for

SECRET = 'sk-"4f1b\\9c2d'
PLAIN = "hf_0123456789abcdef"

EVALFILE = """\
    executor here {
        backend = process
        env     = { HERE_TOKEN = secret("PLAIN"), HERE_KEY = secret("SECRET") }
    }
    deployment served {
        engine   = command
        run      = "echo $SERVED_TOKEN; exec python3 data/serve.py"
        executor = here
        env      = { SERVED_TOKEN = secret("PLAIN") }
    }
    model remote {
        endpoint = "http://127.0.0.1:9/v1"
        name     = "remote"
        api_key  = secret("SECRET")
        headers  = {
            "X-Token" = secret("PLAIN")
            "X-Team"  = "evals"
        }
    }
    benchmark leaky {
        harness = command
        files   = file("job.py")
        run     = "python3 data/job.py"
    }
    eval leak {
        model     = remote
        benchmark = leaky
        executor  = here
        seed      in 1..2
    }
    report told {
        of     = [leak]
        format = json
        path   = "told.json"
    }
"""

JOB = """\
import json, os, sys, time
from pathlib import Path

key, token = os.environ["HERE_KEY"], os.environ["HERE_TOKEN"]
out = Path(os.environ["EVALMAKE_OUT"])
print("the key is", key, "and", json.dumps(key), "the token", token, flush=True)
(out / token).write_text(key * 9000)
(out / "notes.json").write_text(json.dumps({"key": key}))
while not Path("../../../go").exists():
    time.sleep(0.02)
if os.environ["EVALMAKE_SEED"] == "2":
    sys.exit("failed with " + key)
(out / "scores.json").write_text(json.dumps({"metric": "accuracy", "scores": {"accuracy": 1, token: 2}}))
"""


def holders(root: Path) -> list[str]:
    """The files below `root` that contain a secret, in their content or name."""
    marks = [SECRET.encode(), json.dumps(SECRET)[1:-1].encode(), PLAIN.encode()]
    found = [str(p) for p in root.rglob("*") if PLAIN in p.name]
    files = [p for p in root.rglob("*") if p.is_file()]
    return found + [str(p) for p in files if any(mark in p.read_bytes() for mark in marks)]


def command_lines() -> str:
    """All argument lists of this machine, as `ps axww` shows them."""
    texts = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            texts.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(texts)


def test_secrets_are_nowhere(bench: Bench) -> None:
    """A secret that a job prints, stores and dies with is in no file, message, log or argument."""
    bench.env |= {"SECRET": SECRET, "PLAIN": PLAIN}
    bench.evalfile(EVALFILE)
    bench.job(JOB, "job.py")
    process = bench.start("-k", "-v")
    work = bench.root / ".evalmake" / "work"
    wait_for(lambda: len(list(work.glob("*/out/notes.json"))) == 2)
    words = command_lines()
    shown = bench.run("logs", "leak/1")
    (bench.root / "go").touch()
    ended = end(process)
    texts = [words, shown.text, ended.text]
    texts += [bench.run(*argv).text for argv in (["-n", "-o", "plan.json"], ["logs", "leak/1"])]
    texts += [bench.run(*argv).text for argv in (["logs", "leak/2"], ["why", "leak/2"], ["show", "leak/1"])]

    assert ended.status == 2, ended.text
    assert "the key is [secret SECRET] and" in shown.text
    assert "leak/2 failed: exit status 1" in ended.err
    for text in texts:
        assert SECRET not in text
        assert PLAIN not in text
    assert (bench.root / "plan.json").exists()
    assert "[secret PLAIN]" in (bench.root / "told.json").read_text()
    assert holders(bench.root) == []
    assert {a.name: [s.metric for s in a.scores] for a in bench.attempts()} == {
        "leak/1": ["accuracy", "[secret PLAIN]"],
        "leak/2": [],
    }
    bench.clean()


def test_secrets_of_a_killed_build(bench: Bench) -> None:
    """The build that takes over a job redacts what the job wrote before evalmake was killed."""
    bench.env |= {"SECRET": SECRET, "PLAIN": PLAIN}
    bench.evalfile(EVALFILE)
    bench.job(JOB, "job.py")
    process = bench.start("leak/1")
    work = bench.root / ".evalmake" / "work"
    wait_for(lambda: len(list(work.glob("*/out/notes.json"))) == 1)
    process.kill()
    process.communicate()
    (bench.root / "go").touch()
    ended = bench.run("leak/1")

    assert ended.status == 0, ended.text
    assert "taken over" in ended.err
    assert holders(bench.root) == []
    bench.clean()


def test_secret_of_a_deployment(bench: Bench) -> None:
    """A server's secret is redacted in its log and in the error about it."""
    bench.env |= {"SECRET": SECRET, "PLAIN": PLAIN}
    bench.evalfile(
        EVALFILE + "    model own { deployment = served }\n    eval own { model = own\n benchmark = leaky }\n"
    )
    bench.edit("exec python3 data/serve.py", "exit 3")
    bench.job(JOB, "job.py")
    ended = bench.run("own")

    assert ended.status == 2
    assert "[secret PLAIN]" in ended.err
    assert "[secret PLAIN]" in bench.run("logs", "served").out
    assert PLAIN not in ended.text
    assert holders(bench.root) == []
    bench.clean()


def test_missing_secret(bench: Bench) -> None:
    """A secret without a value, also in a header, is an error before anything starts."""
    bench.env |= {"SECRET": SECRET}
    bench.env.pop("PLAIN", None)
    bench.evalfile(EVALFILE)
    bench.job(JOB, "job.py")
    ended = bench.run()

    assert ended.status == 2
    said = "the secret `PLAIN` is neither in the environment nor in the keyring [missing-secret]"
    assert f"error: {said}" in ended.err
    assert "help: set it for this command: export PLAIN=..." in ended.err
    assert "help: or store it in the keyring: keyring set evalmake PLAIN" in ended.err
    assert bench.attempts() == []


def test_the_env_of_a_benchmark_wins(bench: Bench) -> None:
    """It renames a secret for the benchmark's jobs alone; its plain values count, and its secrets do not."""
    bench.evalfile(
        """
executor here {
    backend = process
    env     = { TOKEN = secret("GENERAL"), WORD = "general" }
}
model m {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "m"
}
benchmark plain {
    harness = command
    files   = file("job.py")
    run     = "python3 data/job.py"
    metric  = "token"
}
benchmark special from plain { env = { TOKEN = secret("SPECIAL"), WORD = "special" } }
eval e {
    model     = m
    benchmark in [plain, special]
    executor  = here
}
""",
    )
    bench.job(
        """
import json, os
token = {"general-0123456": 1, "special-0123456": 2}[os.environ["TOKEN"]]
word = {"general": 1, "special": 2}[os.environ["WORD"]]
json.dump({"token": token, "word": word}, open(os.environ["EVALMAKE_OUT"] + "/scores.json", "w"))
""",
        "job.py",
    )
    env = {"GENERAL": "general-0123456"}
    assert "`SPECIAL` is neither in the environment" in bench.run(env=env).err
    env["SPECIAL"] = "special-0123456"
    ran = bench.run(env=env)
    assert "2 ran" in ran.out, ran.err
    bench.edit('secret("SPECIAL")', 'secret("GENERAL")')
    assert "nothing to run" in bench.run("-n", env=env).out
    bench.edit('WORD = "special"', 'WORD = "other"')
    assert "WORD" in bench.run("-n", "-v", env=env).out
