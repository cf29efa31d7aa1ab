"""The text of a reply without what carries no meaning: markup, reasoning, the forms of characters, a long middle."""

from __future__ import annotations

import html
import re
import unicodedata

from evalmake.harnesses.native.answers.words import FRAMES
from evalmake.harnesses.native.text_folding import QUOTES
from evalmake.lazy_pattern import compile_on_use
from evalmake.model_reply.reasoning_tags import split_reasoning

FRAME = "\ue200"
"""Stands before what a reply frames as its answer: in \\boxed{}, a tag, a JSON key, or after ####."""

_RESERVED = dict.fromkeys(range(0xE000, 0xE201))

_SAME = str.maketrans(
    QUOTES
    | dict.fromkeys("´", "'")
    | dict.fromkeys("‐‑−", "-")
    | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u202a\u202b\u202c\ufe0f", None)
    | dict.fromkeys("\u2028\u2029\x85\x0b\x0c\r", "\n")
    | {"👍": "✓", "👎": "✗"}
    | {"🅰": "A", "🅱": "B", "、": ",", "،": ",", "؛": ";", "؟": "?", "。": ". ", "।": ". ", "۔": ". ", "⇒": "→"}
)

_HEAD, _TAIL, _WINDOW = 2_000, 14_000, 150
ANNOUNCING = (
    *("nswer", "NSWER", "boxed{", "####", "ntwort", "épons", "espuesta", "isposta", "esposta"),
    *("твет", "答", "정답", "उत्तर"),
)

_REASONING = "think(?:ing)?|thoughts?|reasoning|scratchpad"
_HIDDEN_BLOCK = compile_on_use(rf"<({_REASONING})>(?:[^<]|<(?!/?\1>))*+</\1>", re.IGNORECASE)
"""A block in other tags than the first of the reply."""
_STRUCK = compile_on_use(r"~~[^~\n]{0,200}~~|<(?:s|del|strike)>[^<\n]{0,200}</(?:s|del|strike)>")
_CHECKED, _UNCHECKED = compile_on_use(r"\[[xX]\]|☑|☒"), compile_on_use(r"\[ ?\](?=\s|$)|☐")
_ARRAY = compile_on_use(r"\[[^\[\]]{0,300}\]")
_STYLE = compile_on_use(r"\\(?:text(?:bf|it|rm|sf|tt)?|math(?:rm|bf|sf|it)|bf|rm|emph)\s*\{([^{}]*)\}")
_RULE = compile_on_use(r"^[-*_=]{3,}[ \t]*$", re.MULTILINE)
_BOXED = compile_on_use(r"\\(?:boxed|fbox|framebox)\b\s*(?:\{([^{}]*)\}|\{?)")
# Pictures, without the signs that say right or wrong.
_PICTURE = compile_on_use(
    "[\U0001f300-\U0001f7df\U0001f7ec-\U0001faff\u2600-\u2610\u2612-\u2704\u2706-\u2712\u2715\u2719-\u274b"
    "\u274d\u274f-\u2755\u2757-\u2775]"
)
_FRAMED = compile_on_use(
    rf"[<\[]\|?(?:{FRAMES})\|?[>\]]|^[^\S\n]*\#{{4,}}(?=[\s\ue100-\ue1ff])"
    rf"|[\"'](?:\w{{1,20}}[ _-])?(?:{FRAMES})[\"']\s*[:=]",
    re.IGNORECASE | re.MULTILINE,
)
_TAG = compile_on_use(r"[<\[]/\w{1,30}[>\]]|</?(?:[bipsu]|[A-Za-z][\w-]{1,30})\s{0,3}/?>")
_MARKUP = compile_on_use(
    r"[*`$]+|\\[()\[\],;!]|(?<![^\W_])_+|_+(?![^\W_])|\\(?:quad|qquad|left|right)\b|\\[a-z]{0,3}space\b"
)
_LINE_START = compile_on_use(
    r"^[ \t]*(?:>+[ \t]*)?(?:[-•+‣–—][ \t]+)?(?:\#{1,3}[ \t]+)?(?:\d{1,2}[.)][ \t]+(?=\S))?", re.MULTILINE
)


def fold(text: str) -> str:
    """Fold what no writer means to tell apart: Unicode forms, quotes, dashes and spaces."""
    text = unicodedata.normalize("NFKC", text.translate(_SAME)).translate(_SAME)
    return re.sub(r"[^\S\n]+", " ", text)


def strip_markup(text: str) -> str:
    """Take Markdown, HTML and LaTeX away from a folded text; what frames an answer becomes FRAME."""
    text = _STRUCK.sub(" ", html.unescape(text))
    text = _CHECKED.sub("✓", _UNCHECKED.sub("✗", text))
    text = _ARRAY.sub(lambda found: found[0].replace("\n", " "), text)
    for _ in range(2):  # \boxed{\text{\bf B}}
        text = _STYLE.sub(r"\1", text)
    text = _BOXED.sub(rf"{FRAME}\1, ", _RULE.sub("", text))
    text = _FRAMED.sub(FRAME, _PICTURE.sub(" ", text))
    text = _TAG.sub(lambda found: "\n" if found[0][1] == "/" or found[0].startswith("<br") else " ", text)
    text = _LINE_START.sub("", _MARKUP.sub("", text)).replace("|", " - ")
    return re.sub(r" *\n[ \n]*", "\n", re.sub(r"[^\S\n]+", " ", text)).strip(' \n"')


_OPENING = compile_on_use(rf"<(?:{_REASONING})", re.IGNORECASE)
_MENTIONED_END = compile_on_use(rf"[^\W\d_][^\S\n]+</(?:{_REASONING})>[^\S\n]+[a-z]")
"""A closing tag that a sentence speaks of, as in `I closed my </think> tag`."""


def drop_reasoning(text: str) -> str:
    """A reply without its reasoning; empty if it ends within the reasoning."""
    if "<" not in text:
        return split_reasoning(text).answer
    if _MENTIONED_END.search(text) and not _OPENING.search(text):
        return _HIDDEN_BLOCK.sub("\n", text)  # of a reply whose reasoning the gateway has taken away
    return _HIDDEN_BLOCK.sub("\n", split_reasoning(text).answer)


def drop_reserved(text: str) -> str:
    """A text without the characters for private use that stand for what the readers of answers find."""
    return text.translate(_RESERVED)


def shorten(text: str) -> str:
    """The parts of a very long reply that are read: its head, its tail, and what stands around words for an answer.

    So a reply costs no more than some milliseconds, however long it is.
    """
    if len(text) <= _HEAD + _TAIL:
        return text
    stop = len(text) - _TAIL
    found: list[int] = []
    for word in ANNOUNCING:
        at = stop
        for _ in range(3):
            if (at := text.rfind(word, _HEAD, at)) < 0:
                break
            found.append(at)
    windows = [text[max(_HEAD, at - _WINDOW) : min(stop, at + _WINDOW)] for at in sorted(found)]
    return "\n".join([text[:_HEAD], *windows, text[stop:]])
