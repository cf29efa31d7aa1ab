"""What is handed to NVIDIA's harnesses, what is read of theirs, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalmake.harnesses.nemo.harness import NemoHarness
from evalmake.harnesses.nemo.results import read_run
from evalmake.language.diagnostic import EvalmakeError
from evalmake.plugin_api.harness import Command, Outcome
from evalmake.scoring.demands import LOST_SHARE, Demands, find_shortfall
from evalmake.workspace import Workspace

EVALFILE = """
model m { endpoint = "http://127.0.0.1:9/v1", name = "m", api = API }
model other { endpoint = "http://127.0.0.1:9/v1", name = "o" }
benchmark b { harness = nemo, BENCHMARK }
eval e { model = m, benchmark = b, EVAL }
"""
# As simple-evals 26.3 wrote it, less the languages.
MGSM = """
command: simple_evals ...
git_hash: null
results:
  groups:
    mgsm:
      metrics:
        score:
          scores:
            macro: {stats: {}, value: 0.4}
            micro: {stats: {stddev: 0.5, stderr: 0.1}, value: 0.55}
  tasks:
    bn:
      metrics:
        score:
          scores:
            micro: {stats: {stderr: 0.0}, value: 1.0}
    en:
      metrics:
        score:
          scores:
            micro: {stats: {count: 5, stderr: 0.0}, value: 1.0}
"""


def command(folder: Path, benchmark: str, eval: str = "limit = 5", api: str = "chat") -> Command:
    """The command of the one cell; EvalmakeError where it is refused."""
    text = EVALFILE.replace("API", api).replace("BENCHMARK", benchmark).replace("EVAL", eval)
    (folder / "Evalfile").write_text(text)
    (node,) = Workspace.open(folder / "Evalfile").graph(()).nodes.values()
    return NemoHarness().command(node.evaluation)


def config(made: Command) -> Any:
    """The run_config."""
    return json.loads(made.files["run_config.json"])


def read(
    tmp_path: Path,
    results: str | None = MGSM,
    *,
    status: int = 0,
    log: str = "",
    metric: str | None = None,
    meant: tuple[str, ...] = (),
    means: Mapping[str, Sequence[str]] | None = None,
) -> Outcome:
    """The outcome of a run that left these."""
    (tmp_path / "out" / "nemo").mkdir(parents=True, exist_ok=True)
    (tmp_path / "log").write_text(log)
    if results is not None:
        (tmp_path / "out" / "nemo" / "results.yml").write_text(results)
    return read_run(tmp_path / "out", status, metric, meant, means or {})


def lack(outcome: Outcome, metric: str | None = None) -> str:
    """Why a stored result does not count for a benchmark that names a metric, or none; empty if it does."""
    found = find_shortfall(Demands(metric=metric), outcome)
    return found.message if found else ""


def test_parameters_go_by_the_contracts_names(tmp_path: Path) -> None:
    """Only what was set is sent: the rest is the framework's own."""
    made = command(
        tmp_path,
        'task = "x.y", inner = "z", extra = { n = 1 }, parallelism = 3, request_timeout = 9',
        "limit = 5, params = { temperature = 0.5, top_p = 0.9, max_tokens = 7 }",
    )
    assert config(made)["config"] == {
        "type": "x.y",
        "params": {
            "temperature": 0.5,
            "top_p": 0.9,
            "max_new_tokens": 7,
            "limit_samples": 5,
            "task": "z",
            "parallelism": 3,
            "max_retries": 1,
            "request_timeout": 9,
            "extra": {"n": 1},
        },
    }
    bare = config(command(tmp_path, 'task = "x.y"', "params = {}"))
    assert bare["config"]["params"] == {"max_retries": 1, "extra": {}}


