"""Command lines and files of lm-eval, Inspect and nemo-evaluator as Evalfiles."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.support.projects import Project, check_golden

CASES = Path(__file__).parent / "commands"
LM_YAML = """\
# Mine.
model: local-completions
model_args: {model: llama, base_url: "http://h/v1/completions", tokenizer: meta/x, tokenizer_backend: huggingface}
tasks: [piqa, mmlu]  # two
num_fewshot: 3
limit: 0.5
"""
RUN_YAML = """\
config:
  type: simple_evals.mgsm
  output_dir: results
  params: {limit_samples: 5, temperature: 0.3, parallelism: 4}
target:
  api_endpoint: {url: "http://127.0.0.1:9/v1/chat/completions", model_id: m, type: chat, api_key_name: KEY}
"""
NEL_YAML = """\
defaults: [execution: local, deployment: none, _self_]
target:
  api_endpoint: {url: "http://127.0.0.1:9/v1/chat/completions", model_id: m}
evaluation:
  tasks:
    - name: simple_evals.mgsm
    - name: simple_evals.mmlu
"""


@pytest.mark.parametrize("path", sorted(CASES.glob("*.sh")), ids=lambda path: path.stem)
def test_command_lines_become_evalfiles_that_plan(project: Project, path: Path) -> None:
    """Each command line is the Evalfile beside it, formatted, and it plans."""
    project.write("lm.yaml", LM_YAML)
    project.write("run.yaml", RUN_YAML)
    project.write("nel.yaml", NEL_YAML)
    project.write("tasks/capitals.py", "")
    ran = project.run("import", "--", *shlex.split(path.read_text(), comments=True))
    check_golden(path.with_suffix(".evalfile"), ran.stdout)
    project.write("Evalfile", ran.stdout)
    project.run("fmt", "--check")
    assert "to run" in project.run("-n").stdout


@pytest.mark.parametrize(
    ("text", "mark"), [(LM_YAML, "harness           = lm-eval"), (RUN_YAML, "from simple-evals.mgsm")]
)
def test_files_are_known_by_their_content(project: Project, text: str, mark: str) -> None:
    """A file's keys say whose it is; `--from` says it where they do not, and wins."""
    project.write("c.yaml", text)
    assert mark in project.run("import", "c.yaml").stdout
    project.write("d.yaml", "tasks: gsm8k\n")
    assert "of none of the programs" in project.run("import", "d.yaml", status=2).stderr
    assert "no `pretrained`" in project.run("import", "d.yaml", "--from", "lm-eval", status=2).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("lm_eval --modle x", "did you mean `--model`?"),
        ("lm_eval --model dummy --tasks a", "a model of kind `dummy` has no counterpart"),
        ("lm_eval --model local-completions --tasks a", "`model_args` names no `model`"),
        ("inspect score log", "only `inspect eval`"),
        ("inspect eval a --model bedrock/x", "the address of `bedrock/x` is not known"),
        ("inspect eval --model openai/x", "no task is named"),
        ("eval-factory run_eval --eval_type nosuch --model_id m --model_url http://h/v1", "no task `nosuch`"),
        ("eval-factory run_eval --model_id m", "does not name the evaluation"),
        ("nel status 0a1b", "only `run` has a configuration"),
        ("nel run -o a=b", "no configuration is named"),
        ("nel run --confg nel.yaml", "did you mean `--config`?"),
        ("nel run --config nel.yaml a=b", "write overrides as `-o key=value`"),
        ("nel run --config nel.yaml -t mgsn", "there are `simple_evals.mgsm`, `simple_evals.mmlu`"),
        ("nel run --config nel.yaml -o nonsense", "`nonsense` is not `key=value`"),
        ("nel run --config-name other", "cannot read `other.yaml`"),
    ],
)
def test_mistakes_in_command_lines(project: Project, words: str, said: str) -> None:
    """Each is one message about the words, and no traceback."""
    project.write("nel.yaml", NEL_YAML)
    ran = project.run("import", "--", *words.split(), status=2)
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("words", "written"),
    [
        (["-o", "target.api_endpoint.model_id=n"], "model n {"),
        (["-o", "target.api_endpoint.model_id=n", "-o", "target.api_endpoint.model_id=o"], "model o {"),
        (["-o", "target.api_endpoint.model_id=n", "target.api_endpoint.model_id=p"], "model n {"),
        (["-o", "+evaluation.pre_cmd=make", "-o", "~evaluation.pre_cmd"], "benchmark in [simple-evals.mgsm"),
    ],
)
def test_overrides_may_stand_behind_the_option_of_the_launcher(
    project: Project, words: list[str], written: str
) -> None:
    """`-o key=value` changes the configuration, as in the launcher; `-o FILE` beside it is where to write."""
    project.write("nel.yaml", NEL_YAML)
    assert written in project.run("import", "nel.yaml", *words).stdout
    project.run("import", "nel.yaml", *words, "-o", "./a=b.evalfile")
    assert written in (project.root / "a=b.evalfile").read_text()
    assert sorted(path.name for path in project.root.iterdir()) == ["a=b.evalfile", "nel.yaml"]
    assert "names two files" in project.run("import", "nel.yaml", "-o", "a", "-o", "b", status=2).stderr
