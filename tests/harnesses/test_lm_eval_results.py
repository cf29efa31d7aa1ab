"""lm-eval's files to scores, without lm-eval: what is partial, damaged or silently wrong."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from xxhash import xxh3_64_hexdigest

from evalmake.harnesses.lm_eval.log import explain_failure, find_silent_faults
from evalmake.harnesses.lm_eval.results import read_results
from evalmake.plugin_api.harness import Outcome

TIME = "2026-01-02T03-04-05.678901"


class Run:
    """A job's folder as lm-eval leaves it: tasks of 0/1 items by the metric `acc`."""

    def __init__(self, root: Path) -> None:
        self.outputs = root / "out"
        self.folder = self.outputs / "lm-eval" / "acme__model"
        self.folder.mkdir(parents=True)
        self.results: dict[str, Any] = {
            "results": {},
            "n-samples": {},
            "group_subtasks": {},
        }

    def task(self, name: str, *values: float, filters: tuple[str, ...] = ("none",)) -> None:
        """A task with its samples."""
        mean = sum(values) / len(values)
        stderr = math.sqrt(mean * (1 - mean) / (len(values) - 1))
        entry: dict[str, Any] = {"alias": name, "sample_len": len(values)}
        lines = []
        for filter in filters:
            entry |= {f"acc,{filter}": mean, f"acc_stderr,{filter}": stderr}
            lines += [_sample(at, value, filter) for at, value in enumerate(values)]
        self.results["results"][name] = entry
        self.results["n-samples"][name] = {"original": 100, "effective": len(values)}
        self.samples(name, lines)

    def samples(self, name: str, lines: list[dict[str, Any]]) -> None:
        """Write the samples of a task."""
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (self.folder / f"samples_{name}_{TIME}.jsonl").write_text(text)

    def read(self, task: str = "sums", metric: str | None = None) -> Outcome:
        """Write the results and read them."""
        (self.folder / f"results_{TIME}.json").write_text(json.dumps(self.results))
        return read_results(self.outputs, task, metric)

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the common form."""
        return [json.loads(line) for line in (self.outputs / "samples.jsonl").open()]


def _sample(at: int, value: float, filter: str = "none") -> dict[str, Any]:
    chat = json.dumps([{"role": "user", "content": f"question {at}"}])
    return {
        "doc_id": at,
        "doc": {},
        "target": "4",
        "doc_hash": f"hash{at}",
        "filter": filter,
        "metrics": ["acc"],
        "arguments": {"gen_args_0": {"arg_0": [chat], "arg_1": {"until": []}}},
        "resps": [["4"]],
        "acc": value,
    }


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """An empty job's folder."""
    return Run(tmp_path)


def test_filters_are_metrics(run: Run) -> None:
    """The filter `none` has the metric's name, another is a metric of its own; an item is one row."""
    run.task("sums", 1, 0, 1, filters=("strict-match", "none"))
    outcome = run.read(metric="acc")
    assert [s.metric for s in outcome.scores] == ["acc.strict-match", "acc"]
    assert outcome.metric == "acc"
    assert [row["scores"] for row in run.rows()] == [{"acc.strict-match": v, "acc": v} for v in (1, 0, 1)]
    assert run.read().metric == "", "no filter stands for the others"
    assert run.read(metric="f1").metric == "f1"


def test_what_stands_for_a_task(run: Run) -> None:
    """The only metric does, or the accuracy among others; no perplexity does, and no member of a group."""
    run.task("sums", 1, 0, 1)
    entry = run.results["results"]["sums"]
    entry["brier,none"] = 0.5
    assert run.read().metric == "acc"
    run.results["results"]["sums"] = {"word_perplexity,none": 20.0, "byte_perplexity,none": 2.0}
    assert run.read().metric == ""
    del run.results["results"]["sums"]["byte_perplexity,none"]
    assert run.read().metric == "word_perplexity"
    run.task("more", 1, 0, 1)
    assert run.read("both").metric == ""
    assert run.read("more").metric == "acc"


def test_a_member_without_the_metric_is_not_unscored(run: Run) -> None:
    """A group's metric is over the members that report it."""
    run.task("add", 1, 0, 1, 1)
    run.task("take", 0, 1)
    run.results["results"]["take"] = {"other,none": 0.5}
    run.results["group_subtasks"] = {"sums": ["add", "take"]}
    run.results["results"]["sums"] = {"acc,none": 0.75}
    (score, *_) = run.read().scores
    assert (score.metric, score.scored, score.unscored) == ("acc", 4, 0)


