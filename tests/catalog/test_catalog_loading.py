"""Benchmarks of the catalog load, plan, inherit and render their commands like any other."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from evalmake.harnesses.nemo.harness import NemoHarness
from evalmake.harnesses.ragas.harness import RagasHarness
from evalmake.harnesses.retrieval.harness import RetrievalHarness
from evalmake.language.diagnostic import EvalmakeError
from evalmake.language.values import Symbol
from evalmake.planner.graph import Node
from evalmake.plugin_api.harness import Command
from evalmake.project.catalog import (
    catalog_folder,
    find_keys,
    find_other_endpoints,
    missing_requirements,
    read_entries,
    requires_judge,
    wheel_names,
)
from evalmake.workspace import Workspace
from tests.support.projects import Project, check_golden

GOLDEN = Path(__file__).parent / "golden"
MODELS = """
executor box { backend = docker }
defaults model { endpoint = "http://127.0.0.1:9/v1", name = "m" }
model chat { api = chat }
model completions { api = completions }
model embedding { api = embeddings }
model vlm { api = vlm }
"""
NVIDIAS = {name: entry for name, entry in read_entries().items() if entry.is_nvidias}
"""The benchmarks that have an image."""
ROUTES = {
    "chat": "/chat/completions",
    "vlm": "/chat/completions",
    "completions": "/completions",
    "embedding": "/embeddings",
}
MGSM = "benchmark = simple-evals.mgsm"


def asked(name: str, model: str, benchmark: str) -> str:
    """An eval of a model and a benchmark, in a container."""
    return f"eval {name} {{ model = {model}, {benchmark}, executor = box }}\n"


def nodes(catalog_folder: Path, text: str) -> dict[str, Node]:
    """The evaluations of an Evalfile."""
    (catalog_folder / "Evalfile").write_text(text)
    return Workspace.open(catalog_folder / "Evalfile").graph(()).nodes


def command(node: Node) -> Command:
    """What runs it."""
    return NemoHarness().command(node.evaluation)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Node]:
    """An evaluation of every benchmark of NVIDIA's, by the benchmark's name; with a judge where it must have one."""
    kinds: dict[str, list[str]] = {}
    judged = {entry.name: f"judged-{entry.name}" for entry in NVIDIAS.values() if requires_judge(entry.keys)}
    for entry in NVIDIAS.values():
        kinds.setdefault(entry.endpoint, []).append(judged.get(entry.name, entry.name))
    evals = [asked(f"of-{k}", k, f"benchmark in [{', '.join(n)}]") for k, n in kinds.items()]
    children = [f"benchmark {child} from {name} {{ judge = chat }}\n" for name, child in judged.items()]
    text = 'include "catalog:*"' + MODELS + "".join([*children, *evals])
    found = nodes(tmp_path_factory.mktemp("all"), text)
    return {node.evaluation.benchmark.name.removeprefix("judged-"): node for node in found.values()}


def test_every_benchmark_plans(everything: dict[str, Node]) -> None:
    """Under one include, each against a model of the kind that it asks."""
    assert set(everything) == set(NVIDIAS)
    digests = [node.action.digest for node in everything.values()]
    assert len(set(digests)) == len(digests)


def test_a_declaration_is_what_the_index_says(everything: dict[str, Node]) -> None:
    """Also what a file says only once, in its defaults; and its command says the same, and asks there."""
    for entry in NVIDIAS.values():
        values = unlike(everything[entry.name].evaluation.benchmark.fields.values)
        judged = requires_judge(entry.keys)
        assert values.pop("judge", None) == ("chat" if judged else None), entry.name
        assert values == entry.keys, entry.name
        rendered = command(everything[entry.name])
        made = json.loads(rendered.files["run_config.json"])
        params = entry.keys.get("params", {})
        names = {"temperature": "temperature", "top_p": "top_p", "max_new_tokens": "max_tokens"}
        given = {key: params[ours] for key, ours in names.items() if ours in params}
        switches = entry.keys.get("extra", {}) if judged else {}
        more = {"task": entry.keys.get("inner"), "request_timeout": entry.keys.get("request_timeout")}
        assert made["config"] == {
            "type": entry.keys["task"],
            "params": {
                **given,
                **{key: value for key, value in more.items() if value is not None},
                "max_retries": 1,
                "extra": entry.keys.get("extra", {}) | ({"judge_support": True} if "judge_support" in switches else {}),
            },
        }, entry.name
        assert made["target"]["api_endpoint"]["type"] == entry.endpoint, entry.name
        assert rendered.argv == ("/bin/sh", "-eu", "nemo.sh"), entry.name
        assert f'--model_url "$EVALMAKE_MODEL_URL{ROUTES[entry.endpoint]}" \\\n' in rendered.files["nemo.sh"]


def test_nobody_is_asked_past_the_gateway_unsaid(everything: dict[str, Node], tmp_path: Path) -> None:
    """A task with a judge of its own is refused without yours, and led to yours; of others you are told before."""
    wanted = {name for name, entry in read_entries().items() if requires_judge(entry.keys)}
    with pytest.raises(EvalmakeError) as refused:
        nodes(tmp_path, ask_all(wanted))
    said = [each.message for each in refused.value.diagnostics]
    assert wanted == {text.split("`")[1] for text in said if text.endswith(", past the gateway")}
    for entry in NVIDIAS.values():
        made = command(everything[entry.name])
        extra = json.loads(made.files["run_config.json"])["config"]["params"]["extra"]
        judge, rest = extra.get("judge", {}), {key: value for key, value in extra.items() if key != "judge"}
        led = "_JUDGE_URL" in made.files["nemo.sh"]
        assert led == (entry.name in wanted), entry.name
        assert led or judge.get("enabled") is False or not set(judge) & {"url", "model", "api_key"}, entry.name
        assert set(re.findall(r'https?://[^"]*', json.dumps(rest))) <= set(find_other_endpoints(entry.keys)), entry.name
        others = {"judge", "user"} & set(entry.requires)
        assert not others or led or find_other_endpoints(entry.keys), entry.name


def test_what_each_task_with_a_judge_does() -> None:
    """Those that need yours, those that ask somebody else, and those that take none."""
    kinds: dict[str, list[str]] = {}
    for name, entry in read_entries().items():
        if requires_judge(entry.keys):
            kinds.setdefault("needs `judge`", []).append(name)
        elif asked := find_other_endpoints(entry.keys):
            kinds.setdefault(f"asks {', '.join(asked)}", []).append(name)
        elif "judge" not in entry.lacks and "judge" in entry.keys.get("extra", {}):
            kinds.setdefault("asks no judge unless there is `judge`", []).append(name)
    text = "".join(f"{kind}\n" + "".join(f"  {name}\n" for name in names) for kind, names in kinds.items())
    check_golden(GOLDEN / "judges.txt", text)


def ask_all(names: Iterable[str]) -> str:
    """An Evalfile with an evaluation of each benchmark."""
    kinds: dict[str, list[str]] = {}
    for name in names:
        kinds.setdefault(read_entries()[name].endpoint, []).append(name)
    evals = [asked(f"of-{k}", k, f"benchmark in [{', '.join(n)}]") for k, n in kinds.items()]
    return 'include "catalog:*"' + MODELS + "".join(evals)


def unlike(value: Any) -> Any:
    """A value of the language as JSON has it."""
    match value:
        case Symbol():
            return value.text
        case dict():
            return {key: unlike(item) for key, item in value.items()}
        case tuple():
            return [unlike(item) for item in value]
    return value


@pytest.mark.parametrize("harness", list(dict.fromkeys(entry.harness for entry in NVIDIAS.values())))
def test_a_command_of_each_harness(everything: dict[str, Node], harness: str) -> None:
    """The first benchmark of each file renders the files beside this test (UPDATE_GOLDEN=1 rewrites)."""
    first = next(entry.name for entry in read_entries().values() if entry.harness == harness)
    made = command(everything[first])
    texts = [f"==> {name}\n{text.rstrip()}\n" for name, text in sorted(made.files.items())]
    image = everything[first].evaluation.benchmark.block.image
    check_golden(GOLDEN / f"{harness}.txt", f"{image}\n{' '.join(made.argv)}\n" + "".join(texts))


UPSTREAM = """
include "catalog:ragas"
include "catalog:retrieval"
executor here { backend = process }
benchmark answers from ragas.answer-accuracy { files = file("rows.jsonl"), judge = chat }
benchmark calls from ragas.tool-call-accuracy { files = file("rows.jsonl") }
benchmark texts from retrieval.beir { files = glob("set/**") }
eval e { model = chat, benchmark in [answers, calls], executor = here }
eval f { model = embedding, benchmark = texts, executor = here }
"""


def test_upstream_harnesses_plan_as_the_index_says(tmp_path: Path) -> None:
    """With their packages, and their jobs beside all that they import."""
    (tmp_path / "set" / "qrels").mkdir(parents=True)
    for name in ("rows.jsonl", "set/corpus.jsonl", "set/queries.jsonl", "set/qrels/test.tsv"):
        (tmp_path / name).write_text("")
    models = MODELS.replace("executor box { backend = docker }", "")
    found = nodes(tmp_path, models + UPSTREAM.replace(", judge", "\njudge")).values()
    made = {node.evaluation.benchmark.name: node.evaluation for node in found}
    for name, of in (("answers", "answer-accuracy"), ("calls", "tool-call-accuracy"), ("texts", "beir")):
        values = unlike(made[name].benchmark.fields.values)
        keys = read_entries()[f"{'retrieval' if of == 'beir' else 'ragas'}.{of}"].keys
        assert {key: values[key] for key in keys} == keys
    rendered = RagasHarness().command(made["answers"])
    assert rendered.argv == ("{python}", "-m", "evalmake.harnesses.ragas.job")
    assert json.loads(rendered.files["task.json"]) == {
        "task": "answer_accuracy",
        "files": ["data/rows.jsonl"],
        "metric_args": {},
    }
    assert set(rendered.inputs) == {"data/rows.jsonl"}
    rendered = RetrievalHarness().command(made["texts"])
    assert json.loads(rendered.files["task.json"])["parts"] == {
        "corpus": "data/corpus.jsonl",
        "queries": "data/queries.jsonl",
        "judgements": "data/qrels/test.tsv",
    }
    for harness, cell in ((RagasHarness(), made["calls"]), (RetrievalHarness(), made["texts"])):
        files = harness.command(cell).files
        for text in files.values():
            for module in re.findall(r"^from (evalmake[\w.]*) import", text, re.M):
                assert f"{module.replace('.', '/')}.py" in files, module


def test_one_file_is_enough(tmp_path: Path) -> None:
    """Included by its harness's name, a benchmark is there by its own."""
    (node,) = nodes(tmp_path, f'include "catalog:simple-evals"{MODELS}{asked("e", "chat", MGSM)}').values()
    assert node.evaluation.benchmark.block.task == "mgsm"
    assert node.evaluation.params == {"temperature": 0.0, "top_p": 1e-05, "max_tokens": 16384}


