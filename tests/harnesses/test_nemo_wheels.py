"""Benchmarks of `catalog:wheels/...` run from NVIDIA's real wheels, on rows that a test writes.

They install much, so they run with EVALMAKE_ROWS=all alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.support.workspaces import Bench

pytestmark = pytest.mark.skipif(os.environ.get("EVALMAKE_ROWS") != "all", reason="EVALMAKE_ROWS is not `all`")
JUDGES = '{ GPT_JUDGE_API_KEY = "k", LLAMA_JUDGE_API_KEY = "k", CLAUDE_JUDGE_API_KEY = "k" }'
HELM = f"""
include "catalog:wheels/helm"
deployment m {{ engine = mock, args = {{ skill = 1.0, name = "acme/m" }} }}
model m {{ deployment = m, name = "acme/m", concurrency = 2 }}
defaults benchmark {{ files = glob("*/M*/*"), offline = true, env = {JUDGES} }}
benchmark hallu from helm.medhallu {{ }}
benchmark calc from helm.medcalc-bench {{ }}
eval e {{ model = m, benchmark in [calc, hallu] }}
"""


def put_data_set(folder: Path, config: str, split: str, rows: Iterable[Any]) -> None:
    """A data set as the Hugging Face Hub has them, in a folder that has its name."""
    folder.mkdir(parents=True)
    files = f"  data_files:\n  - split: {split}\n    path: {split}.jsonl\n"
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: {config}\n{files}---\n")
    (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_helm_scores_two_scenarios(bench: Bench) -> None:
    """MedCalc-Bench is right within its limits; of MedHallu's pairs, a reply of 1 is right for the made-up half."""
    calc = [
        {
            "Row Number": str(n),
            "Question": f"What is {n} + {n + 3}?",
            "Ground Truth Answer": str(2 * n + 3),
            "Patient Note": f"Patient {n}.",
            "Category": "physical",
            "Upper Limit": str(2 * n + 3.2) if n else "2.9",
            "Lower Limit": str(2 * n + 2.8) if n else "2.8",
        }
        for n in range(4)
    ]
    put_data_set(bench.root / "ncbi" / "MedCalc-Bench-v1.0", "default", "test", calc)
    pairs = [
        {"Question": "What is 0 + 1?", "Knowledge": [f"{n}"], "Ground Truth": "so", "Hallucinated Answer": f"not {n}"}
        for n in range(3)
    ]
    put_data_set(bench.root / "UTAustin-AIHealth" / "MedHallu", "pqa_labeled", "train", pairs)
    bench.evalfile(HELM)
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert read_headlines(bench) == {
        "medcalc_bench_score_medcalc_bench_accuracy": 0.75,
        "medhallu_score_exact_match": 0.5,
    }


def read_headlines(bench: Bench) -> dict[str, float | None]:
    """The scores that stand for the benchmarks."""
    return {
        attempt.metric: next(score.value for score in attempt.scores if score.metric == attempt.metric)
        for attempt in bench.attempts()
    }


def test_helm_says_that_a_name_needs_a_slash(bench: Bench) -> None:
    """Before it asks anything: its client would try for minutes."""
    put_data_set(bench.root / "ncbi" / "MedCalc-Bench-v1.0", "default", "test", [])
    bench.evalfile(HELM.replace("acme/m", "m").replace("[calc, hallu]", "[calc]"))
    ended = bench.run()
    assert ended.status == 2
    assert "HELM needs a model whose name has a slash, such as acme/chat, not 'm'" in ended.text


def test_ifbench_scores_without_a_model_of_spacys(bench: Bench) -> None:
    """Its first questions are asked and scored, though nothing can be downloaded."""
    for name in ("collocations.tab", "sent_starters.txt", "abbrev_types.txt", "ortho_context.tab"):
        for kind in ("punkt_tab", "punkt"):
            path = bench.root / "nltk" / "tokenizers" / kind / "english" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
    bench.evalfile(f"""
include "catalog:wheels/ifbench"
deployment m {{ engine = mock, args = {{ skill = 1.0 }} }}
model m {{ deployment = m }}
benchmark b from ifbench.ifbench {{ env = {{ NLTK_DATA = "{bench.root}/nltk" }} }}
eval e {{ model = m, benchmark = b, limit = 3 }}
""")
    ended = bench.run()
    assert ended.status == 0, ended.text
    (attempt,) = bench.attempts()
    assert attempt.metric == "ifbench_loose:prompt-level_loose:prompt-level"
    assert len(bench.samples(attempt)) == 3


def test_livecodebench_scores_what_programs_give(bench: Bench) -> None:
    """Its wheel starts with the packages that it does not list, and half of the values are what the model says."""
    rows = [
        {
            "question_id": str(n),
            "contest_id": str(n),
            "contest_date": "2024-01-01T00:00:00",
            "difficulty": "easy",
            "function_name": "f",
            "code": "def f(n):\n    # What is 3 + 4?\n    return n",
            "input": f"f({7 + n % 2})",
            "output": str(7 + n % 2),
            "id": f"sample_{n}",
            "problem_id": str(n),
            "numsteps": 1,
        }
        for n in range(4)
    ]
    put_data_set(bench.root / "livecodebench" / "execution-v2", "default", "test", rows)
    bench.evalfile("""
include "catalog:wheels/livecodebench"
deployment m { engine = mock, args = { skill = 1.0 } }
model m { deployment = m, concurrency = 2 }
benchmark b from livecodebench.codeexecution-v2 {
    files   = glob("*/execution-v2/*")
    offline = true
    extra   = { n_samples = 1 }
}
eval e { model = m, benchmark = b }
""")
    ended = bench.run()
    assert ended.status == 0, ended.text
    (attempt,) = bench.attempts()
    assert attempt.metric == "codeexecution_pass@1_pass@1"
    (score,) = attempt.scores
    assert (score.value, score.scored) == (0.5, 4)
