"""Which answers are given: skill, seeds, samples, cuts and counts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.engines.mock.tokens import decode_token, encode, split_tokens

PROMPTS = [f"What is {n} + {n % 37}?" for n in range(2000)]
RIGHT = [str(n + n % 37) for n in range(2000)]
CHAT = "/v1/chat/completions"


def _rights(server: Any, **body: Any) -> list[bool]:
    return [server.say(prompt, **body) == right for prompt, right in zip(PROMPTS, RIGHT, strict=True)]


@pytest.mark.parametrize("skill", [0.0, 0.2, 0.55, 0.9, 1.0])
def test_the_share_of_right_answers_is_the_skill(mock: Any, skill: float) -> None:
    """Over 2 000 prompts, within six standard errors."""
    share = sum(_rights(mock(skill=skill))) / 2000
    assert abs(share - skill) <= 6 * (skill * (1 - skill) / 2000) ** 0.5


def test_a_rerun_gives_the_same_answers(mock: Any) -> None:
    """Two servers with the same settings agree, at temperature 1 without a seed too."""
    first, second = mock(skill=0.5), mock(skill=0.5)
    for body in ({}, {"temperature": 1}, {"temperature": 1, "seed": 3}):
        assert _rights(first, **body) == _rights(second, **body)


def test_seeds_matter(mock: Any) -> None:
    """The server's seed and the request's each make other draws."""
    draws = {
        tuple(_rights(mock(skill=0.5))),
        tuple(_rights(mock(skill=0.5, seed=1))),
        tuple(_rights(mock(skill=0.5), seed=1)),
    }
    assert len(draws) == 3


def test_a_better_server_is_right_wherever_a_worse_one_is(mock: Any) -> None:
    """Servers of one seed differ by skill alone, as pairs to compare should."""
    worse, better = _rights(mock(skill=0.5)), _rights(mock(skill=0.8))
    assert all(high for low, high in zip(worse, better, strict=True) if low)


def test_samples_differ_at_a_temperature_and_not_without_one(mock: Any) -> None:
    """The same body gives one answer when greedy or seeded, several when sampled."""
    server = mock(skill=0.5)

    def answers(**body: Any) -> set[str]:
        return {server.say("What is 20 + 22?", **body) for _ in range(40)}

    assert len(answers(temperature=0)) == 1
    assert len(answers(temperature=1, seed=7)) == 1
    assert len(answers(temperature=1)) > 1
    assert len(answers(temperature=None)) > 1


def test_n_choices_are_samples(mock: Any) -> None:
    """`n` gives that many choices: different when sampled, equal when greedy."""
    server = mock(skill=0.5)
    messages = [{"role": "user", "content": "What is 20 + 22?"}]
    for temperature, several in ((1, True), (0, False)):
        reply = server.ask(CHAT, messages=messages, n=30, seed=1, temperature=temperature)
        assert [choice["index"] for choice in reply["choices"]] == list(range(30))
        said = {choice["message"]["content"] for choice in reply["choices"]}
        assert (len(said) > 1) is several


def test_wrong_answers_are_plausible(mock: Any) -> None:
    """A wrong sum is a nearby number, a wrong choice another letter, a wrong verdict the other."""
    server = mock(skill=0.0)
    for prompt, right in zip(PROMPTS, RIGHT, strict=True):
        assert 1 <= abs(int(server.say(prompt)) - int(right)) <= 9
    choice = "What is 3 + 4?\nA) 6\nB) 7\nC) 8"
    assert {server.say(choice, seed=seed) for seed in range(40)} == {"A", "C"}
    verdict = "Expected answer: 4\nAnswer given: 4\nGRADE:"
    assert server.say(verdict) == "GRADE: INCORRECT"
    assert float(server.say("What is 5 / 2?")) != 2.5


def test_what_cannot_be_known_gets_a_steady_text(mock: Any) -> None:
    """Neither empty nor random: the same for the same question, another for another."""
    server = mock()
    said = [server.say(f"Tell me about {topic}.") for topic in ("rain", "snow", "rain")]
    assert said[0] == said[2] != said[1]
    assert said[0].startswith("This is a stand-in answer")


def test_the_question_is_the_last_message_of_the_user(mock: Any) -> None:
    """Examples, the system message and content in parts are read as they should be."""
    messages = [
        {"role": "system", "content": "Answer like 'ANSWER: 5'."},
        {"role": "user", "content": "What is 1 + 1?"},
        {"role": "assistant", "content": "ANSWER: 2"},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:,"}},
                {"type": "text", "text": "What is 2 + 3?"},
            ],
        },
    ]
    reply = mock().ask(CHAT, messages=messages)
    assert reply["choices"][0]["message"] == {"role": "assistant", "content": "ANSWER: 5"}


def test_stop_and_max_tokens_cut(mock: Any) -> None:
    """A stop text ends the answer before it, a limit of tokens with `length`."""
    server = mock()
    messages = [{"role": "user", "content": "Say something."}]
    for body, text, finish in (
        ({"stop": " stand"}, "This is a", "stop"),
        ({"stop": ["xyz", "is a"]}, "This ", "stop"),
        ({"max_tokens": 3}, "This is a", "length"),
        ({"max_completion_tokens": 2}, "This is", "length"),
    ):
        reply = server.ask(CHAT, messages=messages, temperature=0, **body)
        choice = reply["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == (text, finish)
        assert reply["usage"]["completion_tokens"] == len(split_tokens(text))


def test_chat_logprobs_cover_the_answer(mock: Any) -> None:
    """Each token of the answer is there with the alternatives asked for."""
    messages = [{"role": "user", "content": "Say something."}]
    reply = mock().ask(CHAT, messages=messages, logprobs=True, top_logprobs=3)
    choice = reply["choices"][0]
    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
    assert all(len(token["top_logprobs"]) == 3 for token in tokens)
    assert all(token["top_logprobs"][0]["token"] == token["token"] for token in tokens)


@given(st.text(max_size=60))
def test_tokens_are_reversible(text: str) -> None:
    """Tokens join to their text, and ids, which fit in 48 bits, lead back to them."""
    assert "".join(split_tokens(text)) == text
    assert all(token < 2**48 for token in encode(text))
    assert [decode_token(token) for token in encode(text)] == split_tokens(text)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (CHAT, {}, "messages"),
        (CHAT, {"messages": []}, "messages"),
        (CHAT, {"messages": ["hi"]}, "messages"),
        (CHAT, {"messages": [{"role": "user", "content": 3}]}, "messages"),
        (CHAT, {"messages": [{"role": "user", "content": "hi"}], "n": 0}, "n"),
        (CHAT, {"messages": [{"role": "user", "content": "hi"}], "temperature": 3}, "temperature"),
        (CHAT, {"messages": [{"role": "user", "content": "hi"}], "stop": [1]}, "stop"),
        (CHAT, {"messages": [{"role": "user", "content": "hi"}], "seed": "x"}, "seed"),
        (CHAT, {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 0}, "max_tokens"),
        ("/v1/completions", {}, "prompt"),
        ("/v1/completions", {"prompt": ["a", 1]}, "prompt"),
        ("/v1/completions", {"prompt": "a", "logprobs": 99}, "logprobs"),
        ("/v1/embeddings", {}, "input"),
        ("/v1/embeddings", {"input": "a", "encoding_format": "x"}, "encoding_format"),
    ],
)
def test_a_wrong_field_is_named(mock: Any, path: str, body: Any, field: str) -> None:
    """A request that has no meaning is answered 400 with the field in `param`."""
    response = mock().post(path, body)
    error = json.loads(response.body)["error"]
    assert (response.status, error["param"]) == (400, field)
    assert error["type"] == "invalid_request_error"
