"""Finds which part of a prompt each token of a reply is, by the tokens' own texts.

Servers disagree on `text_offset`: some count their beginning-of-text token, some count bytes, some count a
character for each token of a character that takes several. The tokens themselves spell the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence

from evalmake.model_reply.token_spelling import Spelling, spell_tokens

MAX_SPECIAL_TOKENS = 4
"""Tokens before the prompt that are no part of it, as `<|begin_of_text|>`, at most."""

Starts = list[tuple[int, int]]


def locate_tokens(tokens: Sequence[str], text: str) -> tuple[int, Starts] | None:
    """The number of tokens before `text`, and where in its UTF-8 each token of it begins; None if they do not spell it.

    The last place is the end of the text. A place is a least and a greatest number of bytes, which differ inside
    a character that is torn into several tokens.
    """
    raw = text.encode("utf-8", "surrogatepass")
    for spellings in spell_tokens(tokens):
        for before in range(min(MAX_SPECIAL_TOKENS, len(tokens) - 1) + 1):
            own = spellings[before:]
            for first in _first_spellings(own[:1], raw):
                if starts := _align([first, *own[1:]], raw):
                    return before, starts
    return None


def _first_spellings(first: list[Spelling], raw: bytes) -> list[Spelling]:
    """The spelling of the first token, and without the space that some tokenizers put before every text."""
    found = list(first)
    for spelling in first:
        if spelling and spelling[0] is not None and spelling[0].startswith(b" ") and not raw.startswith(b" "):
            found.append([spelling[0][1:], *spelling[1:]])
    return found


def _align(spellings: Sequence[Spelling], raw: bytes) -> Starts | None:
    """Where each token begins, if the tokens spell `raw`; further tokens are ignored."""
    layers: list[set[int]] = [{0}]
    last = 0
    for spelling in spellings:
        layers.append(_advance(layers[-1], spelling, raw))
        if len(raw) in layers[-1]:
            last = len(layers) - 1
        if not layers[-1] or layers[-1] == {len(raw)}:
            break
    if not last:
        return None
    layers = [*layers[:last], {len(raw)}]
    for number in range(last - 1, -1, -1):  # of the places that can be reached, those from which the end can be
        spelling = spellings[number]
        layers[number] = {at for at in layers[number] if _advance({at}, spelling, raw) & layers[number + 1]}
    return [(min(layer), max(layer)) for layer in layers]


def _advance(places: set[int], spelling: Spelling, raw: bytes) -> set[int]:
    """Where a token can end that begins at one of `places`."""
    for piece in spelling:
        if piece is None:  # one to three bytes of a character beyond ASCII
            places = {at + size for at in places for size in (1, 2, 3) if _is_torn(raw[at : at + size], size)}
        else:
            places = {at + len(piece) for at in places if raw.startswith(piece, at)}
    return places


def _is_torn(part: bytes, size: int) -> bool:
    return len(part) == size and all(byte >= 0x80 for byte in part)
