"""/v1/embeddings: feature hashing (Weinberger et al. 2009) of a text's tokens, as unit vectors."""

from __future__ import annotations

import base64
import math
from array import array
from typing import Any

from xxhash import xxh3_64_intdigest

from evalmake.engines.mock.request_fields import ApiError, Body, decode_ids, read_integer
from evalmake.engines.mock.tokens import split_tokens

_DEFAULT_DIMENSIONS = 64


def embed(body: Body, model: str) -> Body:
    """One vector for each input, as floats or as base64 of little-endian 32-bit floats."""
    inputs = _read_inputs(body.get("input"))
    dimensions = read_integer(body, "dimensions", _DEFAULT_DIMENSIONS, 1, 8192) or _DEFAULT_DIMENSIONS
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise ApiError(400, "encoding_format must be float or base64", "encoding_format")
    data = []
    for index, tokens in enumerate(inputs):
        vector: Any = unit_vector(tokens, dimensions)
        if encoding == "base64":
            vector = base64.b64encode(array("f", vector).tobytes()).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector})
    tokens_in = sum(map(len, inputs))
    counts = {"prompt_tokens": tokens_in, "total_tokens": tokens_in}
    return {"object": "list", "data": data, "model": model, "usage": counts}


def unit_vector(tokens: list[str], dimensions: int) -> list[float]:
    """A vector of length 1: near for texts that share tokens, and never quite the same for different ones."""
    vector = [0.0] * dimensions
    for feature in [*(token.strip().lower() for token in tokens), "\0" + "".join(tokens)]:
        digest = xxh3_64_intdigest(feature.encode("utf-8", "replace"))
        vector[digest % dimensions] += 1.0 if digest >> 63 else -1.0
    norm = math.hypot(*vector)
    return [value / norm for value in vector] if norm else [1.0, *vector[1:]]


def _read_inputs(given: Any) -> list[list[str]]:
    if isinstance(given, str):
        return [split_tokens(given)]
    if isinstance(given, list) and given:
        if all(isinstance(text, str) for text in given):
            return [split_tokens(text) for text in given]
        return [decode_ids(ids) for ids in (given if isinstance(given[0], list) else [given])]
    raise ApiError(400, "input must be text, token ids, or a list of either", "input")
