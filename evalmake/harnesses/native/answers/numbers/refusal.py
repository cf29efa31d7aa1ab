"""Replies that say that there is no answer: the numbers in them explain why."""

from __future__ import annotations

import re

from evalmake.harnesses.native.answers.numbers.sentence import CONCLUSION
from evalmake.harnesses.native.answers.words.refusals import REFUSALS, UNDETERMINED, compile_phrases
from evalmake.lazy_pattern import compile_on_use

_REFUSAL = compile_phrases([*REFUSALS.values(), *UNDETERMINED.values()])
_FIRST = 2_000
"""Characters in which a refusal stands."""
_SENTENCE_END = compile_on_use(r"[.!?] |[。！？\n]")
# A reply that goes on to an answer: "I'm not sure, but 42", "x is unknown. Let x = 6".
_GOES_ON = compile_on_use(
    r"[=≈#{]|[.,:!?\n] ?\W{0,3}\d[\d.,]*[^\w\n<]*(?:</\w{1,20}>|$)"
    r"|(?<!\w)(?:but|however|yet|if|assuming|let|about|approximately|around"
    r"|roughly|maybe|perhaps|probably|guess|estimate|think|believe|i'd say|it is|it's|directly"
    r"|aber|wenn|vielleicht|mais|si|peut-être|pero|quizás|ma|forse|mas|talvez|но|если"
    rf"|{CONCLUSION})(?![A-Za-z])|但|不过|不過|如果|しかし|ただし|もし|하지만|그러나|만약",
    re.IGNORECASE | re.MULTILINE,
)


def refuses(text: str) -> bool:
    """Whether a normalized text says that there is no answer, before any other sentence with a number, and no more."""
    found = _REFUSAL.search(text[:_FIRST])
    if found is None:
        return False
    ends = [end.end() for end in _SENTENCE_END.finditer(text, 0, found.start())]
    before = text[: ends[-1] if ends else 0]
    return not re.search(r"\d", before) and not _GOES_ON.search(text, found.end())
