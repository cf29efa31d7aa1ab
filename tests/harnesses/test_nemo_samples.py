"""The samples that each of NVIDIA's harnesses leaves, in the form in which its code writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import diskcache
import pytest

from evalmake.harnesses.nemo.results import read_run
from evalmake.plugin_api.harness import Outcome
from evalmake.scoring.item import Item
from evalmake.scoring.score import Score
from evalmake.scoring.seed_average import Run, average_seeds

Told = Mapping[str, Any]


def write(path: Path, *values: Any, indent: int | None = None) -> None:
    """Write a JSON file; several values are lines of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(value, indent=indent) for value in values))


def read(
    tmp_path: Path,
    scores: Mapping[tuple[str, str], float | tuple[float, Told]],
    metric: str | None = None,
    means: Mapping[str, Sequence[str]] | None = None,
) -> Outcome:
    """The outcome of a run that left these scores of (task, metric), some with statistics."""
    tasks: dict[str, Any] = {}
    for (task, name), told in scores.items():
        value, stats = told if isinstance(told, tuple) else (told, {})
        metric_of, _, score = name.partition("/")
        found = tasks.setdefault(task, {"metrics": {}})["metrics"]
        found.setdefault(metric_of, {"scores": {}})["scores"][score or metric_of] = {"value": value, "stats": stats}
    write(tmp_path / "out/nemo/results.yml", {"command": "x", "results": {"tasks": tasks}})
    (tmp_path / "log").write_text("")
    outcome = read_run(tmp_path / "out", 0, metric, (), means or {})
    assert outcome.error == ""
    return outcome


def rows(tmp_path: Path) -> list[dict[str, Any]]:
    """The samples as they were stored."""
    return [json.loads(line) for line in (tmp_path / "out/samples.jsonl").read_text().splitlines()]


def headline(outcome: Outcome) -> Score:
    """The score of the headline."""
    return next(score for score in outcome.scores if score.metric == outcome.metric)


def interval(tmp_path: Path, outcome: Outcome) -> tuple[str, tuple[float | None, float | None]]:
    """What reports make of it: the kind of its interval, and the interval."""
    items = [Item(row["id"], row["item"], row["scores"], row["cluster"]) for row in rows(tmp_path)]
    found = average_seeds(outcome.metric, [Run(outcome.scores, lambda: items, "nemo")])
    return found.basis, (found.low, found.high)


def put_request(tmp_path: Path, prompt: str, **fields: Any) -> None:
    """Record a request as the gateway does."""
    from xxhash import xxh3_64_hexdigest

    row = {"path": "/chat/completions", "prompt": xxh3_64_hexdigest(prompt.encode()), "status": 200, **fields}
    write(tmp_path / "gateway/requests.jsonl", row)


def test_lm_evals_samples_have_scores_of_groups(tmp_path: Path) -> None:
    """A group has the items of all its tasks, directly or through others; what has no number lacks none."""

    def sample(id: int, filter: str, right: object) -> Told:
        return {
            "doc_id": id,
            "doc": {"question": f"q{id}"},
            "target": "4",
            "arguments": {"gen_args_0": {"arg_0": f"prompt {id}", "arg_1": {"until": []}}},
            "resps": [["the answer is 4"]],
            "filtered_resps": ["4"],
            "filter": filter,
            "metrics": ["exact_match"],
            "doc_hash": f"hash{id}",
            "prompt_hash": "p",
            "target_hash": "t",
            "exact_match": right,
        }

    folder = tmp_path / "out/nemo/org__m"
    results = {
        "group_subtasks": {"all": ["some"], "some": ["one", "two", "bleu"]},
        "configs": {name: {"output_type": "generate_until"} for name in ("one", "two")},
    }
    write(folder / "results_2026-01-02T03-04-05.6.json", results)
    one = [sample(0, "none", 1.0), sample(0, "strict", 0.0), sample(1, "none", 1.0), sample(1, "strict", 1.0)]
    write(folder / "samples_one_2026-01-02T03-04-05.6.jsonl", *one)
    write(folder / "samples_two_2026-01-02T03-04-05.6.jsonl", sample(7, "none", 0.0), sample(7, "strict", 0.0))
    write(folder / "samples_bleu_2026-01-02T03-04-05.6.jsonl", sample(9, "none", ["reference", "reply"]))
    put_request(tmp_path, "prompt 1", tokens_in=5, tokens_out=7, seconds=0.5, finish="stop")
    outcome = read(
        tmp_path,
        {
            ("all", "exact_match"): (2 / 3, {"stderr": 1 / 3}),
            ("one", "exact_match"): (1.0, {"stderr": 0.0}),
            ("one", "exact_match__strict"): (0.5, {"stderr": 0.5}),
        },
        "all_exact_match_exact_match",
    )
    assert [(s.metric, s.value, s.stderr, s.scored, s.unscored) for s in outcome.scores] == [
        ("all_exact_match_exact_match", pytest.approx(2 / 3), pytest.approx(1 / 3), 3, 0),
        ("one_exact_match_exact_match", 1.0, 0.0, 2, 0),
        ("one_exact_match__strict_exact_match__strict", 0.5, 0.5, 2, 0),
    ]
    found = rows(tmp_path)
    assert [(row["id"], row["item"], row["reply"]) for row in found] == [
        ("bleu/9", "hash9", "the answer is 4"),
        ("one/0", "hash0", "the answer is 4"),
        ("one/1", "hash1", "the answer is 4"),
        ("two/7", "hash7", "the answer is 4"),
    ]
    assert found[0]["scores"] == {}  # of bleu
    assert (found[2]["tokens_out"], found[2]["latency"], found[2]["finish_reason"]) == (7, 0.5, "stop")
    kind, (low, high) = interval(tmp_path, outcome)
    assert (kind, low, high) == ("proportion", pytest.approx(0.2077, abs=1e-4), pytest.approx(0.9385, abs=1e-4))


