"""The shipped catalog is what the tool makes of the facts, and says all of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

import evalmake
from evalmake.language.external_inputs import ExternalInputs
from evalmake.language.file_hashes import FileHashes
from evalmake.language.formatter import format_source
from evalmake.language.source import Source
from evalmake.project.boundary import Boundary
from evalmake.project.catalog import (
    REQUIRES,
    Entry,
    catalog_folder,
    harness_names,
    read_entries,
    spell_name,
    wheel_names,
)
from evalmake.project.includes import read_files
from evalmake.scoring.headline import find_metric, matches_metric
from tests.support.repository import ROOT

FACTS = json.loads((ROOT / "tests/catalog/making/benchmarks.json").read_text())
TASKS = [*FACTS["tasks"], *FACTS["seed_extra_tasks"]]
HARNESSES = {harness["name"]: harness for harness in FACTS["harnesses"]}
WHEELS = tomllib.loads((ROOT / "tests/catalog/making/wheels.toml").read_text())
UPSTREAM = tomllib.loads((ROOT / "tests/catalog/making/upstream.toml").read_text())
SHIPPED = sorted(path for path in catalog_folder().iterdir() if path.suffix in (".evalfile", ".jsonl"))
WHEEL_FILES = sorted((catalog_folder() / "wheels").glob("*.evalfile"))


HEADLINE_KEYS = {"metric", "means", "scale", "better"}


def entry(task: Mapping[str, Any]) -> Entry:
    """What the catalog has of a task."""
    return read_entries()[f"{spell_name(task['harness'])}.{spell_name(task['name'])}"]


def stated(value: Any) -> Any:
    """Of a value, what is not null."""
    if not isinstance(value, dict):
        return value
    inner = {key: stated(item) for key, item in value.items()}
    return {key: item for key, item in inner.items() if item is not None and item != {}}


def test_it_is_what_the_tool_makes(tmp_path: Path) -> None:
    """Every byte: whoever changes the facts or the words runs `python -m tests.catalog.making`."""
    argv = [sys.executable, "-m", "tests.catalog.making", str(tmp_path)]
    subprocess.run(argv, cwd=ROOT, check=True)
    files = {str(path.relative_to(catalog_folder())): path for path in (*SHIPPED, *WHEEL_FILES)}
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == set(files)
    for name, path in files.items():
        assert (tmp_path / name).read_text() == path.read_text(), name


@pytest.mark.parametrize("path", [p for p in SHIPPED if p.suffix == ".evalfile"] + WHEEL_FILES, ids=str)
def test_files_are_formatted(path: Path) -> None:
    """The formatter leaves them as they are."""
    text = path.read_text()
    assert format_source(Source(path.name, text)) == text


def test_there_is_a_file_for_each_harness_and_an_entry_for_each_task() -> None:
    """421 tasks of NVIDIA's registry and 7 of an older release, and 7 of upstream harnesses, no two of one name."""
    own = [entry for entry in read_entries().values() if not entry.is_nvidias]
    assert len(TASKS) == len(read_entries()) - len(own) == 421 + 7
    assert len(own) == sum(len(harness["benchmarks"]) for harness in UPSTREAM.values()) == 7
    assert len(HARNESSES) == len(harness_names()) - len(UPSTREAM) == 25
    assert sorted([*map(spell_name, HARNESSES), *UPSTREAM]) == [p.stem for p in SHIPPED if p.stem != "index"]
    assert list(read_entries()) == sorted(read_entries(), key=lambda name: name.partition(".")[0])
    assert entry({"harness": "AA-LCR", "name": "aa_lcr"}).name == "aa-lcr.aa-lcr"
    assert all(re.fullmatch(r"[a-z][a-z0-9]*([.-][a-z0-9]+)*", name) for name in read_entries())


def test_an_entry_says_what_the_facts_do() -> None:
    """Type, image by its digest, endpoint, parameters; null and the speed of asking left out."""
    for task in TASKS:
        found = entry(task)
        keys, params, harness = dict(found.keys), task["params"], HARNESSES[task["harness"]]
        digest = harness["digest"]
        assert keys.pop("harness") == "nemo", found.name
        assert keys.pop("image") == harness["image"] + (f"@{digest}" if digest else f":{harness['tag']}"), found.name
        assert keys.pop("task") == task["type"], found.name
        assert [keys.pop("endpoint")] == task["endpoints"], found.name
        names = {"temperature": "temperature", "top_p": "top_p", "max_new_tokens": "max_tokens"}
        assert keys.pop("params", {}) == {names[key]: params[key] for key in names if key in params}, found.name
        assert keys.pop("extra", {}) == stated(params.get("extra", {})), found.name
        assert keys.pop("request_timeout", None) == params.get("request_timeout"), found.name
        inner = keys.pop("inner", task["type"])
        assert inner == params.get("task", task["type"]) or task["harness"] == "genai_perf_eval", found.name
        known = {"judge_route", "judge_key", "judge_name", "azure_judge", "adapter", *HEADLINE_KEYS}
        assert set(keys) <= known, found.name


