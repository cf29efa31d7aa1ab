"""What loading read, copied: it loads anywhere, and gives the very same digests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from evalmake.evidence_checks.sources import collect_sources, open_sources
from evalmake.language.diagnostic import EvalmakeError
from evalmake.language.source import Source
from evalmake.workspace import Workspace
from tests.evidence_checks.evidence_folders import identities, leave, select
from tests.support.repository import EXAMPLES
from tests.test_spec import CASES, words_of

HOSTED = """\
model hosted {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "m"
}
"""
SUMS = """\
benchmark sums {
    harness = native
    files   = file("data/sums.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = number
}
"""
FIRST = f"""\
{HOSTED}{SUMS}eval first {{
    model     = hosted
    benchmark = sums
}}
"""
DATA = '{"question": "2 + 3", "answer": 5}\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of a project with data."""
    folder = tmp_path / "home" / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "sums.jsonl").write_text(DATA)
    return folder


@pytest.mark.parametrize("with_data", [True, False])
@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.evalfile")))
def test_every_example(name: str, with_data: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example gives the very same graph in an empty folder, with its data or without."""
    root = tmp_path / "Evalfiles"
    shutil.copytree(EXAMPLES, root, ignore=shutil.ignore_patterns(".evalmake"))
    leave(root, tmp_path, monkeypatch, name, with_data=with_data).check()


@pytest.mark.parametrize(
    "path", [one for one in CASES if one.with_suffix(".plan").exists()], ids=lambda p: f"{p.parent.name}-{p.stem}"
)
def test_every_evalfile_that_plans(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So does each Evalfile of the specification's examples, with the overrides of its command line."""
    root = tmp_path / "project"
    root.mkdir()
    if path.with_suffix("").is_dir():
        shutil.copytree(path.with_suffix(""), root, dirs_exist_ok=True)
    shutil.copy(path, root / "Evalfile")
    words = [word for word in words_of(path.read_text().partition("\n")[0]) if "=" in word]
    leave(root, tmp_path, monkeypatch, "Evalfile", *words).check()


def test_data_stay_secret(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without data, `sources` has the Evalfile alone, and the files are said to lie where nothing is."""
    (root / "Evalfile").write_text(FIRST)
    evidence = leave(root, tmp_path, monkeypatch, with_data=False)
    assert evidence.names() == {"Evalfile"}
    evidence.check()
    _, graph = evidence.open()
    (file,) = graph.nodes["first"].evaluation.benchmark.block.files.files
    assert file.path.is_relative_to(tmp_path / "scratch")
    assert not file.path.exists()


def test_data_are_copied(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With data, a benchmark's file is read from its copy; one of a benchmark that is not evaluated is not copied."""
    (root / "data/other.jsonl").write_text(DATA)
    other = SUMS.replace("sums", "other")
    (root / "Evalfile").write_text(FIRST + other)
    evidence = leave(root, tmp_path, monkeypatch)
    assert evidence.names() == {"Evalfile", "data/sums.jsonl"}
    evidence.check()
    _, graph = evidence.open()
    (file,) = graph.nodes["first"].evaluation.benchmark.block.files.files
    assert file.path.read_text() == DATA


def test_the_environment(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables keep their values, set or not, on a machine that has others."""
    text = FIRST.replace('"m"', "MODEL").replace('"http://127.0.0.1:9/v1"', "URL")
    variables = 'MODEL = env("EM_MODEL")\nURL = env("EM_URL", "http://127.0.0.1:8/v1")\n'
    (root / "Evalfile").write_text(variables + text)
    monkeypatch.setenv("EM_MODEL", "llama")
    evidence = leave(root, tmp_path, monkeypatch)
    monkeypatch.setenv("EM_MODEL", "other")
    monkeypatch.setenv("EM_URL", "http://other")
    evidence.check()


def test_overrides(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Overrides are given again, and a file that only they name is known."""
    (root / "data/more.jsonl").write_text(DATA * 2)
    text = 'FILE = "data/sums.jsonl"\nNAME = "m"\n' + FIRST.replace('"data/sums.jsonl"', "FILE").replace('"m"', "NAME")
    (root / "Evalfile").write_text(text)
    evidence = leave(root, tmp_path, monkeypatch, "Evalfile", "FILE=data/more.jsonl", "NAME=a b = c")
    assert evidence.inputs()["overrides"] == {"FILE": "data/more.jsonl", "NAME": "a b = c"}
    evidence.check()


def test_targets(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph has the targets that were built, no more."""
    (root / "Evalfile").write_text(FIRST + FIRST.partition("eval ")[2].join(("eval ", "")).replace("first", "second"))
    evidence = leave(root, tmp_path, monkeypatch, "Evalfile", "second")
    assert list(evidence.open()[1].nodes) == ["second"]
    evidence.check()


def test_globs(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `glob` finds what it found, even where other files have come to match since."""
    (root / "data/deep").mkdir()
    (root / "data/deep/more.jsonl").write_text(DATA * 2)
    (root / "Evalfile").write_text(FIRST.replace('file("data/sums.jsonl")', 'glob("data/**/*.jsonl")'))
    evidence = leave(root, tmp_path, monkeypatch, with_data=False)
    root.joinpath("data").mkdir(parents=True)
    (root / "data/third.jsonl").write_text("")
    evidence.check()


def test_the_weights_axis(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of weights are known by their digests, and never copied."""
    for step in (3, 20):
        (root / f"checkpoints/step-{step}").mkdir(parents=True)
        (root / f"checkpoints/step-{step}/model.bin").write_text(f"weights of {step}")
    axis = '    weights in glob("checkpoints/*/", "model.bin")\n}\n'
    model = "deployment trained { engine = mock }\nmodel trained { deployment = trained }\n"
    text = model + SUMS + "eval progress {\n    model = trained\n    benchmark = sums\n" + axis
    (root / "Evalfile").write_text(text)
    evidence = leave(root, tmp_path, monkeypatch)
    assert evidence.names() == {"Evalfile", "data/sums.jsonl"}
    assert list(evidence.open()[1].nodes) == ["progress/step-3", "progress/step-20"]
    evidence.check()


def test_includes_from_anywhere(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Includes beside the project, by absolute paths, patterns, optional ones and those of the catalog are copied."""
    (root.parent / ".git").mkdir()
    common = root.parent / "common"
    (common / "@parts").mkdir(parents=True)
    (root / "@outside").mkdir()
    (root / "@outside/x.evalfile").write_text("# Nothing.\n")
    (common / "x.evalfile").write_text('include "@parts/*.evalfile"\nFILE = file("here.jsonl")\n')
    (common / "here.jsonl").write_text(DATA)
    (common / "@parts/a.evalfile").write_text(HOSTED)
    (common / "@parts/b.evalfile").write_bytes(
        b"\xef\xbb\xbf" + SUMS.replace('file("data/sums.jsonl")', "FILE").encode()
    )
    text = (
        f'include "../common/x.evalfile"\ninclude "{root}/@outside/x.evalfile"\ninclude? "mine.evalfile"\n'
        'include "catalog:ifbench"\neval first {\n    model = hosted\n    benchmark = sums\n}\n'
    )
    (root / "Evalfile").write_text(text)
    evidence = leave(root, tmp_path, monkeypatch, clear=False)
    shutil.rmtree(root.parent)
    evidence.check()
    names = evidence.names()
    assert {"Evalfile", "@@outside/x.evalfile", "@catalog/ifbench.evalfile"} <= names
    assert sorted(name.rpartition("/")[2] for name in names if name.startswith("@outside/")) == [
        "a.evalfile",
        "b.evalfile",
        "here.jsonl",
        "x.evalfile",
    ]


def test_pinned_includes_and_a_lock(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An include with a digest of its bytes, and a lock that pins an image, mean the same; `pinned` is fulfilled."""
    from hashlib import sha256

    part = HOSTED.replace("\n", "\r\n").encode()
    (root / "part.evalfile").write_bytes(part)
    image = SUMS.replace("harness = native", 'harness = command\n    image   = "acme/evals:1"\n    run = "true"')
    image = "\n".join(line for line in image.splitlines() if line.split()[0] not in ("prompt", "target", "scorer"))
    text = f'include "part.evalfile" sha256:{sha256(part).hexdigest()}\nsettings {{ pinned = [includes, images] }}\n'
    (root / "Evalfile").write_text(f"{text}{image}\neval first {{\n    model = hosted\n    benchmark = sums\n}}\n")
    pin = f'{{"acme/evals:1": {{"date": "2026-01-01", "digest": "sha256:{"a" * 64}"}}}}'
    (root / "Evalfile.lock").write_text(f'{{"version": 1, "pins": {pin}}}')
    evidence = leave(root, tmp_path, monkeypatch)
    assert {"Evalfile", "Evalfile.lock", "part.evalfile"} < evidence.names()
    evidence.check()


@pytest.mark.parametrize("image", ["file", "folder", "nothing"])
def test_images_that_are_files(image: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that is a file or folder has its content's identity without being copied, and one unseen its name."""
    if image == "file":
        (root / "image").write_text("squashed")
    elif image == "folder":
        (root / "image/bin").mkdir(parents=True)
        (root / "image/bin/python").write_text("python")
        (root / "image/lib").symlink_to("bin")
    text = HOSTED + 'benchmark ran {\n    harness = command\n    image = "./image"\n    run = "true"\n}\n'
    (root / "Evalfile").write_text(text + "eval first {\n    model = hosted\n    benchmark = ran\n}\n")
    evidence = leave(root, tmp_path, monkeypatch)
    assert evidence.names() == {"Evalfile"}
    evidence.check()
    workspace, _ = evidence.open()
    again = workspace.unchecked_graph_of(select(workspace))
    assert identities(workspace, again) == evidence.expected


def test_absolute_paths_and_those_above(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file by its absolute path, in the project or not, and one beyond the root by `..`, are the same elsewhere."""
    beside = root.parent / "beside.jsonl"
    beside.write_text(DATA)
    above = "../" * 40 + str(beside).lstrip("/")
    for number, path in enumerate((root / "data/sums.jsonl", beside, "../beside.jsonl", above)):
        root.mkdir(exist_ok=True)
        (root / "data").mkdir(exist_ok=True)
        (root / "data/sums.jsonl").write_text(DATA)
        (root / "Evalfile").write_text(FIRST.replace("data/sums.jsonl", str(path)))
        trial = tmp_path / str(number)
        trial.mkdir()
        evidence = leave(root, trial, monkeypatch)
        evidence.check()
        assert len(evidence.names()) == 2


def test_reports_and_seeds(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports with a key that is not there plan, and so do folders of replies, which are not copied."""
    (root / "replies").mkdir()
    (root / "replies/cache.db").write_text("replies")
    keys = '    format = in-toto\n    path = "../out"\n    of = [first]\n    sign = secret("KEY")\n'
    report = f"report evidence {{\n{keys}}}\n"
    (root / "Evalfile").write_text(f'settings {{ seeds = ["replies"] }}\n{FIRST}{report}')
    evidence = leave(root, tmp_path, monkeypatch)
    assert evidence.names() == {"Evalfile", "data/sums.jsonl"}
    assert list(evidence.open()[1].reports) == ["evidence"]
    evidence.check()


def test_packages(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions of packages are those that were resolved, not those of the machine that opens the evidence."""
    (root / "Evalfile").write_text(FIRST.replace("number", "math"))
    monkeypatch.setattr("evalmake.harnesses.native.harness.find_version", lambda: "0.1.2")
    with monkeypatch.context() as patched:
        patched.setattr(
            "evalmake.run.environments.environments.Environments.resolved_versions", lambda *_: {"ruamel.yaml": "1.0"}
        )
        evidence = leave(root, tmp_path, monkeypatch)
    monkeypatch.setattr("evalmake.harnesses.native.harness.find_version", lambda: "9.9.9")
    assert evidence.inputs()["packages"] == {"benchmark sums": {"ruamel.yaml": "1.0"}}
    evidence.check()


def test_the_same_bytes(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Collecting twice gives the same `inputs.json`, and a file that has changed since is no copy."""
    (root / "Evalfile").write_text(FIRST)
    monkeypatch.chdir(root)
    first, second = (
        collect_sources(workspace, workspace.graph(()), True)
        for workspace in (Workspace.open(Path("Evalfile")), Workspace.open(root / "Evalfile"))
    )
    assert first.inputs.to_json() == second.inputs.to_json()
    (root / "data/sums.jsonl").write_text("other")
    with pytest.raises(EvalmakeError) as error:
        first.write(tmp_path / "changed")
    assert error.value.diagnostics[0].code == "input-changed"


def test_a_call_from_python(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a call of the Python API wrote is the Evalfile of its evidence, whatever file has that name."""
    (root / "Evalfile").write_text("something else")
    source = Source(str(root / "a call"), FIRST)
    workspace = Workspace.open(root / "Evalfile", source=source)
    graph = workspace.graph(())
    expected = identities(workspace, graph)
    collect_sources(workspace, graph, True).write(tmp_path)
    shutil.rmtree(root)
    assert identities(*open_sources(tmp_path, tmp_path / "scratch")) == expected
    assert (tmp_path / "sources/Evalfile").read_text() == FIRST


def test_gates_over_other_seeds(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that was not built, but is judged with one that was, has its digest, too."""
    text = FIRST.replace("benchmark = sums\n}", "benchmark = sums\n    seed in 1..2\n    require accuracy >= 0.5\n}")
    (root / "Evalfile").write_text(text.replace("number", "math"))
    monkeypatch.setattr("evalmake.harnesses.native.harness.find_version", lambda: "0.1.2")
    before = Workspace.open(root / "Evalfile")
    other = before.graph_builder().node(before.cells["first"][1]).action.digest
    evidence = leave(root, tmp_path, monkeypatch, "Evalfile", "first/1")
    monkeypatch.setattr("evalmake.harnesses.native.harness.find_version", lambda: "9.9.9")
    workspace, graph = evidence.open()
    assert list(graph.nodes) == ["first/1"]
    assert workspace.graph_builder().node(workspace.cells["first"][1]).action.digest == other