def test_what_is_shown_is_the_same_benchmark(tmp_path: Path, project: Project) -> None:
    """Pasted instead of included, it is the same action: no other result is asked for."""
    for name in ("simple-evals.aime-2025", "simple-evals.mmlu-pro-aa-v3", "hle.hle"):
        harness = name.partition(".")[0]
        cell = MODELS + f"benchmark b from {name} {{ judge = chat }}\n" + asked("e", "chat", "benchmark = b")
        pasted = project.run("catalog", "show", name).stdout
        (one,) = nodes(tmp_path, pasted + cell).values()
        (other,) = nodes(tmp_path, f'include "catalog:{harness}"' + cell).values()
        assert one.action.digest == other.action.digest


def test_it_is_inherited_from(tmp_path: Path) -> None:
    """A child replaces what it says, map by map, and keeps the rest, its file's defaults too."""
    child = """
    benchmark aime from simple-evals.aime-2025 {
        judge  = completions
        params = { temperature = 0.6, top_p = none }
        extra  = { n_samples = 2 }
    }
    """
    text = f'include "catalog:simple-evals"{MODELS}{child}' + asked("e", "chat", "benchmark = aime")
    (node,) = nodes(tmp_path, text).values()
    assert node.evaluation.params == {"temperature": 0.6, "max_tokens": 16384}
    made = json.loads(command(node).files["run_config.json"])["config"]
    assert made["type"] == "AIME_2025"
    assert made["params"]["extra"]["n_samples"] == 2
    assert made["params"]["extra"]["judge"]["backend"] == "openai"
    assert "judge.url=$EVALMAKE_JUDGE_URL," in command(node).files["nemo.sh"]


