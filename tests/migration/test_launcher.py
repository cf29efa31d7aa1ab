"""Configurations of nemo-evaluator-launcher as Evalfiles."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from evalmake.harnesses.nemo.harness import NemoHarness
from evalmake.project.adapter import merge_adapters
from evalmake.workspace import Workspace
from tests.migration.launcher_texts import OF_ONE_TASK
from tests.support.projects import Project, check_golden

EXAMPLES = Path(__file__).parent / "launcher"
CLUSTER = (
    "execution.hostname=login.acme.com",
    "execution.account=evals",
    "execution.output_dir=/lustre/me/evals",
)
OVERRIDES = {"slurm_vllm_hf_caching": CLUSTER, "slurm_vllm_auxiliary_judge": CLUSTER}
SENT: dict[str, dict[str, dict[str, Any]]] = json.loads((EXAMPLES / "sent.json").read_text())
"""What the launcher's dry run writes into `config_ef.yaml` for each task, without metadata; see its first entry."""


@pytest.fixture
def examples(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with the launcher's examples in it."""
    monkeypatch.setenv("USER", "me")
    for path in EXAMPLES.glob("*.yaml"):
        shutil.copy(path, project.root)
    return project


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.yaml")))
def test_examples_become_evalfiles_that_plan(examples: Project, name: str) -> None:
    """Each shipped example is the Evalfile beside it, formatted, with the same notes on stderr; and it plans."""
    words = (f"{name}.yaml", *OVERRIDES.get(name, ()))
    ran = examples.run("import", *words)
    check_golden(EXAMPLES / f"{name}.evalfile", ran.stdout)
    noted = [line for line in ran.stdout.partition(", without a place here")[2].splitlines()[1:] if line]
    assert [line.partition(", ")[2] for line in noted] == [line.split(": ", 1)[1] for line in ran.stderr.splitlines()]
    examples.write("Evalfile", ran.stdout)
    examples.run("fmt", "--check")
    assert "to run" in examples.run("-n").stdout


@pytest.mark.parametrize("name", sorted(SENT.keys() - {""}))
def test_the_harness_gets_what_the_launcher_would_give_it(examples: Project, name: str) -> None:
    """The run configurations are the same but for what the test names, each for a reason.

    - URL, model and key are the gateway's: the job knows them when it starts. The record holds the model's own.
    - `adapter_config` is the gateway's work: its system message, reasoning and logs are in the eval's adapter.
    - `max_retries` is 1, as the gateway repeats requests; the adapter's `retry` has the launcher's number.
    - `parallelism` is the model's `concurrency`, where the launcher gives one; else the catalog's, as in the container.
    - Parameters that the launcher leaves out are the container's own defaults, which the catalog writes out.
    """
    examples.run("import", f"{name}.yaml", *OVERRIDES.get(name, ()), "-o", "Evalfile")
    nodes = Workspace.open(examples.root / "Evalfile").graph(()).nodes.values()
    ours = {}
    for node in nodes:
        run = json.loads(NemoHarness().command(node.evaluation).files["run_config.json"])
        ours[run["config"]["type"]] = run, node.evaluation
    assert set(ours) == set(SENT[name])
    for task, theirs in SENT[name].items():
        run, cell = ours[task]
        assert run["target"]["api_endpoint"]["type"] == theirs["target"]["api_endpoint"]["type"]
        name_of_model = cell.model.block.name or _served_name(examples, cell.model.block.deployment)
        assert name_of_model == theirs["target"]["api_endpoint"]["model_id"]
        params = dict(theirs["config"].get("params", {}))
        extra, retries = params.pop("extra", {}), params.pop("max_retries", None)
        adapter_of = merge_adapters(*(one.block.adapter for one in (cell.model, cell.benchmark, cell.variant)))
        assert adapter_of.get("retry") == retries
        for key, value in params.items():
            if value is None:  # the container's own, which the catalog writes out
                value = {"top_p": 1e-05}.get(key)
            assert run["config"]["params"].get(key) == value, (task, key)
        for key, value in extra.items():
            if key == "judge":
                judge = Workspace.open(examples.root / "Evalfile").project.models[cell.benchmark.settings.judge].block
                assert judge.deployment or judge.name == value["model_id"]
                value = {inner: one for inner, one in value.items() if inner not in ("url", "model_id")}
                assert value.items() <= run["config"]["params"]["extra"][key].items()
            else:
                assert run["config"]["params"]["extra"][key] == value
        adapter = theirs["target"]["api_endpoint"].get("adapter_config") or {}
        prompt = adapter.get("use_system_prompt")
        assert adapter_of.get("system") == (adapter["custom_system_prompt"] if prompt else None)
        assert adapter_of.get("system_mode") == ("prepend" if prompt else None)
        strips = adapter.get("process_reasoning_traces") or adapter.get("use_reasoning")
        assert bool(adapter_of.get("strip_reasoning")) == bool(strips)
        assert adapter_of.get("params", {}) == adapter.get("params_to_add", {})


def _served_name(project: Project, deployment: str) -> str:
    return str(Workspace.open(project.root / "Evalfile").project.deployments[deployment].block.served_name)


@pytest.mark.parametrize(
    ("given", "written", "noted"),
    [
        ("execution.max_walltime=1-00:00:00", ["total_time = 1d"], False),
        ("execution.max_walltime=00:10:00", ["timeout   = 30m"], True),
        ("execution.max_walltime=null", ["timeout   = 30m"], False),
    ],
)
def test_most_time_of_a_chain(examples: Project, given: str, written: list[str], noted: bool) -> None:
    """`max_walltime` is `total_time`; where no job is resumed, the only one has the evaluation's `timeout`."""
    ran = examples.run("import", "slurm_vllm_hf_caching.yaml", *CLUSTER, given)
    assert all(line in ran.stdout for line in written)
    assert ("it is less than `walltime`, which ends the only job" in ran.stderr) == noted
    examples.write("Evalfile", ran.stdout)
    assert "to run" in examples.run("-n").stdout


@pytest.mark.parametrize(("named", "written"), [("HUGGING_FACE_HUB_TOKEN", 1), ("ANOTHER", 2)])
def test_secrets_of_a_workspace(examples: Project, named: str, written: int) -> None:
    """Endpoints have the secrets of jobs, and their own where those are others."""
    other = f"deployment.lepton_config.envs.HF_TOKEN.value_from.secret_name_ref={named}"
    ran = examples.run("import", "lepton_nim.yaml", other)
    assert ran.stdout.count(" secrets") == written
    assert f'HF_TOKEN = "{named}"' in ran.stdout
    examples.write("Evalfile", ran.stdout)
    assert "to run" in examples.run("-n").stdout


@pytest.mark.parametrize(
    ("task", "more", "written"),
    [
        ("AA-LCR.aa_lcr", "env_vars: {JUDGE_API_KEY: host:NGC_KEY}", 'api_key  = secret("NGC_KEY")'),
        ("ns_omniscience", "", 'api_key  = secret("JUDGE_API_KEY")'),
        ("ns_hle_aa", "", 'name     = "us/azure/openai/gpt-4.1"'),
    ],
)
def test_a_judge_that_the_task_has_itself_is_declared(project: Project, task: str, more: str, written: str) -> None:
    """Nothing in the launcher's file names it; evalmake asks it through the gateway, and needs a name for that."""
    project.write("c.yaml", OF_ONE_TASK.format(task=task, more=more))
    ran = project.run("import", "c.yaml")
    assert "model judge {" in ran.stdout
    assert written in ran.stdout
    assert "judge = judge" in ran.stdout
    assert "JUDGE_API_KEY =" not in ran.stdout
    project.write("Evalfile", ran.stdout)
    assert "1 to run" in project.run("-n").stdout


def test_a_judge_that_nobody_names_is_noted(project: Project) -> None:
    """At the task, before a plan would refuse it."""
    project.write("c.yaml", OF_ONE_TASK.format(task="simple_evals.simpleqa", more=""))
    assert (
        "c.yaml:7: evaluation.tasks.0: the harness would ask a judge of its own"
        in project.run("import", "c.yaml").stderr
    )


@pytest.mark.parametrize(("repeats", "metric"), [(5, "gpqa_pass_at_1_avg-of-5_symbolic_correct"), (1, "")])
def test_a_number_of_repeats_has_its_metric(project: Project, repeats: int, metric: str) -> None:
    """NeMo Skills names the mean by the number of samples: what is imported plans as it is."""
    more = f"nemo_evaluator_config: {{config: {{params: {{extra: {{num_repeats: {repeats}}}}}}}}}"
    project.write("c.yaml", OF_ONE_TASK.format(task="ns_gpqa", more=more))
    ran = project.run("import", "c.yaml")
    assert ("metric" in ran.stdout) == bool(metric)
    assert metric in ran.stdout
    project.write("Evalfile", ran.stdout)
    assert "1 to run" in project.run("-n").stdout


@pytest.mark.parametrize(
    ("prompt", "first", "noted"), [("true", "false", False), ("false", "true", False), ("false", "false", True)]
)
def test_a_prompt_that_no_task_uses_is_noted(project: Project, prompt: str, first: str, noted: bool) -> None:
    """`use_system_prompt` of all tasks and of one are laid over each other before anything is said of the prompt."""
    adapter = "nemo_evaluator_config: {target: {api_endpoint: {adapter_config: {use_system_prompt: %s%s}}}}"
    text = OF_ONE_TASK.format(task="simple_evals.mgsm", more=adapter % (first, ""))
    text = text.replace("  tasks:", f"  {adapter % (prompt, ', custom_system_prompt: Think.')}\n  tasks:")
    project.write("c.yaml", text + "    - name: simple_evals.mmlu\n")
    ran = project.run("import", "c.yaml")
    assert ran.stderr.count("it is not used: `use_system_prompt` is not true") == noted
    assert ('"Think."' in ran.stdout) == (not noted)
    assert ("system = none" in ran.stdout) == (prompt == "true")


def test_the_older_key_of_settings_is_read(project: Project) -> None:
    """`config` stands for `nemo_evaluator_config`, for all tasks and for one."""
    text = OF_ONE_TASK.format(task="simple_evals.mgsm", more="config: {config: {params: {top_p: 0.5}}}")
    project.write("c.yaml", text.replace("  tasks:", "  config: {config: {params: {temperature: 0.3}}}\n  tasks:"))
    ran = project.run("import", "c.yaml")
    assert "temperature = 0.3" in ran.stdout
    assert "top_p = 0.5" in ran.stdout
    assert ran.stderr == ""


def test_a_task_that_is_listed_twice_is_two_benchmarks(project: Project) -> None:
    """Each has its own words, so that `when` changes one of them."""
    settings = "nemo_evaluator_config: {config: {params: {temperature: %s}}}"
    text = OF_ONE_TASK.format(task="simple_evals.mgsm", more=settings % 0.5)
    text = text.replace("  tasks:", f"  {settings % 0}\n  tasks:")
    project.write("c.yaml", text + "    - name: simple_evals.mgsm\n")
    project.write("Evalfile", project.run("import", "c.yaml").stdout)
    project.run("fmt", "--check")
    assert "2 to run" in project.run("-n").stdout
    assert "temperature = 0.5" in project.run("show", "c/simple-evals.mgsm").stdout


def test_wheels_take_the_place_of_containers(project: Project) -> None:
    """With `--wheels`, benchmarks are those of wheels, as processes; what has no wheel is noted, and needs Docker."""
    text = OF_ONE_TASK.format(task="simple_evals.mgsm", more="container: my/image")
    text = text.replace("target:", "execution: {extra_docker_args: -v /a:/b}\nenv_vars: {A: lit:b}\ntarget:", 1)
    project.write("c.yaml", text)
    ran = project.run("import", "c.yaml", "--wheels", "-o", "Evalfile")
    written = (project.root / "Evalfile").read_text()
    assert 'include "catalog:wheels/simple-evals"' in written
    assert "backend = process" in written
    assert 'env     = { A = "b" }' in written
    assert "image" not in written.partition("# From")[0]
    assert "c.yaml:2: execution.extra_docker_args: wheels run in no container" in ran.stderr
    assert "evaluation.tasks.0.container: the wheel takes its place" in ran.stderr
    project.run("fmt", "--check")
    assert "1 to run" in project.run("-n").stdout
    project.write("d.yaml", OF_ONE_TASK.format(task="nemo_skills.ns_gpqa", more=""))
    ran = project.run("import", "d.yaml", "--wheels")
    assert 'include "catalog:nemo-skills"' in ran.stdout
    assert "NVIDIA has no wheel of it that runs alone" in ran.stderr


def test_servers_stay_in_containers_beside_wheels(examples: Project) -> None:
    """A deployment has an executor of its own; what is not local, and other programs, take no `--wheels`."""
    ran = examples.run("import", "local_vllm_logprobs.yaml", "--wheels")
    assert "executor servers {\n    backend = docker\n    gpus    = 1" in ran.stdout
    assert re.search("executor +=  ?servers", ran.stdout)
    examples.write("Evalfile", ran.stdout)
    assert "to run" in examples.run("-n").stdout
    slurm = examples.run("import", "slurm_vllm_hf_caching.yaml", *CLUSTER, "--wheels", status=2).stderr
    assert "`--wheels` is for `execution: local`" in slurm
    other = examples.run("import", "--wheels", "--", "inspect", "eval", "a", "--model", "openai/x", status=2)
    assert "`--wheels` chooses among benchmarks of NVIDIA's" in other.stderr


@pytest.mark.parametrize(
    ("words", "host", "said"),
    [
        ([], "unix:///no/engine", "none runs here; `--wheels` takes NVIDIA's wheels"),
        ([], "tcp://elsewhere:2376", ""),
        (["--wheels"], "unix:///no/engine", ""),
    ],
)
def test_where_docker_is_not_there_wheels_are_named(project: Project, words: list[str], host: str, said: str) -> None:
    """As soon as the Evalfile is written, and only where it needs Docker."""
    project.write("c.yaml", OF_ONE_TASK.format(task="simple_evals.mgsm", more=""))
    ran = project.run("import", "c.yaml", *words, "-o", "Evalfile", env={"DOCKER_HOST": host})
    assert ("Docker" in ran.stderr) == bool(said)
    assert said in ran.stderr


def test_comments_of_lines_without_a_place_are_kept(project: Project) -> None:
    """At the end, with line and path; one beside a key itself is not, as it may speak of it."""
    text = OF_ONE_TASK.format(task="simple_evals.mgsm", more="# mine\n      endpoint_type: chat  # its kind")
    text = text.replace(
        "evaluation:", "  # why\n  api_endpoint_of: old\nexport:\n  wandb: {a: b}  # later\nevaluation:"
    )
    text = text.replace("model_id: m,", "model_id: m, api_key_name: nvapi-0123456789abcdef,").replace(
        'completions"}', 'completions"}  # our key'
    )
    project.write("c.yaml", text)
    said = project.run("import", "c.yaml").stdout
    kept = said.partition("# Comments of c.yaml on what has no place here:\n")[2].partition("\n\n")[0]
    assert kept.splitlines() == [
        "# line 5, target.api_endpoint_of: why",
        "# line 7, export.wandb.a: later",
        "# line 13, evaluation.tasks.0.endpoint_type: mine",
        "# line 13, evaluation.tasks.0.endpoint_type: its kind",
    ]


def test_a_limit_that_is_evalmakes_own_is_not_written(examples: Project) -> None:
    """Lepton's is 1h, as evalmake's; another is written."""
    assert "timeout  " not in examples.run("import", "lepton_nim.yaml").stdout
    other = "++execution.evaluation_tasks.timeout=7200"
    assert "timeout   = 2h" in examples.run("import", "lepton_nim.yaml", other).stdout


def test_keys_are_those_that_variables_rename(project: Project) -> None:
    """A key is the variable of this machine that `env_vars` gives, for the model and for a judge: the last one wins."""
    judge = "extra: {judge: {url: 'http://127.0.0.1:9/v1', model_id: j, api_key: JUDGE_KEY}}"
    settings = f"nemo_evaluator_config: {{config: {{params: {{{judge}}}}}}}"
    names = "env_vars: {JUDGE_KEY: host:MY_JUDGE, MY_KEY: $LAST}"
    text = OF_ONE_TASK.format(task="simple_evals.simpleqa", more=f"{settings}\n      {names}")
    text = text.replace("model_id: m,", "model_id: m, api_key_name: MY_KEY,")
    text = text.replace("  tasks:", "  env_vars: {MY_KEY: host:OTHER}\n  tasks:")
    project.write("c.yaml", text + "    - name: simple_evals.mgsm\n")
    written = project.run("import", "c.yaml").stdout
    keys = dict(re.findall(r'^model (\S+) \{[^}]*?api_key +=\s+secret\("(\w+)"\)', written, re.M))
    assert sorted(keys.values()) == ["LAST", "MY_JUDGE", "OTHER"]
    assert keys["judge"] == "MY_JUDGE"
    assert 'secret("MY_KEY")' not in written
    assert 'secret("JUDGE_KEY")' not in written


def test_a_null_parameter_is_noted(project: Project) -> None:
    """The launcher sends it; evalmake does not, and says so at its line, at any depth."""
    adapter = "adapter_config: {params_to_add: {x: null, y: {z: null, w: 1}}}"
    more = f"nemo_evaluator_config: {{target: {{api_endpoint: {{{adapter}}}}}}}"
    project.write("c.yaml", OF_ONE_TASK.format(task="simple_evals.mgsm", more=more))
    ran = project.run("import", "c.yaml", "-o", "Evalfile")
    assert 'c.yaml:8: params_to_add.x: a null is not sent, but left out; `drop = ["x"]`' in ran.stderr
    assert "params_to_add.y.z: a null is not sent" in ran.stderr
    assert "params_to_add.y.w" not in ran.stderr
    assert "1 to run" in project.run("-n").stdout


@pytest.mark.parametrize(
    ("task", "written", "noted"),
    [
        ("lm-evaluation-harness.ifeval", True, False),
        ("simple_evals.mgsm", False, True),
    ],
)
def test_streams_are_asked_for_where_the_harness_can(project: Project, task: str, written: bool, noted: bool) -> None:
    """`stream` reaches the harnesses whose commands have a place for it; for others a note says that they have none."""
    more = "nemo_evaluator_config: {target: {api_endpoint: {stream: true}}}"
    project.write("c.yaml", OF_ONE_TASK.format(task=task, more=more))
    ran = project.run("import", "c.yaml", "-o", "Evalfile")
    assert bool(re.search("stream += true", (project.root / "Evalfile").read_text())) == written
    assert ("stream: simple-evals does not read it" in ran.stderr) == noted
    (node,) = Workspace.open(project.root / "Evalfile").graph(()).nodes.values()
    run = json.loads(NemoHarness().command(node.evaluation).files["run_config.json"])
    assert run["target"]["api_endpoint"].get("stream") == (True if written else None)


def test_the_older_name_of_a_flag_is_no_stranger(project: Project) -> None:
    """`use_reasoning` is `process_reasoning_traces`: either strips reasoning, and none beside the other is noted."""
    adapter = "adapter_config: {use_reasoning: %s, process_reasoning_traces: %s}"
    for values in (("false", "true"), ("true", "false"), ("true", "true"), ("false", "false")):
        more = f"nemo_evaluator_config: {{target: {{api_endpoint: {{{adapter % values}}}}}}}"
        project.write("c.yaml", OF_ONE_TASK.format(task="simple_evals.mgsm", more=more))
        ran = project.run("import", "c.yaml")
        assert ran.stderr == ""
        assert ("strip_reasoning" in ran.stdout) == ("true" in values)


def test_a_missing_value_of_all_tasks_is_told_once(project: Project) -> None:
    """By its own path, however many tasks have it from there."""
    text = OF_ONE_TASK.format(task="simple_evals.mgsm", more="").replace(
        "  tasks:", "  nemo_evaluator_config:\n    config:\n      params:\n        limit_samples: ???\n  tasks:"
    )
    project.write("c.yaml", text + "    - name: simple_evals.mmlu\n")
    said = project.run("import", "c.yaml", status=2).stderr
    path = "evaluation.nemo_evaluator_config.config.params.limit_samples"
    assert said.count("is not given") == 1
    assert f"give it on the command line: {path}=..." in said
    assert project.run("import", "c.yaml", f"{path}=3").stdout.count("limit ") == 1


def test_what_a_task_has_no_place_for_is_left_out(project: Project) -> None:
    """A limit and a judge of all tasks do not keep those from planning that take none; each is noted at its line."""
    judge = "{url: 'http://127.0.0.1:9/v1', model_id: j}"
    text = OF_ONE_TASK.format(task="simple_evals.simpleqa", more="").replace(
        "  tasks:",
        "  nemo_evaluator_config:\n    config:\n      params:\n        limit_samples: 7\n"
        f"        extra:\n          judge: {judge}\n  tasks:",
    )
    project.write("c.yaml", text + "    - name: garak.garak\n    - name: lm-evaluation-harness.ifeval\n")
    ran = project.run("import", "c.yaml", "-o", "Evalfile")
    written = (project.root / "Evalfile").read_text()
    assert "when benchmark = garak.garak {\n        limit = none" in written
    assert written.count("judge = judge") == 1
    assert "c.yaml:8: evaluation.tasks.1.nemo_evaluator_config.config.params.limit_samples: garak has no" in ran.stderr
    assert "extra.judge: lm-evaluation-harness asks no judge" in ran.stderr
    assert "3 to run" in project.run("-n").stdout
