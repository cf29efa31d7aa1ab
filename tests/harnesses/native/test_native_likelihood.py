"""Multiple choice by log-probabilities."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.harnesses.native.errors import RequestError
from evalmake.harnesses.native.likelihood import read_option_logprobs
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
        facts = {"tokens": [token for _, token in tokens], "token_logprobs": logprobs}
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
    [
        None,
        {},
        {"tokens": [" x"], "token_logprobs": [-1.0]},
        {"tokens": [], "token_logprobs": []},
        {"text_offset": [0, 17], "token_logprobs": [None, -1.0]},
    ],
)
def test_no_logprobs_end_the_run(likely: Native, logprobs: Body | None) -> None:
    """An endpoint without echo or log-probabilities cannot do this, and the message says so."""
    likely.server.answer = lambda body: {"choices": [{"text": " x", "logprobs": logprobs}]}
    run = likely([RECORD], choices="{o}")
    assert run.status == 3
    assert run.err.startswith("error: the reply has no log-probabilities of the prompt; ")


def test_one_logprob_for_every_token(likely: Native) -> None:
    """An endpoint that gives every token one log-probability chooses by lengths alone: the run fails."""
    likely.server.answer = echoing(lambda token: -1.0)
    run = likely([RECORD, RECORD], choices="{o}")
    assert run.status != 0
    assert "the endpoint returns the log-probability -1 for every token, which says nothing" in run.err


def test_ties_are_counted(likely: Native) -> None:
    """The usage counts items of which several options are the likeliest."""
    likely.server.answer = echoing(lambda token: -9.0 if "Amsterdam" in token else -1.0)
    run = likely([RECORD | {"o": ["Rome", "Paris"]}, RECORD], choices="{o}")
    assert run.scores["usage"]["ties"] == 2
    likely.server.answer = echoing(lambda token: -float(len(token)))
    assert "ties" not in likely([RECORD], choices="{o}").scores["usage"]


def test_trouble_errs_the_item(likely: Native) -> None:
    """One option without an answer makes the item errored: it cannot be compared."""
    echo = likely.server.answer
    likely.server.answer = lambda body: refusal(503, "busy") if "Paris" in body["prompt"] else echo(body)
    run = likely([RECORD], choices="{o}")
    assert run.status == 4
    assert run.samples[0]["error"] == "HTTP 503: busy"


BOS = "<|begin_of_text|>"
SPELLINGS: dict[str, list[str]] = {
    "plain": ["Where", " is", " it", "?", " Paris"],
    "beginning": [BOS, "Where", " is", " it", "?", " Paris"],
    "two-beginnings": ["<s>", BOS, "Where", " is", " it", "?", " Paris"],
    "generated": ["<s>", "Where", " is", " it", "?", " Paris", "."],
    "leading-space": ["<s>", " Where", " is", " it", "?", " Paris"],
    "sentence-piece": ["<s>", "▁Where", "▁is", "▁it", "?", "▁Paris"],
    "byte-level": [BOS, "Where", "Ġis", "Ġit", "?", "ĠParis"],
    "split-option": ["Where", " is", " it", "?", " ", "Par", "is"],
    "merged": ["Where", " is", " it", "? Par", "is"],
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_tokens_are_located_by_their_texts(name: str) -> None:
    """Whatever the server puts before, after and into the tokens, those of the option are summed."""
    tokens = SPELLINGS[name]
    option = {"split-option": 3, "merged": 2}.get(name, 1)
    end = len(tokens) - (name == "generated")
    logprobs = [-1.0 if end - option <= number < end else -100.0 for number in range(len(tokens))]
    choice = {"logprobs": {"tokens": tokens, "token_logprobs": [None, *logprobs[1:]]}}
    assert sum(read_option_logprobs(choice, "Where is it? Paris", 12)) == -option


TORN = [
    ["巴黎？", " ", "\ufffd", "\ufffd", "\ufffd", "敦"],
    ["巴", "黎", "\ufffd", "\ufffd", " \ufffd", "\ufffd", "敦"],
    ["巴", "黎", "？", " ", "<0xE4>", "<0xBC>", "<0xA6>", "敦"],
    ["巴", "黎", "？", " ", "bytes:\\xe4\\xbc", "bytes:\\xa6", "敦"],
    ["å·´", "é»İ", "ï¼Ł", "Ġä¼", "¦", "æķ", "¦"],
    ["巴", "黎", "？", "Ġ伦", "敦"],
    ["巴", "", "黎", "", "", "？", " ", "", "", "伦", "敦"],
]


@pytest.mark.parametrize("tokens", TORN, ids=["torn", "torn-space", "hex", "openai", "byte-level", "marks", "late"])
def test_torn_characters_are_located(tokens: list[str]) -> None:
    """A character of several tokens is located in whichever way the server writes its bytes."""
    prompt = "巴黎？ 伦敦"
    joined = {0: 5, 1: 3, 2: 5, 3: 4, 4: 4, 5: 2, 6: 5}[TORN.index(tokens)]
    logprobs = [-100.0] * (len(tokens) - joined) + [-1.0] * joined
    choice = {"logprobs": {"tokens": tokens, "token_logprobs": logprobs}}
    assert sum(read_option_logprobs(choice, prompt, 3)) == -joined


@given(st.text(min_size=1), st.text(min_size=1), st.data())
def test_any_split_is_located(context: str, option: str, data: st.DataObject) -> None:
    """However a text is cut into tokens, those with a part of the option are found."""
    text = context + option
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text)))) | {len(text)})
    tokens = [text[a:b] for a, b in zip([0, *cuts], cuts, strict=False)]
    expected = sum(cut > len(context) for cut in cuts)
    choice = {"logprobs": {"tokens": ["<s>", *tokens], "token_logprobs": [None, *[-1.0] * len(tokens)]}}
    if text.startswith("<s>"):
        return
    assert sum(read_option_logprobs(choice, text, len(context))) == -expected


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"tokens": ["a", " b", " c"], "token_logprobs": [None, -1.0, None]}, "has no log-probability of the option's"),
        ({"tokens": ["a", " b", " c"], "token_logprobs": [None, -1.0, "x"]}, "has no log-probability of the option's"),
        ({"tokens": ["a", " b", " c"], "token_logprobs": [None, -1.0, True]}, "has no log-probability of the option's"),
        ({"tokens": ["a", " b", " c"], "token_logprobs": [None, -1.0, float("nan")]}, "is nan, which none can be"),
        ({"tokens": ["a", " b", " c"], "token_logprobs": [None, -1.0, 0.7]}, "is 0.7, which none can be"),
        ({"tokens": ["a", " b", " c"], "token_logprobs": [None, -1.0]}, "has 3 tokens and 2 log-probabilities"),
        ({"tokens": ["a", " c"], "token_logprobs": [None, -1.0]}, "do not spell the prompt: they begin ['a', ' c']"),
        ({"tokens": ["token_id:1", "token_id:2"], "token_logprobs": [None, -1.0]}, "do not spell the prompt"),
    ],
)
def test_log_probabilities_that_do_not_fit(facts: Body, message: str) -> None:
    """A missing log-probability is an error of the sample, never 0, and so are tokens of another prompt."""
    with pytest.raises(RequestError, match=re.escape(message)):
        read_option_logprobs({"logprobs": facts}, "a b c", 3)


@pytest.mark.parametrize("logprobs", [None, {"tokens": [], "token_logprobs": []}])
def test_a_reply_that_lacks_what_others_have(likely: Native, logprobs: Body | None) -> None:
    """Once an endpoint gave log-probabilities, a reply without them is an error of its sample only."""
    echo = likely.server.answer
    likely.env["EVALMAKE_CONCURRENCY"] = "1"
    bare = {"choices": [{"text": "", "logprobs": logprobs}]}
    likely.server.answer = lambda body: bare if "Oslo" in body["prompt"] else echo(body)
    run = likely([RECORD, RECORD | {"q": "Capital of Norway?", "o": ["Rome", "Oslo"]}], choices="{o}")
    assert run.samples[0]["scores"]["accuracy"] == 1.0
    assert run.samples[1]["error"].startswith("the reply has no log-probabilities of the prompt")


def test_a_missing_logprob_errs_the_item(likely: Native) -> None:
    """An item with an option that was not measured has an error and no score."""
    likely.server.answer = echoing(lambda token: None if token == " Paris" else -0.5)
    run = likely([RECORD], choices="{o}")
    assert run.samples[0]["scores"] == {}
    assert run.samples[0]["error"] == "unusable reply: it has no log-probability of the option's token ' Paris': None"