def test_a_judge_is_told_in_the_harnesses_words(tmp_path: Path) -> None:
    """Where its key is named otherwise, and where its URL is that of a route."""
    told = {}
    for name in ("mtbench.mtbench", "aa-lcr.aa-lcr"):
        harness = name.partition(".")[0]
        child = f"benchmark b from {name} {{ judge = completions }}\n"
        text = f'include "catalog:{harness}"{MODELS}{child}' + asked("e", "chat", "benchmark = b")
        (node,) = nodes(tmp_path, text).values()
        told[harness] = command(node).files["nemo.sh"]
    assert "extra.judge.api_key_name=EVALMAKE_JUDGE_API_KEY" in told["mtbench"]
    assert "extra.judge.api_key=EVALMAKE_JUDGE_API_KEY" in told["aa-lcr"]
    assert "extra.judge.url=$EVALMAKE_JUDGE_URL/chat/completions," in told["aa-lcr"]


def test_its_pin_is_that_of_its_bytes(tmp_path: Path) -> None:
    """An audit pins the file of the catalog as it pins any other include."""
    text = f"settings {{ pinned = [includes, images] }}{MODELS}{asked('e', 'chat', MGSM)}"
    sha = hashlib.sha256((catalog_folder() / "simple-evals.evalfile").read_bytes()).hexdigest()
    assert nodes(tmp_path, f'include "catalog:simple-evals" sha256:{sha}\n{text}')
    with pytest.raises(EvalmakeError, match=r"`catalog:simple-evals` differs from the file"):
        nodes(tmp_path, f'include "catalog:simple-evals" sha256:{"0" * 64}\n{text}')
    with pytest.raises(EvalmakeError, match=r"include .* is not pinned"):
        nodes(tmp_path, f'include "catalog:simple-evals"\n{text}')


