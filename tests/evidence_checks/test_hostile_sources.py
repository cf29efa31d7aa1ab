"""Evidence from a stranger: damaged or made to mislead, it gives a message, and nothing outside of it is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalmake.evidence_checks import recorded_inputs
from evalmake.evidence_checks.path_names import PathNames, place_of
from evalmake.language.diagnostic import EvalmakeError
from evalmake.project.catalog import catalog_folder
from tests.evidence_checks.evidence_folders import EvidenceFolder, leave
from tests.evidence_checks.test_sources import DATA, FIRST

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EvidenceFolder:
    """The evidence of an Evalfile with data, a `glob` and a variable of the environment."""
    root = tmp_path / "project"
    (root / "data").mkdir(parents=True)
    (root / "data/sums.jsonl").write_text(DATA)
    text = FIRST.replace('file("data/sums.jsonl")', 'glob("data/*.jsonl")').replace('"m"', 'env("EM_MODEL", "m")')
    (root / "Evalfile").write_text(text)
    evidence = leave(root, tmp_path, monkeypatch)
    evidence.check()
    return evidence


def refusal(evidence: EvidenceFolder) -> str:
    """What is said to evidence that is refused: all of it, as one text."""
    with pytest.raises(EvalmakeError) as error:
        evidence.open()
    assert {one.code for one in error.value.diagnostics} == {"bad-evidence"}
    return "\n".join("\n".join((one.message, *one.notes, *one.help)) for one in error.value.diagnostics)


@pytest.mark.parametrize("name", ["Evalfile", "data/sums.jsonl"])
def test_a_changed_file(name: str, evidence: EvidenceFolder) -> None:
    """A file that is not the recorded one is named, though its length and times are the same."""
    path = evidence.path / "sources" / name
    status = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b" ")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert f"`{name}` in `sources` is not the file" in refusal(evidence)


def test_a_missing_file(evidence: EvidenceFolder) -> None:
    """The Evalfile must be there; data may be left out."""
    (evidence.path / "sources/data/sums.jsonl").unlink()
    evidence.check()
    (evidence.path / "sources/Evalfile").unlink()
    assert "`sources/` lacks `Evalfile`" in refusal(evidence)
    shutil.rmtree(evidence.path / "sources")
    assert "`sources/` lacks `Evalfile`" in refusal(evidence)


def test_a_file_too_many(evidence: EvidenceFolder) -> None:
    """What nobody recorded is not evidence."""
    (evidence.path / "sources/data/more.jsonl").write_text(DATA)
    assert "does not know the file `sources/data/more.jsonl`" in refusal(evidence)


def test_links(evidence: EvidenceFolder, tmp_path: Path) -> None:
    """A link to a file, to a folder, and in place of `sources` is refused, even where it leads to the right file."""
    sources = evidence.path / "sources"
    shutil.copytree(sources, tmp_path / "copy")
    (sources / "Evalfile").unlink()
    (sources / "Evalfile").symlink_to(tmp_path / "copy/Evalfile")
    assert "`sources/Evalfile` is a link" in refusal(evidence)
    shutil.rmtree(sources)
    sources.mkdir()
    shutil.copy(tmp_path / "copy/Evalfile", sources)
    (sources / "data").symlink_to(tmp_path / "copy/data")
    assert "`sources/data` is a link" in refusal(evidence)
    shutil.rmtree(sources)
    sources.symlink_to(tmp_path / "copy")
    assert "`sources` is a link" in refusal(evidence)
    sources.unlink()
    shutil.copytree(tmp_path / "copy", sources)
    inputs = evidence.path / "inputs.json"
    inputs.rename(tmp_path / "inputs.json")
    inputs.symlink_to(tmp_path / "inputs.json")
    assert "cannot read" in refusal(evidence)


def test_a_pipe(evidence: EvidenceFolder) -> None:
    """Nobody waits for a pipe."""
    (evidence.path / "sources/Evalfile").unlink()
    os.mkfifo(evidence.path / "sources/Evalfile")
    assert "is no regular file" in refusal(evidence)


def test_huge_files(evidence: EvidenceFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are too large together are not hashed to their end."""
    monkeypatch.setattr(recorded_inputs, "MOST_SOURCE_BYTES", 1 << 30)
    with (evidence.path / "sources/data/sums.jsonl").open("r+b") as stream:
        stream.truncate(1 << 40)
    assert "are larger than 1 GiB" in refusal(evidence)
    with (evidence.path / "inputs.json").open("r+b") as stream:
        stream.truncate(1 << 40)
    assert "cannot read" in refusal(evidence)


