"""`evalmake key`: makes key pairs that sign, and tells what a file of a key is."""

from __future__ import annotations

import stat

import pytest

from evalmake.signatures.keys import read_private_key_file
from tests.support.keys import foreign_private_keys, pem_of
from tests.support.projects import Project


def test_a_new_key_says_what_to_do_next(project: Project) -> None:
    """Both files are written, without an Evalfile, and what is printed can be pasted."""
    said = project.run("key", "new", "audit-2026").stdout
    private = project.root / "audit-2026.key"
    key_id = read_private_key_file(private).key_id
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    for words in (
        f"id: {key_id}\n",
        'sign = file("audit-2026.key")\n',
        'sign = secret("AUDIT_2026_KEY")\n',
        'export AUDIT_2026_KEY="$(cat audit-2026.key)"\n',
        "--key audit-2026.pub\n",
    ):
        assert words in said
    assert private.read_text().splitlines()[1] not in said
    assert project.run("key", "show", "audit-2026.key").stdout == f"ed25519 private key {key_id}\n"
    assert project.run("key", "show", "audit-2026.pub").stdout == f"ed25519 public key {key_id}\n"


def test_no_key_is_overwritten(project: Project) -> None:
    """A name that is taken, with or without its ending, is refused; nothing is written."""
    project.run("key", "new")
    before = (project.root / "signing.key").read_text()
    for name in ("signing", "signing.key", "./signing"):
        assert "[exists]" in project.run("key", "new", name, status=2).stderr
    assert (project.root / "signing.key").read_text() == before
    assert sorted(path.name for path in project.root.iterdir()) == ["signing.key", "signing.pub"]
    assert "cannot write the key" in project.run("key", "new", "nowhere/k", status=2).stderr


@pytest.mark.parametrize(("words", "text"), foreign_private_keys().items())
def test_what_a_file_is_that_is_no_key(project: Project, words: str, text: str) -> None:
    """`key show` says what a file holds instead of a key."""
    project.write("odd", text)
    shown = project.run("key", "show", "odd", status=None)
    if text == pem_of(1)[1]:
        assert shown.stdout.startswith("ed25519 public key ")
    else:
        assert "[bad-key]" in shown.stderr
        assert words in shown.stderr


@pytest.mark.parametrize(
    "words", [(), ("show",), ("new", "a", "b"), ("show", "a", "b"), ("sign",), ("odd",), ("new", "")]
)
def test_other_words_are_refused(project: Project, words: tuple[str, ...]) -> None:
    """Anything else is an error of usage."""
    assert "[usage]" in project.run("key", *words, status=2).stderr
