"""The programs beside the examples do what the examples say: here without their containers."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from evalmake.workspace import Workspace
from tests.support.http_replies import chat_completion, http_reply
from tests.support.projects import Project
from tests.support.repository import EXAMPLES
from tests.support.scripted_upstream import ReceivedRequest, Upstream

RIGHT = """Of course:
```python
def clamp(value, low, high):
    return max(low, min(value, high))
```"""
ANSWERS = {
    "`clamp(": RIGHT,
    "`runs(": "def runs(text):\n    return [('a', 1)]",
    "`roman(": "I cannot.",
    "Rosa Lind": '{"customer": "Rosa Lind", "product": "pump", "urgent": true}',
    "Tom Okafor": '{"customer": "Tom Okafor", "product": "filter", "urgent": true}',
    "Ines Duarte": '{"customer": "Ines Duarte", "product": "hose", "urgent": true}',
}


def answer(seen: ReceivedRequest) -> list[bytes]:
    """What the model says to a prompt."""
    prompt = json.loads(seen.body)["messages"][-1]["content"]
    return [http_reply(chat_completion(next((ANSWERS[word] for word in ANSWERS if word in prompt), "no idea")))]


def scores(project: Project, file: str, example: str, keys: str, limit: int) -> dict[str, float | None]:
    """The scores of an example's benchmark of its name, with other keys, asking the scripted model."""
    shutil.copytree(EXAMPLES, project.root, dirs_exist_ok=True)
    project.write(
        "Evalfile",
        f"""
include "{file}.evalfile"
model scripted {{ endpoint = "{Upstream(answer).url}", name = "scripted" }}
benchmark here from {example} {{ image = none, {keys} }}
eval here {{ model = scripted, benchmark = here, limit = {limit} }}
""",
    )
    project.run("here")
    workspace = Workspace.open(project.root / "Evalfile")
    node = workspace.graph(()).nodes["here"]
    with workspace.store() as store:
        head = store.history(node.action.digest)
    assert head is not None
    return {score.metric: score.value for score in head.scores}


def test_code_that_passes_is_told_from_code_that_does_not(project: Project) -> None:
    """One function is right, one is wrong, and one was not written."""
    run = f'run = "{sys.executable} data/run.py"'
    assert scores(project, "code", "exercises", run, 3) == {"passed": pytest.approx(1 / 3)}


def test_an_extraction_is_right_or_valid_or_neither(project: Project) -> None:
    """One ticket is right, one is wrong, one names no product that there is, and one is no JSON."""
    run = f'files = glob("extraction/*"), run = "{sys.executable} data/extract.py"'
    assert scores(project, "extraction", "extraction", run, 4) == {"right": 0.25, "valid": 0.5}


def test_the_image_is_built_of_what_lies_beside_it() -> None:
    """The Dockerfile copies files that are there, and the Evalfile runs what it copies."""
    folder = EXAMPLES / "extraction"
    lines = (folder / "Dockerfile").read_text().splitlines()
    (copied,) = [line.split()[1:] for line in lines if line.startswith("COPY ")]
    assert (folder / copied[0]).is_file()
    assert f'run     = "python {copied[1]}"' in (EXAMPLES / "extraction.evalfile").read_text()
