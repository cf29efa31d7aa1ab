"""Text completions, their log-probabilities, and embeddings."""

from __future__ import annotations

import array
import base64
import math
import operator
from typing import Any

import pytest

from evalmake.engines.mock.tokens import encode, split_tokens

PATH = "/v1/completions"


def _scored(server: Any, context: str, continuation: str) -> list[float]:
    """The log-probabilities of a continuation, taken as lm-evaluation-harness takes them."""
    logprobs = server.ask(PATH, prompt=context + continuation, echo=True, logprobs=1, max_tokens=1, temperature=0)[
        "choices"
    ][0]["logprobs"]
    values: list[float] = logprobs["token_logprobs"][len(split_tokens(context)) : -1]
    return values


def _greedy(server: Any, context: str) -> str:
    text: str = server.ask(PATH, prompt=context, temperature=0)["choices"][0]["text"]
    return text


CONTEXTS = [
    "Question: What is 22 + 11?\nAnswer:",
    "What is 123456 * 1000?\nAnswer: ",
    "What is 3 + 4?\nA) 6\nB) 7\nC) 8\nAnswer:",
    "Once upon a time",
    "Solve 3 + 4.\n#### 1\nNow 5 + 6",
    "Expected answer: 4\nAnswer given: 5\nGRADE:",
]


@pytest.mark.parametrize("skill", [0.0, 1.0])
@pytest.mark.parametrize("context", CONTEXTS)
def test_the_greedy_answer_is_the_likeliest_continuation(mock: Any, context: str, skill: float) -> None:
    """Echoed after its prompt it scores near 0, right or wrong, and all else scores lower."""
    server = mock(skill=skill)
    answer = _greedy(server, context)
    assert all(value > -0.05 for value in _scored(server, context, answer))
    for other in (" 7777", " something else", " Z"):
        assert sum(_scored(server, context, other)) < -1


def _choices(n: int) -> tuple[str, list[str]]:
    right = n + 17
    context = f"Question: What is {n} + 17?\nAnswer:"
    return context, [f" {right}", f" {right + 1}", f" {right - 3}", f" {right + 10}"]


def test_the_right_choice_is_likeliest_with_probability_skill(mock: Any) -> None:
    """Exactly for the questions that the greedy answer gets right, and as many as the skill."""
    server = mock(skill=0.6)
    right = 0
    for n in range(500):
        context, choices = _choices(n)
        scores = [sum(_scored(server, context, choice)) for choice in choices]
        chosen = choices[scores.index(max(scores))]
        assert (chosen == choices[0]) is (_greedy(server, context) == choices[0])
        right += chosen == choices[0]
    assert abs(right / 500 - 0.6) <= 6 * (0.6 * 0.4 / 500) ** 0.5


@pytest.mark.parametrize("right", [True, False])
def test_the_letter_of_a_choice_is_scored_alike(mock: Any, right: bool) -> None:
    """Among letters the right one is the likeliest, or the least likely."""
    context = "What is 3 + 4?\nA) 6\nB) 7\nC) 8\nAnswer:"
    server = mock(skill=float(right))
    scores = {letter: sum(_scored(server, context, f" {letter}")) for letter in "ABC"}
    assert (max if right else min)(scores, key=lambda letter: scores[letter]) == "B"


@pytest.mark.parametrize("most", [0, 1])
def test_echo_has_openais_legacy_shape(mock: Any, most: int) -> None:
    """All arrays cover the prompt and the new token; only the first token has no probability."""
    prompt = "What is 3 + 4?\nAnswer: 8"
    choice = mock().ask(PATH, prompt=prompt, echo=True, logprobs=2, max_tokens=most, temperature=0)
    usage, choice = choice["usage"], choice["choices"][0]
    logprobs = choice["logprobs"]
    tokens = logprobs["tokens"]
    assert choice["text"] == "".join(tokens)
    assert choice["text"].startswith(prompt)
    assert len(tokens) == len(split_tokens(prompt)) + most == usage["total_tokens"]
    assert usage["completion_tokens"] == most
    assert logprobs["token_logprobs"][0] is logprobs["top_logprobs"][0] is None
    assert all(value < 0 for value in logprobs["token_logprobs"][1:])
    ends = [offset + len(token) for offset, token in zip(logprobs["text_offset"], tokens, strict=True)]
    assert [0, *ends] == [*logprobs["text_offset"], len(choice["text"])]
    for token, value, top in list(zip(tokens, logprobs["token_logprobs"], logprobs["top_logprobs"], strict=True))[1:]:
        assert top[token] == value
        assert len(top) in (2, 3)