def _set(*path: str | int, to: object) -> Edit:
    def edit(inputs: dict[str, Any]) -> None:
        place: Any = inputs
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to

    return edit


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (_set("version", to=2), "it has the version 2, and this evalmake reads 1\npip install"),
        (_set("version", to=True), "it has no version"),
        (_set("folder", to="project"), "`folder` is no absolute path"),
        (_set("folder", to="/a/../b"), "`folder` is no absolute path"),
        (_set("evalfile", to="../Evalfile"), "`evalfile` is none of its files"),
        (_set("evalfile", to="other"), "`evalfile` is none of its files"),
        (_set("files", "../../x", to="0" * 64), "no file is called '../../x'"),
        (_set("files", "/a/../../x", to="0" * 64), "no file is called '/a/../../x'"),
        (_set("files", "catalog:../x", to="0" * 64), "no file is called 'catalog:../x'"),
        (_set("files", "./catalog:/../x", to="0" * 64), "no file is called"),
        (_set("files", "a\0b", to="0" * 64), "no file is called"),
        (_set("files", "", to="0" * 64), "no file is called"),
        (_set("files", "Evalfile", to="sha256:0"), "the digest of 'Evalfile' is none"),
        (_set("files", to=[]), "`files` is no object"),
        (_set("files", "hub:../x", to="0" * 64), "no file is called 'hub:../x'"),
        (_set("datasets", to=[]), "`datasets` is no object"),
        (_set("datasets", to={"k": [["a.csv", "none"]]}), "`datasets` has what is no file of a data set"),
        (_set("datasets", to={"k": [["../a.csv", "Evalfile"]]}), "`datasets` has what is no file of a data set"),
        (_set("datasets", to={"k": [["a.csv"]]}), "`datasets` has what is no file of a data set"),
        (_set("overrides", "a b", to="1"), "no variable is called 'a b'"),
        (_set("overrides", "A", to=1), "`A` is no text"),
        (_set("answers", to=[{"question": ["shell", "x"], "answer": 1}]), "an answer is to no question"),
        (_set("answers", to=[{"question": ["exists", "x"], "answer": 1}]), "`answer` is not"),
        (_set("answers", to=[7]), "`question` is no list"),
        (_set("answers", 1, "answer", to=["../x"]), "no search finds '../x'"),
        (_set("answers", to=[{"question": ["folders", "x", "*", ""], "answer": [["a", []], ["b"]]}]), "a folder is"),
        (_set("answers", to=[{"question": ["content", "x"], "answer": {"single": 1, "digests": []}}]), "an image is"),
        (_set("targets", to={}), "`evaluations` is no list"),
        (_set("targets", "evaluations", to=["second"]), "names `second`, which the Evalfile of the evidence does not"),
        (_set("targets", "reports", to=["second"]), "names `second`"),
        (_set("plugins", "harnesses", "native", to={}), "one without distribution or version"),
        (
            _set("plugins", "harnesses", "acme", to={"distribution": "acme-evals", "version": "1.2"}),
            "the plugin `acme` of harnesses, which is not here\ninstall acme-evals 1.2",
        ),
        (_set("variables", to={}), "the variable `EM_MODEL` of the environment"),
        (_set("answers", to=[]), "has no answer"),
        (_set("answers", 1, "answer", to=["other.jsonl"]), "the file `data/other.jsonl`"),
    ],
)
def test_inputs_that_nobody_wrote(edit: Edit, said: str, evidence: EvidenceFolder) -> None:
    """Each is refused, and what is wrong is said."""
    assert evidence.inputs()["answers"][1]["question"][0] == "files"
    evidence.change(edit)
    assert said in refusal(evidence)


def test_no_name_of_inputs_stands_twice(evidence: EvidenceFolder) -> None:
    """Which name it is, is said."""
    text = (evidence.path / "inputs.json").read_bytes()
    (evidence.path / "inputs.json").write_bytes(b'{"variables": {"A": "1"}, ' + text.lstrip()[1:])
    assert "`variables` stands twice in one map" in refusal(evidence)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"version": 1}', b"{}"])
def test_inputs_that_are_none(text: bytes, evidence: EvidenceFolder) -> None:
    """Any bytes give a message."""
    (evidence.path / "inputs.json").write_bytes(text)
    assert "is not what evalmake writes" in refusal(evidence)


def test_evidence_that_is_not_there(tmp_path: Path) -> None:
    """An empty folder is no evidence."""
    assert "cannot read" in refusal(EvidenceFolder(tmp_path, tmp_path / "scratch", {}))


