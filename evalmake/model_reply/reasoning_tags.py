"""The reasoning inside a text, between tags: `<think>Let me see.</think>It is 7.`

One reader serves whole replies and streams, so both give the same answer. It reads a tag in any case and with
attributes, blocks in each other, and several blocks. A model whose chat template opens the first block writes only
its end. A tag in quotation marks is a mention and no tag; so are two in a sentence that speaks of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from typing import NamedTuple

Tags = tuple[str, ...]
"""What opens and what closes a block of reasoning; and what else of a model's special tokens is no text."""

KNOWN_TAGS: tuple[Tags, ...] = (
    ("<think>", "</think>"),
    *((f"<{name}>", f"</{name}>") for name in ("thinking", "thought", "thoughts", "reasoning", "scratchpad")),
    ("[THINK]", "[/THINK]"),  # Mistral
    ("<seed:think>", "</seed:think>"),  # ByteDance Seed
    ("◁think▷", "◁/think▷"),  # Kimi
    ("<|begin_of_thought|>", "<|end_of_thought|>", "<|begin_of_solution|>", "<|end_of_solution|>"),  # OpenThinker
    ("<|START_THINKING|>", "<|END_THINKING|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>"),  # Cohere
    ("<|channel>thought", "<channel|>"),  # Gemma
    # OpenAI's harmony, whole and without its special tokens
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>", "<|start|>assistant", "<|end|>", "<|return|>"),
    ("<|channel|>analysis<|message|>", "assistantfinal"),
)
"""The first tag in a text tells which of them the text uses; the others are then text."""

