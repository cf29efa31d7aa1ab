"""A model server that nobody here wrote, `transformers serve`, under lm-eval and Inspect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evalmake.run.environments.environment import Environment
from tests.harnesses import by_hand
from tests.support.sums import put_inspect, put_lm_eval
from tests.support.workspaces import Bench, Ended, end, wait_for

EVALFILE = """\
    executor local {
        backend = process
        slots   = 4
        env     = { HOME = "ROOT/home", HF_HUB_OFFLINE = 1, HF_DATASETS_OFFLINE = 1 }
    }

    # Its port is none of those that kernels give to anybody.
    deployment tiny {
        engine  = command
        weights = glob("acme/tiny/*")
        env     = { HF_HOME = "ROOT/hf", PATH = "PROGRAMS:/usr/bin:/bin" }
        run     = '''
            shuf -i 61000-65000 -n 1 > port
            read -r port < port
            cd ROOT
            exec transformers serve acme/tiny --host 127.0.0.1 --port $port --device cpu --dtype float32
        '''
    }

    model tiny {
        deployment = tiny
        name       = "acme/tiny"
    }

    defaults benchmark { params = { temperature = 0, max_tokens = 12 }, truncated = 100% }

    benchmark digits-lm-eval {
        harness  = lm-eval
        packages = ["lm-eval[api]==0.4.13"]
        task     = "digits"
        files    = glob("tasks/*")
    }

    benchmark digits-inspect {
        harness  = inspect
        packages = ["inspect-ai==0.3.285", "openai==3.54.0"]
        task     = "digits.py@digits"
        files    = glob("tasks/*")
    }

    # Keeps the server up while the same is done by hand.
    benchmark held {
        harness = command
        run     = '''
            touch ROOT/ready
            until [ -e ROOT/enough ]; do sleep 0.1; done
            echo '{"held": 1}' > $EVALMAKE_OUT/scores.json
        '''
    }

    eval asked {
        model     = tiny
        benchmark in [digits-lm-eval, digits-inspect, held]
        seed      = 5
        limit     = 8
    }
"""
LIKELIHOOD = """\
    model tiny {
        endpoint = "URL"
        name     = "acme/tiny"
        api      = completions
    }

    benchmark chosen {
        harness = native
        files   = file("sums.jsonl")
        prompt  = "{question}"
        choices = ["1", "{answer}"]
        target  = "{answer}"
    }

    eval asked {
        model     = tiny
        benchmark = chosen
    }
"""
LM_EVAL = """--model local-chat-completions --apply_chat_template --tasks digits --seed 5 --limit 8
    --model_args model=acme/tiny,base_url=URL/chat/completions,num_concurrent=2,seed=5
    --gen_kwargs temperature=0,max_gen_toks=12"""
INSPECT = [
    "digits.py@digits",
    "--model",
    "openai-api/byhand/acme/tiny",
    "--limit",
    "8",
    "--seed",
    "5",
    "--temperature",
    "0",
    "--max-tokens",
    "12",
]


@pytest.fixture
def workspace(bench: Bench, transformers: Environment, write_tiny_model: Callable[[Path], None]) -> Bench:
    """A workspace with a tiny model, and a task for each of the two programs."""
    root = bench.root
    for folder in ("acme", "home", "hf/hub"):
        (root / folder).mkdir(parents=True)
    write_tiny_model(root / "acme" / "tiny")
    put_lm_eval(root / "tasks", "digits.yaml", count=12)
    put_inspect(root / "tasks", "digits.py", count=12)
    programs = str(transformers.folder / "bin")
    bench.evalfile(EVALFILE.replace("ROOT", str(root)).replace("PROGRAMS", programs))
    return bench


def server(bench: Bench) -> str:
    """The API of the deployment that runs: of what a shell started, it alone has a port."""
    (job,) = [p for p in bench.root.glob(".evalmake/work/*") if {*names(p)} >= {"run.sh", "port"}]
    return f"http://127.0.0.1:{int((job / 'port').read_text())}/v1"


def names(folder: Path) -> list[str]:
    """The names of what is in a folder."""
    return [path.name for path in folder.iterdir()]


def likelihood(bench: Bench, url: str) -> Ended:
    """How an evaluation by likelihood ends at the server, which tells none."""
    other = Bench(bench.root / "likelihood", bench.env, bench.started)
    other.root.mkdir()
    other.sums(4)
    other.evalfile(LIKELIHOOD.replace("URL", url))
    ended = other.run()
    assert other.scores() == {}
    return ended


@pytest.mark.timeout(900)  # it may have to install three environments
def test_scores_are_those_by_hand_on_the_same_server(
    workspace: Bench, lm_eval: Environment, inspect: Environment
) -> None:
    """Values, standard errors and samples equal those by hand; a second build starts no server.

    What the server cannot do, though it says nothing, is refused.
    """
    running = workspace.start()
    wait_for(lambda: (workspace.root / "ready").exists() or running.poll() is not None, 240)
    assert running.poll() is None, end(running).text
    url = server(workspace)
    tasks, out = workspace.root / "tasks", workspace.root / "by-hand"
    env = {"OPENAI_API_KEY": "k", "HOME": str(workspace.root / "home")}
    results, rows = by_hand.lm_eval(lm_eval, tasks, LM_EVAL.replace("URL", url), out, env)
    log = by_hand.inspect(inspect, tasks, INSPECT, url)
    refused = likelihood(workspace, url)
    (workspace.root / "enough").touch()
    done = end(running)
    assert done.status == 0, done.text
    assert done.err.count("deployment tiny: ready") == 1
    assert refused.status == 2
    assert "/v1/completions ignores `logprobs`" in refused.err

    attempts = {attempt.name.split("/")[1]: attempt for attempt in workspace.attempts()}
    one, other = attempts["digits-lm-eval"], attempts["digits-inspect"]
    assert [attempt.usage["sent"] for attempt in (one, other)] == [8, 8], "asked once it was ready"
    assert by_hand.recorded(one) == {
        metric: pytest.approx(told) for metric, told in by_hand.reported(results, "digits").items()
    }
    metrics = log["results"]["scores"][0]["metrics"]
    assert by_hand.recorded(other) == {"mean": pytest.approx((metrics["mean"]["value"], metrics["stderr"]["value"]))}

    told = {f"digits/{row['doc_id']}": (row["doc_hash"], row["resps"][0][0]) for row in rows}
    ours = workspace.samples(one)
    assert {row["id"]: (row["item"], row["reply"]) for row in ours} == told
    theirs = workspace.samples(other)
    assert [(row["id"], row["reply"], row["scores"]["mean"]) for row in theirs] == [
        (str(s["id"]), s["output"]["completion"], s["scores"]["share"]["value"]) for s in log["samples"]
    ]
    for samples in (ours, theirs):
        assert len({row["item"] for row in samples}) == 8
        assert len({row["reply"] for row in samples}) > 4, "the model does read the question"
        assert {row["finish_reason"] for row in samples} <= {"length", "stop"}
        assert all(0 < row["tokens_out"] <= 12 for row in samples)

    again = workspace.run()
    assert "nothing to do" in again.out
    assert "deployment" not in again.err
    workspace.clean()
