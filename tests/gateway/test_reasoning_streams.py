"""Streams without their reasoning give the same answers as whole replies."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from evalmake.gateway.interceptors.reasoning import ReasoningFilter
from evalmake.gateway.proxy.stream_rewrite import StreamRewrite
from tests.support.http_replies import DONE, chat_completion, chat_event


class _Record:
    """Keeps rows."""

    def __init__(self) -> None:
        self.rows: list[Any] = []

    def add_count(self, name: str, amount: int = 1) -> None:
        """Nothing."""

    def append_row(self, name: str, values: Any) -> None:
        """Keep it."""
        self.rows.append(values)


@settings(deadline=None, max_examples=200)
@given(
    before=st.text("ab <\n", max_size=8),
    inside=st.text("cd <>/\n", max_size=8),
    after=st.text("ef >\n", max_size=8),
    tags=st.sampled_from(["both", "close", "open", "none"]),
    cuts=st.lists(st.integers(0, 40), max_size=6),
    finishes=st.booleans(),
)
def test_streams_tell_what_whole_replies_do(
    before: str, inside: str, after: str, tags: str, cuts: list[int], finishes: bool
) -> None:
    """However a text is split into events, answer and reasoning are those of the whole text."""
    opening = "<think>" if tags in ("both", "open") else ""
    closing = "</think>" if tags in ("both", "close") else ""
    text = before + opening + inside + closing + after
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    parts = [text[a:b] for a, b in itertools.pairwise(places)]
    streamed, whole = _Record(), _Record()
    rewrite = StreamRewrite([ReasoningFilter(True)], streamed)
    last = [chat_event(finish="stop"), DONE] if finishes else [DONE]
    sent = [*rewrite.feed(b"".join([*map(chat_event, parts), *last])), *rewrite.finish()]
    heard = [json.loads(one[6:]) for one in sent if one != DONE]
    answer = "".join(one["choices"][0]["delta"].get("content", "") for one in heard)
    expected = ReasoningFilter(True).rewrite_reply(chat_completion(text), whole)
    assert answer == expected["choices"][0]["message"]["content"]
    assert streamed.rows == whole.rows


_PIECES = (
    *("<think>", "</think>", "<THINK>", "</Think>", "<think a=1>", "`<think>`", '"</think>"', "<thi", "nk>", "</", "`"),
    *("7", " ", "\n", "It is ", "(", ")", " and ", " tags.", "[THINK]", "[/THINK]", "<seed:think>", "</seed:think>"),
    *("<|START_THINKING|>", "<|END_THINKING|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>", "assistantfinal"),
    *("<|channel|>analysis<|message|>", "<|channel|>final<|message|>", "<|start|>assistant", "<|end|>", "<|return|>"),
)
_FIELDS = st.dictionaries(
    st.sampled_from(["reasoning_content", "reasoning", "thinking"]), st.text("hm", min_size=1, max_size=3), max_size=1
)


@settings(deadline=None, max_examples=200)
@given(
    texts=st.lists(st.lists(st.sampled_from(_PIECES), max_size=4).map("".join), min_size=1, max_size=5),
    fields=_FIELDS,
    kind=st.sampled_from(["text", "parts", "completion"]),
    finish=st.sampled_from(["stop", "length"]),
    odd=st.integers(1, 40),
)
def test_streams_of_any_form_tell_what_whole_replies_do(
    texts: list[str], fields: dict[str, str], kind: str, finish: str, odd: int
) -> None:
    """Tags nested, several, unclosed, upper-case or mentioned, parts and fields: both forms give the same answer."""
    whole: dict[str, Any] = chat_completion("".join(texts), finish, **fields)
    choices: list[dict[str, Any]] = [{"delta": {"content": text}} for text in texts]
    if kind == "completion":
        whole, fields = {"choices": [{"index": 0, "text": "".join(texts), "finish_reason": finish}]}, {}
        choices = [{"text": text} for text in texts]
    if kind == "parts":
        whole["choices"][0]["message"]["content"] = [{"type": "text", "text": text} for text in texts]
        choices = [{"delta": {"content": [{"type": "text", "text": text}]}} for text in texts]
    if fields:
        choices.insert(0, {"delta": fields})
    choices.append({"text": ""} if kind == "completion" else {"delta": {}})
    choices[-1]["finish_reason"] = finish
    stream = b"".join(b"data: " + json.dumps({"choices": [{"index": 0, **one}]}).encode() + b"\n\n" for one in choices)
    streamed, recorded = _Record(), _Record()
    rewrite = StreamRewrite([ReasoningFilter(True)], streamed)
    pieces = [stream[at : at + odd] for at in range(0, len(stream), odd)]
    sent = b"".join([part for piece in pieces for part in rewrite.feed(piece)] + rewrite.finish())
    [choice] = ReasoningFilter(True).rewrite_reply(whole, recorded)["choices"]
    expected = choice["message"]["content"] if "message" in choice else choice["text"]
    heard = [json.loads(one[6:])["choices"][0] for one in sent.split(b"\n\n") if one]
    assert "".join(one.get("text") or one.get("delta", {}).get("content") or "" for one in heard) == expected
    assert streamed.rows == recorded.rows
