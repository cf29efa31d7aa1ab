"""The reply cache's key.

The key is the model's identity, the path and the whole request as it goes upstream, less the fields that cannot
change a reply. Where the model samples, the evaluation's seed and the repetition number belong to it, too: the
k-th identical request is the k-th sample, so ten samples of one prompt stay ten. `stream` is one of the request's
fields, so a streamed reply is replayed byte for byte and never translated from the other form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xxhash import xxh3_128_hexdigest

_IGNORED_FIELDS = ("user", "metadata")
_GENERATING_PATHS = ("/chat/completions", "/completions", "/responses")
_DETERMINISTIC_PATHS = ("/embeddings", "/rerank", "/score", "/pooling", "/tokenize", "/detokenize")

_to_canonical_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class RequestKey:
    """What makes two requests the same: the canonical text, its digest, and whether the model samples."""

    text: bytes
    digest: str
    samples: bool

    def cache_key(self, model: str, seed: str, repetition: int) -> str:
        """The key of a reply. The model's identity comes first, so one model's replies lie together."""
        sample = f"{seed}#{repetition}" if self.samples else ""
        return f"{xxh3_128_hexdigest(model.encode())}/{self.digest}/{sample}"


def build_request_key(target: str, body: Mapping[str, Any]) -> RequestKey | None:
    """The key of a POST of `body` to `target`, a path with its query; None for what is never cached."""
    path = target.partition("?")[0]
    deterministic = path.endswith(_DETERMINISTIC_PATHS)
    if not deterministic and not path.endswith(_GENERATING_PATHS):
        return None
    fields = {name: value for name, value in body.items() if name not in _IGNORED_FIELDS}
    text = f"{target}\n{_to_canonical_json(fields)}".encode("utf-8", "surrogatepass")
    samples = not deterministic and not _is_greedy(body)
    return RequestKey(text, xxh3_128_hexdigest(text), samples)


def _is_greedy(body: Mapping[str, Any]) -> bool:
    temperature = body.get("temperature")
    return (
        isinstance(temperature, int | float)
        and temperature == 0
        and body.get("n") in (None, 1)
        and body.get("best_of") in (None, 1)
    )
