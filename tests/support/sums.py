"""Questions for the tasks of the tests, and for those of others, with what lies beside them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.support.repository import ROOT

HERE = ROOT / "tests" / "harnesses"
MGSM = ("bn", "de", "en", "es", "fr", "ja", "ru", "sw", "te", "th", "zh")


def put_lm_eval(tasks: Path, *names: str, count: int = 24) -> None:
    """Tasks of `lm_eval_tasks`, `count` questions, and six examples."""
    tasks.mkdir()
    for name in (*names, "scoring.py"):
        shutil.copy(HERE / "lm_eval_tasks" / name, tasks)
    write(tasks / "questions.jsonl", [question(at) for at in range(count)])
    write(tasks / "examples.jsonl", [question(at) for at in range(count + 6, count + 12)])


def put_inspect(folder: Path, name: str, count: int = 40) -> None:
    """A task of `inspect_tasks`, and `count` questions in passages of four."""
    shutil.copy(HERE / "inspect_tasks" / name, folder)
    write(
        folder / "arith.jsonl",
        [
            {
                "question": f"What is {n} + {n + 3}?",
                "answer": str(2 * n + 3),
                "passage": f"p{n // 4}",
            }
            for n in range(count)
        ],
    )


def put_mgsm(root: Path) -> None:
    """Two questions in each language of simple-evals' mgsm, in a folder as it is on the Hub."""
    folder = root / "juletxara" / "mgsm"
    folder.mkdir(parents=True)
    configs = []
    for at, language in enumerate(MGSM):
        data = [{"split": "test", "path": f"{language}.jsonl"}]
        configs.append({"config_name": language, "data_files": data})
        rows = [{"question": f"What is {n} + {at}?", "answer_number": "" if n % 3 else "1"} for n in range(2)]
        write(folder / f"{language}.jsonl", rows)
    (folder / "README.md").write_text(f"---\n{json.dumps({'configs': configs})}\n---\n")


def question(at: int) -> dict[str, Any]:
    """One of many sums, with four numbers to choose from."""
    a, b = 11 + 3 * at, 7 + at
    choices = [str(a + b + wrong) for wrong in (1, -2, 10)]
    choices[at % 4 : at % 4] = [str(a + b)]
    return {"a": a, "b": b, "choices": choices, "gold": at % 4}


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
