"""The test of echoed log-probabilities, against servers that are right or wrong in a known way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from evalmake.gateway.proxy import logprob_probe
from tests.gateway.completion_server import (
    ECHO,
    Completion,
    Fault,
    complete_prompts,
    correct_reply,
    off_by_one,
    with_choice_fields,
    with_logprobs,
    with_start_token,
    with_vocabulary_marks,
    without_echo,
    without_usage,
    write_byte_level,
)
from tests.support.http_replies import http_reply
from tests.support.scripted_upstream import ReceivedRequest, Script


def found(script: Script, **more: Any) -> tuple[logprob_probe.ProbeResult, list[dict[str, Any]]]:
    """What the test finds of a server, and what it asked."""
    asked = []
    test = logprob_probe.run_probe("http://e", {**ECHO, **more})
    body = next(test)
    while True:
        asked.append(body)
        seen = ReceivedRequest(b"POST", b"", [], json.dumps(body).encode(), b"", 0, 0.0)
        [answer] = script(seen)
        assert isinstance(answer, bytes)
        try:
            body = test.send(json.loads(answer.split(b"\r\n\r\n", 1)[1]))
        except StopIteration as end:
            return end.value, asked


def coarse(step: float) -> Fault:
    """A server whose echo tells numbers in steps."""

    def change(told: dict[str, Any], _: object) -> dict[str, Any]:
        values = told["token_logprobs"]
        return {"token_logprobs": [v if v is None else round(v / step) * step for v in values]}

    return with_logprobs(change)


def one_less(told: dict[str, Any], _: object) -> dict[str, Any]:
    """There is no value for the last token."""
    return {"token_logprobs": told["token_logprobs"][:-1]}


def shifted(told: dict[str, Any], _: object) -> dict[str, Any]:
    """Each token's value is the next one's."""
    return {"token_logprobs": [*told["token_logprobs"][1:], -1.0]}


def nothing(told: dict[str, Any], _: object) -> dict[str, Any]:
    """Only what is new has values."""
    return {"token_logprobs": [None] * len(told["tokens"])}


def always(value: float) -> Fault:
    """Every token has the same value, the first one none."""

    def change(told: dict[str, Any], _: object) -> dict[str, Any]:
        return {"token_logprobs": [None, *[value] * (len(told["tokens"]) - 1)]}

    return with_logprobs(change)


def of_chat(told: dict[str, Any], _: object) -> dict[str, Any]:
    """They are told in the form of the other API."""
    return {"tokens": None, "content": [{"token": token} for token in told["tokens"]]}


def in_pieces(told: dict[str, Any], _: object) -> dict[str, Any]:
    """A prompt's tokens are not those that the model says."""
    halves = [half for token in told["tokens"] for half in (token[:1], token[1:])]
    return {"tokens": halves, "token_logprobs": [-1.0 - at for at in range(len(halves))]}


def glued_at_first(prompt: str) -> bool:
    """Some prompts have a next word that becomes one with them."""
    return prompt.startswith(("The weather", "She opened"))


def with_offsets(*, shift: int = 0, start: str = "", in_bytes: bool = False) -> Fault:
    """A server that tells offsets: shifted, counted with a start token, or in bytes."""

    def change(told: dict[str, Any], _: object) -> dict[str, Any]:
        names, values = told["tokens"], told["token_logprobs"]
        if start:
            names, values = [start, *names], [None, -3.0, *values[1:]]
        sizes = [len(name.encode()) if in_bytes else len(name) for name in names]
        offsets = [sum(sizes[:at]) + shift for at in range(len(names))]
        return {"tokens": names, "token_logprobs": values, "text_offset": offsets}

    return with_logprobs(change)


def in_vocabulary(fault: Fault, write: Callable[[str], str] = write_byte_level) -> Fault:
    """The same server, which writes tokens as its vocabulary does."""

    def change(completion: Completion) -> dict[str, Any]:
        body = fault(completion)
        told = body["choices"][0]["logprobs"]
        told["tokens"] = [write(name) for name in told["tokens"]]
        return body

    return change


