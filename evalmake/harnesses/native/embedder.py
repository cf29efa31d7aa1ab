"""The embedder: a model that says by vectors how near the meaning of a reply is to that of other texts.

The wire format is that of OpenAI's API reference for `POST /v1/embeddings`.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from evalmake.harnesses.native.client import Client
from evalmake.harnesses.native.errors import EndpointError, RequestError, UnusableReply

Compare = Callable[[str, Sequence[str]], Awaitable[float]]
"""How near a reply is to the nearest of some texts."""


_DIGITS = 12


class EmbedderError(RequestError):
    """A request to the embedder failed, or gave no vectors."""


class Embedder:
    """Compares texts by the vectors of a model."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.tokens_in = 0

    @property
    def usage(self) -> dict[str, int]:
        """The embedder's requests and tokens."""
        return {"requests": self.client.requests, "tokens_in": self.tokens_in}

    async def compare(self, reply: str, texts: Sequence[str]) -> float:
        """The cosine similarity of a reply with the text that is nearest to it; EmbedderError where none is known.

        An empty reply has no meaning: it is 0, and endpoints refuse such a text.
        """
        if not reply.strip():
            return 0.0
        body = {"input": [reply, *texts], "model": self.client.endpoint.name, "encoding_format": "float"}
        body |= {name: value for name, value in self.client.endpoint.params.items() if value is not None}
        try:
            answer = await self.client.post(body)
            vectors = read_vectors(answer.data, len(texts) + 1)
        except RequestError as error:
            raise EmbedderError(str(error), error.status, error.kind) from None
        except EndpointError as error:
            raise EndpointError(f"embedder: {error}") from None
        self.tokens_in += answer.tokens("prompt_tokens") or 0
        return max(find_cosine(vectors[0], vector) for vector in vectors[1:])


def read_vectors(data: Mapping[str, Any], count: int) -> list[list[float]]:
    """The vectors of a reply in the order of the texts; UnusableReply where they are not what was asked for."""
    rows = data.get("data")
    listed = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    given = {row.get("index"): row.get("embedding") for row in listed}
    vectors: list[Any] = [given.get(number) for number in range(count)]
    if len(given) != count or not all(_is_vector(one) for one in vectors):
        raise UnusableReply(f"it has no {count} vectors")
    if len({len(one) for one in vectors if one}) != 1:
        raise UnusableReply("its vectors have several lengths")
    return [one for one in vectors if one]


def find_cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of the angle between two vectors, without what rounding adds; 0 where one has no direction."""
    norm = math.sqrt(math.fsum(a * a for a in one)) * math.sqrt(math.fsum(b * b for b in other))
    if not norm:
        return 0.0
    cosine = math.fsum(a * b for a, b in zip(one, other, strict=True)) / norm
    return round(max(-1.0, min(1.0, cosine)), _DIGITS)


def _is_vector(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one) for one in value)
    )
