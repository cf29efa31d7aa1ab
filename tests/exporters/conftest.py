"""Result sets that every exporter must tell."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from evalmake.project.column_groups import ColumnGroup
from evalmake.scoring.result_set import Item, Requirement, Result, ResultSet, Run, Score, judge_gate
from tests.support.results import make_result


def binary(metric: str, right: int, scored: int, unscored: int = 0) -> Score:
    """The score of `right` right answers, with the error a harness would report."""
    p = right / scored
    stderr = math.sqrt(p * (1 - p) / (scored - 1))
    return Score(metric, p, stderr, scored=scored, unscored=unscored)


def run(model: str, benchmark: str, seed: int, *scores: Score, attempts: int = 1) -> Result:
    """One evaluation of the eval `grid`; its headline metric is the first score."""
    return replace(
        make_result({"model": model, "benchmark": benchmark, "seed": seed}, *scores),
        action=f"xxh128:{model}-{benchmark}-{seed}",
        attempt=attempts,
        attempts=attempts,
        reused=seed == 1,
        started=f"2026-08-2{seed}T14:02:00Z",
        seconds=12.5 * seed,
        usage={"prompt_tokens": 1000, "completion_tokens": 200},
        harness="lm-eval",
    )


@pytest.fixture
def matrix() -> ResultSet:
    """Two models, three benchmarks, three seeds; of everything that can go wrong, one."""
    results = (
        *(run("qwen", "gsm8k", s, binary("exact_match", 341 + s, 500)) for s in (1, 2, 3)),
        run("qwen", "bleu", 1, Score("bleu", 31.25, 0.5, scored=200), Score("chrf", 0.5)),
        run("qwen", "bleu", 2, Score("bleu", 32.75, 0.5, scored=200), Score("chrf", 0.6)),
        run("master", "gsm8k", 1, binary("exact_match", 460, 490, 10), attempts=2),
        run("master", "gsm8k", 2, binary("exact_match", 470, 500)),
        replace(run("master", "bleu", 1, Score("chrf", 0.4)), metric="bleu"),
        run("master", "a|b", 1, Score("accuracy", None, unscored=50)),
    )
    by_seed = {r.seed: Run(r.scores) for r in results[:3]}
    gates = (
        judge_gate("grid/qwen/gsm8k", Requirement("exact_match", ">=", 0.7), by_seed),
        judge_gate("grid/master/gsm8k", Requirement("exact_match", ">=", 0.9, 0.95), {1: Run(results[5].scores)}),
        judge_gate("grid/qwen/bleu", Requirement("accuracy", ">=", 0.55), {1: Run(results[3].scores)}),
    )
    return ResultSet(
        title="Scorecard of the *grid*",
        results=results,
        gates=gates,
        missing=("grid/master/gsm8k/3",),
        plan="xxh128:9f31c0ab",
    )


@pytest.fixture
def single() -> ResultSet:
    """One run, nothing else."""
    results = (run("apprentice", "sums", 1, binary("accuracy", 10, 10)),)
    return ResultSet("Quickstart", results, (), (), plan="xxh128:00000001")


@pytest.fixture
def compared() -> ResultSet:
    """Three models against a fourth: a clear difference, none, and one that cannot be told."""
    right = {"base": range(12), "better": range(30), "same": range(2, 14), "silent": range(20)}
    results = [run(name, "sums", 1, binary("accuracy", len(r), 40)) for name, r in right.items()]

    def items(result: Result) -> list[Item] | None:
        if result.model == "silent":
            return None
        asked = range(40 if result.model != "same" else 38)
        found = right[result.model]
        return [Item(str(i), f"hash {i}", {"accuracy": float(i in found)}) for i in asked] + [
            Item(str(i), f"hash {i}", {}) for i in range(len(asked), 40)
        ]

    same = replace(results[2], scores=(binary("accuracy", 12, 38, 2),))
    told = (*results[:2], same, results[3])
    plain = ResultSet("Against a baseline", told, (), (), plan="xxh128:00000002", compare="base", read_items=items)
    return plain.with_comparisons()


@pytest.fixture
def nothing() -> ResultSet:
    """A plan none of whose evaluations has a result."""
    return ResultSet("Quickstart", (), (), ("a/1", "a/2"), plan="xxh128:00000001")


@pytest.fixture
def grouped() -> ResultSet:
    """Two models with columns taken together: by weight, by items, the best, and one that a model lacks."""
    results = tuple(
        run(model, benchmark, 1, binary("accuracy", right, scored))
        for model, benchmark, right, scored in (
            ("qwen", "gsm8k", 341, 500),
            ("qwen", "mmlu", 70, 100),
            ("qwen", "truthful", 30, 60),
            ("master", "gsm8k", 460, 500),
            ("master", "mmlu", 81, 100),
        )
    )
    groups = (
        ColumnGroup("core", "average", {"gsm8k": 1.0, "mmlu": 1.0}),
        ColumnGroup("weighted", "average", {"gsm8k": 2.0, "truthful": 1.0}),
        ColumnGroup("items", "pooled", {"gsm8k": 1.0, "mmlu": 1.0}),
        ColumnGroup("top", "best", {"gsm8k": 1.0, "mmlu": 1.0}),
    )
    return ResultSet("Columns taken together", results, (), (), "xxh128:9f31c0ab", groups=groups)


@pytest.fixture
def sectioned(grouped: ResultSet) -> ResultSet:
    """The same in sections of columns."""
    return replace(grouped, sections={"Mathematics": ("gsm8k",), "Knowledge and truth": ("mmlu", "truthful")})