def put_simple_evals(tmp_path: Path, scores: Sequence[float | None], repetitions: int) -> None:
    """Leave what simple-evals 26.3 leaves: its results, and its cache of all samples."""
    folder = tmp_path / "out/nemo/mgsm"
    write(folder / "mgsm.json", {"score": 0.5, "task_name": "mgsm", "n_repeats": repetitions}, indent=2)
    with diskcache.Cache(folder / "cache/cache.sqlite", disk_min_file_size=2**15) as cache:
        for key, score in enumerate(scores):
            question = key % (len(scores) // repetitions)
            reply = {"role": "assistant", "content": "x" * (40_000 if key == 1 else 1), "usage": {}}
            value = {
                "score": score,
                "metrics": {"en" if question else "bn": score},
                "html": "<h3>Results</h3>\n<p>Correct Answer: 4 &lt; 5</p>",
                "convo": [{"role": "user", "content": f"question {question}"}, reply],
            }
            cache[str(key)] = json.dumps(value, separators=(",", ":")).encode()


def test_simple_evals_samples_are_those_of_its_cache(tmp_path: Path) -> None:
    """Rounds follow each other; the error is over questions, whatever order simple-evals took them in."""
    put_simple_evals(tmp_path, [1, 0, 1, 1, 0, 0], 2)
    put_request(tmp_path, "question 2", tokens_out=7)
    told = {
        ("mgsm", "score/micro_avg_of_2"): (0.5, {"stderr": 0.1, "stddev": 0.2}),
        ("bn", "score/micro_avg_of_2"): 1.0,
    }
    outcome = read(tmp_path, told, "mgsm_score_micro*")
    score, part = outcome.scores
    assert (score.value, score.scored, score.reported) == (0.5, 3, 0.1)
    assert score.stderr == pytest.approx((0.25 / 3) ** 0.5)
    assert (part.value, part.scored) == (1.0, 1)
    found = rows(tmp_path)
    assert [(row["id"], row["repetition"]) for row in found] == [
        *((f"mgsm/{question}", 1) for question in range(3)),
        *((f"mgsm/{question}", 2) for question in range(3)),
    ]
    assert len({row["item"] for row in found}) == 3
    assert found[0]["target"] == "4 < 5"
    assert [len(row["reply"]) for row in found] == [1, 40_000, 1, 1, 1, 1]
    assert found[2]["tokens_out"] == 7


def test_simple_evals_samples_without_a_score_count_as_unscored(tmp_path: Path) -> None:
    """simple-evals leaves them out of its mean."""
    put_simple_evals(tmp_path, [1, None, 0], 1)
    (score,) = read(tmp_path, {("mgsm", "score/micro"): 0.5}).scores
    assert (score.value, score.scored, score.unscored) == (0.5, 2, 1)
    assert rows(tmp_path)[1]["error"] == "simple-evals gave no score"


def test_samples_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """The scores stay as the harness reports them."""
    put_simple_evals(tmp_path, [1, 0, 1], 2)
    outcome = read(tmp_path, {("mgsm", "score/micro_avg_of_2"): (0.5, {"stderr": 0.1})})
    (score,) = outcome.scores
    assert (score.value, score.stderr, score.scored) == (0.5, 0.1, 0)
    (told,) = json.loads(outcome.facts["sample_gaps"])
    assert told.startswith("the samples of simple-evals could not be read")
    assert "the cache holds 3 results" in told


def put_bfcl(tmp_path: Path, category: str, right: Sequence[bool]) -> None:
    """Leave BFCL's files of a category."""
    ids = [f"{category}_{number}" for number in range(len(right))]
    counts = {"accuracy": sum(right) / len(right), "correct_count": sum(right), "total_count": len(right)}
    wrong = [
        {
            "id": id,
            "model_name": "m",
            "test_category": category,
            "valid": False,
            "error": ["wrong"],
            "error_type": "e",
            "possible_answer": [{"f": {"x": [1]}}],
        }
        for id, is_right in zip(ids, right, strict=True)
        if not is_right
    ]
    write(tmp_path / f"out/nemo/score/m/BFCL_v3_{category}_score.json", counts, *wrong)
    answers = [{"id": id, "result": [{"f": '{"x": 2}'}], "input_token_count": 3, "latency": 0.1} for id in ids]
    write(tmp_path / f"out/nemo/result/m/BFCL_v3_{category}_result.json", *answers)


def test_bfcls_samples_are_all_questions_less_the_failed(tmp_path: Path) -> None:
    """Rounded percents become means again; means of categories have the error of their parts, unasked parts none."""
    put_bfcl(tmp_path, "live_simple", [True, True, False])
    put_bfcl(tmp_path, "live_relevance", [True])
    put_bfcl(tmp_path, "simple", [True, False])
    put_bfcl(tmp_path, "java", [False, False, True])
    put_bfcl(tmp_path, "multi_turn_composite", [True])  # in no score
    told = {
        ("bfcl", "python_simple_ast_live"): 66.67,
        ("bfcl", "relevance_detection_live"): 100.0,
        ("bfcl", "live_overall_acc"): 75.0,
        ("bfcl", "python_simple_ast_non_live"): 50.0,
        ("bfcl", "java_simple_ast_non_live"): 33.33,
        ("bfcl", "non_live_overall_acc"): 3.09,
        ("bfcl", "ast_summary"): 99.0,
    }
    names = ["bfcl_live_overall_acc_live_overall_acc", "bfcl_non_live_overall_acc_non_live_overall_acc"]
    outcome = read(tmp_path, told, "bfcl_overall_acc", {"bfcl_overall_acc": names})
    found = {score.metric.partition("_acc")[0].split("_live")[0]: score for score in outcome.scores}
    python, non_live, overall = (found[name] for name in ("bfcl_python_simple_ast", "bfcl_non", "bfcl_overall"))
    assert python.value == pytest.approx(200 / 3)
    assert (python.stderr, python.scored) == (pytest.approx(100 / 3), 3)
    part = ((50 + 100 / 3) / 3) / 9  # javascript and eight more were not asked
    assert non_live.value == pytest.approx(part)
    assert non_live.stderr == pytest.approx((50**2 + (100 / 3) ** 2) ** 0.5 / 3 / 9)
    assert non_live.scored == 5
    assert overall.value == pytest.approx((75 + part) / 2)
    assert overall.stderr == pytest.approx((25**2 + non_live.stderr**2) ** 0.5 / 2)
    assert (overall.scored, outcome.metric) == (9, "bfcl_overall_acc")
    # 2 of 6 live categories and 2 of 12 others were asked.
    told_of = "bfcl_overall_acc counts 14 of its 18 parts as 0, because nothing of them was asked"
    assert json.loads(outcome.facts["sample_gaps"]) == [told_of]
    summary = next(score for score in outcome.scores if "summary" in score.metric)
    assert (summary.value, summary.stderr) == (99.0, None)  # not what its parts give
    failed = next(row for row in rows(tmp_path) if row["id"] == "simple_1")
    assert failed["scores"]["bfcl_overall_acc"] == 0.0
    assert failed["target"] == [{"f": {"x": [1]}}]
    assert json.loads(failed["reply"]) == [{"f": '{"x": 2}'}]


def test_a_score_of_what_was_asked_needs_no_note(tmp_path: Path) -> None:
    """Of one category, or where no metric is named."""
    put_bfcl(tmp_path, "simple", [True, False])
    told = {("bfcl", "python_simple_ast_non_live"): 50.0, ("bfcl", "non_live_overall_acc"): 1.85}
    for metric in ("bfcl_python_simple_ast_non_live_python_simple_ast_non_live", None):
        assert read(tmp_path, told, metric).facts == {}


def test_bfcls_files_that_contradict_each_other_are_told(tmp_path: Path) -> None:
    """Nothing is taken from them."""
    put_bfcl(tmp_path, "simple", [True, False])
    path = tmp_path / "out/nemo/result/m/BFCL_v3_simple_result.json"
    write(path, json.loads(path.read_text().splitlines()[0]))
    outcome = read(tmp_path, {("bfcl", "python_simple_ast_non_live"): 50.0})
    assert "contradict each other" in outcome.facts["sample_gaps"]
    assert outcome.scores[0].scored == 0


def put_mmath(tmp_path: Path, graded: Sequence[tuple[str, bool | None]]) -> None:
    """Leave mmath's files: all questions, with the replies to some."""
    folder = tmp_path / "out/nemo/org/m"
    items = []
    for number, (source, right) in enumerate(graded):
        item = {"question": f"q{number}", "answer": "4", "data_source": source, "lang": "en", "gid": number}
        item |= {"data_source_id": 0, "final_prompt": f"prompt {number}"}
        if right is not None:
            item |= {f"prediction_{number}": "is 4", f"pred_answer_{number}": "4", f"correct_{number}": right}
        items.append(item)
    write(folder / "en.json", items, indent=4)
    write(folder / "metrics_en.json", {"micro_avg": 0.5})


def test_mmaths_samples_are_the_questions_that_were_asked(tmp_path: Path) -> None:
    """Its score is the mean of its sources, of unequal size, and has the error of such a mean."""
    put_mmath(tmp_path, [("CNMO", True), ("CNMO", False), *[("MATH500", True)] * 3, ("MATH500", False), ("CNMO", None)])
    told = {("MMATH", "accuracy"): 0.625, ("CNMO", "accuracy"): 0.5, ("MATH500", "accuracy"): 0.75}
    outcome = read(tmp_path, told, "MMATH_accuracy_accuracy")
    score, *parts = outcome.scores
    assert score.value == 0.625
    assert score.stderr == pytest.approx((0.5**2 + 0.25**2) ** 0.5 / 2)
    assert [(one.scored, one.stderr) for one in parts] == [(2, pytest.approx(0.5)), (4, pytest.approx(0.25))]
    assert score.scored == 6
    kind, (low, high) = interval(tmp_path, outcome)
    assert kind == "bounded"
    assert low is not None
    assert high is not None
    assert 0 < low < 0.625 < high < 1
    assert rows(tmp_path)[1] | {"item": ""} == {
        "id": "mmath/1",
        "item": "",
        "scores": {"CNMO_accuracy_accuracy": 0.0, "MMATH_accuracy_accuracy": 0.0},
        "repetition": 1,
        "error": None,
        "cluster": None,
        "target": "4",
        "reply": "is 4",
        "tokens_in": None,
        "tokens_out": None,
        "latency": None,
        "finish_reason": None,
    }


def test_ifbenchs_samples_are_prompts(tmp_path: Path) -> None:
    """Strict and loose; a score by instruction is no mean over prompts."""

    def line(prompt: str, follows: Sequence[bool]) -> Told:
        return {
            "follow_all_instructions": all(follows),
            "follow_instruction_list": list(follows),
            "instruction_id_list": ["count:x"] * len(follows),
            "prompt": prompt,
            "response": f"reply to {prompt}",
        }

    folder = tmp_path / "out/nemo"
    write(folder / "eval_results_strict.jsonl", line("a", [True, False]), line("b", [True]))
    write(folder / "eval_results_loose.jsonl", line("a", [True, True]), line("b", [True]))
    levels = {("ifbench", f"{mode}:{level}-level"): 0.5 for mode in ("strict", "loose") for level in ("prompt",)}
    told = {**levels, ("ifbench", "loose:prompt-level"): 1.0, ("ifbench", "strict:instruction-level"): 2 / 3}
    outcome = read(tmp_path, told, "ifbench_loose:prompt-level_loose:prompt-level")
    assert {s.metric.split("_")[1]: (s.value, s.scored) for s in outcome.scores} == {
        "strict:prompt-level": (0.5, 2),
        "loose:prompt-level": (1.0, 2),
        "strict:instruction-level": (2 / 3, 0),
    }
    assert [row["reply"] for row in rows(tmp_path)] == ["reply to a", "reply to b"]


def test_hles_samples_without_a_judgement_have_no_score(tmp_path: Path) -> None:
    """HLE counts them as wrong; its rounding is undone where all were graded."""

    def put(verdicts: Sequence[str]) -> None:
        judged = {
            f"id{number}": {
                "model_name": "m",
                "response": "Answer: B",
                "usage": {"prompt_tokens": 9, "completion_tokens": 4},
                "judge_response": {
                    "correct_answer": "B",
                    "model_answer": "B",
                    "reasoning": "",
                    "correct": "no" if verdict == "error" else verdict,
                    "confidence": 90,
                    "api_error": verdict == "error",
                },
            }
            for number, verdict in enumerate(verdicts)
        }
        write(tmp_path / "out/nemo/judged_hle_m.json", judged, indent=4)

    put(["yes", "no", "no"])
    told = {("hle", "accuracy"): 0.3333, ("hle", "accuracy/api_error_fraction"): 0.0}
    outcome = read(tmp_path, told, "hle_accuracy_accuracy")
    assert outcome.scores[0].value == pytest.approx(1 / 3)
    assert (outcome.scores[0].scored, outcome.scores[0].stderr) == (3, pytest.approx(1 / 3))
    assert interval(tmp_path, outcome)[0] == "proportion"
    put(["yes", "error", "no"])
    told = {("hle", "accuracy"): 0.3333, ("hle", "accuracy/api_error_fraction"): 1 / 3}
    outcome = read(tmp_path, told, "hle_accuracy_accuracy")
    assert (outcome.scores[0].value, outcome.scores[0].scored, outcome.scores[0].unscored) == (0.3333, 2, 1)
    lost = rows(tmp_path)[1]
    assert (lost["scores"], lost["error"], lost["tokens_out"]) == ({}, "the judge did not answer", 4)


def test_scicodes_samples_are_problems_and_steps(tmp_path: Path) -> None:
    """Steps of a problem belong together, and neither counts as an unscored sample of the other."""
    counts = {"77": {"1": 2, "2": 1}, "13": {"1": 2}, "5": {"1": 0}}
    results = {"steps_pass@1": 0.625, "problems_pass@1": 0.5, "n_samples": 2, "num_correct": counts}
    write(tmp_path / "out/nemo/scicode_results/m_with_background.json", results, indent=4)
    outcome = read(tmp_path, {("scicode", "steps_pass@1"): 0.625, ("scicode", "problems_pass@1"): 0.5})
    steps, problems = outcome.scores
    assert (steps.value, steps.scored, steps.unscored, steps.clusters) == (0.625, 4, 0, 3)
    assert (problems.value, problems.scored, problems.unscored, problems.clusters) == (0.5, 3, 0, None)
    assert problems.stderr == pytest.approx(0.5 / 3**0.5)
    assert [row["id"] for row in rows(tmp_path)][:3] == ["scicode/77", "scicode/77.1", "scicode/77.2"]


@pytest.mark.parametrize(
    ("scenario", "keys", "id"),
    [
        ("codegeneration", {"question_id": "abc301_a", "question_content": "c"}, "abc301_a"),
        ("codeexecution", {"question_id": "2777", "id": "sample_3", "output": "5"}, "sample_3"),
        ("testoutputprediction", {"question_id": "2777", "test_id": 1}, "2777/1"),
    ],
)
def test_livecodebenchs_samples_are_all_it_drew(tmp_path: Path, scenario: str, keys: Told, id: str) -> None:
    """A problem is an item, and each of its samples a repetition."""
    problem = {**keys, "output_list": ["one", "two"], "graded_list": [True, False], "pass@1": 0.5}
    other = {**problem, "question_id": "other", "id": "other", "graded_list": [True, True]}
    name = f"m_Scenario.{scenario}_release_v1_2__eval"
    write(tmp_path / f"out/nemo/{name}_all.json", [problem, other], indent=4)
    write(tmp_path / f"out/nemo/{name}.json", [{"pass@1": 0.75}])
    outcome = read(tmp_path, {(scenario, "pass@1"): (0.75, {"stderr": 0.25})})
    (score,) = outcome.scores
    assert (score.value, score.stderr, score.scored) == (0.75, pytest.approx(0.25), 2)
    found = rows(tmp_path)[:2]
    assert [(row["id"], row["repetition"], row["reply"]) for row in found] == [(id, 1, "one"), (id, 2, "two")]
