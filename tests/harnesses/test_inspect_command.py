"""What is handed to Inspect, and what is refused before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalmake.harnesses.inspect.harness import InspectHarness
from evalmake.language.diagnostic import EvalmakeError
from evalmake.plugin_api.harness import Command
from evalmake.workspace import Workspace

EVALFILE = """
model m { endpoint = "http://127.0.0.1:9/v1", name = "m", API }
model other { endpoint = "http://127.0.0.1:9/v1", name = "o" }
benchmark b { harness = inspect, BENCHMARK }
eval e { model = m, benchmark = b, seed = 7, EVAL }
"""


def command(folder: Path, benchmark: str, eval: str = "limit = 5", api: str = "api = chat") -> Command:
    """The command of the one cell; EvalmakeError where it is refused."""
    (folder / "arith.py").write_text("@task\ndef arith():\n    return Task()\n")
    text = EVALFILE.replace("API", api).replace("BENCHMARK", benchmark).replace("EVAL", eval)
    (folder / "Evalfile").write_text(text)
    (node,) = Workspace.open(folder / "Evalfile").graph(()).nodes.values()
    return InspectHarness().command(node.evaluation)


def script(made: Command) -> str:
    """The command line as one line."""
    return " ".join(made.files["inspect.sh"].replace("\\\n", " ").split())


def test_a_task_of_a_package_is_named_as_it_is(tmp_path: Path) -> None:
    """It needs no files, and the limit is Inspect's own."""
    made = command(tmp_path, 'task = "inspect_evals/humaneval"')
    assert "eval inspect_evals/humaneval --model" in script(made)
    assert "--limit 5" in script(made)
    assert dict(made.inputs) == {}


def test_a_task_of_a_file_lies_beside_its_data(tmp_path: Path) -> None:
    """The benchmark's files are in one folder, and the task is named there."""
    made = command(tmp_path, 'task = "arith.py@arith", files = file("arith.py")')
    assert "eval task/arith.py@arith --model" in script(made)
    assert list(made.inputs) == ["task/arith.py"]


def test_data_files_are_read_and_not_remembered(tmp_path: Path) -> None:
    """With data of its own a job has caches of its own; without, those of data sets are shared."""
    (tmp_path / "rows.jsonl").write_text("{}")
    own = 'XDG_CACHE_HOME="$PWD/cache"'
    assert own not in script(command(tmp_path, 'task = "p/t"'))
    assert own not in script(command(tmp_path, 'task = "arith.py", files = file("arith.py")'))
    made = command(tmp_path, 'task = "arith.py", files = glob("[ar]*.*")')
    assert own in script(made)
    assert 'HF_DATASETS_CACHE="$PWD/cache/datasets"' in script(made)


def test_parameters_go_by_inspects_names(tmp_path: Path) -> None:
    """What Inspect has no word for is put into the request as it is."""
    params = 'params = { temperature = 0.5, max_tokens = 9, stop = "X", n = 2, top_k = 5 }'
    made = command(tmp_path, 'task = "p/t"', params)
    assert json.loads(made.files["generate.json"]) == {
        "temperature": 0.5,
        "max_tokens": 9,
        "stop_seqs": ["X"],
        "num_choices": 2,
        "seed": 7,
        "extra_body": {"top_k": 5},
    }
    made = command(tmp_path, 'task = "p/t"', "params = {}")
    assert json.loads(made.files["generate.json"]) == {"seed": 7}


def test_settings_are_options(tmp_path: Path) -> None:
    """Each is said once, and what is not set is left to the task."""
    made = command(tmp_path, 'task = "p/t"')
    for option in (
        "epochs",
        "sample-shuffle",
        "sandbox",
        "model-role",
        "max-connections",
    ):
        assert f"--{option}" not in script(made)
    made = command(
        tmp_path,
        """
        task = "p/t", epochs = 3, shuffle = true, sandbox = "docker:a b.yml", judge = other,
        max_connections = 4, request_timeout = 60, task_args = { n = 1 }
        """,
    )
    for option in (
        "--epochs 3",
        "--sample-shuffle 7",
        "--sandbox 'docker:a b.yml'",
        "--max-connections 4",
        "--timeout 60",
        "--task-config task.json",
        "openai-api/evalmake-judge/$EVALMAKE_JUDGE_NAME",
    ):
        assert option in script(made)
    assert json.loads(made.files["task.json"]) == {"n": 1}


def test_an_errored_sample_does_not_end_the_others(tmp_path: Path) -> None:
    """Inspect goes on, whatever `coverage` says: that judges the result and changes no run."""
    made = command(tmp_path, 'task = "p/t"')
    assert "--no-fail-on-error" in script(made)
    assert command(tmp_path, 'task = "p/t", coverage = 0.5') == made


def test_retries_caches_and_found_variables_are_off(tmp_path: Path) -> None:
    """The gateway has its own retries and cache, and no .env above the job is read."""
    made = command(tmp_path, 'task = "p/t"')
    assert "--max-retries 0 -M max_retries=0" in script(made)
    assert 'INSPECT_CACHE_DIR="$PWD/cache"' in script(made)
    assert made.files[".env"] == ""


@pytest.mark.parametrize(
    ("benchmark", "eval", "api", "words"),
    [
        ("metric = none", "limit = 5", "api = chat", "needs `task`"),
        ('task = "b.py@t"', "limit = 5", "api = chat", "`b.py` is not among the benchmark's files"),
        ('task = "arith.py@arit", files = file("arith.py")', "limit = 5", "api = chat", "has no task `arit`"),
        ('task = "p/t", fewshot = 5', "limit = 5", "api = chat", "`fewshot`"),
        ('task = "p/t"', "limit = 5", "api = completions", "sends chat requests"),
        ('task = "p/t"', "params = { stream = true }", "api = chat", "`stream`"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, benchmark: str, eval: str, api: str, words: str) -> None:
    """A benchmark that Inspect cannot run is refused before it runs, at the place where it is written."""
    with pytest.raises(EvalmakeError) as refused:
        command(tmp_path, benchmark, eval, api)
    (said,) = refused.value.diagnostics
    assert words in said.message
    assert said.span is not None