def test_its_cache_report_and_telemetry_are_off(tmp_path: Path) -> None:
    """The harness talks straight to the gateway, with the name of the token's variable."""
    made = command(tmp_path, 'task = "x.y"')
    target = config(made)["target"]["api_endpoint"]
    assert target["api_key_name"] == "EVALMAKE_API_KEY"
    assert target["adapter_config"] == {
        "mode": "client",
        "use_caching": False,
        "tracking_requests_stats": False,
        "generate_html_report": False,
    }
    assert made.env["NEMO_EVALUATOR_TELEMETRY_LEVEL"] == "0"
    proxied = command(tmp_path, 'task = "x.y", proxy = true')
    adapter = config(proxied)["target"]["api_endpoint"]["adapter_config"]
    assert "mode" not in adapter
    assert adapter["use_caching"] is False
    assert "ADAPTER_PORT" in proxied.files["nemo.sh"]
    assert "ADAPTER_PORT" not in made.files["nemo.sh"]


@pytest.mark.parametrize(
    ("api", "endpoint", "kind", "route"),
    [
        ("chat", "", "chat", "/chat/completions"),
        ("vlm", "", "vlm", "/chat/completions"),
        ("completions", "", "completions", "/completions"),
        ("completions", ", endpoint = completions_logprob", "completions_logprob", "/completions"),
        ("embeddings", "", "embedding", "/embeddings"),
    ],
)
def test_an_endpoint_is_told_with_its_route(tmp_path: Path, api: str, endpoint: str, kind: str, route: str) -> None:
    """Its kind follows the model's, unless the task asks for another of the same API."""
    made = command(tmp_path, f'task = "x.y"{endpoint}', api=api)
    assert config(made)["target"]["api_endpoint"]["type"] == kind
    assert f'--model_url "$EVALMAKE_MODEL_URL{route}"' in made.files["nemo.sh"]


def test_a_judge_is_told_by_variables(tmp_path: Path) -> None:
    """Its address, name and key are only known to the job."""
    assert "judge" not in command(tmp_path, 'task = "x.y"').files["nemo.sh"].replace("_JUDGE_", "")
    text = command(tmp_path, 'task = "x.y", judge = other, judge_route = "/chat"').files["nemo.sh"]
    assert "config.params.extra.judge.url=$EVALMAKE_JUDGE_URL/chat," in text
    assert "config.params.extra.judge.model_id=$EVALMAKE_JUDGE_NAME," in text
    assert "config.params.extra.judge.api_key=EVALMAKE_JUDGE_API_KEY" in text
    other = command(tmp_path, 'task = "x.y", judge = other, judge_key = "key_name"').files["nemo.sh"]
    assert "config.params.extra.judge.key_name=EVALMAKE_JUDGE_API_KEY" in other
    named = command(tmp_path, 'task = "x.y", judge = other, judge_name = "gpt-4"').files["nemo.sh"]
    assert "config.params.extra.judge.model_id=gpt-4," in named


