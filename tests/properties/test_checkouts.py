"""The same Evalfile has the same plan on every checkout, whatever line ends git or an editor gives it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalmake.language.diagnostic import EvalmakeError
from evalmake.terminal.diagnostics import render
from tests.properties.test_mutations import folder, mutated, planned
from tests.support.projects import Project

__all__ = ["folder"]  # a fixture

LINE_ENDS = {"CRLF": "\r\n", "CR": "\r", "LF": "\n"}
SCRIPT = r'''
PROMPT = """
    Is it true?
      Answer in one word.
"""

model m {  # a comment
    endpoint = "http://127.0.0.1:9/v1"
    name     = "m"
}

benchmark b {
    harness = command
    run     = """
        echo '{"a": 1}' > $EVALMAKE_OUT/scores.json
        : '${PROMPT}'
    """
}

eval e { model = m, benchmark = b }

both: \
    e
'''


def outcome(path: Path, content: bytes) -> str:
    """The digest of the plan of a file with this content, or the messages about it."""
    path.write_bytes(content)
    try:
        return planned(path)
    except EvalmakeError as error:
        return render(error.diagnostics)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(text=mutated(), ending=st.sampled_from(sorted(LINE_ENDS)), mark=st.booleans())
def test_line_ends_mean_nothing(folder: Path, text: str, ending: str, mark: bool) -> None:
    """CRLF, CR and a byte order mark change neither the digest of a plan nor a message."""
    path = folder / "mutated.evalfile"
    changed = ("\ufeff" if mark else "") + text.replace("\n", LINE_ENDS[ending])
    assert outcome(path, changed.encode()) == outcome(path, text.encode())


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_long_texts_end_their_lines_with_lf(project: Project, ending: str) -> None:
    """Scripts, prompts and continued lines of a CRLF checkout are those of the LF checkout."""
    digests = [outcome(project.root / "Evalfile", SCRIPT.replace("\n", end).encode()) for end in ("\n", ending)]
    assert digests[0].startswith("sha256:")
    assert digests[0] == digests[1]


def test_a_pinned_include_may_have_either_line_ends(project: Project) -> None:
    """The digest of an include is that of the bytes on the disk, or of the text with LF that git stores."""
    from hashlib import sha256

    text = 'model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }\n'
    pin = f'include "m.evalfile" sha256:{sha256(text.encode()).hexdigest()}\n'
    project.write("Evalfile", pin)
    for content in (text, text.replace("\n", "\r\n"), "\ufeff" + text):
        project.write("m.evalfile", content)
        project.run("list")
    project.write("m.evalfile", text.replace("9", "8"))
    assert "differs from the file that was pinned" in project.run("list", status=2).stderr


def test_a_lock_and_a_plan_may_begin_with_a_mark(project: Project) -> None:
    """An editor that adds a byte order mark or CRLF to the lock or to a saved plan does no harm."""
    project.write("Evalfile", SCRIPT)
    project.write("Evalfile.lock", '\ufeff{"version": 1,\r\n "pins": {}}\r\n')
    project.run("-n", "-o", "plan.json")
    saved = (project.root / "plan.json").read_text()
    project.write("plan.json", "\ufeff" + saved.replace("\n", "\r\n"))
    project.run("--plan", "plan.json")
