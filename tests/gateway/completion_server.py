"""A model's server for text completions with log-probabilities, correct or wrong in a known way."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.support.http_replies import http_reply
from tests.support.scripted_upstream import ReceivedRequest, Script, Step

TEXT = "/v1/completions"
ECHO: dict[str, Any] = {
    "model": "m",
    "prompt": "Two and two is four",
    "max_tokens": 1,
    "temperature": 0,
    "seed": 7,
    "logprobs": 1,
    "echo": True,
}
"""The request of a harness that measures likelihoods."""
WORDS = (" red", " old", " five", " the", " and", " home", " slow", " loud", " now")


@dataclass(frozen=True)
class Completion:
    """A completion before it is JSON: the prompt's tokens, the new ones, and a log-probability for each."""

    before: list[str]
    new: list[str]
    values: list[float | None]
    echo: bool
    spent: tuple[int, int]

    @property
    def tokens(self) -> list[str]:
        """All tokens."""
        return self.before + self.new


Fault = Callable[[Completion], dict[str, Any]]


def split_tokens(text: str) -> list[str]:
    """The tokens of a text; joined they are the text."""
    return re.findall(r" ?\w+| ?[^\w\s]|\s", text)


def logprob(before: str, token: str) -> float:
    """The log-probability of a token after a text: from -9 to -0.5, always the same."""
    digest = hashlib.sha256(f"{before}\0{token}".encode()).digest()
    return -0.5 - 8.5 * int.from_bytes(digest[:4], "big") / 2**32


def most_likely_word(before: str) -> str:
    """The word that the model generates after a text."""
    return max(WORDS, key=lambda word: logprob(before, word))


def correct_reply(completion: Completion) -> dict[str, Any]:
    """The reply of a server without a fault."""
    usage = dict(zip(("prompt_tokens", "completion_tokens"), completion.spent, strict=True))
    text = "".join(completion.tokens if completion.echo else completion.new)
    values = completion.values if completion.echo else completion.values[len(completion.before) :]
    names = completion.tokens if completion.echo else completion.new
    told = {"tokens": names, "token_logprobs": values, "top_logprobs": None, "text_offset": []}
    choice = {"index": 0, "text": text, "logprobs": told, "finish_reason": "length"}
    return {"model": "m", "choices": [choice], "usage": usage}


def with_choice_fields(**parts: Any) -> Fault:
    """A server whose choices have these fields."""

    def fault(completion: Completion) -> dict[str, Any]:
        body = correct_reply(completion)
        body["choices"][0] |= parts
        return body

    return fault


def with_logprobs(change: Callable[[dict[str, Any], Completion], dict[str, Any]]) -> Fault:
    """A server whose echoed log-probabilities are changed."""

    def fault(completion: Completion) -> dict[str, Any]:
        body = correct_reply(completion)
        if completion.echo:
            choice = body["choices"][0]
            choice["logprobs"] = {**choice["logprobs"], **change(choice["logprobs"], completion)}
        return body

    return fault


def off_by_one(told: dict[str, Any], completion: Completion) -> dict[str, Any]:
    """Each value belongs to the token repeated once more, and the last token is missing."""
    names, values = told["tokens"], []
    for at, name in enumerate(names):
        values.append(logprob("".join(names[: at + 1]), name) if at else None)
    known = len(completion.before)
    return {"tokens": names[:known], "token_logprobs": values[:known]}


def without_echo(completion: Completion) -> dict[str, Any]:
    """A server that ignores `echo`."""
    return correct_reply(replace(completion, echo=False))


def with_start_token(completion: Completion) -> dict[str, Any]:
    """A server that counts a start token in the prompt and echoes it, though not in the text."""
    body = correct_reply(replace(completion, spent=(completion.spent[0] + 1, completion.spent[1])))
    told = body["choices"][0]["logprobs"]
    if completion.echo:
        told["tokens"] = ["<s>", *told["tokens"]]
        told["token_logprobs"] = [None, -3.0, *told["token_logprobs"][1:]]
    return body


def write_byte_level(text: str) -> str:
    """A text as the vocabulary of GPT-2 has it: bytes beyond printable ASCII have characters of their own."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return "".join(chr(byte) if byte in plain else chr(256 + others.index(byte)) for byte in text.encode())


def with_vocabulary_marks(completion: Completion) -> dict[str, Any]:
    """A server that writes tokens as its vocabulary does."""
    body = correct_reply(completion)
    told = body["choices"][0]["logprobs"]
    told["tokens"] = [write_byte_level(name) for name in told["tokens"]]
    return body


def without_usage(fault: Fault) -> Fault:
    """The same server without `usage`."""
    return lambda completion: {"choices": fault(completion)["choices"]}


def complete_prompts(fault: Fault = correct_reply, glued: Callable[[str], bool] = lambda prompt: False) -> Script:
    """A script that completes any prompt; after a `glued` one, words have no space before them."""

    def script(seen: ReceivedRequest) -> list[Step]:
        body = json.loads(seen.body)
        prompt, most = body["prompt"], body.get("max_tokens", 16)
        before = split_tokens(prompt)
        new: list[str] = []
        values = [logprob("".join(before[:at]), token) for at, token in enumerate(before)]
        while len(new) < most:
            text = prompt + "".join(new)
            new.append(most_likely_word(text).lstrip() if glued(prompt) else most_likely_word(text))
            values.append(logprob(text, new[-1]))
        spent = (len(before), len(new))
        whole = Completion(before, new, [None, *values[1:]], bool(body.get("echo")), spent)
        return [http_reply(fault(whole))]

    return script
