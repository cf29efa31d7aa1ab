"""What `evalmake import` refuses, where it says so, and what it does not copy."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from evalmake.language.diagnostic import EvalmakeError
from evalmake.migration.programs import translate
from tests.support.projects import Project

EXAMPLES = Path(__file__).parent / "launcher"
CONFIG = """\
defaults:
  - execution: local
  - deployment: none
  - _self_
target:
  api_endpoint:
    model_id: m
    url: http://127.0.0.1:9/v1/chat/completions
    api_key_name: KEY
evaluation:
  tasks:
    - name: simple_evals.mgsm
"""
BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{at}: &a{at} [{','.join([f'*a{at - 1}'] * 9)}]\n" for at in range(1, 10)
)


@pytest.mark.parametrize(
    ("old", "new", "words", "said"),
    [
        ("defaults:", "defaults: [", (), ["this is not YAML", "c.yaml:"]),
        ("target:", "tarjet:", (), ["the configuration has no key `tarjet`", "c.yaml:5:1", "`target`"]),
        ("name: simple", "nam: simple", (), ["a task has no key `nam`", "c.yaml:12:7", "`name`"]),
        ("mgsm", "mgsn", (), ["the catalog has no task `simple_evals.mgsn`", "c.yaml:12:7", "`simple-evals.mgsm`"]),
        ("simple_evals.mgsm", "ifeval", (), ["`ifeval` is a task of several harnesses", "c.yaml:12:7"]),
        ("execution: local", "execution: locl", (), ["`defaults` name `execution/locl`", "`execution/local`"]),
        ("execution: local", "../../x: y", (), ["leads out of the folder"]),
        ("model_id: m", "model_id: ???", (), ["`target.api_endpoint.model_id` is not given", "c.yaml:7:5"]),
        ("model_id: m", "model_id: ${a.b}", (), ["`${a.b}` names nothing", "c.yaml:7:5"]),
        ("model_id: m", "model_id: ${oc.decode:x}", (), ["`${oc.decode:x}` cannot be resolved"]),
        ("model_id: m", "model_id: ${target.api_endpoint.model_id}", (), ["leads back to itself"]),
        ("model_id: m", "model_id: m\n    model_id: n", (), ["`model_id` is given twice", "c.yaml:8:5"]),
        ("model_id: m", "model_id: !!python/object:os.x m", (), ["the tag"]),
        ("  tasks:", "  x: y\n  tasks:", (), ["`evaluation` has no key `x`", "c.yaml:11:3"]),
        ("", "", ("target.api_endpoint.modl_id=n",), ["the configuration has no such key", "`model_id`"]),
        ("", "", ("evaluation.tasks.gsm.name=n",), ["no task has this name", "simple_evals.mgsm"]),
        ("", "", ("~target.x",), ["there is no such key to remove"]),
        ("", "", ("nonsense",), ["`nonsense` is not `key=value`"]),
        ("", "", ("deployment=vlm",), ["`defaults` name `deployment/vlm`", "`deployment/vllm`"]),
    ],
)
def test_mistakes_are_told_with_their_place(
    project: Project, old: str, new: str, words: tuple[str, ...], said: list[str]
) -> None:
    """Each mistake is one message with file and line, and nothing is written."""
    project.write("c.yaml", CONFIG.replace(old, new, 1) if old else CONFIG)
    ran = project.run("import", "c.yaml", *words, "-o", "Evalfile", status=2)
    assert "Traceback" not in ran.stderr
    assert [part for part in said if part not in ran.stderr] == []
    assert not (project.root / "Evalfile").exists()


def test_all_mistakes_of_a_file_are_told_at_once(project: Project) -> None:
    """Keys, tasks, and what is missing, each with its line and a cure."""
    text = CONFIG.replace("    url: http://127.0.0.1:9/v1/chat/completions\n", "").replace(
        "model_id: m", "model_id: ???"
    )
    text = text.replace("evaluation:", "walltime: 1\nevaluation:\n  temperature: 0")
    text = text.replace("mgsm", "mgsn") + "      adapter_config: {}\n    - name: simple_evals.mmlu\n      contaner: x\n"
    project.write("c.yaml", text)
    said = project.run("import", "c.yaml", status=2).stderr
    assert "Traceback" not in said
    for part in (
        "`walltime` belongs under `execution`",
        "`temperature` belongs under `nemo_evaluator_config.config.params`",
        "the catalog has no task `simple_evals.mgsn`",
        "`adapter_config` belongs under `nemo_evaluator_config.target.api_endpoint`",
        "did you mean `container`?",
        "`target.api_endpoint.url` is not given",
        "+target.api_endpoint.url=https://HOST/v1/chat/completions",
        "`target.api_endpoint.model_id` is not given: it is `???`",
        "give it on the command line: target.api_endpoint.model_id=...",
        "7 errors",
    ):
        assert part in said, part
    project.write("c.yaml", "tarjet: {}\n" + CONFIG)
    assert project.run("import", "c.yaml", status=2).stderr.count("[bad-config]") == 1


@pytest.mark.parametrize(
    ("old", "new", "path", "said"),
    [
        ("target:", "execution: {walltme: 1}\ntarget:", "execution.walltme", "did you mean `walltime`?"),
        (
            "    model_id: m",
            "    model_id: m\n    adapter_config: {use_reasoning: true, use_caching: false}",
            "target.api_endpoint.adapter_config",
            "`adapter_config` belongs under `evaluation.nemo_evaluator_config.target.api_endpoint`",
        ),
        (
            "  tasks:",
            "  nemo_evaluator_config: {target: {api_endpoint: {adapter_config: {adapter_config: {mode: x}}}}}\n"
            "  tasks:",
            "evaluation.nemo_evaluator_config.target.api_endpoint.adapter_config.adapter_config",
            "`adapter_config` belongs under `target.api_endpoint`",
        ),
        (
            "simple_evals.mgsm",
            "simple_evals.mgsm\n      nemo_evaluator_config: {config: {temperature: 0, params: {use_reasoning: true}}}",
            "evaluation.tasks.0.nemo_evaluator_config.config.temperature",
            "`temperature` belongs under `params`",
        ),
        (
            "simple_evals.mgsm",
            "simple_evals.mgsm\n      nemo_evaluator_config: {config: {params: {use_reasoning: true}}}",
            "evaluation.tasks.0.nemo_evaluator_config.config.params.use_reasoning",
            "`use_reasoning` belongs under `target.api_endpoint.adapter_config`",
        ),
        (
            "simple_evals.mgsm",
            "simple_evals.mgsm\n      nemo_evaluator_config: {config: {params: {temprature: 1}}}",
            "evaluation.tasks.0.nemo_evaluator_config.config.params.temprature",
            "did you mean `temperature`?",
        ),
    ],
)
def test_keys_that_nothing_reads_are_told_with_what_was_meant(
    project: Project, old: str, new: str, path: str, said: str
) -> None:
    """The launcher takes them in silence; a note names the nearest key, or where this one belongs, once for a map."""
    project.write("c.yaml", CONFIG.replace(old, new, 1))
    ran = project.run("import", "c.yaml")
    (line,) = [line for line in ran.stderr.splitlines() if f" {path}: " in line]
    assert line.endswith(f"nothing reads it here: {said}")


@pytest.mark.parametrize("text", [BOMB, "[" * 100_000, "a: " + "{a: " * 500, "x: &x [*x]", "- " * 3000 + "a"])
def test_bombs_and_depths_are_refused(project: Project, text: str) -> None:
    """Aliases that stand for more than a file may hold, and values that are nested too deep, end with a message."""
    project.write("c.yaml", text)
    ran = project.run("import", "c.yaml", status=2)
    assert "[bad-config]" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_file_is_replaced_only_when_told(project: Project) -> None:
    """`-o` refuses a file that exists; `--replace` replaces it."""
    project.write("c.yaml", CONFIG)
    project.write("Evalfile", "mine")
    assert "[exists]" in project.run("import", "c.yaml", "-o", "Evalfile", status=2).stderr
    assert (project.root / "Evalfile").read_text() == "mine"
    assert "wrote Evalfile" in project.run("import", "c.yaml", "-o", "Evalfile", "--replace").stdout
    assert "to run" in project.run("-n").stdout


def test_secrets_are_not_copied(project: Project) -> None:
    """A key in the place of a variable's name, in variables, headers, extra parameters or comments becomes a name."""
    key = "nvapi-0123456789abcdef"
    text = CONFIG.replace("api_key_name: KEY", f"api_key_name: {key}  # {key}")
    text = text.replace("target:", f"env_vars:\n  TOKEN: lit:{key}\n  WORD: lit:plain\ntarget:", 1)
    text += f"""\
      env_vars:
        HF_TOKEN: host:OTHER
        PASSWORD: lit:swordfish
      nemo_evaluator_config:
        config:
          params:
            extra:
              judge: {{url: "http://127.0.0.1:9/v1/chat/completions", model_id: j, api_key: {key}}}
        target:
          api_endpoint:
            adapter_config:
              params_to_add: {{top_k: 3}}
              headers_to_add: {{Authorization: Bearer {key}, X-Team: evals}}
"""
    project.write("c.yaml", text)
    ran = project.run("import", "c.yaml")
    assert key not in ran.stdout + ran.stderr
    assert "swordfish" not in ran.stdout + ran.stderr
    for part in (
        'secret("MODEL_API_KEY")',
        'secret("OTHER")',
        'secret("PASSWORD")',
        'secret("JUDGE_API_KEY")',
        '"plain"',
    ):
        assert part in ran.stdout
    assert sum("not copied" in line for line in ran.stderr.splitlines()) == 5
    project.write("Evalfile", ran.stdout)
    assert "to run" in project.run("-n").stdout


ODD = (None, 5, -1, 1.5, "text", "", [], {}, [1], {"a": 1}, True, "???", "${a.b}", "${oc.env:X}/y", 'q"\\te', 10**400)


def change_something(value: Any, random: Random) -> Any:
    """A value with one of its parts replaced by an odd one."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(sorted(value))
        return {**value, key: change_something(value[key], random)}
    if isinstance(value, list) and value and random.random() < 0.9:
        at = random.randrange(len(value))
        return [*value[:at], change_something(value[at], random), *value[at + 1 :]]
    return random.choice(ODD)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_values_of_the_wrong_kind_end_in_a_message(path: Path, tmp_path: Path) -> None:
    """Whatever stands where something else is expected, the import ends with an Evalfile or with a message."""
    sound = yaml.safe_load(path.read_text())
    cluster = [f"+execution.{key}=x" for key in ("hostname", "account", "output_dir")] if "slurm" in path.stem else []
    for seed in range(60):
        value = change_something(change_something(sound, random := Random(seed)), random)
        (tmp_path / "c.yaml").write_text(yaml.safe_dump(value))
        with suppress(EvalmakeError):
            translate([str(tmp_path / "c.yaml"), *cluster], "launcher").write()