def write_in_own_way(text: str) -> str:
    """A text as no other server writes it."""
    return text.replace(" ", "_")


def without_start(told: dict[str, Any], _: object) -> dict[str, Any]:
    """A start token whose length the offsets leave out."""
    names = ["<|begin_of_text|>", *told["tokens"]]
    offsets = [0, *(len("".join(told["tokens"][:at])) for at in range(len(told["tokens"])))]
    return {"tokens": names, "token_logprobs": [None, -3.0, *told["token_logprobs"][1:]], "text_offset": offsets}


BOS = "<|begin_of_text|>"

GOOD: dict[str, tuple[Script, str]] = {
    "right": (complete_prompts(), "ok"),
    "no usage": (complete_prompts(without_usage(correct_reply)), "ok"),
    "a sign for the beginning": (complete_prompts(with_start_token), "ok"),
    "the same without usage": (complete_prompts(without_usage(with_start_token)), "ok"),
    "tokens as in the vocabulary": (complete_prompts(with_vocabulary_marks), "ok"),
    "some words are glued": (complete_prompts(glued=glued_at_first), "ok"),
    "offsets": (complete_prompts(with_offsets()), "ok"),
    "offsets of vocabulary tokens": (complete_prompts(in_vocabulary(with_offsets())), "ok"),
    "offsets without the start token": (complete_prompts(with_logprobs(without_start)), "ok"),
    "offsets with the start token": (
        complete_prompts(without_usage(with_offsets(start=BOS))),
        "ok; its text offsets count the beginning-of-text token",
    ),
    "offsets in bytes": (complete_prompts(with_offsets(in_bytes=True)), "ok; its text offsets count bytes"),
    "offsets in bytes with the start token": (
        complete_prompts(without_usage(with_offsets(start=BOS, in_bytes=True))),
        "ok; its text offsets count the beginning-of-text token and bytes",
    ),
    "wrong offsets of tokens that spell the prompt": (
        complete_prompts(with_offsets(shift=3)),
        "ok; its text offsets do not fit the prompt",
    ),
    "wrong offsets of vocabulary tokens that spell the prompt": (
        complete_prompts(in_vocabulary(with_offsets(shift=3))),
        "ok; its text offsets do not fit the prompt",
    ),
    "half precision": (complete_prompts(coarse(0.125)), "ok, to within 0.0"),
    "words come back in pieces": (
        complete_prompts(with_logprobs(in_pieces)),
        "not known: none of its own tokens comes back as one token",
    ),
    "says nothing": (complete_prompts(with_choice_fields(text="", logprobs=None)), "not known: it says nothing"),
    "no choices": (lambda seen: [http_reply({"choices": []})], "not known: a reply has no choices"),
    "an error": (lambda seen: [http_reply({"error": "x"})], "not known: a reply has no choices"),
    "a number": (lambda seen: [http_reply({"choices": 7})], "not known: a reply has no choices"),
}
NOT_ITS_OWN = "echoes log-probabilities that are not those of its own tokens: "
BAD: dict[str, tuple[Script, str]] = {
    "no log-probabilities": (
        complete_prompts(with_choice_fields(logprobs=None)),
        "ignores `logprobs`: a reply to a request for them has none",
    ),
    "none where it echoes": (
        complete_prompts(lambda said: with_choice_fields(logprobs=None)(said) if said.echo else correct_reply(said)),
        "ignores `logprobs` beside `echo`: a reply to a request for them has none",
    ),
    "no echo": (
        complete_prompts(without_echo),
        "ignores `echo`: a reply to a request for it has nothing of the prompt",
    ),
    "other form": (
        complete_prompts(with_logprobs(of_chat)),
        "returns log-probabilities without `tokens` and `token_logprobs`",
    ),
    "odd form": (
        complete_prompts(with_choice_fields(logprobs=[-1.0])),
        "returns log-probabilities without `tokens` and `token_logprobs`",
    ),
    "one less": (complete_prompts(with_logprobs(one_less)), "log-probabilities for"),
    "shifted": (complete_prompts(with_logprobs(shifted)), NOT_ITS_OWN),
    "no values": (complete_prompts(with_logprobs(nothing)), f"{NOT_ITS_OWN}none and -0."),
    "all zero": (complete_prompts(always(0.0)), "returns the log-probability 0 for every token, which says nothing"),
    "coarse": (complete_prompts(coarse(6.0)), NOT_ITS_OWN),
    "wrong offsets": (
        complete_prompts(in_vocabulary(with_offsets(shift=3), write_in_own_way)),
        "returns text offsets that do not fit the prompt, and tokens that do not spell it",
    ),
}