@pytest.mark.parametrize(
    ("benchmark", "eval", "api", "words"),
    [
        ("metric = none", "limit = 5", "chat", "needs `task`"),
        ('task = "x.y", fewshot = 5', "limit = 5", "chat", "`fewshot`"),
        ('task = "x.y", endpoint = completions_logprob', "limit = 5", "chat", "needs completions_logprob"),
        ('task = "x.y"', "params = { top_k = 5 }", "chat", "cannot send `top_k`"),
        ('task = "garak.garak"', "limit = 5", "chat", "takes no `limit`"),
        (
            'task = "hle.hle"',
            "limit = 5",
            "chat",
            "needs `judge`: the harness would ask Azure OpenAI, past the gateway",
        ),
        ('task = "vlmevalkit.ai2d_judge"', "limit = 5", "vlm", "needs `judge`"),
        ('task = "x.y", azure_judge = true', "limit = 5", "chat", "needs `judge`"),
        ('task = "vlmevalkit.chartqa", judge = other', "limit = 5", "vlm", "takes no `judge`"),
        ('task = "x.y", means = { a = "b" }', "limit = 5", "chat", "`a` lists no names of metrics"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, benchmark: str, eval: str, api: str, words: str) -> None:
    """With the place where it was written."""
    with pytest.raises(EvalmakeError) as refused:
        command(tmp_path, benchmark, eval, api)
    (said,) = refused.value.diagnostics
    assert words in said.message
    assert said.span is not None


def test_a_metric_is_of_all_samples(tmp_path: Path) -> None:
    """NeMo Skills calls the mean over several samples otherwise, and may report that of the first one, too."""
    plain = "gpqa_pass_at_1_symbolic_correct"
    skills = 'task = "nemo_skills.ns_gpqa", metric = "METRIC", extra = { num_repeats = REPEATS }'
    command(tmp_path, skills.replace("METRIC", plain).replace("REPEATS", "1"))
    command(tmp_path, skills.replace("METRIC", "gpqa_pass_at_8_symbolic_correct").replace("REPEATS", "8"))
    with pytest.raises(EvalmakeError) as refused:
        command(tmp_path, skills.replace("METRIC", plain).replace("REPEATS", "8"))
    (said,) = refused.value.diagnostics
    assert f"does not report `{plain}` of all samples" in said.message
    assert said.help == ('write `metric = "gpqa_pass_at_1_avg-of-8_symbolic_correct"`',)


def test_a_judge_that_the_task_does_not_take_is_an_error(tmp_path: Path) -> None:
    """It would have graded nothing; where the task takes it, nothing is said."""
    text = EVALFILE.replace("API", "chat").replace("EVAL", "limit = 5")
    (tmp_path / "Evalfile").write_text(text.replace("BENCHMARK", 'task = "x.y", judge = other'))
    (node,) = Workspace.open(tmp_path / "Evalfile").graph(()).nodes.values()
    assert read(tmp_path).error == ""  # leaves the results
    assert NemoHarness().outcome(node.evaluation, tmp_path / "out", 0).error == ""
    warning = "not used in the command template: config.params.extra.judge. Valid params"
    (tmp_path / "log").write_text(warning)
    outcome = NemoHarness().outcome(node.evaluation, tmp_path / "out", 0)
    assert outcome.error == "the task takes no `extra.judge`"


@pytest.mark.parametrize("task", ["hle.hle", "x.y"])
def test_a_judge_of_azures_is_told_by_its_variables(tmp_path: Path, task: str) -> None:
    """The harness has no parameter for it; the catalog says so of a task, and `azure_judge` of another."""
    known = "" if task == "hle.hle" else ", azure_judge = true"
    made = command(tmp_path, f'task = "{task}", judge = other, setup = "true"{known}')
    text = made.files["nemo.sh"]
    assert "extra.judge" not in text
    told = run_script(made, tmp_path / "job", "env", EVALMAKE_JUDGE_URL="http://g/t/k/v1", EVALMAKE_JUDGE_API_KEY="t")
    env = dict(line.split("=", 1) for line in told.stdout.splitlines() if "=" in line)
    assert env["AZURE_OPENAI_ENDPOINT"] == "http://g/t/k/v1"
    assert env["AZURE_OPENAI_API_KEY"] == "t"
    assert env["AZURE_OPENAI_DEPLOYMENT_NAME"] == "gpt-4o"
    plain = command(tmp_path, f'task = "{task}", judge = other, azure_judge = false').files["nemo.sh"]
    assert "extra.judge.url=" in plain
    assert "AZURE" not in plain


def test_a_judge_of_azures_is_renamed(tmp_path: Path) -> None:
    """The harness calls it gpt-4o, whatever it is."""
    for task, renamed in (("hle.hle", True), ("x.y", False)):
        text = EVALFILE.replace("API", "chat").replace("BENCHMARK", f'task = "{task}", judge = other')
        (tmp_path / "Evalfile").write_text(text.replace("EVAL", "limit = 5"))
        (node,) = Workspace.open(tmp_path / "Evalfile").graph(()).nodes.values()
        assert NemoHarness.renames_judge(node.evaluation.benchmark) == renamed


def test_a_harness_that_gave_its_judge_up_has_no_result(tmp_path: Path) -> None:
    """VLMEvalKit then compares texts, and says so only in its log."""
    text = EVALFILE.replace("API", "vlm").replace("BENCHMARK", 'task = "vlmevalkit.mmmu_judge", judge = other')
    (tmp_path / "Evalfile").write_text(text.replace("EVAL", "limit = 5"))
    (node,) = Workspace.open(tmp_path / "Evalfile").graph(()).nodes.values()
    read(tmp_path)  # leaves the results
    (tmp_path / "log").write_text(
        "UserWarning: OPENAI API is not working properly, will use exact matching for evaluation"
    )
    assert "graded without it" in NemoHarness().outcome(node.evaluation, tmp_path / "out", 0).error
    (tmp_path / "log").write_text("")
    assert "graded without it" not in NemoHarness().outcome(node.evaluation, tmp_path / "out", 0).error


def test_scores_have_nvidias_names(tmp_path: Path) -> None:
    """Groups come first, and of a group the mean over samples before the mean over its tasks."""
    outcome = read(tmp_path)
    assert outcome.metric == "mgsm_score_micro"
    assert [(s.metric, s.value, s.scored) for s in outcome.scores] == [
        ("mgsm_score_macro", 0.4, 0),
        ("mgsm_score_micro", 0.55, 0),
        ("bn_score_micro", 1.0, 0),
        ("en_score_micro", 1.0, 5),
    ]
    assert read(tmp_path, metric="en_score_micro").metric == "en_score_micro"
    assert "no `acc`; it reported mgsm_score_macro," in lack(read(tmp_path, metric="acc"), "acc")


def test_a_headline_with_a_star_is_one_metric(tmp_path: Path) -> None:
    """simple-evals adds the number of repetitions to the name of its score."""
    repeated = MGSM.replace("micro: {stats: {stddev", "micro_avg_of_4: {stats: {stddev")
    assert read(tmp_path, repeated, metric="mgsm_score_micro*").metric == "mgsm_score_micro_avg_of_4"
    assert "no `*_score_micro`; it reported" in lack(read(tmp_path, metric="*_score_micro"), "*_score_micro")


X = "{x: {value: 1}}"


@pytest.mark.parametrize(
    ("results", "headline"),
    [
        (f"tasks: {{t: {{metrics: {{acc: {{scores: {X}}}}}}}}}", "t_acc_x"),
        ("tasks: {t: {metrics: {acc: {scores: {macro: {value: 1}, micro: {value: 1}}}}}}", "t_acc_micro"),
        ("tasks: {t: {metrics: {acc: {scores: {a: {value: 1}, b: {value: 1}}}}}}", ""),
        (f"tasks: {{t: {{metrics: {{a: {{scores: {X}}}, b: {{scores: {X}}}}}}}}}", ""),
        (f"tasks: {{t: {{metrics: {{a: {{scores: {X}}}}}}}, u: {{metrics: {{a: {{scores: {X}}}}}}}}}", ""),
        (
            f"groups: {{g: {{metrics: {{a: {{scores: {X}}}}}}}}}, tasks: {{t: {{metrics: {{a: {{scores: {X}}}}}}}}}",
            "g_a_x",
        ),
    ],
)
def test_of_several_metrics_none_stands_for_the_others(tmp_path: Path, results: str, headline: str) -> None:
    """The first name in the alphabet would be another with another limit; the result is kept until one is named."""
    outcome = read(tmp_path, f"results: {{{results}}}")
    assert (outcome.metric, outcome.error) == (headline, "")
    assert ("none of its metrics stands for the others" in lack(outcome)) == (headline == "")
    assert lack(outcome, outcome.scores[-1].metric) == ""


def test_a_mean_of_metrics_is_one_more(tmp_path: Path) -> None:
    """It comes first, unless one of its parts was not reported."""
    means = {"languages": ["bn_*", "en_score_micro"], "more": ["bn_*", "de_*"], "all": ["*_score_*"]}
    outcome = read(tmp_path, metric="languages", means=means)
    assert outcome.metric == "languages"
    assert [(s.metric, s.value) for s in outcome.scores][:2] == [("languages", 1.0), ("all", 0.7375)]
    assert "no `more`; it reported languages, all, mgsm" in lack(read(tmp_path, metric="more", means=means), "more")


def test_an_error_of_zero_needs_a_count(tmp_path: Path) -> None:
    """Of nobody knows how many equal scores, no certainty follows."""
    stderr = {score.metric: (score.stderr, score.reported) for score in read(tmp_path).scores}
    assert stderr["mgsm_score_micro"] == (0.1, 0.1)
    assert stderr["bn_score_micro"] == (None, 0.0)
    assert stderr["en_score_micro"] == (0.0, 0.0)


@pytest.mark.parametrize(
    ("results", "words"),
    [
        (None, "wrote no results.yml"),
        ("results: {tasks: {a: {metr", "truncated or not YAML"),
        ("command: x\n", "cannot read the form"),
        ("results: {tasks: {}, groups: {}}", "reported no score"),
        (MGSM.replace("0.55", ".nan"), "reports nan as `mgsm_score_micro`"),
    ],
)
def test_a_result_that_is_none_is_an_error(tmp_path: Path, results: str | None, words: str) -> None:
    """Whatever the exit status."""
    outcome = read(tmp_path, results)
    assert words in outcome.error
    assert outcome.scores == ()


def test_an_interruption_is_a_failure_though_the_status_is_zero(tmp_path: Path) -> None:
    """Its mark counts as status 143."""
    (tmp_path / "out" / "nemo").mkdir(parents=True)
    (tmp_path / "out" / "nemo" / ".nemo_evaluator_interrupted").write_text("{}")
    assert "143" in read(tmp_path).error


def test_a_failure_is_told_in_the_words_of_its_cause(tmp_path: Path) -> None:
    """Not by the last line, which says that retries ended."""
    log = "x.ClientError: 500, message='no'\n...\ntenacity.RetryError: RetryError[<Future>]\n"
    assert read(tmp_path, status=1, log=log).error == "x.ClientError: 500, message='no'"


def test_a_warning_of_unused_parameters_is_an_error(tmp_path: Path) -> None:
    """Only of those that were meant: what evalmake adds by itself may be unused."""
    log = (
        "[W] Configuration contains parameter(s) that are not used in the command template: "
        "config.params.max_retries, config.params.extra.shots. Valid params from command: []. Remove\n"
    )
    assert read(tmp_path, log=log, meant=("temperature",)).error == ""
    wrong = read(tmp_path, log=log, meant=("temperature", "extra.shots"))
    assert wrong.error == "the task takes no `extra.shots`"


def test_prompts_that_were_never_answered_are_no_wrong_answers(tmp_path: Path) -> None:
    """A harness may score them as wrong; the gateway knows, and passes over what is no question."""
    rows = [
        {"path": "/chat/completions", "question": "a", "occurrence": 0, "status": 200},
        {"path": "/chat/completions", "question": "b", "occurrence": 0, "status": 400},
        {"path": "/models", "status": 404},
    ]
    (tmp_path / "gateway").mkdir()
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "gateway" / "requests.jsonl").write_text(text)
    outcome = read(tmp_path)
    assert outcome.usage == {"questions": 2, "unanswered": 1}
    assert outcome.cause == ("the most common reason (1): HTTP status 400", "same-again")


ONE = "command: COMMAND\nresults: {tasks: {t: {metrics: {acc: {scores: {SCORES}}}}}}"


def results(scores: str, command: str = "x") -> str:
    """A results.yml of one task and metric, with these scores."""
    return ONE.replace("SCORES", scores).replace("COMMAND", command)


@pytest.mark.parametrize(
    ("scores", "questions", "share"),
    [
        ("api_error_fraction: {value: 1.0}", 0, 1.0),  # HLE, of an unreachable judge
        ("api_error_fraction: {value: 0.0}", 0, None),
        ("num_missing: {value: 3}", 4, 0.75),  # MT-Bench
        ("num_missing: {value: 0}", 4, None),
        ("skipped: {value: 2}", 0, 1.0),
        ("other: {value: 1}", 4, None),
    ],
)
def test_samples_that_the_harness_lost_count(tmp_path: Path, scores: str, questions: int, share: float | None) -> None:
    """A harness scores them as wrong or leaves them out; they are judged by `coverage`."""
    row = json.dumps({"path": "/chat/completions", "question": "q", "occurrence": 0, "status": 200}) + "\n"
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "requests.jsonl").write_text(row * questions)
    outcome = read(tmp_path, results(f"acc: {{value: 0.0}}, {scores}"), metric="t_acc_acc")
    assert outcome.usage.get(LOST_SHARE) == share
    lacks = find_shortfall(Demands(), outcome, outcome.cause)
    assert (lacks is None) == (share is None)
    if lacks:
        assert "of samples could not be graded, and 100% must be; the harness reports" in lacks.message
        assert find_shortfall(Demands(coverage=0.0), outcome) is None


