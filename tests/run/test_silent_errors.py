"""Ten ways in which a score comes out wrong in silence elsewhere: each is an error here, or a note beside the score."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from tests.harnesses.native.harness_bench import Body, Server, completion, question, refusal, serving
from tests.support.evalfiles import PROGRAM
from tests.support.workspaces import Bench, Ended

EVALFILE = """\
model m {
    endpoint = "URL"
    name     = "m"
}
benchmark b {
    harness = native
    files   = file("data.jsonl")
    prompt  = "{q}"
    target  = "{a}"
    scorer  = number
}
eval e {
    model     = m
    benchmark = b
}
"""
SCORES = """echo '{"accuracy": {"value": VALUE, "n": 100}}' > $EVALMAKE_OUT/scores.json\n"""
"""A program that leaves a score, and asks no model."""
Run = Callable[..., Ended]


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that answers each question with itself, which is right."""
    with serving() as state:
        state.answer = question
        yield state


@pytest.fixture
def ask(bench: Bench, server: Server) -> Run:
    """Ask the model `m` the questions 1 to 6, after edits of the Evalfile."""
    bench.evalfile(EVALFILE.replace("URL", server.url))
    write_data(bench, [{"q": str(number), "a": number} for number in range(1, 7)])

    def run(*edits: tuple[str, str]) -> Ended:
        for old, new in edits:
            bench.edit(old, new)
        return bench.run()

    return run


