"""Copying outputs out of a store: whole, over nothing, and never out of the folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evalmake.language.diagnostic import EvalmakeError
from evalmake.planner.action import Artifact
from evalmake.store.output_copy import OutputCopy, copy_outputs
from evalmake.store.records import UnreadableRecord
from evalmake.store.store import Store
from tests.support.stores import LARGE, action, blob_file, result

FILES = {"log": b"hello\n", "raw/a.csv": LARGE, 'odd "\n\\udcff name': b"x"}


def commit(store: Store) -> list[OutputCopy]:
    """Commit an attempt with FILES, and return the copies that one would make of it."""
    store.commit(action(), result(action()), FILES)
    [attempt] = store.attempts(action().digest)
    return [OutputCopy(output, f"e/1/{output.name}") for output in attempt.outputs]


def test_outputs_come_out_as_they_went_in(store: Store, tmp_path: Path) -> None:
    """Small and large outputs, and those with odd names, are copied byte by byte; a second time nothing is new."""
    copies, folder = commit(store), tmp_path / "out"
    assert copy_outputs(store, copies, folder) == 3
    assert {str(p.relative_to(folder / "e/1")): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == FILES
    assert copy_outputs(store, copies, folder) == 0


def test_nothing_is_replaced(store: Store, tmp_path: Path) -> None:
    """Where one file has another content, none is copied."""
    copies, folder = commit(store), tmp_path / "out"
    (folder / "e/1").mkdir(parents=True)
    (folder / "e/1/raw").write_text("mine")
    with pytest.raises(EvalmakeError, match="is no folder"):
        copy_outputs(store, copies, folder)
    (folder / "e/1/raw").unlink()
    (folder / "e/1/log").write_text("mine")
    with pytest.raises(EvalmakeError, match="another content"):
        copy_outputs(store, copies, folder)
    assert [p.name for p in folder.rglob("*") if p.is_file()] == ["log"]


@pytest.mark.parametrize("link", ["e", "e/1/raw", "e/1/log"])
def test_no_link_is_followed(store: Store, tmp_path: Path, link: str) -> None:
    """A link below the folder, to a file or to a folder, is in the way: what it leads to stays as it is."""
    copies, folder, elsewhere = commit(store), tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / link).parent.mkdir(parents=True)
    (folder / link).symlink_to(elsewhere)
    with pytest.raises(EvalmakeError, match="which is no"):
        copy_outputs(store, copies, folder)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["../up", "/etc/x", "a/../../up", "a//b", ".", "nul\0"])
def test_a_name_that_leads_out_is_refused(store: Store, tmp_path: Path, name: str) -> None:
    """No record that evalmake wrote has such a name, so the record counts as damaged."""
    copies = commit(store)
    wrong = replace(copies[0], path=f"e/1/{name}")
    with pytest.raises(UnreadableRecord, match="no name of an output"):
        copy_outputs(store, [*copies, wrong], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_output_is_not_copied(store: Store, tmp_path: Path) -> None:
    """What the store holds under another digest, or lacks, leaves no file behind."""
    copies, folder = commit(store), tmp_path / "out"
    blob_file(store).write_bytes(LARGE[:-1] + b"!")
    lost = OutputCopy(Artifact("log", "0" * 64, 3), "e/1/lost")
    for copy in (*[copy for copy in copies if "csv" in copy.path], lost):
        with pytest.raises(UnreadableRecord, match="missing or damaged"):
            copy_outputs(store, [copy], folder)
    assert [p for p in folder.rglob("*") if p.is_file()] == []


def test_a_folder_that_cannot_be_made_gets_a_message(store: Store, tmp_path: Path) -> None:
    """The error says where it is and what the system says."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EvalmakeError, match=r"cannot copy to .*file/out"):
        copy_outputs(store, commit(store), tmp_path / "file/out")
