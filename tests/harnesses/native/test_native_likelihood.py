"""Multiple choice by log-probabilities."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.harnesses.native.harness_bench import Body, Native, Reply, refusal

RECORD: Body = {
    "q": "Capital of France?",
    "a": 1,
    "o": ["Rome", "Paris", "A city far to the north"],
}


def echoing(score: Callable[[str], float | None]) -> Callable[[Body], Reply]:
    """An endpoint whose tokens are words with the space before them, each with a score."""

    def answer(body: Body) -> Reply:
        tokens = [(found.start(), found[0]) for found in re.finditer(r"\s*\S+", body["prompt"])]
        if body["max_tokens"]:
            tokens.append((len(body["prompt"]), " generated"))
        logprobs: list[float | None] = [score(token) for _, token in tokens]
        logprobs[0] = None
        facts = {"text_offset": [at for at, _ in tokens], "token_logprobs": logprobs}
        choice = {"text": "", "finish_reason": "length", "logprobs": facts}
        return {"choices": [choice], "usage": {"prompt_tokens": len(tokens)}}

    return answer


@pytest.fixture
def likely(native: Native) -> Native:
    """The program on the completions API, where each known word has its own log-probability."""
    words = {" Rome": -3.0, " Paris": -2.0, " B": -1.0, " generated": -100.0}
    native.env["EVALMAKE_MODEL_API"] = "completions"
    native.server.answer = echoing(lambda token: words.get(token, -0.5))
    return native


def test_the_options_own_tokens_are_summed(likely: Native) -> None:
    """Accuracy takes the likeliest option, accuracy_norm the likeliest for its bytes."""
    run = likely([RECORD], choices="{o}")
    assert run.status == 0, run.err
    assert run.samples[0]["reply"] == "[-3.0,-2.0,-3.0]"
    assert run.samples[0]["answer"] == "Paris"
    assert run.samples[0]["scores"] == {"accuracy": 1.0, "accuracy_norm": 0.0}
    assert run.scores["metric"] == "accuracy"
    sent = likely.server.bodies
    assert [body["prompt"] for body in sent] == [f"Capital of France? {o}" for o in RECORD["o"]]
    assert all((body["echo"], body["logprobs"], body["max_tokens"]) == (True, 1, 0) for body in sent)
    assert run.samples[0]["tokens_in"] == 4 + 4 + 9
    assert run.scores["usage"]["requests"] == 3
    assert run.scores["usage"]["truncated"] == 0


def test_white_space_at_the_end_belongs_to_the_option(likely: Native) -> None:
    """A prompt that ends in a space counts the same tokens: the space is the option's."""
    run = likely([RECORD], choices="{o}", prompt="{q} ")
    assert run.samples[0]["reply"] == "[-3.0,-2.0,-3.0]"


def test_listed_options_are_compared_by_letter(likely: Native) -> None:
    """A prompt that lists the options asks for their letters."""
    run = likely(
        [RECORD],
        choices="{o}",
        prompt="{q}\n{choices}\nAnswer:",
        examples=[{"q": "Of Italy?", "a": 0, "o": ["Rome", "Oslo"]}],
    )
    assert likely.server.bodies[1]["prompt"] == (
        "Of Italy?\nA) Rome\nB) Oslo\nAnswer: A\n\nCapital of France?\nA) Rome\nB) Paris\n"
        "C) A city far to the north\nAnswer: B"
    )
    assert run.samples[0]["reply"] == "[-0.5,-1.0,-0.5]"
    assert run.samples[0]["answer"] == "A"


def test_max_tokens_of_one_where_zero_is_refused(likely: Native) -> None:
    """An endpoint that must generate generates one token, which does not count."""
    echo = likely.server.answer
    likely.server.answer = lambda body: echo(body) if body["max_tokens"] else refusal(400, "too few")
    likely.env["EVALMAKE_CONCURRENCY"] = "1"
    run = likely([RECORD, RECORD], choices="{o}")
    assert run.samples[0]["reply"] == "[-3.0,-2.0,-3.0]"
    assert [body["max_tokens"] for body in likely.server.bodies] == [0, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    "logprobs",
    [None, {}, {"text_offset": [200], "token_logprobs": [-1.0]}, {"text_offset": [], "token_logprobs": []}],
)
def test_no_logprobs_end_the_run(likely: Native, logprobs: Body | None) -> None:
    """An endpoint without echo or log-probabilities cannot do this, and the message says so."""
    likely.server.answer = lambda body: {"choices": [{"text": " x", "logprobs": logprobs}]}
    run = likely([RECORD], choices="{o}")
    assert run.status == 3
    assert run.err.startswith("error: the reply has no log-probabilities of the prompt; ")


def test_trouble_errs_the_item(likely: Native) -> None:
    """One option without an answer makes the item errored: it cannot be compared."""
    echo = likely.server.answer
    likely.server.answer = lambda body: refusal(503, "busy") if "Paris" in body["prompt"] else echo(body)
    run = likely([RECORD], choices="{o}")
    assert run.status == 4
    assert run.samples[0]["error"] == "HTTP 503: busy"
