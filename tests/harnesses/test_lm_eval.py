"""lm-eval itself, from the package index, run by evalmake on this machine against the mock."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from urllib.request import Request, urlopen

import pytest

from evalmake.run.environments.environment import Environment
from tests.harnesses import by_hand
from tests.support.http_replies import http_reply
from tests.support.mock_servers import read_stats
from tests.support.scripted_upstream import ReceivedRequest, Upstream
from tests.support.sums import put_lm_eval
from tests.support.workspaces import Bench

pytestmark = pytest.mark.timeout(600)  # an environment may have to be installed

KEY = "sk-test-0123456789abcdef"
EVALFILE = """\
    executor local {
        backend = process
        env     = { HOME = "HOME" }
    }
    defaults model {
        endpoint = "URL"
        name     = "acme/stand-in"
        api_key  = secret("STAND_IN_KEY")
    }
    model talks {}
    model completes {
        api = completions
    }
    defaults benchmark {
        harness  = lm-eval
        packages = ["lm-eval[api]==0.4.13"]
        files    = glob("tasks/*")
        offline  = true
    }
    benchmark arithmetic {
        task    = "ev_arithmetic"
        metric  = "exact_match.strict-match"
        fewshot = 2
        params  = { temperature = 0.00001, max_tokens = 16, top_p = 0.9 }
    }
    benchmark choice {
        task = "ev_choice"
    }
    eval generated {
        model     = talks
        benchmark = arithmetic
        seed      = 7
        limit     = 12
    }
    eval chosen {
        model     = completes
        benchmark = choice
    }
"""
BY_HAND = {
    "generated": """--model local-chat-completions --apply_chat_template --tasks ev_arithmetic --num_fewshot 2
        --model_args model=acme/stand-in,base_url=URL/chat/completions,num_concurrent=4,seed=7 --seed 7 --limit 12
        --gen_kwargs temperature=0.00001,max_gen_toks=16,top_p=0.9""",
    "chosen": """--model local-completions --tasks ev_choice --seed 0
        --model_args model=acme/stand-in,base_url=URL/completions,num_concurrent=4,seed=0""",
}


@pytest.fixture
def workspace(bench: Bench, lm_eval: Environment) -> Bench:
    """A workspace with two tasks of lm-eval's and their data."""
    put_lm_eval(bench.root / "tasks", "arithmetic.yaml", "choice.yaml")
    bench.env["STAND_IN_KEY"] = KEY
    bench.evalfile(EVALFILE.replace('HOME"', f'{bench.root.parent / "home"}"'))
    return bench


def test_it_scores_what_lm_eval_does(workspace: Bench, lm_eval: Environment, serve: Callable[..., str]) -> None:
    """A generating and a choosing task score as by hand; the second build runs nothing; no key is kept."""
    url = serve(KEY, skill=0.7)
    workspace.edit("URL", f"{url}/v1")
    done = workspace.run()
    assert done.status == 0, done.text
    assert by_hand.contradictions(workspace) == []
    attempts = {attempt.name: attempt for attempt in workspace.attempts()}
    for name, task in (("generated", "ev_arithmetic"), ("chosen", "ev_choice")):
        out = workspace.root / "by-hand" / name
        env = {"OPENAI_API_KEY": KEY, "HOME": str(workspace.root.parent / "home")}
        words = BY_HAND[name].replace("URL", f"{url}/v1")
        results, _ = by_hand.lm_eval(lm_eval, workspace.root / "tasks", words, out, env)
        told = by_hand.reported(results, task)
        assert by_hand.recorded(attempts[name]) == {metric: pytest.approx(numbers) for metric, numbers in told.items()}
        for score in attempts[name].scores:
            assert score.reported == told[score.metric][1]
            assert not score.disagreement
    assert not [name for attempt in attempts.values() for name in attempt.usage if "undeclared" in name]
    values = [score.value for score in attempts["generated"].scores]
    assert 0.4 < (values[0] or 0) < 1, "not a score that any mistake would give"
    assert values[0] != values[1]

    before = read_stats(url)
    assert "nothing to do" in workspace.run().out
    assert read_stats(url) == before

    assert all(row["tokens_in"] > 0 and row["finish_reason"] is None for row in workspace.samples(attempts["chosen"]))
    rows, others = (workspace.samples(attempts[name]) for name in ("generated", "chosen"))
    assert [row["id"] for row in rows] == [f"ev_arithmetic/{at}" for at in range(12)]
    assert rows[0]["target"] == "18"
    assert all(row["finish_reason"] == "stop" and row["tokens_out"] > 0 for row in rows)
    assert [row["item"] for row in rows] == [row["item"] for row in others[:12]]
    assert workspace.output(attempts["chosen"], "packages.txt").decode() == lm_eval.listing_text
    kept = json.loads(workspace.output(attempts["generated"], "lm-eval/*/results_*.json"))
    assert kept["config"]["gen_kwargs"] == {"temperature": 1e-05, "max_gen_toks": 16, "top_p": 0.9}
    assert kept["lm_eval_version"] == "0.4.13"
    for attempt in attempts.values():
        for output in attempt.outputs:
            assert KEY.encode() not in workspace.output(attempt, output.name), output.name