def test_only_what_is_asked_for_must_be_pinned(tmp_path: Path) -> None:
    """Two images are known by a tag alone: a demand for pins minds them where they would run."""
    text = f'include "catalog:*"\nsettings {{ pinned = [images] }}{MODELS}'
    assert nodes(tmp_path, text + asked("e", "chat", MGSM))
    with pytest.raises(EvalmakeError, match=r"rag_retriever_eval:25\.08\.1` is not pinned"):
        nodes(tmp_path, text + asked("e", "chat", "benchmark = rag-retriever-eval.rag"))
    child = "benchmark mine from rag-retriever-eval.rag { }\n"
    with pytest.raises(EvalmakeError, match=r"rag_retriever_eval:25\.08\.1` is not pinned"):
        nodes(tmp_path, text + child + asked("e", "chat", MGSM))


def test_speed_is_the_models_and_the_gateways(tmp_path: Path) -> None:
    """How many are asked at a time is the model's `concurrency`, and nothing is asked for twice."""
    text = f'include "catalog:simple-evals"{MODELS}model fast {{ concurrency = 64 }}\n'
    (node,) = nodes(tmp_path, text + asked("e", "fast", MGSM)).values()
    params = json.loads(command(node).files["run_config.json"])["config"]["params"]
    assert (params["parallelism"], params["max_retries"]) == (64, 1)


