"""Embeds queries and documents, ranks the documents for each query, and has trec_eval judge the ranks.

It runs where pytrec_eval is installed, with numpy, which that needs. As in BEIR: cosine similarity, the 1000 best
documents, no document that has the query's own id, and the same measures with the same cutoffs. A query whose embedding
failed has an error and no score. The documents are those of all queries: if one has no embedding, the job fails.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from evalmake.harnesses.job_requests import (
    Endpoint,
    Progress,
    RequestError,
    base_body,
    concurrency,
    digest,
    limit,
    write_samples,
)
from evalmake.harnesses.retrieval.data_set import (
    DataSetError,
    Judgements,
    Parts,
    read_documents,
    read_judgements,
    read_queries,
)

CUTOFFS = (1, 3, 5, 10, 100, 1000)
MEASURES = {"ndcg": "ndcg_cut", "map": "map_cut", "recall": "recall", "precision": "P"}
"""Our names of trec_eval's measures."""
_SHOWN = 10  # documents of a reply
_BLOCK = 4096  # documents that are ranked together
_FAR = 9.0  # no similarity is as low as -9

Ranks = list[tuple[str, float]]
"""Documents with their similarities, the best first."""


def main() -> None:
    """Embed, rank, judge, and write the samples."""
    told = json.loads(Path("task.json").read_text(encoding="utf-8"))
    parts = Parts(**told["parts"])
    try:
        judgements = read_judgements(parts.judgements, Path(parts.judgements))
        queries = read_queries(parts.queries, Path(parts.queries), judgements)
        asked = dict(islice(queries.items(), limit()))
        ranked, errors = _rank(asked, parts, told)
    except (DataSetError, RequestError) as error:
        raise SystemExit(f"{error}") from None
    write_samples([_make_sample(id, text, judgements[id], ranked, errors) for id, text in asked.items()])


def _rank(queries: Mapping[str, str], parts: Parts, told: Mapping[str, Any]) -> tuple[dict[str, Ranks], dict[str, str]]:
    """The ranks of the queries, and why there are none of some."""
    numpy: Any = importlib.import_module("numpy")
    embedder = _Embedder(numpy, told["batch"])
    errors: dict[str, str] = {}
    ids, vectors = [], []
    prefix, params = told["query_prefix"], told["query_params"]
    for batch, found in embedder.embed_all(((id, prefix + text) for id, text in queries.items()), params):
        if isinstance(found, RequestError):
            errors |= dict.fromkeys(batch, f"{found}")
        else:
            ids += batch
            vectors.append(found)
    if not ids:
        return {}, errors
    best = _Best(numpy, ids, numpy.concatenate(vectors))
    prefix, params = told["passage_prefix"], told["passage_params"]
    documents = ((id, prefix + text) for id, text in read_documents(parts.corpus, Path(parts.corpus)))
    for batch, found in embedder.embed_all(documents, params):
        if isinstance(found, RequestError):
            raise RequestError(f"{len(batch)} documents have no embedding, the first is `{batch[0]}`: {found}")
        best.add(batch, found)
    return best.rank(), errors


class _Best:
    """The best documents of each query, of those that were added. Never are all documents in memory."""

    def __init__(self, numpy: Any, queries: list[str], vectors: Any) -> None:
        self._numpy = numpy
        self._queries = {id: row for row, id in enumerate(queries)}
        self._vectors = vectors
        self._ids: list[str] = []
        self._block: list[Any] = []
        self._waiting = 0
        self._scores = numpy.empty((len(queries), 0), dtype=numpy.float32)
        self._places = numpy.empty((len(queries), 0), dtype=numpy.int64)  # in `_ids`

    def add(self, ids: list[str], vectors: Any) -> None:
        """Add documents."""
        if vectors.shape[1] != self._vectors.shape[1]:
            numbers = f"{self._vectors.shape[1]} numbers for queries and {vectors.shape[1]} for documents"
            raise RequestError(f"embeddings have {numbers}")
        self._ids += ids
        self._block.append(vectors)
        self._waiting += len(ids)
        if self._waiting >= _BLOCK:
            self._merge()

    def rank(self) -> dict[str, Ranks]:
        """The best documents of each query. Of equal ones, the one with the greater id is first, as in trec_eval."""
        self._merge()
        ranks = {}
        for id, row in self._queries.items():
            pairs = zip(self._scores[row].tolist(), self._places[row].tolist(), strict=True)
            best = sorted(((score, self._ids[place]) for score, place in pairs if score > -_FAR), reverse=True)
            ranks[id] = [(document, score) for score, document in best]
        return ranks

    def _merge(self) -> None:
        """Compare the documents of the block with the best so far."""
        if not self._block:
            return
        numpy, first = self._numpy, len(self._ids) - self._waiting
        scores = (self._vectors @ numpy.concatenate(self._block).T).astype(numpy.float32)
        for column, id in enumerate(self._ids[first:]):
            if id in self._queries:
                scores[self._queries[id], column] = -_FAR  # BEIR leaves out a document with the query's id
        places = numpy.broadcast_to(numpy.arange(first, len(self._ids)), scores.shape)
        scores, places = numpy.hstack([self._scores, scores]), numpy.hstack([self._places, places])
        if scores.shape[1] > max(CUTOFFS):
            kept = numpy.argpartition(-scores, max(CUTOFFS) - 1, axis=1)[:, : max(CUTOFFS)]
            scores, places = (numpy.take_along_axis(each, kept, axis=1) for each in (scores, places))
        self._scores, self._places, self._block, self._waiting = scores, places, [], 0


