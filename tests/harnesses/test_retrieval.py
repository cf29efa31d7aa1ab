"""The `retrieval` harness with trec_eval from PyPI, against an endpoint whose embeddings are in the texts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from evalmake.harnesses.retrieval.data_set import (
    DataSetError,
    Parts,
    find_parts,
    read_documents,
    read_judgements,
    read_queries,
)
from evalmake.run.environments.environment import Environment
from tests.support.http_replies import http_reply
from tests.support.scripted_upstream import ReceivedRequest, Step, Upstream
from tests.support.workspaces import Bench

EVALFILE = """
include "catalog:retrieval"
model m {{ endpoint = "{url}", name = "m", api = embeddings, concurrency = 2 }}
benchmark mine from retrieval.beir {{
    files = glob("set/**")
    batch = 2
    {keys}
}}
eval e {{ model = m, benchmark = mine }}
"""
CORPUS = [
    {"_id": "d1", "title": "", "text": "1 0"},
    {"_id": "d2", "title": "0.8", "text": "0.6"},
    {"_id": "d3", "text": "0.6 0.8", "metadata": {}},
    {"_id": "d4", "title": "", "text": "0 2"},
    {"_id": "empty", "title": "", "text": ""},
]
QUERIES = [
    {"_id": "q1", "text": "1 0"},
    {"_id": "not judged", "text": "1 1"},
    {"_id": "q2", "text": "0 1"},
    {"_id": "d1", "text": "1 0"},
]
JUDGED = "query-id\tcorpus-id\tscore\nq1\td2\t2\nq1\td4\t1\nq2\td4\t1\nd1\td2\t1\n"


def put_set(folder: Path) -> None:
    """Four documents, and three queries that are judged, in BEIR's layout."""
    (folder / "qrels").mkdir(parents=True)
    for name, rows in (("corpus", CORPUS), ("queries", QUERIES)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "qrels" / "test.tsv").write_text(JUDGED)


def embed(seen: ReceivedRequest) -> list[Step]:
    """Embeddings that are the last two numbers of each text, in the reverse order."""
    texts = json.loads(seen.body)["input"]
    rows = [{"index": at, "embedding": [float(word) for word in text.split()[-2:]]} for at, text in enumerate(texts)]
    return [http_reply({"object": "list", "model": "m", "data": rows[::-1], "usage": {"prompt_tokens": 1}})]


@pytest.fixture
def ranking(bench: Bench, retrieval: Environment) -> Bench:
    """A workspace with a data set, and the harness's environment."""
    put_set(bench.root / "set")
    return bench


def test_measures_are_those_computed_by_hand(ranking: Bench) -> None:
    """q1 ranks d1 d2 d3 d4, where d2 (2) and d4 (1) are right; others find theirs first. A second run asks nothing."""
    server = Upstream(embed)
    ranking.evalfile(EVALFILE.format(url=server.url, keys=""))
    ended = ranking.run()
    assert ended.status == 0, ended.text
    (attempt,) = ranking.attempts()
    assert attempt.metric == "ndcg@10"
    found = {score.metric: score for score in attempt.scores}
    of_q1 = {
        "ndcg@10": 0.6433224,  # (2/log2(3) + 1/log2(5)) / (2 + 1/log2(3))
        "ndcg@1": 0.0,
        "map@10": 0.5,  # (1/2 + 2/4) / 2
        "recall@1": 0.0,
        "recall@3": 0.5,
        "precision@3": 1 / 3,
        "mrr@10": 0.5,
        "mrr@1": 0.0,
    }
    of_others = dict.fromkeys(of_q1, 1.0) | {"precision@3": 1 / 3}
    samples = {sample["id"]: sample for sample in ranking.samples(attempt)}
    assert list(samples) == ["q1", "q2", "d1"]
    for metric, value in of_q1.items():
        assert samples["q1"]["scores"][metric] == pytest.approx(value, abs=1e-6), metric
        mean = (value + 2 * of_others[metric]) / 3
        assert found[metric].value == pytest.approx(mean, abs=1e-6), metric
        assert (found[metric].scored, found[metric].unscored) == (3, 0)
    assert found["ndcg@10"].stderr == pytest.approx((1 - 0.6433224) / 3, abs=1e-6)
    assert samples["q1"]["reply"] == "d1 d2 d3 d4"
    assert samples["q1"]["target"] == ["d2", "d4"]
    assert samples["d1"]["reply"] == "d2 d3 d4"  # not the document that is the query
    asked = len(server.received)
    assert "nothing to do" in ranking.run().text
    assert len(server.received) == asked
    assert ranking.run("verify").status == 0  # which scores the stored samples again


def test_queries_and_documents_are_asked_for_in_their_own_ways(ranking: Bench) -> None:
    """By prefixes and parameters; and a limit is one of queries, never of documents."""
    server = Upstream(embed)
    keys = 'query_prefix = "query: ", passage_prefix = "passage: ", query_params = { input_type = "query" }'
    ranking.evalfile(EVALFILE.format(url=server.url, keys=keys.replace(", ", "\n")))
    ranking.edit("benchmark = mine }", "benchmark = mine, limit = 1 }")
    ended = ranking.run()
    assert ended.status == 0, ended.text
    texts: dict[Any, list[str]] = {}
    for body in server.bodies:
        texts.setdefault(body.get("input_type"), []).extend(body["input"])
    assert texts["query"] == ["query: 1 0"]
    assert sorted(texts[None]) == ["passage: 0 2", "passage: 0.6 0.8", "passage: 0.8 0.6", "passage: 1 0"]
    (attempt,) = ranking.attempts()
    assert [sample["id"] for sample in ranking.samples(attempt)] == ["q1"]


