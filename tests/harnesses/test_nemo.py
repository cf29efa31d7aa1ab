"""What is handed to NVIDIA's harnesses, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from evalmake.harnesses.nemo.harness import NemoHarness
from evalmake.language.diagnostic import EvalmakeError
from evalmake.plugin_api.harness import Command
from evalmake.workspace import Workspace
from tests.harnesses.test_nemo_results import read

EVALFILE = """
model m { endpoint = "http://127.0.0.1:9/v1", name = "m", api = API }
model other { endpoint = "http://127.0.0.1:9/v1", name = "o" }
benchmark b { harness = nemo, BENCHMARK }
eval e { model = m, benchmark = b, EVAL }
"""


HERS = '{ url = "https://j/v1/x", model_id = "gpt", api_key = "J_KEY" }'


def command(folder: Path, benchmark: str, eval: str = "limit = 5", api: str = "chat") -> Command:
    """The command of the one cell; EvalmakeError where it is refused."""
    text = EVALFILE.replace("API", api).replace("BENCHMARK", benchmark).replace("EVAL", eval)
    (folder / "Evalfile").write_text(text)
    (node,) = Workspace.open(folder / "Evalfile").graph(()).nodes.values()
    return NemoHarness().command(node.evaluation)


def config(made: Command) -> Any:
    """The run_config."""
    return json.loads(made.files["run_config.json"])


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


@pytest.mark.parametrize(
    ("task", "type"),
    [
        ("safety_eval.aegis_v2_reasoning", "aegis_v2_reasoning"),
        ("compliance", "compliance"),
        ("x.y", "x.y"),
    ],
)
def test_safety_harness_is_given_its_plain_names(tmp_path: Path, task: str, type: str) -> None:
    """It compares them; others take theirs with the name of the harness, too."""
    assert config(command(tmp_path, f'task = "{task}", judge = other'))["config"]["type"] == type


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


def test_a_refused_judge_is_one_that_you_can_declare(tmp_path: Path) -> None:
    """The help has its address, name and key, without the end that the harness needs in the address."""
    with pytest.raises(EvalmakeError) as refused:
        command(tmp_path, f'task = "x.y", judge_route = "/x", extra = {{ judge = {HERS} }}')
    model = 'model judge { endpoint = "https://j/v1", name = "gpt", api_key = secret("J_KEY") }'
    assert refused.value.diagnostics[0].help[0] == f"its own would be `{model}`"


def test_a_judge_is_switched_on(tmp_path: Path) -> None:
    """Where the harness has it off, it would grade without; where it is off and not yours, nobody is asked."""
    for off, on in (("judge_support = false", {"judge_support": True}), ("judge = { enabled = false }", None)):
        extra = on or {"judge": {"enabled": True}}
        made = command(tmp_path, f'task = "x.y", judge = other, extra = {{ {off} }}')
        assert config(made)["config"]["params"]["extra"] == extra
        alone = command(tmp_path, f'task = "x.y", extra = {{ {off} }}')
        assert config(alone)["config"]["params"]["extra"] != extra
    off = 'judge_support = false, judge = { url = "https://j/v1" }'
    assert "JUDGE_URL" not in command(tmp_path, f'task = "x.y", extra = {{ {off} }}').files["nemo.sh"]


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
        ('task = "simple_evals.simpleqa"', "limit = 5", "chat", "would ask a judge of its own, past the gateway"),
        (
            f'task = "x.y", extra = {{ judge = {HERS} }}',
            "limit = 5",
            "chat",
            "would ask https://j/v1/x, past the gateway",
        ),
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
