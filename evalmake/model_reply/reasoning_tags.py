"""The reasoning inside a text, between tags: `<think>Let me see.</think>It is 7.`

One reader serves whole replies and streams, so both give the same answer. It reads a tag in any case and with
attributes, blocks in each other, and several blocks. A model whose chat template opens the first block writes only
its end. A tag in quotation marks is a mention and no tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

TAGS = ("<think>", "</think>")
BEHAVIOUR = 2
"""Raise it when texts are split in another way: it is part of the identity of results with `strip_reasoning`."""
_LONGEST_ATTRIBUTES = 200
_QUOTES = {"`": "`", '"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "(": ")", "[": "]"}
_BEFORE_A_QUOTE = "([{*`"


class _Kind(Enum):
    TEXT = "text"
    OPEN = "open"
    CLOSE = "close"


class _Token(NamedTuple):
    kind: _Kind
    text: str


class TagReader:
    """Splits a text, given in pieces, into tags and what is between them."""

    def __init__(self, tags: tuple[str, str]) -> None:
        self._literals = tuple(tag.lower() for tag in tags)
        patterns = [_tag_pattern(tag) for tag in tags]
        self._tag = re.compile(f"(?P<open>{patterns[0]})|(?P<close>{patterns[1]})", re.IGNORECASE | re.ASCII)
        self._beginning = re.compile("|".join(filter(None, map(_begun_pattern, tags))) or r"(?!)", re.IGNORECASE)
        self._first = re.compile("|".join({re.escape(tag[0]) for tag in tags}), re.IGNORECASE)
        self._longest = max(map(len, tags)) + _LONGEST_ATTRIBUTES + 2
        self._rest = ""
        self._last_two = ""

    def feed(self, piece: str, is_last: bool = False) -> Iterator[_Token]:
        """The tokens that are certain now. What may be the beginning of a tag waits for the next piece."""
        data = self._rest + piece
        self._rest = ""
        start = 0
        for found in self._tag.finditer(data):
            begin = found.start()
            before = data[begin - 2 : begin] if begin >= 2 else (self._last_two + data[:begin])[-2:]
            after = data[found.end() : found.end() + 1]
            if not after and not is_last and _may_quote(before):
                self._rest = data[begin:]
                data = data[:begin]
                break
            if _is_quoted(before, after):
                continue
            yield from self._text(data[start:begin])
            yield _Token(_Kind.OPEN if found["open"] else _Kind.CLOSE, found.group())
            self._last_two = found.group()[-2:]
            start = found.end()
        if not is_last and not self._rest:
            data, self._rest = self._cut_beginning(data, start)
        yield from self._text(data[start:])

    def _text(self, text: str) -> Iterator[_Token]:
        if text:
            self._last_two = (self._last_two + text)[-2:]
            yield _Token(_Kind.TEXT, text)

    def _cut_beginning(self, data: str, start: int) -> tuple[str, str]:
        """The text, and what at its end may be the beginning of a tag."""
        for found in self._first.finditer(data, max(start, len(data) - self._longest)):
            place = found.start()
            if self._may_begin(data[place:]):
                return data[:place], data[place:]
        return data, ""

    def _may_begin(self, text: str) -> bool:
        low = text.lower()
        return any(tag.startswith(low) for tag in self._literals) or bool(self._beginning.fullmatch(text))


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


def _may_quote(before: str) -> bool:
    """Whether a quotation begins at the end of `before`. One that ends there has a letter before it."""
    return before[-1:] in _QUOTES and (len(before) < 2 or before[0].isspace() or before[0] in _BEFORE_A_QUOTE)


def _is_quoted(before: str, after: str) -> bool:
    return _may_quote(before) and after == _QUOTES[before[-1]]


class _Phase(Enum):
    START = "start"
    """No tag has come: what is held may be the answer, or reasoning whose opening tag is missing."""
    BLOCK = "block"
    ANSWER = "answer"


class ReasoningSplitter:
    """Splits one text into reasoning and answer. `feed` it in pieces, then `finish` it."""

    def __init__(self, tags: tuple[str, str] = TAGS) -> None:
        self.reasoning: list[str] = []
        """The blocks."""
        self.is_finished = True
        """False where the text ended inside a block."""
        self._reader = TagReader(tags)
        self._toggles = tags[0].lower() == tags[1].lower()
        self._phase = _Phase.START
        self._head: list[str] = []
        """The text before the first tag."""
        self._head_may_be_reasoning = False
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
        self._block, self._depth, self._last_close = [token], 1, 0
        self._phase = _Phase.BLOCK
        return ""

    def _continue_block(self, token: _Token) -> str:
        self._block.append(token)
        if token.kind is _Kind.OPEN and not self._toggles:
            self._depth += 1
        elif token.kind is not _Kind.TEXT:
            self._depth -= 1
            self._last_close = len(self._block)
            if self._depth == 0:
                return self._close_block()
        return ""

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


class SplitText(NamedTuple):
    """A whole text, split."""

    reasoning: str
    answer: str
    is_finished: bool


def split_reasoning(text: str, cut: bool = False, tags: tuple[str, str] = TAGS) -> SplitText:
    """Split a whole text; `cut` tells whether it was cut off at a token limit."""
    splitter = ReasoningSplitter(tags)
    answer = splitter.feed(text) + splitter.finish(cut)
    return SplitText("\n".join(splitter.reasoning), answer, splitter.is_finished)
