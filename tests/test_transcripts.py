"""The pages of diagnostic codes show what evalmake prints: each test creates the situation and compares."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import ModuleType

import pytest

from tests.support.git_repositories import commit
from tests.support.pages import CAUSES, MENDED, PACKAGE, PAGES, blocks
from tests.support.projects import Project
from tests.support.stand_in_hub import COMMIT, StandInHub, serve_hub
from tests.support.workspaces import rewrite

EVALFILE = """\
LIMIT = 500

model acme {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "acme-7b"
}

benchmark sums {
    harness = command
    run     = "sh ../../../job.sh"
}

eval grid {
    model     = acme
    benchmark = sums
    seed      in 1..2
    limit     = LIMIT
}
"""
DATA = '{"question": "1 + 1?", "answer": 2}\n{"prompt": "1 + 2?", "answer": 3}\n'
DATA_KEYS = """\
    files   = file("data/sums.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
"""
JOB = """\
echo '{"accuracy": {"value": 0.68, "stderr": 0.0122, "n": 500}}' > $EVALMAKE_OUT/scores.json
"""
FAILING_ONCE = """\
test $EVALMAKE_SEED = 2 || test -e ../../../tried || { touch ../../../tried; exit 1; }
"""
CHANGING = "echo {} >> ../../../sums.jsonl\n"
NEXT = """
executor local {
    backend = process
    slots   = 1
}

benchmark read {
    harness = command
    files   = file("sums.jsonl")
    run     = "sh ../../../job.sh"
}

eval next {
    model     = acme
    benchmark = read
}
"""
LAUNCHER = """\
defaults:
  - execution: slurm/default
  - deployment: none
  - _self_

execution:
  hostname: cluster.example.com
  username: me
  account: ???
  output_dir: /lustre/evals

target:
  api_endpoint:
    url: http://127.0.0.1:9/v1/chat/completions
    model_id: acme-1

evaluation:
  tasks:
    - name: lm-evaluation-harness.ifeval
"""
ENDPOINT = '    endpoint = "http://127.0.0.1:9/v1"\n'
SERVER = """\
deployment stand-in {
    engine = command
    run    = "echo no such model; exit 1"
}

model acme {
    deployment = stand-in
"""
BOX = """\
executor box {
    backend = docker
    host    = "unix:///run/no-engine.sock"
}

"""
VLLM = """\
deployment served {
    engine  = vllm
    weights = "hf://acme/acme-7b"
}

model acme {
    deployment = served
"""
IMAGE = """\
deployment served {
    engine = mock
    image  = "127.0.0.1:9/acme/served:1"
}

model acme {
    deployment = served
"""
UV = """\
#!/bin/sh
echo No solution found when resolving dependencies: there is no version of acme-evals==9.0
exit 1
"""
ELSEWHERE = {"docker", "git", "keyring", "pip"}  # what a page may tell to run, and no test can

Stage = Callable[[Project], object]


def edited(*pairs: str) -> Stage:
    """An Evalfile in which each first text of two is replaced by the second."""
    text = EVALFILE
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        assert old in text
        text = text.replace(old, new)
    return lambda project: project.write("Evalfile", text)


PLAIN = edited()
RUN = '    run     = "sh ../../../job.sh"\n'
NATIVE = edited("command", "native", RUN, DATA_KEYS)
UNUSED_RUBRIC = DATA_KEYS + '    scorer  = contains\n    rubric  = "The number must be right."\n'


def also(name: str, text: str | bytes, first: Stage = PLAIN) -> Stage:
    """Another file, after the first stage."""

    def stage(project: Project) -> None:
        first(project)
        project.write(name, text)

    return stage


def built(project: Project) -> None:
    """All is up to date."""
    PLAIN(project)
    project.run()


def of_a_later_version(project: Project) -> None:
    """A store in which every standing is of a form to come."""
    built(project)
    rewrite(project.root, "head", lambda row: [99, *row[1:]])


def garbage(project: Project) -> None:
    """A store that is none."""
    built(project)
    for path in (project.root / ".evalmake/store").glob("cache.db*"):
        path.write_bytes(b"\0garbage" * 1024)


def planned_and_edited(project: Project) -> None:
    """A saved plan, and a value that is another since."""
    PLAIN(project)
    project.run("-n", "-o", "plan.json")
    edited("limit     = LIMIT", "limit     = 50")(project)


def changing(project: Project) -> None:
    """An evaluation that changes the data of the next one."""
    edited("seed      in 1..2\n", "seed      = 1\n", "    limit     = LIMIT\n}\n", "}\n" + NEXT)(project)
    project.write("sums.jsonl", "{}\n")
    project.write("job.sh", CHANGING + JOB)


def signed_and_saved_again(project: Project) -> None:
    """A plan that a reviewer has signed, and that is another one since."""
    PLAIN(project)
    project.run("key", "new", "reviewer")
    project.run("-n", "-o", "plan.json", "--sign", "reviewer.key")
    edited("limit     = LIMIT", "limit     = 50")(project)
    project.run("-n", "-o", "plan.json")


def with_samples(project: Project) -> None:
    """Results whose program left samples."""
    rows = [json.dumps({"id": f"sums/{n}", "scores": {"accuracy": 0.68}}) for n in range(1, 20)]
    project.write("rows.jsonl", "\n".join(rows) + "\n")
    project.write("job.sh", "cp ../../../rows.jsonl $EVALMAKE_OUT/samples.jsonl\n" + JOB)
    built(project)


def with_baseline(project: Project) -> None:
    """Results that are a baseline."""
    built(project)
    project.run("baseline", "set", "main", "grid")


def with_conflict(project: Project) -> None:
    """A baseline that two branches changed."""
    with_baseline(project)
    path = project.root / "baselines" / "main.toml"
    start, middle, end = "<<<<<<< HEAD", "=======", ">>>>>>> branch"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:8], start, *lines[8:], middle, *lines[8:], end, ""]))


def tracked(project: Project) -> None:
    """A project in a git repository."""
    built(project)
    commit(project.root, "first")


def half_built(project: Project) -> None:
    """The results of one of two models."""
    master = 'model master {\n    endpoint = "http://127.0.0.1:9/v1"\n    name     = "master-70b"\n}\n\nbenchmark'
    both = edited("model acme", "model apprentice", "model     = acme", "model     in [apprentice, master]")
    one = edited("model acme", "model apprentice", "model     = acme", "model     in [apprentice]")
    one(project)
    project.run()
    both(project)
    project.write("Evalfile", (project.root / "Evalfile").read_text().replace("benchmark", master, 1))


def with_hub(project: Project) -> None:
    """A data set of the hub without the split that is asked."""
    dataset = f'    dataset = "hf://acme/sums@{COMMIT}"\n    split   = "tset"\n'
    edited("command", "native", RUN, dataset + DATA_KEYS.partition("\n")[2])(project)


STAGES: dict[str, Stage] = {
    "bad-baseline": with_conflict,
    "bad-revision": tracked,
    "download-failed": with_hub,
    "nothing-to-compare": half_built,
    "unknown-baseline": with_baseline,
    "bad-filter": built,
    "bad-evidence": also("evidence/notes.txt", "nothing else"),
    "bad-key": also("id_rsa", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbg==\n-----END OPENSSH PRIVATE KEY-----\n"),
    "bad-signature": signed_and_saved_again,
    "bad-config": also("slurm.yaml", LAUNCHER),
    "bad-lock": also("Evalfile.lock", "<<<<<<< HEAD\n"),
    "bad-override": edited("LIMIT = 500", "LIMIT = 500\nSEEDS = [1, 2]", "in 1..2", "in SEEDS"),
    "bad-plan": also("notes.json", '{"to": "do"}\n'),
    "copy-failed": also("results/grid/1/log", "mine", built),
    "digest-mismatch": also(
        "common.evalfile",
        "SEED = 1\n",
        edited("LIMIT = 500", f'include "common.evalfile" sha256:{64 * "0"}\nLIMIT = 500'),
    ),
    "duplicate-override": PLAIN,
    "environment-failed": also("bin/uv", UV, edited("    run ", '    packages = ["acme-evals==9.0"]\n    run ')),
    "evaluation-failed": also("job.sh", FAILING_ONCE + JOB),
    "bad-data": also(
        "data/sums.jsonl", '{"question": "1 + 1?", "answer": 2}\n{"prompt": "1 + 2?", "answer": 3}\n', NATIVE
    ),
    "doubtful-data": also("data/sums.jsonl", '{"question": "1 + 1?", "answer": 2}\n' * 2, NATIVE),
    "unknown-parameter": edited("    limit     = LIMIT\n", "    limit     = LIMIT\n    params    = { depth = 3 }\n"),
    "executor-failed": edited("eval grid", f"{BOX}eval grid"),
    "exists": PLAIN,
    "gate-not-met": edited("limit     = LIMIT", "limit     = LIMIT\n    require accuracy >= 70%"),
    "gate-unjudged": edited("limit     = LIMIT", "limit     = LIMIT\n    require acuracy >= 70%"),
    "input-changed": changing,
    "job-failed": also(".evalmake/inputs", "", edited("    run  ", '    files   = file("job.sh")\n    run  ')),
    "missing-harness": edited("command", "lm-eval", '    run     = "sh ../../../job.sh"\n', '    task    = "gsm8k"\n'),
    "missing-secret": edited('"acme-7b"', '"acme-7b"\n    api_key  = secret("ACME_KEY")'),
    "newer-store": of_a_later_version,
    "not-available": PLAIN,
    "notify-failed": edited("LIMIT = 500", 'LIMIT = 500\n\nsettings { notify = "http://127.0.0.1:9/team" }'),
    "not-utf8": also("Evalfile", EVALFILE.replace("LIMIT", "# Grüße\nLIMIT", 1).encode("latin1")),
    "not-locked": edited("model acme {\n", VLLM, ENDPOINT, ""),
    "nothing-to-accept": built,
    "override-forbidden": edited("LIMIT = 500", "settings { overrides = [] }\n\nLIMIT = 500"),
    "pin-failed": edited("model acme {\n", IMAGE, ENDPOINT, ""),
    "plan-moved": planned_and_edited,
    "replies-failed": also(".evalmake/store/replies/cache.db", b"\0garbage" * 1024),
    "report-failed": also(
        "reports/scorecard.md/notes.txt",
        "",
        edited("eval grid", 'report r { of = [grid], path = "reports/scorecard.md" }\n\neval grid'),
    ),
    "service-failed": edited("model acme {\n", SERVER, ENDPOINT, ""),
    "store-damaged": garbage,
    "store-failed": also(".evalmake/store/cache.db/file", ""),
    "unknown-code": PLAIN,
    "unknown-field": built,
    "unknown-sample": with_samples,
    "usage": PLAIN,
    "unused-key": also("data/sums.jsonl", DATA, edited("command", "native", RUN, UNUSED_RUBRIC)),
}


@pytest.fixture
def stage(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Project]]:
    """A function that makes the situation of a code."""
    running = ExitStack()
    keyring = ModuleType("keyring")
    keyring.get_password = lambda service, user: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setattr("evalmake.run.secrets.find_spec", lambda name: True)
    monkeypatch.setattr("evalmake.run.environments.environments.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(project.root / "bin"), prepend=os.pathsep)
    monkeypatch.setattr("evalmake.servers.lifecycle._RESTART_PAUSE", 0.0)
    monkeypatch.delenv("ACME_KEY", raising=False)
    monkeypatch.delenv("EVALMAKE_ENVIRONMENTS", raising=False)
    project.write("job.sh", JOB)

    def make(code: str) -> Project:
        if STAGES[code] is with_hub:
            files = {f"data/{split}.jsonl": DATA.encode() for split in ("test", "train")}
            hub = running.enter_context(serve_hub(StandInHub(files)))
            monkeypatch.setenv("HF_ENDPOINT", hub.url)
            monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("caches")))
        STAGES[code](project)
        for program in (project.root / "bin").glob("*"):
            program.chmod(0o755)
        return project

    with running:
        yield make


def command(code: str) -> list[str]:
    """The words after `evalmake` in a page's first transcript."""
    dollar, name, *words = shlex.split(blocks(PAGES[code])[0].partition("\n")[0])
    assert (dollar, name) == ("$", "evalmake")
    return words


def mends(code: str) -> list[str]:
    """The commands that a page ends in, but for those that no test can run."""
    told = blocks(PAGES[code].partition(MENDED)[2])
    lines = [line.removeprefix("$ ") for block in told for line in block.splitlines()]
    return [line for line in lines if line.split()[0] not in ELSEWHERE]


def first_diagnostic(said: str) -> str:
    """What is said from the first diagnostic on: without how far the build was."""
    found = re.search(r"^(error|warning|gate): .*", said, re.DOTALL | re.MULTILINE)
    return found[0] if found else ""


def settled(text: str) -> str:
    """Without what differs from one place and time to another."""
    text = re.sub(r"\b(sha256|xxh128):[0-9a-f]+", r"\1:...", text)
    text = re.sub(r"/(work|environments)/[0-9a-f]+", r"/\1/...", text)
    return re.sub(r"\bafter \d+s\b", "after 0s", text)


def test_every_transcript_is_staged() -> None:
    """Each page shows an Evalfile that causes its code, or a test here creates its situation."""
    assert set(STAGES) == {code for code, page in PAGES.items() if CAUSES not in page}


@pytest.mark.parametrize("code", STAGES)
def test_says_what_the_page_shows(code: str, stage: Callable[[str], Project]) -> None:
    """The first transcript of a page shows exactly what evalmake prints (UPDATE_GOLDEN=1 rewrites it)."""
    project = stage(code)
    said = first_diagnostic(project.run(*command(code), status=None).stderr)
    said = said.replace(str(project.root), "/home/me/evals")
    shown = blocks(PAGES[code])[0].partition("\n")[2]
    assert f" [{code}]\n" in said
    if os.environ.get("UPDATE_GOLDEN") and settled(shown) != settled(said):
        (PACKAGE / f"explanations/{code}.md").write_text(PAGES[code].replace(shown, said, 1))
        shown = said
    assert settled(shown) == settled(said)


@pytest.mark.parametrize("code", [code for code in STAGES if mends(code)])
def test_mends_as_the_page_says(code: str, stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first transcript, the commands at the end of a page solve the problem."""
    project = stage(code)
    project.run(*command(code), status=None)
    for line in mends(code):
        words = shlex.split(line)
        if words[0] == "evalmake":
            assert f"[{code}]" not in project.run(*words[1:]).stderr
        elif words[0] == "export":
            monkeypatch.setenv(*words[1].split("="))
        else:
            subprocess.run(line, shell=True, cwd=project.root, check=True, capture_output=True)