@pytest.mark.parametrize(("samples", "stderr"), [(1, 0.15), (20, None)])
def test_an_error_over_repetitions_is_not_one_over_items(tmp_path: Path, samples: int, stderr: float | None) -> None:
    """bigcode's standard error takes every repetition of a problem for a problem of its own."""
    command = f"bigcode-eval --task humaneval --n_samples={samples} --limit 5"
    (score,) = read(tmp_path, results("acc: {value: 0.5, stats: {stderr: 0.15}}", command)).scores
    assert (score.stderr, score.reported) == (stderr, 0.15)


def test_samples_in_nvidias_form_are_taken(tmp_path: Path) -> None:
    """A step without a score is no sample, and the only score is that of the headline."""
    folder = tmp_path / "out" / "nemo" / "nemo-evaluator-per-sample-outputs"
    folder.mkdir(parents=True)
    sample = {
        "generation": "4",
        "num_generated_tokens": 1,
        "num_prompt_tokens": 9,
        "score_name": "right",
    }
    rows = [
        {**sample, "id": "1", "score": 1, "query": "2+2", "ground_truth": "4"},
        {**sample, "id": "2", "score": 0, "query": "2+3", "ground_truth": "5"},
        {**sample, "id": "2", "score": None, "query": "2+3", "ground_truth": "5"},
    ]
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "{torn")
    stats = "{count: 2, stderr: 0.25}"
    one = f"results: {{tasks: {{t: {{metrics: {{acc: {{scores: {{micro: {{value: 0.5, stats: {stats}}}}}}}}}}}}}}}"
    (score,) = read(tmp_path, one).scores
    assert (score.metric, score.value, score.scored) == ("t_acc_micro", 0.5, 2)
    assert score.stderr == pytest.approx(0.5)  # theirs, 0.25, is beside it
    assert "reports a standard error of 0.25" in score.disagreement
    told = [json.loads(row) for row in (tmp_path / "out" / "samples.jsonl").read_text().splitlines()]
    assert [(row["id"], row["scores"], row["reply"]) for row in told] == [
        ("1", {"t_acc_micro": 1.0}, "4"),
        ("2", {"t_acc_micro": 0.0}, "4"),
    ]
    assert told[0]["item"] != told[1]["item"]