class _Embedder:
    """Asks for embeddings, some requests at a time, and yields them in order."""

    def __init__(self, numpy: Any, batch: int) -> None:
        self._numpy = numpy
        self._batch = batch
        self._progress = Progress(0)
        self._endpoint = Endpoint("MODEL")
        self._common = {**base_body(json.loads(os.environ["EVALMAKE_PARAMS"])), "encoding_format": "float"}
        self._common.pop("seed", None)  # an embedding is not drawn

    def embed_all(self, texts: Iterable[tuple[str, str]], params: Mapping[str, Any]) -> Iterator[tuple[list[str], Any]]:
        """The ids of each batch with an array of unit vectors, or with the error of its request."""
        rest = iter(texts)
        with ThreadPoolExecutor(concurrency()) as pool:
            while window := [chunk for _ in range(concurrency()) if (chunk := list(islice(rest, self._batch)))]:
                ids = [[id for id, _ in chunk] for chunk in window]
                yield from zip(ids, pool.map(lambda chunk: self._embed(chunk, params), window), strict=True)

    def _embed(self, chunk: Sequence[tuple[str, str]], params: Mapping[str, Any]) -> Any:
        try:
            body = {**self._common, **params, "input": [text for _, text in chunk]}
            vectors = self._read_vectors(self._endpoint.post("/embeddings", body), len(chunk))
        except RequestError as error:
            self._progress.add(len(chunk), failed=True)
            return error
        self._progress.add(len(chunk))
        return vectors

    def _read_vectors(self, reply: Mapping[str, Any], count: int) -> Any:
        numpy = self._numpy
        try:
            rows = sorted(reply["data"], key=lambda row: row["index"])
            vectors = numpy.array([row["embedding"] for row in rows], dtype=numpy.float64)
        except (LookupError, TypeError, ValueError):
            raise RequestError("the reply has no embeddings") from None
        if vectors.ndim != 2 or len(vectors) != count or not numpy.isfinite(vectors).all():
            raise RequestError(f"the reply has not {count} embeddings of equal length")
        lengths = numpy.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / numpy.where(lengths == 0, 1, lengths)


def _make_sample(
    id: str, text: str, judgements: Mapping[str, int], ranked: Mapping[str, Ranks], errors: Mapping[str, str]
) -> dict[str, Any]:
    """The sample of a query; its reply is the list of the best documents."""
    relevant = sorted((document for document, score in judgements.items() if score > 0), key=lambda d: -judgements[d])
    sample: dict[str, Any] = {"id": id, "item": digest([text, dict(judgements)]), "repetition": 1, "target": relevant}
    if id in errors:
        return sample | {"scores": {}, "error": errors[id]}
    ranks = ranked[id]
    scores = _judge({id: dict(judgements)}, ranks)
    return sample | {"scores": scores, "error": None, "reply": " ".join(document for document, _ in ranks[:_SHOWN])}


def _judge(judgements: Judgements, ranks: Ranks) -> dict[str, float]:
    """What trec_eval says of the ranks of the one query that is judged."""
    pytrec_eval: Any = importlib.import_module("pytrec_eval")
    cut = ",".join(map(str, CUTOFFS))
    (id,) = judgements
    measures = {f"{name}.{cut}" for name in MEASURES.values()}
    run = {id: dict(ranks)}
    found = pytrec_eval.RelevanceEvaluator(judgements, measures).evaluate(run).get(id, {})
    scores = {f"{ours}@{k}": float(found[f"{theirs}_{k}"]) for k in CUTOFFS for ours, theirs in MEASURES.items()}
    first = pytrec_eval.RelevanceEvaluator(judgements, {"recip_rank"})
    for k in CUTOFFS:
        scores[f"mrr@{k}"] = float(first.evaluate({id: dict(ranks[:k])})[id]["recip_rank"])
    return scores


if __name__ == "__main__":
    main()
