"""Outputs and logs of any size, depth and kind: told, or stored without being read as a whole."""

from __future__ import annotations

import os
import resource
import sys
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalmake.language.file_tree import list_plain_files, read_plain_file, remove_tree
from evalmake.run.secrets import Secrets
from tests.support.workspaces import Bench

EVALFILE = """
    settings { outputs = 1MiB, log = 100KiB }
    executor ex { backend = process, env = { TOK = secret("TOK") } }
    model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }
    benchmark b { harness = command, files = file("job.sh"), run = "sh data/job.sh" }
    eval e { model = m, benchmark = b, executor = ex }
"""
GOOD = "echo '{\"accuracy\": 1}' > $EVALMAKE_OUT/scores.json"
DEEP = f"""{GOOD}
cd $EVALMAKE_OUT; {sys.executable} -c '
import os
for i in range(1200): os.mkdir("a"); os.chdir("a")'
"""


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (f"{GOOD}\ntruncate -s 6G $EVALMAKE_OUT/model.bin", "its outputs have 6,144MiB, and 1MiB is allowed"),
        (f"{GOOD}\nhead -c 9000000 /dev/zero | tr '\\0' x", "its log has 9MiB, and 100KiB is allowed"),
        (
            "rmdir $EVALMAKE_OUT; ln -s $OLDPWD/mine $EVALMAKE_OUT; " + GOOD,
            "it replaced its output folder by a link to",
        ),
        ("ln -s /dev/zero $EVALMAKE_OUT/scores.json", "the harness wrote no scores.json"),
        ("mkfifo $EVALMAKE_OUT/scores.json", "the harness wrote no scores.json"),
        (f"mkfifo progress.json; sleep 1; {GOOD}", ""),
        (DEEP, ""),
    ],
)
def test_odd_outputs(bench: Bench, script: str, said: str) -> None:
    """A job that writes too much, too deep, or something else than files fails with a reason, or does not matter."""
    bench.evalfile(EVALFILE)
    mine = bench.root / "mine"
    mine.mkdir()
    (mine / "notes").write_text("my own tops3cretvalue99")
    bench.job(script.replace("$OLDPWD", str(bench.root)))
    ended = bench.run(env={"TOK": "tops3cretvalue99"})
    assert ended.status == (2 if said else 0), ended.text
    assert said in ended.err
    assert (mine / "notes").read_text() == "my own tops3cretvalue99"
    bench.clean()


def test_outputs_deeper_than_a_path(bench: Bench) -> None:
    """Outputs that no path can name fail with a short reason that leaves their path out."""
    bench.evalfile(EVALFILE)
    bench.job(DEEP.replace("1200", "3000"))
    ended = bench.run(env={"TOK": "tops3cretvalue99"})
    assert ended.status == 2, ended.text
    assert "its outputs go deeper than a path can be (4096 bytes)" in ended.err
    assert "/a/a/a" not in ended.text
    bench.clean()


def test_large_outputs_take_no_memory(bench: Bench) -> None:
    """Where they are allowed, outputs and logs of 400 MB are redacted and stored with 300 MB less of memory."""
    bench.evalfile(EVALFILE.replace("1MiB, log = 100KiB", "1GiB, log = 1GiB"))
    bench.job(f"{GOOD}\nhead -c 400000000 /dev/zero > $EVALMAKE_OUT/zeros; echo $TOK >> $EVALMAKE_OUT/zeros")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**31, before[1]))
    try:
        process = bench.start(env={"TOK": "tops3cretvalue99"})
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, out + err
    [attempt] = bench.attempts()
    data = bench.output(attempt, "zeros")
    assert data.endswith(b"\0[secret TOK]\n")
    bench.clean()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([b"s3cr3t-of-mine", b"test", b"token: ", b"Bearer ", b"a", b"-", b"\n", b"s3cr3t-of"])),
    st.integers(1, 40),
)
def test_redaction_in_pieces(words: list[bytes], size: int) -> None:
    """A file that is redacted piece by piece is the same as one that is redacted as a whole."""
    secrets = Secrets({"STRONG": "s3cr3t-of-mine", "WEAK": "test"})
    secrets.resolve({"STRONG": "STRONG", "WEAK": "WEAK"})
    data = b"".join(words) * 40

    class Pieces(BytesIO):
        def read(self, limit: int | None = -1) -> bytes:
            return super().read(size * 100)

    assert b"".join(after for _, after in secrets.redact_stream(Pieces(data))) == secrets.redact(data)
    assert b"".join(before for before, _ in secrets.redact_stream(Pieces(data))) == data


def test_deep_trees(tmp_path: Path) -> None:
    """A tree of any depth is listed and removed; links in it are not followed, and unreadable folders go, too."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("mine")
    root = tmp_path / "tree"
    root.mkdir()
    (root / "b").write_text("b")
    (root / "link").symlink_to(kept)
    (root / "closed").mkdir(0)
    here = os.getcwd()
    os.chdir(root)
    try:
        for _ in range(2100):
            os.mkdir("a")
            os.chdir("a")
    finally:
        os.chdir(here)
    with pytest.raises(OSError, match="too long"):
        list(list_plain_files(root))
    remove_tree(root)
    assert not root.exists()
    assert (kept / "file").read_text() == "mine"
    remove_tree(root)


def test_plain_files(tmp_path: Path) -> None:
    """A file that is no plain file, or too large, is an error and no hang."""
    (tmp_path / "file").write_text("1234")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "fifo")
    assert read_plain_file(tmp_path / "file", 4) == b"1234"
    for name, most in (("file", 3), ("link", 9), ("fifo", 9)):
        with pytest.raises(OSError, match=r"larger|symbolic|not a plain"):
            read_plain_file(tmp_path / name, most)