@pytest.mark.parametrize("most", [0, 1])
@pytest.mark.parametrize("name", GOOD)
def test_endpoints_that_pass(name: str, most: int) -> None:
    """A server that is right passes, however it writes tokens; where nothing can be told it is said."""
    script, fact = GOOD[name]
    finding, asked = found(script, max_tokens=most)
    assert not finding.unfit
    assert finding.fact == fact or (fact.endswith("0.0") and finding.fact.startswith(fact))
    assert {body["max_tokens"] for body in asked if body["echo"]} <= {most}


@pytest.mark.parametrize("most", [0, 1])
@pytest.mark.parametrize("name", BAD)
def test_endpoints_that_do_not(name: str, most: int) -> None:
    """A server that is wrong is refused in a line that says what is so."""
    script, fact = BAD[name]
    finding, _ = found(script, max_tokens=most)
    assert finding.unfit
    assert finding.fact.startswith("the endpoint http://e ")
    assert fact in finding.fact
    assert "\n" not in finding.fact


def test_the_generated_token_is_left_out() -> None:
    """Echoed values that end with the prompt are no use to harnesses that cut the last one off."""
    finding, asked = found(complete_prompts(with_logprobs(off_by_one)))
    assert finding.unfit
    assert finding.fact == (
        "the endpoint http://e leaves the generated token out of the log-probabilities that it echoes"
    )
    assert len(asked) == 2


def test_values_of_other_tokens() -> None:
    """Where nothing is generated the same server is found out by its numbers, and two are told."""
    finding, _ = found(complete_prompts(with_logprobs(off_by_one)), max_tokens=0)
    assert finding.unfit
    theirs, own = finding.fact.split(NOT_ITS_OWN)[1].split(" for `")[0].split(" and ")
    assert abs(float(theirs) - float(own)) > 0.2


def test_an_odd_one_out() -> None:
    """One token of three may differ, as servers that batch do; the two others decide."""
    numbers = iter(range(99))

    def once(told: dict[str, Any], _: object) -> dict[str, Any]:
        values = told["token_logprobs"]
        return {"token_logprobs": [v and v - 3 for v in values] if next(numbers) == 0 else values}

    finding, asked = found(complete_prompts(with_logprobs(once)))
    assert finding.fact == "ok"
    assert len(asked) == 6


def test_what_the_test_asks() -> None:
    """It asks as the harness does, but for one greedy token, of its own prompts, one at a time."""
    more = {"stop": ["x"], "n": 3, "stream": True, "temperature": 1, "add_special_tokens": False}
    _, asked = found(complete_prompts(), **more, max_tokens=16)
    same = {"model": "m", "seed": 7, "logprobs": 1, "add_special_tokens": False, "temperature": 0}
    assert len(asked) == 4
    for body in asked:
        own = {key: body.pop(key) for key in ("prompt", "echo", "max_tokens")}
        assert own["prompt"] != ECHO["prompt"]
        assert own["max_tokens"] == 1
        assert body == same