def write_data(bench: Bench, rows: list[dict[str, object]]) -> None:
    """Write the questions."""
    (bench.root / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_another_model_answers(server: Server, ask: Run) -> None:
    """A model of another name, or a second one behind the same endpoint, is named."""
    server.answer = lambda body: {**completion(question(body)), "model": "tiny"}
    assert "note: m, b: tiny answered, m was asked" in ask().out
    names = iter(["m", "m", "m", "tiny", "tiny", "tiny"])
    server.answer = lambda body: {**completion(question(body)), "model": next(names)}
    assert "note: m, b: 2 models answered (m, tiny)" in ask(("benchmark = b", "benchmark = b\n    seed = 2")).out


def test_the_endpoint_ignores_the_seed(ask: Run) -> None:
    """Three seeds with the same replies are one run, and that is said."""
    ended = ask(("benchmark = b", "benchmark = b\n    seed in 1..3"))
    assert "all 3 seeds gave the same replies: counted as one run" in ended.out


def test_a_program_never_asks_the_model(bench: Bench) -> None:
    """A score that no request stands behind says so: the program has a cache of its own, or asked somebody else."""
    bench.evalfile(PROGRAM)
    bench.job(SCORES.replace("VALUE", "0.9"))
    assert "no request reached the model" in bench.run().out


def test_replies_are_truncated(server: Server, ask: Run) -> None:
    """Some cut-off replies are a note. (More than half are an error: `test_coverage`.)"""
    server.answer = lambda body: completion(question(body), "length" if question(body) in "12" else "stop")
    assert "note: m, b: 2 of 6 replies cut off by the token limit" in ask().out


def test_a_reply_is_cut_inside_its_reasoning(server: Server, ask: Run) -> None:
    """A number of an unfinished thought is no answer, though the adapter does not strip reasoning."""
    server.answer = lambda body: completion(f"<think>It may be {question(body)}", "length")
    ended = ask(("scorer  = number", "scorer  = number\n    truncated = 100%\n    coverage = 0"))
    assert "1.000" not in ended.out
    assert "reasoning" in ended.text


def test_a_reply_stops_inside_its_reasoning(server: Server, ask: Run) -> None:
    """A reply whose reasoning never closes is told beside the score, though the server says that it was done."""
    server.answer = lambda body: completion(f"{'<think>' * (question(body) in '12')}{question(body)}", "stop")
    assert "note: m, b: 2 of 6 replies end inside their reasoning" in ask().out


@pytest.mark.parametrize("reason", ["stop", "max_tokens", "length"])
@pytest.mark.parametrize("tags", ["true", '["<hm>", "</hm>"]'])
def test_reasoning_that_never_ends_is_stripped(server: Server, ask: Run, reason: str, tags: str) -> None:
    """Replies cut inside reasoning that the scorer does not see are told as such, and count as cut off."""
    opening = "<think>" if tags == "true" else "<hm>"
    server.answer = lambda body: completion(f"{opening * (question(body) in '1234')}{question(body)}", reason)
    strip = ('name     = "m"', f'name     = "m"\n    adapter  = {{ strip_reasoning = {tags} }}')
    ended = ask(strip, ("scorer  = number", "scorer  = number\n    truncated = 100%"))
    told = "4 of 6 replies end inside their reasoning" if reason == "stop" else "6 of 6 replies cut off"
    assert f"note: m, b: {told}" in ended.out
    assert ("replies empty" in ended.out) == (reason != "stop")
    ended = ask(("\n    truncated = 100%", ""))
    assert ended.status == 2
    assert "replies were cut off by the token limit" in ended.err


def test_scores_are_on_another_scale(bench: Bench) -> None:
    """85 is not at least 80 %: the gate is not judged, and says why."""
    bench.evalfile(PROGRAM)
    bench.job(SCORES.replace("VALUE", "85"))
    ended = bench.run()
    assert ended.status == 2
    assert "gate-unjudged" in ended.err
    assert "the bound 80% is a share from 0 to 1" in ended.err


def test_questions_are_repeated(bench: Bench, ask: Run) -> None:
    """Copies of a question do not make the score surer, and are counted."""
    write_data(bench, [{"id": at, "q": str(at % 2), "a": at % 2} for at in range(6)])
    assert "note: m, b: 6 items, 2 of them distinct" in ask().out


def test_coverage_is_raised(server: Server, ask: Run) -> None:
    """A stored result of half of the samples is no result for an eval that demands more."""
    server.answer = lambda body: "1" if question(body) in "123" else refusal(400)
    assert ask(("scorer  = number", "scorer  = number\n    coverage = 50%")).status == 0
    ended = ask(("coverage = 50%", "coverage = 90%"))
    assert ended.status == 2
    assert "3 of 6 samples were scored, and 90% must be" in ended.err


def test_an_example_holds_the_answer(bench: Bench, server: Server, ask: Run) -> None:
    """A worked example that is the question itself is not shown, whatever its id."""
    rows = [{"id": f"dev-{number}", "q": f" {number}", "a": number} for number in range(1, 8)]
    (bench.root / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def copy(body: Body) -> str:
        """The answer to the same question, if it is shown."""
        pairs = pairwise(body["messages"])
        shown = {one["content"].strip(): two["content"] for one, two in pairs}
        return str(shown.get(question(body).strip(), "I do not know"))

    server.answer = copy
    ended = ask(("scorer  = number", 'scorer  = number\n    examples = file("dev.jsonl")\n    fewshot = 6'))
    assert "  0.000" in ended.out, ended.text


def test_log_probabilities_are_null(bench: Bench, server: Server, ask: Run) -> None:
    """An option without log-probabilities is an error of the sample, never a certain one."""
    write_data(bench, [{"q": "Is it?", "a": "yes", "c": ["yes", "no"]}])

    def null(body: Body) -> Body:
        """A reply that echoes the prompt, and knows no log-probability of it."""
        text = body["prompt"] if isinstance(body["prompt"], str) else body["prompt"][0]
        tokens = [text[:6], text[6:]]
        logprobs = {"tokens": tokens, "token_logprobs": [None, None], "text_offset": [0, 6], "top_logprobs": None}
        return {"choices": [{"text": text, "finish_reason": "length", "logprobs": logprobs}], "usage": {}}

    server.answer = null
    ended = ask(
        ('name     = "m"', 'name     = "m"\n    api      = completions'), ("scorer  = number", 'choices = "{c}"')
    )
    assert ended.status == 2
    assert "log-probabilit" in ended.err