def test_likelihoods_are_no_replies(run: Run) -> None:
    """A perplexity has no reply, and the tokens of its prompts of token ids; its requests have no end to tell."""
    run.task("sums", 1, 0)
    run.results["configs"] = {"sums": {"output_type": "loglikelihood_rolling"}}
    lines = [_sample(at, at) for at in range(2)]
    for line in lines:
        line |= {"arguments": {"gen_args_0": {"arg_0": f"text {line['doc_id']}"}}, "resps": [["-36.7"]]}
    run.samples("sums", lines)
    sent = {text: xxh3_64_hexdigest(json.dumps([[at]]).encode()) for at, text in enumerate(("text 0", "text 1"))}
    digests = [f"{xxh3_64_hexdigest(text.encode())} {prompt}\n" for text, prompt in sent.items()]
    (run.outputs / "token-prompts.txt").write_text("".join(digests))
    notes = run.outputs.parent / "gateway" / "requests.jsonl"
    notes.parent.mkdir()
    row = {"status": 200, "prompt": sent["text 1"], "path": "/v1/completions", "tokens_in": 9, "finish": "length"}
    asked = {"status": 200, "prompt": xxh3_64_hexdigest(b"text 0"), "path": "/tokenize", "tokens_in": 5}
    notes.write_text(f"{json.dumps(row)}\n{json.dumps(asked)}\n")
    run.read()
    assert [(row["reply"], row["tokens_in"], row["finish_reason"]) for row in run.rows()] == [
        (None, None, None),
        (None, 9, None),
    ]
    assert not (run.outputs / "token-prompts.txt").exists()


def test_a_group_is_its_items(run: Run) -> None:
    """A group's score is over all its items, its members' follow under their names."""
    run.task("add", 1, 0, 1, 1)
    run.task("take", 0, 1)
    run.results["group_subtasks"] = {"sums": ["add", "take"], "add": [], "take": []}
    run.results["results"]["sums"] = {"alias": "sums", "acc,none": 4 / 6, "acc_stderr,none": 0.2}
    outcome = run.read()
    assert [(s.metric, s.scored) for s in outcome.scores] == [
        ("acc", 6),
        ("add.acc", 4),
        ("take.acc", 2),
    ]
    assert outcome.scores[0].stderr == pytest.approx(math.sqrt(4 / 6 * 2 / 6 / 5))
    assert "reports a standard error of 0.2," in outcome.scores[0].disagreement
    assert {row["id"] for row in run.rows()} >= {"add/0", "take/1"}


def test_a_macro_average_is_lm_eval_s(run: Run) -> None:
    """Where a group's value is not the mean of its items, value and error are as reported."""
    run.task("add", 1, 0, 1, 1)
    run.task("take", 0, 1)
    run.results["group_subtasks"] = {"sums": ["add", "take"]}
    run.results["results"]["sums"] = {"acc,none": 0.625, "acc_stderr,none": 0.2}
    (score, *_) = run.read().scores
    assert (score.value, score.stderr, score.disagreement) == (0.625, 0.2, "")


def test_what_only_lm_eval_can_add_up(run: Run) -> None:
    """A metric whose samples are no numbers has the reported value and error."""
    run.task("sums", 1, 0)
    run.samples("sums", [{**_sample(at, 0), "acc": ["4", "5"]} for at in range(2)])
    (score,) = run.read().scores
    assert (score.value, score.scored, score.unscored) == (0.5, 2, 0)


def test_nan_is_no_score(run: Run) -> None:
    """A headline that is not a number is a failure, and no zero; another metric is not scored."""
    run.task("sums", 1, 0)
    run.results["results"]["sums"]["f1,none"] = math.nan
    assert {score.metric: score.value for score in run.read().scores} == {"acc": 0.5, "f1": None}
    run.results["results"]["sums"]["acc,none"] = math.nan
    assert run.read() == Outcome(error="the score `acc` of sums is not a finite number")


def test_fewer_samples_than_asked(run: Run) -> None:
    """Items that left no sample are counted as not scored."""
    run.task("sums", 1, 0, 1, 1)
    run.samples("sums", [_sample(0, 1), _sample(1, 1)])
    run.results["results"]["sums"]["acc,none"] = 1.0
    (score,) = run.read().scores
    assert (score.value, score.scored, score.unscored) == (1.0, 2, 2)


