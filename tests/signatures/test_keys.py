"""Keys: what evalmake makes, other programs read; what is no ed25519 key in PEM is refused in plain words."""

from __future__ import annotations

import pickle
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner

from evalmake.language.diagnostic import EvalmakeError
from evalmake.signatures.keys import (
    make_key_pair,
    parse_public_key,
    read_private_key,
    read_private_key_file,
    read_public_key,
)
from evalmake.signatures.new_keys import write_key_pair
from tests.support.keys import foreign_private_keys, foreign_public_keys, pem_of


def test_a_new_key_is_one_for_securesystemslib() -> None:
    """It reads both halves, gives the key the same id, and signs to the same bytes."""
    pair = make_key_pair()
    signer, public = read_private_key(pair.private, "here"), parse_public_key(pair.public, "here")
    foreign = CryptoSigner(load_pem_private_key(pair.private.encode(), None))
    assert signer.key_id == public.key_id == pair.key_id == foreign.public_key.keyid
    assert foreign.sign(b"data").signature == signer.sign(b"data").hex()
    assert public.verify(signer.sign(b"data"), b"data")
    assert not public.verify(signer.sign(b"data"), b"other")
    assert signer.public_key() == public


def test_key_ids_never_change() -> None:
    """Ids in stored envelopes stay those of their keys."""
    assert parse_public_key(pem_of(1)[1], "here").key_id == (
        "7ab6b86cb2c9684b0ddc10896153aa2595decf4d4327a5ff1a8ab7422c828b12"
    )


def test_two_new_keys_differ() -> None:
    """No key is made twice."""
    assert make_key_pair().private != make_key_pair().private


def test_a_private_key_shows_itself_nowhere() -> None:
    """Neither `repr` nor pickle tells a private key."""
    private, _ = pem_of(1)
    signer = read_private_key(private, "here")
    assert private.splitlines()[1] not in repr(signer) + repr(make_key_pair())
    with pytest.raises(TypeError, match="private key"):
        pickle.dumps(signer)


@pytest.mark.parametrize("join", [" ", "\\n", "\r\n", "\n\n"])
def test_lines_may_be_joined(join: str) -> None:
    """A secret whose line breaks a service has turned into something else is read."""
    private, public = pem_of(1)
    assert read_private_key(join.join(private.splitlines()), "here").sign(b"") == read_private_key(private, "").sign(
        b""
    )
    assert (
        parse_public_key(f"\n{join.join(public.splitlines())}  \n", "here").key_id
        == parse_public_key(public, "").key_id
    )


@pytest.mark.parametrize(("words", "text"), foreign_private_keys().items())
def test_what_is_no_private_key_is_refused(words: str, text: str) -> None:
    """The error says where the key stands, what it is, and how to make one, without its text."""
    with pytest.raises(EvalmakeError) as caught:
        read_private_key(text, "the secret `K`")
    (problem,) = caught.value.diagnostics
    assert problem.code == "bad-key"
    assert problem.message.startswith("the secret `K` is no private key")
    assert words in problem.notes[0]
    assert "evalmake key new" in problem.help[0]
    assert not any(line in str(problem) for line in text.splitlines() if len(line) > 20 and "--" not in line)


@pytest.mark.parametrize(("words", "text"), foreign_public_keys().items())
def test_what_is_no_public_key_is_refused(words: str, text: str, tmp_path: Path) -> None:
    """The error says which file it is, what it is, and how to make one."""
    (tmp_path / "k.pub").write_text(text)
    with pytest.raises(EvalmakeError) as caught:
        read_public_key(tmp_path / "k.pub")
    (problem,) = caught.value.diagnostics
    assert problem.code == "bad-key"
    assert problem.message.startswith(f"{tmp_path / 'k.pub'} is no public key")
    assert words in problem.notes[0]


def test_what_is_no_file_of_a_key_is_refused(tmp_path: Path) -> None:
    """A missing file, a folder, a device, a large file and one of bytes end with a message."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "large").write_text("x" * 100_000)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    for path in (*(tmp_path / name for name in ("missing", "folder", "large", "bytes")), Path("/dev/null")):
        for read in (read_private_key_file, read_public_key):
            with pytest.raises(EvalmakeError, match=str(path)) as caught:
                read(path)
            assert caught.value.diagnostics[0].code == "bad-key"


def test_a_new_pair_of_files(tmp_path: Path) -> None:
    """The private file is for its owner alone, and neither replaces a file or a link."""
    pair, private, public = write_key_pair(tmp_path / "audit.2026")
    assert (private.name, public.name) == ("audit.2026.key", "audit.2026.pub")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert read_private_key_file(private).key_id == read_public_key(public).key_id == pair.key_id
    (tmp_path / "b.pub").symlink_to("nowhere")
    for name in ("audit.2026", "b"):
        with pytest.raises(EvalmakeError, match="exists already"):
            write_key_pair(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit.2026.key", "audit.2026.pub", "b.pub"]
    with pytest.raises(EvalmakeError, match="cannot write the key"):
        write_key_pair(tmp_path / "nowhere" / "k")
