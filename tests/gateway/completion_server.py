"""A model's server that does text completions with log-probabilities, right or wrong in a known way."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.support.scripted import Script, Seen, Step, reply

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
"""What a harness asks that measures texts."""
WORDS = (" red", " old", " five", " the", " and", " home", " slow", " loud", " now")


@dataclass(frozen=True)
class Said:
    """An answer before it is written: the prompt's tokens, the new ones, and a value for each."""

    before: list[str]
    new: list[str]
    values: list[float | None]
    echo: bool
    spent: tuple[int, int]

    @property
    def tokens(self) -> list[str]:
        """All tokens."""
        return self.before + self.new


Fault = Callable[[Said], dict[str, Any]]


def tokens(text: str) -> list[str]:
    """The tokens of a text; joined they are the text."""
    return re.findall(r" ?\w+| ?[^\w\s]|\s", text)


def logprob(before: str, token: str) -> float:
    """What the model thinks of a token behind a text: from -9 to -0.5, each time the same."""
    digest = hashlib.sha256(f"{before}\0{token}".encode()).digest()
    return -0.5 - 8.5 * int.from_bytes(digest[:4], "big") / 2**32


def likeliest(before: str) -> str:
    """The word that the model says behind a text."""
    return max(WORDS, key=lambda word: logprob(before, word))


def right(said: Said) -> dict[str, Any]:
    """The reply of a server without a fault."""
    usage = dict(zip(("prompt_tokens", "completion_tokens"), said.spent, strict=True))
    text = "".join(said.tokens if said.echo else said.new)
    values = said.values if said.echo else said.values[len(said.before) :]
    names = said.tokens if said.echo else said.new
    told = {"tokens": names, "token_logprobs": values, "top_logprobs": None, "text_offset": []}
    choice = {"index": 0, "text": text, "logprobs": told, "finish_reason": "length"}
    return {"model": "m", "choices": [choice], "usage": usage}


def changed(**parts: Any) -> Fault:
    """One whose choices have other parts."""

    def fault(said: Said) -> dict[str, Any]:
        body = right(said)
        body["choices"][0] |= parts
        return body

    return fault


def with_logprobs(change: Callable[[dict[str, Any], Said], dict[str, Any]]) -> Fault:
    """One whose echoed log-probabilities are others."""

    def fault(said: Said) -> dict[str, Any]:
        body = right(said)
        if said.echo:
            choice = body["choices"][0]
            choice["logprobs"] = {**choice["logprobs"], **change(choice["logprobs"], said)}
        return body

    return fault


def off_by_one(told: dict[str, Any], said: Said) -> dict[str, Any]:
    """Each token's value is that of itself once more, and the last token is left out."""
    names, values = told["tokens"], []
    for at, name in enumerate(names):
        values.append(logprob("".join(names[: at + 1]), name) if at else None)
    known = len(said.before)
    return {"tokens": names[:known], "token_logprobs": values[:known]}


def no_echo(said: Said) -> dict[str, Any]:
    """As if nothing were to be echoed."""
    return right(replace(said, echo=False))


def begun(said: Said) -> dict[str, Any]:
    """A sign for the beginning counts as a token of the prompt, and is echoed but in the text."""
    body = right(replace(said, spent=(said.spent[0] + 1, said.spent[1])))
    told = body["choices"][0]["logprobs"]
    if said.echo:
        told["tokens"] = ["<s>", *told["tokens"]]
        told["token_logprobs"] = [None, -3.0, *told["token_logprobs"][1:]]
    return body


def marked(said: Said) -> dict[str, Any]:
    """Tokens are told as their vocabulary writes them."""
    body = right(said)
    told = body["choices"][0]["logprobs"]
    told["tokens"] = [name.replace(" ", "Ġ") for name in told["tokens"]]
    return body


def without_usage(fault: Fault) -> Fault:
    """The same, and what was used is not told."""
    return lambda said: {"choices": fault(said)["choices"]}


def speaks(fault: Fault = right, glued: Callable[[str], bool] = lambda prompt: False) -> Script:
    """Completes any prompt; behind one that is `glued` its words have no space before them."""

    def script(seen: Seen) -> list[Step]:
        body = json.loads(seen.body)
        prompt, most = body["prompt"], body.get("max_tokens", 16)
        before = tokens(prompt)
        new: list[str] = []
        values = [logprob("".join(before[:at]), token) for at, token in enumerate(before)]
        while len(new) < most:
            text = prompt + "".join(new)
            new.append(likeliest(text).lstrip() if glued(prompt) else likeliest(text))
            values.append(logprob(text, new[-1]))
        spent = (len(before), len(new))
        whole = Said(before, new, [None, *values[1:]], bool(body.get("echo")), spent)
        return [reply(fault(whole))]

    return script
