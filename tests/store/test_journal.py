"""The journal: what a build has started and not yet committed."""

from __future__ import annotations

from pathlib import Path

from evalmake.store.journal import Journal, JournalEntry


def test_journal(tmp_path: Path) -> None:
    """Journal entries stay until they are removed; unreadable and unfinished ones are skipped."""
    journal = Journal(tmp_path / "journal")
    assert list(journal.entries()) == []
    entry = JournalEntry("a.1", "e/1", "evaluate", "sha256:0", "local", "/work/a.1", 12.5)
    journal.write(entry)
    (journal.folder / "bad.json").write_text("{")
    (journal.folder / ".a.2.json.x.tmp").write_text("{")
    assert list(journal.entries()) == [entry]
    journal.remove("a.1")
    journal.remove("a.1")
    journal.remove_partial_entries()
    assert list(journal.entries()) == []
    assert [path.name for path in journal.folder.iterdir()] == ["bad.json"]


def test_interrupted_jobs(tmp_path: Path) -> None:
    """The mark of an interruption is for a job of the journal, and goes with its entry."""
    journal = Journal(tmp_path / "journal")
    journal.write(JournalEntry("a.1", "e/1", "evaluate", "sha256:0", "local", "/work/a.1", 12.5))
    journal.mark_interrupted("a.1")
    journal.mark_interrupted("a.2")
    assert (journal.is_interrupted("a.1"), journal.is_interrupted("a.2")) == (True, False)
    journal.remove("a.1")
    assert list(journal.folder.iterdir()) == []
