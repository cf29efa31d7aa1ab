"""A project with results to compare: mock models of skill 0.80, 0.75 and 0.80 on 400 sums."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

EVALFILE = """\
deployment good { engine = mock, args = { skill = 0.80, seed = 1 } }
deployment worse { engine = mock, args = { skill = 0.75, seed = 19 } }
deployment alike { engine = mock, args = { skill = 0.80, seed = 4 } }

model good { deployment = good }
model worse { deployment = worse }
model alike { deployment = alike }

benchmark sums {
    harness = native
    files   = file("data/sums.jsonl")
    id      = "id"
    prompt  = "{question}\\nAnswer with a number."
    target  = "{answer}"
    scorer  = number
}

benchmark sums-cot from sums { prompt = "{question}\\nThink, then answer with a number." }
benchmark others from sums { files = file("data/others.jsonl") }

eval grid {
    model     in [good, worse, alike]
    benchmark = sums
}

eval seeds {
    model     = good
    benchmark = sums
    seed      in 2..3
}

eval wide {
    model     in [good, worse]
    benchmark in [sums, sums-cot]
}

eval elsewhere {
    model     = worse
    benchmark = others
}
"""


def write_sums(path: Path, start: int) -> None:
    """400 sums, in a file of records."""
    rows = [
        {"id": f"q{a}-{b}", "question": f"What is {a} + {b}?", "answer": a + b}
        for a in range(start, start + 20)
        for b in range(start, start + 20)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def build_compared_project(root: Path) -> Path:
    """Write the project, and run it."""
    root.mkdir(parents=True)
    (root / "Evalfile").write_text(EVALFILE)
    write_sums(root / "data/sums.jsonl", 3)
    write_sums(root / "data/others.jsonl", 40)
    done = subprocess.run([sys.executable, "-m", "evalmake", "-s"], cwd=root, env=os.environ, capture_output=True)
    assert done.returncode == 0, done.stderr
    return root


def copy_project(built: Path, root: Path) -> None:
    """A copy that a test may change."""
    shutil.copytree(built, root, dirs_exist_ok=True, symlinks=True)