def test_a_query_without_an_embedding_is_no_zero(ranking: Bench) -> None:
    """It is unscored, and counts against the coverage."""

    def refuse(seen: ReceivedRequest) -> list[Step]:
        bad = "0 1" in json.loads(seen.body)["input"]
        return [http_reply({"error": {"message": "too long"}}, 400)] if bad else embed(seen)

    ranking.evalfile(EVALFILE.format(url=Upstream(refuse).url, keys="").replace("batch = 2", "batch = 1"))
    ended = ranking.run()
    assert ended.status != 0
    assert "HTTP status 400" in ended.text
    (attempt,) = ranking.attempts()
    by_metric = {score.metric: score for score in attempt.scores}
    assert (by_metric["ndcg@10"].scored, by_metric["ndcg@10"].unscored) == (2, 1)
    assert [bool(sample["error"]) for sample in ranking.samples(attempt)] == [False, True, False]


def test_a_document_without_an_embedding_fails_the_job(ranking: Bench) -> None:
    """As every query would be ranked among fewer documents."""

    def refuse(seen: ReceivedRequest) -> list[Step]:
        bad = "0 2" in json.loads(seen.body)["input"]
        return [http_reply({"error": {"message": "too long"}}, 400)] if bad else embed(seen)

    ranking.evalfile(EVALFILE.format(url=Upstream(refuse).url, keys=""))
    ended = ranking.run()
    assert ended.status != 0
    assert "2 documents have no embedding, the first is `d3`: HTTP status 400" in ended.text
    assert all(not attempt.scores for attempt in ranking.attempts())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("files = ", "# ", "`mine` needs `files`"),
        ('glob("set/**")', 'glob("set/*.jsonl")', "there is no `qrels/test.tsv`: a benchmark has one data set"),
        ("api = embeddings", "api = chat", "asks for embeddings, and model `m` does not serve them"),
        ("batch = 2", 'task = "t"', "the data set is that of `files`"),
        ("batch = 2", "fewshot = 2", "retrieval has no examples"),
    ],
)
def test_mistakes_are_told_before_anything_runs(bench: Bench, old: str, new: str, said: str) -> None:
    """With what is missing."""
    put_set(bench.root / "set")
    bench.evalfile(EVALFILE.format(url="http://127.0.0.1:9/v1", keys="").replace(old, new))
    ended = bench.run("-n")
    assert ended.status == 2
    assert said in ended.text


def test_a_mistake_in_the_data_is_told_before_anything_runs(bench: Bench) -> None:
    """With its line."""
    put_set(bench.root / "set")
    (bench.root / "set" / "queries.jsonl").write_text('{"_id": "q1", "text": "a"}\n{"text": "b"}\n')
    bench.evalfile(EVALFILE.format(url="http://127.0.0.1:9/v1", keys=""))
    ended = bench.run("-n")
    assert ended.status == 2
    assert "queries.jsonl:2: it is no object with an `_id`" in ended.text


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("test.tsv", "q1\td1\n", "test.tsv:1: the line is not a query's id"),
        ("test.tsv", "query-id\tcorpus-id\tscore\n", "test.tsv:1: there are no judgements"),
        ("queries.jsonl", "{", "queries.jsonl:1: it is not JSON"),
        ("queries.jsonl", '{"_id": "q1"}\n', "queries.jsonl:1: the query `q1` has no `text`"),
        ("queries.jsonl", '{"_id": "q1", "text": "t"}\n' * 2, "queries.jsonl:2: the query `q1` is there twice"),
        ("queries.jsonl", '{"_id": "x", "text": "t"}\n', "queries.jsonl:1: there is no query `q1`, which is judged"),
        ("corpus.jsonl", "[1]\n", "corpus.jsonl:1: it is no object with an `_id`"),
        ("corpus.jsonl", "\xff", "corpus.jsonl:1: it is not UTF-8 text"),
    ],
)
def test_what_is_wrong_with_a_data_set(tmp_path: Path, name: str, text: str, said: str) -> None:
    """Is said with the file and the line."""
    put_set(tmp_path)
    path = tmp_path / "qrels" / name if name.endswith(".tsv") else tmp_path / name
    path.write_text(text, encoding="latin-1")
    with pytest.raises(DataSetError, match=re.escape(said)):
        read_all(tmp_path)


def read_all(folder: Path) -> None:
    """Read every file of a data set."""
    judgements = read_judgements("test.tsv", folder / "qrels" / "test.tsv")
    read_queries("queries.jsonl", folder / "queries.jsonl", judgements)
    list(read_documents("corpus.jsonl", folder / "corpus.jsonl"))


def test_the_one_data_set_is_found() -> None:
    """Wherever its files are; two of a name are a mistake."""
    names = ["a/corpus.jsonl", "a/queries.jsonl", "a/qrels/dev.tsv", "a/qrels/test.tsv", "README"]
    assert find_parts(names, "dev") == Parts("a/corpus.jsonl", "a/queries.jsonl", "a/qrels/dev.tsv")
    assert str(find_parts([*names, "b/corpus.jsonl"], "dev")).startswith("2 files are a `corpus.jsonl`")