BEHAVIOUR = 2
"""Raise it when texts are split in another way: it is part of the identity of results with `strip_reasoning`."""
_LONGEST_ATTRIBUTES = 200
_HEAD = 300
"""Characters in which a reply's reasoning begins."""
_AFTER = 2
"""As many characters after a tag tell whether it is a mention."""
_QUOTES = {"`": "`", '"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "(": ")", "[": "]"}
_BEFORE_A_QUOTE = "([{*`"
# In "the <think> and </think> tags", "(no <think> or </think>)", "`<think>...</think>`".
_BETWEEN_MENTIONS = re.compile(r"\s*(?:and|or|to|und|oder|et|ou|y|o|e|и|или|[,/&和与與或と])\s*", re.IGNORECASE)
_AFTER_A_MENTION = re.compile(r"[ \t][a-z]|[.,;:!?)\]}`\"'”’»*](?:[\s.,;:)*]|$)")
_LONGEST_MENTION = 60


class _Kind(Enum):
    TEXT = "text"
    OPEN = "open"
    CLOSE = "close"
    OTHER = "other"
    """A special token that is no text."""


class _Token(NamedTuple):
    kind: _Kind
    text: str
    after: str = ""
    """What follows a tag."""


class _Patterns(NamedTuple):
    """What finds the tags of several models, and their beginnings."""

    tag: re.Pattern[str]
    begun: re.Pattern[str]
    first: re.Pattern[str]
    literals: tuple[str, ...]
    beginnings: Mapping[str, tuple[str, ...]]
    """First character -> the tags that begin with it, without their end."""

    def may_find(self, text: str) -> bool:
        """Whether a text may have a tag: much faster than to look for one."""
        low = text.lower()
        return any(first in low and any(tag in low for tag in tags) for first, tags in self.beginnings.items())


@cache
def _compile(known: tuple[Tags, ...]) -> _Patterns:
    literals = tuple(dict.fromkeys(tag.lower() for tags in known for tag in tags))
    groups = []
    for number, (opening, closing, *others) in enumerate(known):
        kinds = {
            "open": _tag_pattern(opening),
            "close": _tag_pattern(closing),
            "other": "|".join(map(re.escape, others)),
        }
        groups += [f"(?P<{kind}_{number}>{pattern})" for kind, pattern in kinds.items() if pattern]
    first = "".join(sorted({re.escape(tag[0]) for tag in literals}))
    return _Patterns(
        re.compile("|".join(groups), re.IGNORECASE | re.ASCII),
        re.compile("|".join(filter(None, map(_begun_pattern, literals))) or r"(?!)", re.IGNORECASE),
        re.compile(f"[{first}]", re.IGNORECASE),
        literals,
        {
            first: tuple(tag.rstrip(">") for tag in literals if tag[0] == first)
            for first in dict.fromkeys(tag[0] for tag in literals)
        },
    )


class TagReader:
    """Splits a text, given in pieces, into tags and what is between them."""

    def __init__(self, known: tuple[Tags, ...]) -> None:
        self.tags = known[0]
        """The tags that the text uses, as far as they are known."""
        self._known = known
        self._chosen: str | None = None
        """The number of the tags that the text uses; None before the first tag."""
        self._patterns = _compile(known)
        self._longest = max(map(len, self._patterns.literals)) + _LONGEST_ATTRIBUTES + _AFTER
        self._rest = ""
        self._last_two = ""

    def feed(self, piece: str, is_last: bool = False) -> Iterator[_Token]:
        """The tokens that are certain now. A tag, or what may begin one, waits for the characters after it."""
        data = self._rest + piece
        self._rest = ""
        start = 0
        for found in self._patterns.tag.finditer(data):
            begin = found.start()
            before = data[begin - 2 : begin] if begin >= 2 else (self._last_two + data[:begin])[-2:]
            after = data[found.end() : found.end() + _AFTER]
            if len(after) < _AFTER and not is_last:
                self._rest = data[begin:]
                data = data[:begin]
                break
            kind = _Kind.TEXT if _is_quoted(before, after) else self._find_kind(found)
            if kind is _Kind.TEXT:
                continue
            yield from self._text(data[start:begin])
            if kind is not _Kind.OTHER:
                yield _Token(kind, found.group(), after)
            self._last_two = found.group()[-2:]
            start = found.end()
        if not is_last and not self._rest:
            data, self._rest = self._cut_beginning(data, start)
        yield from self._text(data[start:])

    def _find_kind(self, found: re.Match[str]) -> _Kind:
        """The kind of a tag: text if it is not of the tags that this text uses."""
        name, _, number = str(found.lastgroup).partition("_")
        kind = _Kind(name)
        if self._chosen is None and kind is not _Kind.OTHER:
            self._chosen = number
            self.tags = self._known[int(number)]
        return kind if number == self._chosen else _Kind.TEXT

    def _text(self, text: str) -> Iterator[_Token]:
        if text:
            self._last_two = (self._last_two + text)[-2:]
            yield _Token(_Kind.TEXT, text)

    def _cut_beginning(self, data: str, start: int) -> tuple[str, str]:
        """The text, and what at its end may be the beginning of a tag."""
        for found in self._patterns.first.finditer(data, max(start, len(data) - self._longest)):
            place = found.start()
            if self._may_begin(data[place:]):
                return data[:place], data[place:]
        return data, ""

    def _may_begin(self, text: str) -> bool:
        low = text.lower()
        return any(tag.startswith(low) for tag in self._patterns.literals) or bool(self._patterns.begun.fullmatch(text))


def _tag_pattern(tag: str) -> str:
    """A tag as a regular expression: `<think>` may have attributes, `</think >` may have spaces."""
    name = re.fullmatch(r"<(/?)([\w.:-]+)>", tag)
    if not name:
        return re.escape(tag)
    attributes = rf"\s{{0,{_LONGEST_ATTRIBUTES}}}" if name[1] else rf"(?:\s[^<>]{{0,{_LONGEST_ATTRIBUTES}}})?(?<!/)"
    return f"<{name[1]}{re.escape(name[2])}{attributes}>"


def _begun_pattern(tag: str) -> str:
    """A tag up to its attributes, without its end; empty for one that takes none."""
    name = re.fullmatch(r"<(/?)([\w.:-]+)>", tag)
    if not name:
        return ""
    attributes = r"\s" if name[1] else "[^<>]"
    return rf"<{name[1]}{re.escape(name[2])}\s{attributes}{{0,{_LONGEST_ATTRIBUTES}}}"


def _is_quoted(before: str, after: str) -> bool:
    """Whether a tag is alone in quotation marks. A mark that ends another quotation has a letter before it."""
    if not before or not after or _QUOTES.get(before[-1]) != after[0]:
        return False
    # Scripts without spaces have a letter before a quotation, too.
    return len(before) < 2 or before[0].isspace() or before[0] in _BEFORE_A_QUOTE or not before[0].isascii()


class _Phase(Enum):
    START = "start"
    """No tag has come: what is held may be the answer, or reasoning whose opening tag is missing."""
    BLOCK = "block"
    ANSWER = "answer"


class ReasoningSplitter:
    """Splits one text into reasoning and answer. `feed` it in pieces, then `finish` it."""

    def __init__(self, known: tuple[Tags, ...] = KNOWN_TAGS) -> None:
        self.reasoning: list[str] = []
        """The blocks."""
        self.is_finished = True
        """False where the text ended inside a block."""
        self._reader = TagReader(known)
        self._phase = _Phase.START
        self._head: list[str] = []
        """The text before the first tag."""
        self._head_may_be_reasoning = False
        self._head_is_open = True
        """Whether no block has closed before the open one."""
        self._block: list[_Token] = []
        """The open block with its opening tag."""
        self._depth = 0
        self._last_close = 0
        """Where in the block the last closing tag is that left it open; 0 for none."""
        self._may_be_mention = False
        """Whether the block's tag stands inside a line, so that it may be one that the text speaks of."""
        self._last_sent = ""
        """The last character of the answer so far."""
        self._line_has_text = False
        """Whether the last line of the answer so far has more than spaces."""
        self._after_block = True

    def feed(self, text: str) -> str:
        """The part of the answer that is certain now."""
        return "".join(map(self._take, self._reader.feed(text)))

    def finish(self, cut: bool = False) -> str:
        """The rest of the answer; `cut` tells whether the text was cut off at a token limit."""
        answer = "".join(map(self._take, self._reader.feed("", is_last=True)))
        if self._phase is _Phase.START:
            return answer + "".join(self._head)
        if self._phase is _Phase.BLOCK:
            return answer + self._end_open_block(cut)
        return answer + self._take_head()

    def _take(self, token: _Token) -> str:
        """Take a token; returns what of the answer it makes certain."""
        if self._phase is _Phase.BLOCK:
            return self._continue_block(token)
        if token.kind is _Kind.OPEN:
            return self._open_block(token)
        if self._phase is _Phase.START:
            return self._continue_head(token)
        return self._continue_answer(token)

    def _continue_head(self, token: _Token) -> str:
        if token.kind is _Kind.TEXT:
            self._head.append(token.text)
        else:  # the chat template opened the block
            self.reasoning.append("".join(self._head))
            self._head = []
            self._phase = _Phase.ANSWER
        return ""

    def _open_block(self, token: _Token) -> str:
        if self._phase is _Phase.START:
            # Inside a line, the tag may be one that the reasoning speaks of, whose own tag the chat template wrote.
            self._may_be_mention = bool("".join(self._head).rpartition("\n")[2].strip())
            self._head_may_be_reasoning = self._may_be_mention
        else:
            self._may_be_mention = self._line_has_text
        self._head_is_open = self._phase is _Phase.START
        self._block, self._depth, self._last_close = [token], 1, 0
        self._phase = _Phase.BLOCK
        return ""

    def _continue_block(self, token: _Token) -> str:
        self._block.append(token)
        if token.kind is _Kind.OPEN and not self._toggles():
            self._depth += not token.text.startswith("<|")  # special tokens begin blocks after each other
        elif token.kind is not _Kind.TEXT:
            self._depth -= 1
            self._last_close = len(self._block)
            if self._depth == 0:
                return self._restore_mention() if self._is_mention(token.after) else self._close_block()
        return ""

    def _toggles(self) -> bool:
        """Whether one tag both opens and closes a block."""
        opening, closing, *_ = self._reader.tags
        return opening.lower() == closing.lower()

    def _is_mention(self, after: str) -> bool:
        """Whether the tags of a block that has just closed are two that a sentence speaks of."""
        inside = "".join(token.text for token in self._block[1:-1])
        if _BETWEEN_MENTIONS.fullmatch(inside):
            return True
        is_short = len(inside) <= _LONGEST_MENTION and "\n" not in inside
        return self._may_be_mention and is_short and bool(_AFTER_A_MENTION.match(after))

    def _restore_mention(self) -> str:
        """Take a block for text after all."""
        text, self._block = "".join(token.text for token in self._block), []
        if self._head_is_open:
            self._head.append(text)
            self._phase = _Phase.START
            return ""
        self._phase = _Phase.ANSWER
        return self._send(text)

    def _close_block(self) -> str:
        self.reasoning.append(_text_of(self._block))
        self._block = []
        self._phase = _Phase.ANSWER
        text = "" if self._head_may_be_reasoning else self._take_head()
        self._after_block = True
        return text

    def _continue_answer(self, token: _Token) -> str:
        """A closing tag in the answer is one that it speaks of, or a second one right after the first."""
        if token.kind is _Kind.CLOSE and self._after_block:
            return ""
        text = token.text.lstrip() if self._after_block else token.text
        if text and self._head:
            self.reasoning.insert(-1, "".join(self._head))
            self._head = []
        if text and self._after_block and self._last_sent and not self._last_sent.isspace():
            text = f"\n{text}"  # what stood around a block is not one word
        return self._send(text)

    def _end_open_block(self, cut: bool) -> str:
        """The answer where the text ends with more opening tags than closing ones."""
        if self._last_close and not cut:  # an opening tag was one that the reasoning spoke of
            self.reasoning.append(_text_of(self._block[: self._last_close]))
            rest = "".join(token.text for token in self._block[self._last_close :])
            self._after_block = True
            return self._continue_answer(_Token(_Kind.TEXT, rest)) if rest.strip() else self._take_head()
        if self._may_be_mention and not self._last_close and not cut:
            return self._take_head() + "".join(token.text for token in self._block)
        self.is_finished = False
        self.reasoning.append(_text_of(self._block))
        return self._take_head().rstrip()

    def _take_head(self) -> str:
        text, self._head = "".join(self._head), []
        return self._send(text if text.strip() else "")

    def _send(self, text: str) -> str:
        if text:
            _, newline, line = text.rpartition("\n")
            self._line_has_text = bool(line.strip()) or (self._line_has_text and not newline)
            self._last_sent, self._after_block = text[-1], False
        return text


def _text_of(block: list[_Token]) -> str:
    """A block's text without tags."""
    return "".join(token.text for token in block if token.kind is _Kind.TEXT)


def ends_in_reasoning(text: str, known: tuple[Tags, ...] = KNOWN_TAGS) -> bool:
    """Whether a text begins with reasoning that never closes. For most texts, that takes a look at their head."""
    head = text[:_HEAD].lower()
    opened = [closing.lower() for opening, closing, *_ in known if opening.lower().rstrip(">") in head]
    if not opened:
        return False
    low = text.lower()
    return not any(closing in low for closing in opened) and not split_reasoning(text, known=known).is_finished


class SplitText(NamedTuple):
    """A whole text, split."""

    reasoning: str
    answer: str
    is_finished: bool


def split_reasoning(text: str, cut: bool = False, known: tuple[Tags, ...] = KNOWN_TAGS) -> SplitText:
    """Split a whole text; `cut` tells whether it was cut off at a token limit."""
    if not _compile(known).may_find(text):
        return SplitText("", text, is_finished=True)
    splitter = ReasoningSplitter(known)
    answer = splitter.feed(text) + splitter.finish(cut)
    return SplitText("\n".join(splitter.reasoning), answer, splitter.is_finished)