def test_a_likely_token_is_the_top_token_and_an_unlikely_one_is_not(mock: Any) -> None:
    """So `is_greedy`, which compares a token with the best one, is right."""
    server = mock()
    for continuation, greedy in ((" 7", True), (" 9", False)):
        reply = server.ask(PATH, prompt="3 + 4 =" + continuation, echo=True, logprobs=1, max_tokens=0)
        top = reply["choices"][0]["logprobs"]["top_logprobs"][-1]
        assert (max(top, key=lambda token: top[token]) == continuation) is greedy


def test_logprobs_without_echo_cover_the_completion_alone(mock: Any) -> None:
    """Without an echo there is no token without a probability."""
    choice = mock().ask(PATH, prompt="3 + 4 =", logprobs=0, temperature=0)["choices"][0]
    assert choice["logprobs"] == {
        "tokens": [" 7"],
        "token_logprobs": [-0.01],
        "top_logprobs": None,
        "text_offset": [0],
    }


def test_every_kind_of_prompt_is_answered(mock: Any) -> None:
    """Text, texts, ids and lists of ids: the same question gets the same answer."""
    server = mock()
    text = "What is 3 + 4?\nAnswer:"
    for prompt, count in (
        (text, 1),
        ([text, text], 2),
        (encode(text), 1),
        ([encode(text), encode(text)], 2),
    ):
        reply = server.ask(PATH, prompt=prompt, temperature=0, n=2)
        assert [choice["text"] for choice in reply["choices"]] == [" 7"] * count * 2
        assert [choice["index"] for choice in reply["choices"]] == list(range(count * 2))
        assert reply["usage"]["prompt_tokens"] == len(split_tokens(text)) * count


def test_echo_of_ids_has_one_token_for_each_id(mock: Any) -> None:
    """Also for ids of another tokenizer, whose text means nothing here."""
    reply = mock().ask(PATH, prompt=[0, 1, 255, 50_000, 2**62], echo=True, logprobs=1, max_tokens=1)
    assert len(reply["choices"][0]["logprobs"]["tokens"]) == 6


def test_a_server_can_tokenize_for_a_harness(mock: Any) -> None:
    """`/tokenize` and `/detokenize` undo each other."""
    server = mock()
    tokens = server.ask("/tokenize", prompt="What is 3 + 4? Ä")["tokens"]
    assert server.ask("/detokenize", tokens=tokens) == {"prompt": "What is 3 + 4? Ä"}
    assert server.post("/detokenize", {"tokens": [-1]}).status == 400
    assert server.post("/tokenize", {}).status == 400


def _vectors(server: Any, **body: Any) -> list[list[float]]:
    return [item["embedding"] for item in server.ask("/v1/embeddings", **body)["data"]]


def test_embeddings_are_unit_vectors_that_follow_from_the_text(mock: Any) -> None:
    """Length 1; equal for equal texts, in any server; different for different ones."""
    texts = ["a red house", "a red horse", "house red a", ""]
    vectors = _vectors(mock(), input=texts)
    assert [round(math.hypot(*vector), 9) for vector in vectors] == [1.0] * 4
    assert vectors == _vectors(mock(seed=5), input=texts)
    assert len({tuple(vector) for vector in vectors}) == 4
    assert _vectors(mock(), input=texts[0], dimensions=256) != vectors
    assert len(_vectors(mock(), input=encode(texts[0]), dimensions=256)[0]) == 256


def test_embeddings_of_like_texts_are_near(mock: Any) -> None:
    """Shared words count: the nearest text is the one that shares most."""
    asked, near, far = _vectors(
        mock(),
        input=["the old red house on the hill", "an old red house on a hill", "fish swim in water"],
    )
    nearness = [sum(map(operator.mul, asked, other)) for other in (near, far)]
    assert nearness[0] > nearness[1]


def test_embeddings_come_as_base64_too(mock: Any) -> None:
    """As OpenAI's own client asks for them: 32-bit floats."""
    (floats,), (text,) = (_vectors(mock(), input="hello there", encoding_format=form) for form in ("float", "base64"))
    decoded = array.array("f", base64.b64decode(text))  # type: ignore[arg-type]
    assert list(decoded) == pytest.approx(floats)
