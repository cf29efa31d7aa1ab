"""The manual's pages: their fenced blocks, and a project in which those are loaded, planned and run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from evalmake.language import tree
from evalmake.language.formatter import format_source
from evalmake.language.parser import parse
from evalmake.language.source import Source
from tests.support.git_repositories import WHO
from tests.support.pages import PACKAGE
from tests.support.projects import Project

FOLDER = PACKAGE / "manual"
PAGES = {path.relative_to(FOLDER).with_suffix("").as_posix(): path.read_text() for path in FOLDER.rglob("*.md")}

PREAMBLE = """\
LIMIT = 10

deployment stand-in {
    engine = mock
    args   = { skill = 0.8 }
}

model stand-in { deployment = stand-in }

model hosted {
    endpoint = "https://models.example/v1"
    name     = "example-7b"
}

benchmark sums {
    harness = native
    files   = file("data/sums.jsonl")
    prompt  = "{question}\\nAnswer with a number."
    target  = "{answer}"
    scorer  = number
}

eval arithmetic {
    model     = stand-in
    benchmark = sums
    seed      in 1..3
    limit     = LIMIT
}

report scorecard {
    of   = [arithmetic]
    path = "reports/scorecard.md"
}
"""
"""What a page's examples may refer to without declaring it."""

SUMS = "".join(f'{{"question": "What is {a} + {b}?", "answer": {a + b}}}\n' for a in range(3, 13) for b in (4, 17))


@dataclass(frozen=True)
class Block:
    """A fenced block: `language` and `words` stand behind its fence."""

    language: str
    words: tuple[str, ...]
    text: str

    @property
    def file(self) -> str:
        """The file that the block is the content of; empty where it is none."""
        return next((word for word in self.words if "." in word), "")


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page."""
    for info, text in re.findall(r"^```([^\n]*)\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        language, *words = info.split() or [""]
        yield Block(language, tuple(words), text)


def without_blocks(page: str) -> str:
    """A page's prose."""
    return re.sub(r"^```.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE)


def commands(text: str) -> list[str]:
    """The commands of a `sh` block, without their comments."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines())
    return [line for line in lines if line]


@dataclass
class Session:
    """One page worked through from top to bottom, in a project of its own."""

    project: Project
    shown: str = ""
    """The declarations of the page so far."""
    outputs: list[str] = field(default_factory=list)

    def prepare(self, bare: bool) -> None:
        """Write the files that examples may name, and, unless `bare`, the preamble as the Evalfile."""
        self.project.write("data/sums.jsonl", SUMS)
        if not bare:
            self.project.write("Evalfile", PREAMBLE)

    def work(self, block: Block) -> None:
        """Write, load, plan or run one block."""
        if block.file:
            self.project.write(block.file, block.text)
        elif block.language == "evalfile":
            self._plan(block)
        elif "norun" in block.words:
            return
        elif block.language == "sh":
            status = next((int(word[7:]) for word in block.words if word.startswith("status=")), 0)
            for command in commands(block.text):
                self.outputs.append(self._run(command, status))
        elif block.language == "python":
            self.outputs.append(self._run(f"{shlex.quote(sys.executable)} -c {shlex.quote(block.text)}", 0))

    def _plan(self, block: Block) -> None:
        assert format_source(Source("block", block.text)) == block.text, "not as `evalmake fmt` writes it"
        text = merged(PREAMBLE, block.text if "alone" in block.words else merged(self.shown, block.text))
        if "alone" not in block.words:
            self.shown = merged(self.shown, block.text)
        self.project.write("Evalfile", text)
        self.outputs.append(self.project.run("-n").stdout)

    def _run(self, command: str, status: int) -> str:
        words = shlex.split(command)
        if words[0] == "evalmake" and not set(words) & {"|", ">", "&&", "||"}:
            result = self.project.run(*words[1:], status=None)
            assert result.status == status, f"{command}: status {result.status}\n{result.stdout}\n{result.stderr}"
            return result.stdout
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.project.root,
            env={**os.environ, **WHO, "PATH": path},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == status, f"{command}: {done.stdout}\n{done.stderr}"
        return done.stdout


def merged(before: str, after: str) -> str:
    """Two texts as one Evalfile: what `after` declares anew is left out of `before`."""
    again = {_key(item) for item in parse(Source("after", after)).items}
    kept = [before[item.start : item.end] for item in parse(Source("before", before)).items if _key(item) not in again]
    return "\n\n".join([*kept, after])


def _key(item: tree.Item) -> tuple[str, ...]:
    """What an item may be in a file once."""
    match item:
        case tree.Declaration():
            return (item.kind.text, item.name.text)
        case tree.Defaults():
            return ("defaults", item.kind.text)
        case tree.Include():
            return ("include", item.path.text)
        case tree.Variable() | tree.Alias():
            return (type(item).__name__, item.name.text)
    return ("settings",)