def test_what_makes_it_stale(workspace: Bench) -> None:
    """The task's files, few-shot examples and tokenizer are identity; patience and places are not."""
    workspace.edit("URL", "http://127.0.0.1:9/v1")

    def plan() -> str:
        return workspace.run("-n", "--json").out.strip()

    before = json.loads(plan())["digest"]
    for same in ("request_timeout = 9", "concurrency = 3"):
        workspace.edit('task = "ev_choice"', f'task = "ev_choice", {same}')
        assert json.loads(plan())["digest"] == before, same
        workspace.edit(f", {same}", "")
    for other in (
        "fewshot = 1",
        'tokenizer = "gpt2"',
        "max_length = 99",
        "tokenizer_backend = none",
    ):
        workspace.edit('task = "ev_choice"', f'task = "ev_choice", {other}')
        assert json.loads(plan())["digest"] != before, other
        workspace.edit(f", {other}", "")
    (workspace.root / "tasks" / "scoring.py").write_text("def target(doc): return '1'\n")
    assert json.loads(plan())["digest"] != before


def test_failures_are_told(workspace: Bench, serve: Callable[..., str]) -> None:
    """A model that fails, hangs or cannot do the task, and an unknown task, fail with the reason."""
    workspace.edit("URL", f"{serve(KEY)}/v1")
    text, broken = (workspace.root / "Evalfile").read_text(), f"{serve(KEY, status=503)}/v1"
    (workspace.root / "Evalfile").write_text(
        text[: text.index("eval generated")]
        + f"""\
model broken  {{ endpoint = "{broken}", adapter = {{ retry = 0 }} }}
model hanging {{ endpoint = "{serve(KEY, hang_rate=1)}/v1" }}
benchmark impatient from arithmetic {{ request_timeout = 1 }}
benchmark unknown {{ task = "ev_unknown" }}
eval fails  {{ model = broken,  benchmark = arithmetic }}
eval hangs  {{ model = hanging, benchmark = impatient }}
eval cannot {{ model = talks,   benchmark = choice }}
eval lost   {{ model = talks,   benchmark = unknown }}
"""
    )
    done = workspace.run("-k")
    assert done.status == 2
    for said in (
        "fails failed: ",
        "hangs failed: the model did not answer in time (`request_timeout`, 300 s without it)",
        "cannot failed: the task compares log-probabilities, which chat APIs do not return",
        "lost failed: lm-eval has no task ev_unknown",
    ):
        assert f"error: {said}" in done.err
    # lm-eval ends at its first failure, the gateway calls it off at the third: which comes first is open
    told = done.err.partition("error: fails failed: ")[2].partition("\nerror: ")[0]
    assert f"{broken}/chat/completions: HTTP 503: " in told
    assert {attempt.status for attempt in workspace.attempts()} == {"failed"}


def test_one_log_probability_for_every_token_is_told(workspace: Bench, serve: Callable[..., str]) -> None:
    """lm-eval compares the lengths of the options in silence: a note beside the score says that they are all equal."""
    url = serve(KEY)

    def level(request: ReceivedRequest) -> Iterator[bytes]:
        """The mock's reply, with one log-probability for all tokens."""
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        with urlopen(Request(url + request.target.decode(), request.body or None, headers)) as answered:
            reply = json.load(answered)
        for choice in reply.get("choices", ()):
            choice["logprobs"]["token_logprobs"] = [-2.5] * len(choice["logprobs"]["tokens"])
        yield http_reply(reply)

    workspace.edit("URL", Upstream(level).url)
    done = workspace.run("chosen")
    assert done.status == 0, done.text
    assert re.search(r"note: .*: all \d+ log-probabilities of prompts are equal", done.out)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '    packages = ["lm-eval[api]==0.4.13"]\n',
            "",
            'help: add to the benchmark: packages = ["lm-eval[api]==0.4.13"]',
        ),
        ('task = "ev_choice"', 'task = "ev_choice,ev_arithmetic"', "a benchmark is one task"),
        ('task = "ev_choice"', "fewshot = 0", "the lm-eval harness needs `task`"),
        ('task = "ev_choice"', 'task = "ev_choice", params = { n = 3 }', "`n` cannot be sent"),
    ],
)
def test_told_before_anything_starts(workspace: Bench, old: str, new: str, said: str) -> None:
    """What cannot work is an error at its place, and nothing is attempted."""
    workspace.edit("URL", "http://127.0.0.1:9/v1")
    workspace.edit(old, new)
    done = workspace.run()
    assert done.status == 2
    assert said in done.err
    assert not (workspace.root / ".evalmake" / "work").exists()
    assert workspace.attempts() == []
