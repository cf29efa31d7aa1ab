"""How a server counts the `text_offset`s of the tokens of an echoed prompt.

They should be characters of the prompt. Some servers count their beginning-of-text token, too, though it is not in the
text (vLLM), and some count bytes. Who knows the way can still find a token. Other offsets point at other tokens; then
only the tokens' own texts show where an option begins.
"""

from __future__ import annotations

from typing import Any

_IN_CHARACTERS = ""


def describe_offsets(logprobs: dict[str, Any], place: int, prompt: str, names: list[str]) -> str | None:
    """How the offsets count, for the record; empty if they are characters or missing, None if they are wrong.

    `place` is the token that begins where `prompt` ends, in an echo of the prompt and that token.
    """
    offsets = logprobs.get("text_offset")
    if not isinstance(offsets, list) or not offsets:
        return _IN_CHARACTERS
    if len(offsets) != len(names) or not all(type(offset) is int for offset in offsets) or offsets != sorted(offsets):
        return None
    units = {_IN_CHARACTERS: len(prompt), "count bytes": len(prompt.encode())}
    for words, expected in units.items():
        if offsets[place] == expected:
            return words
    first = names[0]
    if first and not prompt.startswith(first):
        for words, expected in units.items():
            if offsets[place] == expected + len(first):
                return " and ".join(filter(None, ("count the beginning-of-text token", words.removeprefix("count "))))
    return None