PART = st.sampled_from(["@", "@@outside", "@outside", "@catalog", "catalog:", "catalog:x", "home", "me", "x", "..."])
PATH = st.lists(PART, min_size=1, max_size=4).map("/".join)
ROOTS = ["/", "/home/me/", f"{catalog_folder()}/"]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sets(st.builds(str.__add__, st.sampled_from(ROOTS), PATH)))
def test_any_paths_have_names_and_places_of_their_own(paths: set[str]) -> None:
    """No two paths of files have one name or one place, wherever they are."""
    paths -= {"/home/me"}  # the project's own folder is no file
    names = {PathNames("/home/me").name_of(path) for path in paths}
    assert len(names) == len({place_of(name) for name in names}) == len({os.path.normpath(path) for path in paths})


def test_names_and_places_are_one_to_one() -> None:
    """No two paths have one name or one place, and each place is below `sources`."""
    names = PathNames("/home/me/project")
    paths = [
        f"{catalog_folder()}/x.evalfile",
        f"{catalog_folder()}x/x.evalfile",
        "/home/me/project/x.evalfile",
        "/home/me/project/catalog:x.evalfile",
        "/home/me/project/@catalog/x.evalfile",
        "/home/me/project/@@catalog/x.evalfile",
        "/home/me/project/@outside/x.evalfile",
        "/home/me/project/home/me/x.evalfile",
        "/home/me/projects/x.evalfile",
        "/home/me/x.evalfile",
        "/x.evalfile",
        "/home/me/@project/x.evalfile",
    ]
    found = [names.name_of(path) for path in paths]
    places = [place_of(name) for name in found]
    assert len({*found}) == len({*places}) == len(paths)
    assert not any(place.startswith("/") or ".." in place.split("/") for place in places)


_AUDITED = """\
import os
import sys
from pathlib import Path

from evalmake.evidence_checks.sources import open_sources
from evalmake.language.diagnostic import EvalmakeError
from evalmake.plugins import GROUPS, InstalledPlugins

plugins = InstalledPlugins()
for group, name in (("executors", "process"), ("harnesses", "native"), ("exporters", "markdown")):
    plugins.get(group, name)
allowed = (*sys.argv[1:3], sys.prefix, sys.base_prefix, *[p for p in sys.path if p])
events = ("open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove", "os.symlink", "sqlite3.connect")
starts = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect")

def watch(event, args):
    path = str(args[0]) if args else ""
    if event in starts or (event in events and path.startswith("/") and not path.startswith(allowed)):
        sys.stderr.write(f"TOUCHED {event} {args!r}\\n")

def watched(name):
    real = getattr(os, name)

    def look(path, *args, **keys):
        watch("open", (path,))
        return real(path, *args, **keys)

    return look

sys.addaudithook(watch)
os.stat, os.lstat, os.readlink = watched("stat"), watched("lstat"), watched("readlink")
try:
    open_sources(Path(sys.argv[1]), Path(sys.argv[2]))
except EvalmakeError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "line",
    [
        'include "/etc/passwd"',
        'include? "../../../secret.evalfile"',
        'include "/etc/*"',
        'include "missing.evalfile"',
        'X = file("/etc/passwd")',
        'X = file("../../secret")',
        'X = glob("/etc/*")',
        'X = glob("/etc/*/")',
        'settings { seeds = ["/var/cache"] }',
        'settings { store = "/var/tmp/store" }',
        'deployment d { engine = mock, image = "/etc/passwd" }',
        'report r { path = "/tmp/report.md", of = [first] }',
    ],
)
def test_nothing_outside_is_touched(line: str, evidence: EvidenceFolder, tmp_path: Path) -> None:
    """An Evalfile that was changed to name files of this machine reads none of them, and looks for none."""
    from hashlib import sha256

    path = evidence.path / "sources/Evalfile"
    path.write_text(f"{line}\n{path.read_text()}")
    evidence.change(_set("files", "Evalfile", to=sha256(path.read_bytes()).hexdigest()))
    done = subprocess.run(
        [sys.executable, "-c", _AUDITED, str(evidence.path), str(evidence.scratch)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path / "elsewhere",
        env={**os.environ, "XDG_CACHE_HOME": str(evidence.scratch)},  # for evalmake's own grammar
    )
    assert "TOUCHED" not in done.stderr
    assert bool(done.stdout) == line.startswith(("include", "X", "settings { seeds"))
