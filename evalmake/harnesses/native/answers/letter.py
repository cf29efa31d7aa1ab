"""Multiple choice: the options that a reply chose."""

from __future__ import annotations

from collections.abc import Sequence, Set

from evalmake.harnesses.native.answers.asked_exception import asks_exception
from evalmake.harnesses.native.answers.claims import find_only_mention, read_claims
from evalmake.harnesses.native.answers.next_question import cut_next_question
from evalmake.harnesses.native.answers.option_marks import NONE, option_of
from evalmake.harnesses.native.answers.outline import fold_option, names_exception, outline
from evalmake.harnesses.native.answers.reading import Reading, Strength
from evalmake.harnesses.native.answers.reply_text import drop_reasoning
from evalmake.harnesses.native.answers.words.refusals import REFUSALS, compile_phrases
from evalmake.harnesses.native.right_options import LETTERS
from evalmake.lazy_pattern import compile_on_use

_REFUSAL = compile_phrases(REFUSALS.values())
_REFUSING = compile_on_use(r"[^.!?,;:\n。！？，]*")
_FIRST = 2_000
"""Characters in which a refusal stands."""


def find_chosen_option(reply: str, options: Sequence[str], question: str = "") -> int | None:
    """The index of the option that a reply chose; None if it chose none or several.

    To a question for an exception, it chose the one of which it denies what it says of all others.
    """
    chosen, reading = _find_chosen(reply, options, question)
    if len(chosen) > 1 and (exception := _find_exception(chosen, reading, reply, len(options))) is not None:
        return exception if asks_exception(question, options) else None
    index = next(iter(chosen), NONE)
    return index if len(chosen) == 1 and index != NONE else None


def _find_exception(chosen: Set[int], reading: Reading, reply: str, count: int) -> int | None:
    """The option of which a reply denies what it says of several others."""
    if reading.claim is not None and not reading.claim.is_assent:
        return None  # "The answer is A, B and D, not C"
    left = set(range(count)) - chosen
    denied = left & (reading.set_apart | reading.denied | reading.rejected)
    if len(left) == 1 and names_exception(reply):
        denied = left
    return next(iter(denied)) if len(denied) == 1 else None


def find_chosen_options(reply: str, options: Sequence[str], question: str = "") -> frozenset[int]:
    """The indices of all options that a reply chose; empty if it leaves open which ("A or B").

    Rules are tried in this order, and the first that finds an option decides: the whole reply is an
    option's text; the claim that stands (see `claims`); the one of which it denies something, if the
    question asks for an exception; the options that nothing rejects, where it rejects all others and leaves one
    or states something of the rest; the one that is told to be what the others are not; what others are said to
    believe; the only option that is mentioned.
    """
    return _find_chosen(reply, options, question)[0] - {NONE}


def _find_chosen(reply: str, options: Sequence[str], question: str) -> tuple[frozenset[int], Reading]:
    """The same, with NONE for "none of the above"; and what was read."""
    reply = cut_next_question(drop_reasoning(reply), lambda text: _is_announced(text, options))
    if (whole := _match_whole_text(reply, options)) is not None:
        return frozenset({whole}), Reading()
    answer = _drop_refusal(reply)
    found = outline(answer, options)
    reading = read_claims(found, len(options))
    if reading.claim is None and answer != reply:
        return frozenset(), reading  # what a refusal mentions is no choice
    if reading.claim is None and len(reading.denied) == 1 and asks_exception(question, options):
        return frozenset(reading.denied), reading
    return _decide(reading, found, len(options)), reading


def _decide(reading: Reading, found: str, count: int) -> frozenset[int]:
    if reading.claim is not None:
        if reading.claim.options <= reading.affirmed:
            return frozenset(reading.affirmed)  # "A is right. C is right."
        return frozenset() if reading.claim.open else reading.claim.options
    left = frozenset(range(count)) - reading.rejected
    mentioned = frozenset(map(option_of, reading.mentioned))
    if len(left) == 1 or (reading.rejected and left in reading.stated):
        return left
    if len(reading.set_apart) == 1:
        return frozenset(reading.set_apart)
    if reading.reported is not None and not reading.reported.open:
        return reading.reported.options
    return find_only_mention(reading, found) or (left if reading.rejected and left == mentioned else frozenset())


def _is_announced(text: str, options: Sequence[str]) -> bool:
    claim = read_claims(outline(text, options), len(options)).claim
    return claim is not None and claim.strength >= Strength.ANNOUNCED


def _drop_refusal(reply: str) -> str:
    """A reply without the part of a sentence that refuses to answer."""
    found = _REFUSAL.search(reply[:_FIRST].replace("’", "'"))
    if found is None:
        return reply
    start = 1 + max(reply.rfind(sign, 0, found.start()) for sign in ".!?,;:\n。！？，")
    rest = _REFUSING.match(reply, found.end())
    return reply[:start] + reply[rest.end() if rest else found.end() :]


def _match_whole_text(reply: str, options: Sequence[str]) -> int | None:
    """The option whose text is the whole reply. A single letter is not read as a text, but as a letter."""
    if len(reply) > 2 * max(map(len, options)) + 40:
        return None
    wanted = fold_option(reply).casefold()
    found = [index for index, option in enumerate(options) if fold_option(option).casefold() == wanted]
    is_letter = len(wanted) == 1 and wanted.upper() in LETTERS[: len(options)]
    return found[0] if len(found) == 1 and not is_letter else None
