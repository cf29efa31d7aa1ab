"""The parameters of an evaluation's requests as the model got them: after every rewriting, with how often each was so.

They are counted before a request is sent, once however often it is tried, and for a cached reply as well: the result
rests on what would have been sent. What a prompt is made of is left out, whatever its endpoint calls it. Numbers and
the like are kept as they are, and so are short texts and lists of the parameters that choose something. Of any other
text, and of what is long, the sha256 is kept.

Each request passes here, so its values are only counted, and told as texts when they are written.
"""

from __future__ import annotations

import json
import marshal
from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

_LEFT_OUT = frozenset(
    {
        "messages",
        "prompt",
        "prompts",
        "input",
        "inputs",
        "suffix",
        "instruction",
        "instructions",
        "system",
        "system_prompt",
        "system_instruction",
        "contents",
        "content",
        "text",
        "texts",
        "text_1",
        "text_2",
        "query",
        "queries",
        "question",
        "document",
        "documents",
        "passages",
        "prediction",
        "image",
        "images",
        "audio",
        "file",
        "data",
    }
)
"""What a request asks, in the words of chat, completions, responses, embeddings, rerankers and scores."""
_READABLE = frozenset(
    {
        "add_generation_prompt",
        "chat_template_kwargs",
        "encoding_format",
        "include",
        "logit_bias",
        "modalities",
        "model",
        "parallel_tool_calls",
        "reasoning",
        "reasoning_effort",
        "response_format",
        "service_tier",
        "stop",
        "stop_token_ids",
        "stream_options",
        "thinking",
        "tool_choice",
        "truncation",
        "verbosity",
    }
)
"""Parameters whose short texts are kept as they are: they choose something, and hold nothing of a question."""
_LONGEST = 100  # characters of a name or a value that is kept as it is; cut, it may end in half a secret
_MOST_NAMES, _MOST_VALUES = 100, 100
_MOST_KNOWN, _LARGEST_KNOWN = 20, 2**16  # bytes
_MARSHAL = 2  # the version whose bytes depend on the value alone
_LARGEST = 2**63
_OTHERS = "others"
_DIGEST = "sha256:"

_Key = tuple[type, Any]


class SentParameters:
    """Parameter -> value -> how many requests had it."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[_Key, int]] = {}
        self._known_texts: dict[bytes, str] = {}

    def record(self, body: Mapping[str, Any]) -> None:
        """Count the parameters of one request."""
        for name, value in body.items():
            if name in _LEFT_OUT:
                continue
            counts = self._counts.get(name)
            if counts is None:
                name = _shorten(str(name)) if len(self._counts) < _MOST_NAMES else _OTHERS
                counts = self._counts.setdefault(name, {})
            kind = value.__class__
            if kind is float or kind is bool or value is None or (kind is int and -_LARGEST < value < _LARGEST):
                key: _Key = (kind, value)
            else:
                key = (kind, value) if kind is str and len(value) <= _LONGEST else (dict, self._shorten(value))
            if key in counts:
                counts[key] += 1
            elif len(counts) < _MOST_VALUES:
                counts[key] = 1
            else:
                key = (object, _OTHERS)
                counts[key] = counts.get(key, 0) + 1

    def _shorten(self, value: Any) -> str:
        """A list, map or long text as JSON, or its digest if that is long.

        Most requests have the same ones. To see that takes a tenth of the time of writing tools as JSON.
        """
        try:
            seen = marshal.dumps(value, _MARSHAL)
        except ValueError:  # of a type that an interceptor made
            return _shorten(value)
        if (known := self._known_texts.get(seen)) is not None:
            return known
        text = _shorten(value)
        if len(self._known_texts) < _MOST_KNOWN and len(seen) <= _LARGEST_KNOWN:
            self._known_texts[seen] = text
        return text

    def summarize(self, redact: Callable[[str], str]) -> dict[str, dict[str, int]]:
        """The counts by the JSON of each value, or its digest; what is beyond the first hundred is `others`."""
        found: dict[str, Counter[str]] = {}
        for name, counts in self._counts.items():
            values = found.setdefault(redact(name), Counter())
            for (kind, value), count in counts.items():
                values[_tell(name, kind, value, redact)] += count
        return {name: dict(values) for name, values in sorted(found.items())}


def _shorten(value: object) -> str:
    try:
        text = value if isinstance(value, str) else _to_json(value)
    except (TypeError, ValueError, RecursionError):
        return _OTHERS
    return text if len(text) <= _LONGEST else _digest(text)


def _tell(name: str, kind: type, value: Any, redact: Callable[[str], str]) -> str:
    """A value as it is written down, without secrets."""
    if kind is object or (kind is dict and value.startswith(_DIGEST)):
        return str(value)
    text = redact(value if kind in (dict, str) else _to_json(value))
    if name not in _READABLE and (kind is str or '"' in text):
        return _digest(text)
    return _to_json(text) if kind is str else text


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _digest(text: str) -> str:
    return _DIGEST + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