def test_what_a_task_requires_is_told() -> None:
    """Log-probabilities where the facts say so, and every variable that holds a key, by name."""
    for task in TASKS:
        told = entry(task)
        assert ("logprobs" in told.requires) == ("logprobs" in task["required_capabilities"])
        assert set(told.requires) <= set(REQUIRES)
        assert bool(set(told.variables) - {"HF_TOKEN"}) == ("key" in told.requires)
        assert ("HF_TOKEN" in told.variables) == ("token" in told.requires)
    assert read_entries()["simple-evals.aime-2025"].needs == "judge"
    assert read_entries()["helm.aci-bench"].variables == (
        "CLAUDE_JUDGE_API_KEY",
        "GPT_JUDGE_API_KEY",
        "LLAMA_JUDGE_API_KEY",
    )
    assert read_entries()["tau2-bench.tau2-bench-retail"].needs == "user, key (USER_API_KEY), tools"
    assert read_entries()["nemo-skills.ns-scicode"].requires == ("code",)


def test_every_file_explains_the_words_that_it_uses() -> None:
    """A comment `requires judge` comes with what `judge` means, and each family with what it is."""
    for path in SHIPPED:
        if path.suffix == ".evalfile":
            text = path.read_text()
            own = [e for e in read_entries().values() if e.harness == path.stem]
            words = {word for e in own for word in e.requires}
            assert {word for word in REQUIRES if f"\n# {word}: " in text} == words
            flat = re.sub(r"\n# ", " ", text)
            assert all(e.about in flat and (not e.needs or f"requires {e.needs}" in flat) for e in own)


NO_HEADLINE = {"codec", "mteb", "rag-retriever-eval"}
"""Nobody says what they write, or none of it stands for the rest: `tests/catalog/making/headlines.toml` says which."""


def test_a_benchmark_names_its_headline() -> None:
    """With scale and direction; a mean of metrics that the harness lacks is one that is declared."""
    for found in read_entries().values():
        keys = {key for key in ("metric", "scale", "better") if key in found.keys}
        unnamed = found.harness in NO_HEADLINE
        assert keys == (set() if unnamed else {"metric", "scale", "better"}), found.name
        assert all(name == found.keys["metric"] for name in found.keys.get("means", {})), found.name


@pytest.mark.parametrize(
    ("task", "metric"),
    [
        ("ns-mmlu-pro", "mmlu-pro_pass_at_1_symbolic_correct"),
        ("ns-aime2025", "aime25_pass_at_1_symbolic_correct"),
        ("ns-livecodebench", "livecodebench_pass_at_1_accuracy"),
        ("ns-livecodebench-aa", "livecodebench_pass_at_1_avg-of-3_accuracy"),
        ("ns-aa-lcr", "aalcr_pass_at_1_judge_correct"),
        ("ns-ifbench", "ifbench_pass_at_1_prompt_loose_accuracy"),
        ("ns-scicode", "scicode_pass_at_1_subtask_accuracy"),
        ("ns-bfcl-v4", "bfcl_v4_overall_accuracy_accuracy"),
        ("ns-omniscience", "omniscience_pass_at_1_judge_omni_index"),
        ("ns-hle", "hle_pass_at_1_judge_correct"),
        ("ns-mmlu-prox", "mmlu-prox_pass_at_1_symbolic_correct"),
        ("ns-ruler", "ruler.evaluation_128k_pass_at_1_accuracy"),
        ("ns-arena-hard-v2", "arena-hard-v2_pass_at_1_score"),
        ("ns-wmt24pp", "wmt24pp_xx->xx_bleu"),
        ("ns-wmt24pp-comet", "wmt24pp_xx->xx_comet"),
    ],
)
def test_a_headline_of_nemo_skills_is_as_documented(task: str, metric: str) -> None:
    """Its container is not public; NVIDIA's recipes name what is in its results."""
    assert read_entries()[f"nemo-skills.{task}"].keys["metric"] == metric