def test_no_files(run: Run) -> None:
    """A good exit status without results, or without samples, is a failure."""
    none = read_results(run.outputs, "sums", None)
    assert none.error == "lm-eval exited with status 0, but wrote no result files"
    run.task("sums", 1, 0)
    next(run.folder.glob("samples_*")).unlink()
    assert run.read().error == "lm-eval left no samples of sums"
    (run.folder / "results_2.json").write_text("{}")
    assert "wrote 2 result files" in run.read().error


@pytest.mark.parametrize("text", ["{", "[]", '{"results": {}}', '{"results": 1, "n-samples": {}}'])
def test_damaged_results(run: Run, text: str) -> None:
    """A file that is no results is a failure with a message."""
    (run.folder / f"results_{TIME}.json").write_text(text)
    outcome = read_results(run.outputs, "sums", None)
    assert outcome.error
    assert outcome.scores == ()


def test_samples_have_their_requests(run: Run) -> None:
    """Tokens, latency and finish reason come from the gateway's notes, by the prompt."""
    run.task("sums", 1, 0)
    notes = run.outputs.parent / "gateway" / "requests.jsonl"
    notes.parent.mkdir()
    prompt = xxh3_64_hexdigest(b"question 1")
    row = {"status": 200, "prompt": prompt, "seconds": 0.25, "tokens_in": 9, "finish": "length"}
    notes.write_text(json.dumps(row) + "\n")
    run.read()
    first, second = run.rows()
    assert first["tokens_in"] is None
    assert (second["tokens_in"], second["latency"], second["finish_reason"]) == (9, 0.25, "length")


def test_a_choice_has_a_request_for_each_option(run: Run) -> None:
    """By likelihood, an item's reply is the likeliest option, its latency that of all of them.

    An option's likelihood without the question is no answer.
    """
    run.task("sums", 1, 0)
    run.results["configs"] = {"sums": {"output_type": "multiple_choice"}}
    texts = [("2+2=", " 3"), ("2+2=", " 4"), ("", " 3"), ("", " 4")]
    options = {f"gen_args_{at}": {"arg_0": context, "arg_1": more} for at, (context, more) in enumerate(texts)}
    logs = [[["-3.5", "False"]], [["-0.5", "True"]], [["-0.1", "False"]], [["-0.2", "True"]]]
    run.samples("sums", [{**_sample(at, at), "arguments": options, "resps": logs} for at in range(2)])
    notes = run.outputs.parent / "gateway" / "requests.jsonl"
    notes.parent.mkdir()
    rows = [
        {"status": 200, "prompt": xxh3_64_hexdigest(text.encode()), "seconds": 0.25} for text in ("2+2= 3", "2+2= 4")
    ]
    notes.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run.read()
    assert [(row["reply"], row["latency"]) for row in run.rows()] == [("4", 0.5), ("4", None)]


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("Could not parse generations: 'choices'\n" * 3, "lm-eval could not read 3 replies"),
        ("Context length (3000) > max_length (2047). Left truncating context.\n", "set `max_length`"),
        ("all is well", ""),
    ],
)
def test_what_lm_eval_passes_over(tmp_path: Path, log: str, said: str) -> None:
    """Replies scored as empty, and prompts cut unasked, are failures though lm-eval ends well."""
    path = tmp_path / "log"
    path.write_text(log)
    told = find_silent_faults(path, None)
    assert said in told
    assert bool(told) == bool(said)
    path.write_text("Left truncating context")
    assert find_silent_faults(path, 100) == ""


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (
            "ValueError: Tasks not found: gsm9k\n",
            "lm-eval has no task gsm9k: a task of your own needs its file in `files`",
        ),
        ("API request failed! Status code: 503, Response text: busy. Retrying...\nx", "status 503: busy"),
        ("ERROR Exception:TimeoutError(), (no outputs), retrying.", "did not answer in time"),
        ("AssertionError: Tokenizer is required for loglikelihood tasks to", "set `tokenizer`"),
        ("ModuleNotFoundError: No module named 'transformers'", "Python module transformers"),
        ("AssertionError: Error: number of fewshot samples requested exceeds the 8 that are available.\n", "only 8"),
        ("IndexError: Invalid key: 0 is out of bounds for size 0\n", "data set is empty"),
        ("Traceback (most recent call last):\nKeyError: 'x'\n", "KeyError: 'x'"),
    ],
)
def test_why_it_failed(tmp_path: Path, log: str, said: str) -> None:
    """What lm-eval's traceback means is said in one line, with what to do."""
    (tmp_path / "log").write_text(log)
    assert said in explain_failure(tmp_path / "log")
    assert explain_failure(tmp_path / "none") == ""