def run_script(made: Command, folder: Path, harness: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the job's script in a folder, with a harness that is these lines of shell."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/nemo-evaluator").write_text(f"#!/bin/sh\n{harness}\n")
    (folder / "bin/nemo-evaluator").chmod(0o755)
    for name, text in made.files.items():
        (folder / name).write_text(text)
    env = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "EVALMAKE_OUT": str(folder / "out"),
        "EVALMAKE_MODEL_URL": "http://127.0.0.1:9/v1",
        "EVALMAKE_MODEL_NAME": "m",
        **more,
    }
    words = [word for word in made.argv if word != "{python}"]
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True)


@pytest.mark.parametrize("status", [0, 3])
def test_setup_and_cleanup_stand_around_the_harness(tmp_path: Path, status: int) -> None:
    """`setup` may set variables for the harness, and `cleanup` runs whether or not the harness failed."""
    made = command(tmp_path, 'task = "x.y", setup = "export WORD=set; echo before", cleanup = "echo after $UNSET"')
    ran = run_script(made, tmp_path / "job", f'echo "harness $WORD $1"; exit {status}')
    assert ran.stdout.split("\n") == ["before", "harness set run_eval", "after", ""]
    assert ran.returncode == status


def test_a_setup_that_fails_ends_the_job(tmp_path: Path) -> None:
    """The harness does not run after a `setup` that failed; without either key the shell becomes the harness."""
    made = command(tmp_path, 'task = "x.y", setup = "echo before; false"')
    ran = run_script(made, tmp_path / "job", "echo harness")
    assert (ran.stdout, ran.returncode) == ("before\n", 1)
    assert 'exec "$run_eval"' in command(tmp_path, 'task = "x.y"').files["nemo.sh"]