@pytest.mark.parametrize(
    ("benchmark", "written"),
    [
        ("nemo-skills.ns-critpt", "critpt_pass@1_full_dataset_accuracy"),
        ("nemo-skills.ns-critpt", "critpt_pass@1_accuracy"),
        ("nemo-skills.ns-livecodebench-aa", "livecodebench_pass@1[avg-of-3]_accuracy"),
        ("agentic-eval.agentic-eval-answer-accuracy", "agentic_eval_answer_accuracy_nv_accuracy_nv_accuracy"),
        ("agentic-eval.agentic-eval-topic-adherence", "t_topic_adherence(mode=f1)_topic_adherence(mode=f1)"),
    ],
)
def test_a_headline_is_found_however_it_is_spelt(benchmark: str, written: str) -> None:
    """Of a container that is not public we know the names that it exports; its results may spell them otherwise."""
    assert find_metric(read_entries()[benchmark].keys["metric"], [written, f"{written}_statistics", "x"]) == written


@pytest.mark.parametrize("line", (ROOT / "tests/catalog/result_names.jsonl").read_text().splitlines())
def test_a_headline_is_in_what_the_program_writes(line: str) -> None:
    """The names are those that `output.py` of NVIDIA's wheels made of small files of each harness's form."""
    benchmark, names = json.loads(line)
    keys = read_entries()[benchmark].keys
    means = keys.get("means", {})
    assert all(any(matches_metric(part, name) for name in names) for parts in means.values() for part in parts)
    assert find_metric(keys["metric"], [*means, *names])


def test_every_headline_is_used_and_has_a_source() -> None:
    """What was read where stands beside it; a line that no task has would be a mistake."""
    told = tomllib.loads((ROOT / "tests/catalog/making/headlines.toml").read_text())
    assert all(harness["source"] for harness in told.values())
    for name, harness in told.items():
        tasks = [task["name"] for task in TASKS if task["harness"] == name]
        lines = harness["headlines"]
        used = [next((h["metric"] for h in lines if matches_any(task, h["tasks"])), None) for task in tasks]
        assert {h["metric"] for h in lines} == set(used) - {None}, name


def matches_any(name: str, patterns: Sequence[str]) -> bool:
    """Whether one of some patterns of the shell matches a name."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def test_upstream_harnesses_say_what_they_are() -> None:
    """Each is of exact packages of PyPI, and neither NVIDIA's nor said to be."""
    for name in UPSTREAM:
        own = [entry for entry in read_entries().values() if entry.harness == name]
        assert all(re.fullmatch(r"[a-z-]+==[\d.]+", one) for entry in own for one in entry.keys["packages"])
        assert all("image" not in entry.keys and "data" in entry.requires for entry in own)
        flat = re.sub(r"\n# ", " ", (catalog_folder() / f"{name}.evalfile").read_text())
        assert "no harness of NVIDIA's" in flat
        assert "numbers need not equal those of" in flat


def test_there_is_a_file_for_each_wheel() -> None:
    """Under the harness's own name, with packages of exact versions first."""
    assert sorted(map(spell_name, WHEELS)) == [path.stem for path in WHEEL_FILES] == wheel_names()
    assert set(WHEELS) <= set(HARNESSES)
    for wheel in WHEELS.values():
        assert re.fullmatch(r"nvidia-[a-z0-9-]+==(26\.3|25\.10)", wheel["packages"][0])


def test_a_file_needs_nothing_beside_it() -> None:
    """No include, no file, no secret: what it says is the same wherever evalmake is installed."""
    for path in (*SHIPPED, *WHEEL_FILES):
        if path.suffix == ".evalfile":
            assert len(read_files(path, None, ExternalInputs({}, FileHashes()), Boundary(path)).files) == 1
            assert not re.search(r"^[^#]*\b(include|file|glob|env|secret)\b *[(\"]", path.read_text(), re.M)


def test_a_wheel_holds_every_file_of_the_package() -> None:
    """Every folder is a package, which setuptools finds, and every file other than Python's is in `package-data`."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    package = Path(evalmake.__file__).parent
    folders = {"evalmake": package}
    folders |= {
        ".".join(path.parent.relative_to(package.parent).parts): path.parent for path in package.rglob("__init__.py")
    }
    shipped = {
        path
        for name, folder in folders.items()
        for pattern in ("*.py", *tool["package-data"].get(name, []))
        for path in folder.glob(pattern)
    }
    for path in package.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            assert path in shipped, path
