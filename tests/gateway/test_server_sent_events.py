"""Server-sent events, split and assembled."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from evalmake.gateway.proxy import server_sent_events

EVENTS = st.lists(
    st.sampled_from(
        [
            b'data: {"a": 1}',
            b'data:{"b": "\xc3\xa9\\n"}',
            b"data: [DONE]",
            b": comment",
            b"data: no",
            b'event: x\ndata: {"c":\ndata: 2}',
            b'id: 1\rdata: {"d": 3}',
            b"\r",
            b"",
            b"x",
            b'data: {"e',
            b'data: {"f": 4}\r\nretry: 5',
            b"\n",
            b" ",
            b"data: []",
        ]
    ),
    max_size=8,
)
ENDS = st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r", b"\r\n\n", b"\n", b"\r", b"\r\n", b""])


def _split(pieces: list[bytes]) -> list[object]:
    splitter = server_sent_events.EventSplitter()
    found = [event for piece in pieces for event in splitter.feed(piece)]
    return [*found, *splitter.finish()]


@settings(deadline=None, max_examples=500)
@given(EVENTS, st.data())
def test_however_it_is_cut(events: list[bytes], data: st.DataObject) -> None:
    """However the bytes are cut, the events are those of the whole."""
    whole = b"".join(event + data.draw(ENDS) for event in events)
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=6).map(sorted))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert _split(pieces) == _split([whole])
    assert _split([whole[at : at + 1] for at in range(len(whole))]) == _split([whole])


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=3)))
def test_what_is_written_is_read(events: list[dict[str, object]]) -> None:
    """Events that are written come back as they were, with CRLF too."""
    data = b"".join(map(server_sent_events.event_to_bytes, events))
    assert _split([data]) == events
    assert _split([data.replace(b"\n", b"\r\n")]) == events


def test_lines_of_data_make_one_text() -> None:
    """Several `data:` lines are one text; what is no JSON object stays as it is."""
    stream = b'data: {"a":\r\ndata: 1}\r\n\r\nevent: x\r\ndata: y\r\n\r\ndata: {"late": 1}'
    assert _split([stream]) == [{"a": 1}, b"event: x\ndata: y", {"late": 1}]


def test_assembled() -> None:
    """A stream adds up to its choices' texts, calls and finish reasons, and its usage."""
    parts: list[dict[str, object]] = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}], "usage": None},
        {
            "choices": [
                {"index": 0, "delta": {"content": "a"}},
                {"index": 1, "delta": {"content": "x"}},
            ]
        },
        {"choices": [{"index": 0, "delta": {"content": "b", "reasoning": "r"}}]},
        {"choices": [{"index": 1, "delta": {"tool_calls": [{"id": "1"}, {"function": {}}]}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"completion_tokens": 3}},
        {"choices": 7, "error": None},
    ]
    data = b"".join(b"data: " + json.dumps(part).encode() + b"\n\n" for part in parts)
    assert server_sent_events.assemble_reply(data + b"data: [DONE]\n\n") == {
        "usage": {"completion_tokens": 3},
        "choices": [
            {"message": {"content": "ab", "reasoning": "r"}, "finish_reason": "stop"},
            {"message": {"content": "x", "tool_calls": [{"id": "1"}]}},
        ],
    }