HERE = MODELS.replace("executor box { backend = docker }", "executor here { backend = process }")


def test_wheels_have_the_same_benchmarks(tmp_path: Path) -> None:
    """Under the same names, with packages in place of images, and the catalog knows what it knows of the others."""
    entries = [entry for entry in NVIDIAS.values() if entry.harness in wheel_names()]
    text = f'include "catalog:wheels/*"{HERE}'
    for at, entry in enumerate(entries):
        judge = ", judge = chat" if requires_judge(entry.keys) else ""
        text += f"benchmark b{at} from {entry.name} {{ env = {{ N = {at} }}{judge} }}\n"
        text += f"eval e{at} {{ model = {entry.endpoint}, benchmark = b{at}, executor = here }}\n"
    found = {node.evaluation.eval: node.evaluation.benchmark for node in nodes(tmp_path, text).values()}
    assert len(found) == len(entries) > 300
    for at, entry in enumerate(entries):
        benchmark = found[f"e{at}"]
        assert (benchmark.block.packages or ("",))[0].startswith("nemo-evaluator==0.2."), entry.name
        assert benchmark.block.image is None, entry.name
        assert find_keys(benchmark.fields.values) == entry.keys, entry.name


def test_a_wheel_needs_what_its_image_does(tmp_path: Path) -> None:
    """The variable of a user's key is missed without a container, too, and a judge is needed."""
    text = f'include "catalog:wheels/*"{HERE}eval e {{ model = chat, benchmark = NAME, executor = here }}'
    (node,) = nodes(tmp_path, text.replace("NAME", "tau2-bench.tau2-bench-retail")).values()
    assert missing_requirements(node.evaluation.benchmark.fields.values, ()) == ["USER_API_KEY"]
    with pytest.raises(EvalmakeError, match="needs `judge`"):
        nodes(tmp_path, text.replace("NAME", "simple-evals.aime-2025"))


def test_a_wheel_that_does_not_run_from_pypi_alone_says_so(project: Project) -> None:
    """Where it is shown, in its file, and nobody is led to it who cannot run its image."""
    name = "genai-perf-eval.genai-perf-generation"
    shown = project.run("catalog", "show", name).stdout
    assert "does not run from PyPI alone: it needs Triton's `perf_analyzer`" in shown
    assert "It does not run from PyPI alone" in (catalog_folder() / "wheels" / "genai-perf-eval.evalfile").read_text()
    assert "PyPI alone" not in project.run("catalog", "show", "simple-evals.mgsm").stdout
    text = f'include "catalog:genai-perf-eval"{HERE}eval e {{ model = chat, benchmark = {name}, executor = here }}'
    project.write("Evalfile", text)
    ended = project.run("-n", status=None)
    assert "cannot run an image" in ended.stderr
    assert "catalog:wheels" not in ended.stderr


def test_a_wheel_that_is_not_there_leads_to_its_image(tmp_path: Path, project: Project) -> None:
    """And who cannot run an image is told of the wheel."""
    with pytest.raises(EvalmakeError, match="the catalog has no `wheels/codec`") as raised:
        nodes(tmp_path, f'include "catalog:wheels/codec"{HERE}')
    assert "include `catalog:codec`, its image" in str(raised.value.diagnostics[0].help)
    with pytest.raises(EvalmakeError, match="the catalog has no `wheels/ragas`") as raised:
        nodes(tmp_path, f'include "catalog:wheels/ragas"{HERE}')
    assert list(raised.value.diagnostics[0].help) == ["include `catalog:ragas`"]
    text = f'include "catalog:simple-evals"{HERE}eval e {{ model = chat, {MGSM}, executor = here }}'
    project.write("Evalfile", text)
    ended = project.run("-n", status=None)
    assert 'or do without images: include "catalog:wheels/simple-evals"' in ended.stderr
