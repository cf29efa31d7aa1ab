"""The token F1 of two texts, after SQuAD's evaluation script (Rajpurkar et al. 2016)."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable

from evalmake.harnesses.native.text_folding import fold_forms
from evalmake.lazy_pattern import compile_on_use

_MARK = compile_on_use(
    r"(?P<minus>(?<![\w-])-(?=\.?\d))"
    r"|(?P<point>(?<![^\W\d])(?<!\.)\.(?=\d))"
    r"|(?P<name>(?<=[^\W\d_])[+#]+(?!\w))"  # C#, C++, A+; but not A+B
    rf"|[{re.escape(string.punctuation)}]"
)
_ARTICLE = compile_on_use(r"\b(?:a|an|the)\b(?![+#])")


def compute_token_f1(reply: str, target: str) -> float:
    """The harmonic mean of token precision and recall, 0 to 1.

    Lower case, without articles and punctuation. Both stay where a target is nothing else; so do, unlike in SQuAD,
    the signs and decimal points of numbers, and the signs at the end of names (C++).
    """
    reply, target = fold_forms(reply).lower(), fold_forms(target).lower()
    for tokenize in _TOKENIZERS:
        if wanted := tokenize(target):
            said = tokenize(reply)
            return 2 * (Counter(said) & Counter(wanted)).total() / (len(said) + len(wanted))
    return 0.0


def _drop_marks(text: str) -> str:
    return _MARK.sub(lambda found: "-" if found["minus"] else found["point"] or found["name"] or "", text)


_TOKENIZERS: tuple[Callable[[str], list[str]], ...] = (
    lambda text: _ARTICLE.sub(" ", _drop_marks(text)).split(),
    lambda text: _drop_marks(text).split(),
    str.split,
)
"""From what folds most to what folds nothing: the first one that leaves something of the target is used."""
