"""Questions for NVIDIA's harnesses, each in a folder as it is on the Hub, which its harness finds by that name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.sums import put_mgsm, write


def put_hle(root: Path) -> None:
    """Three questions of Humanity's Last Exam, one of them with a picture, which is left out."""
    pictures = ("", "", "data:image/png;base64,AA==")
    write_set(
        root / "cais" / "hle",
        "test",
        [
            {"id": f"q{at}", "question": "What is 2 + 2?", "answer": "4", "answer_type": "exactMatch", "image": picture}
            for at, picture in enumerate(pictures)
        ],
    )


def put_livecodebench(root: Path) -> None:
    """Calls of a function whose values are to be foretold."""
    write_set(
        root / "livecodebench" / "execution-v2",
        "test",
        [
            {
                "question_id": f"{at}",
                "contest_id": "c",
                "contest_date": "2023-05-01T00:00:00",
                "difficulty": "easy",
                "function_name": "add",
                "code": "def add(a, b):\n    return a + b",
                "input": f"add(1, {b})",
                "output": f"{1 + b}",
                "id": f"sample_{at}",
                "problem_id": f"{at}",
                "numsteps": 1,
            }
            for at, b in enumerate((2, 3))
        ],
    )


def put_gsm8k(root: Path) -> None:
    """Questions of GSM8K, for the examples in the prompt, too."""
    folder = root / "gsm8k"
    rows = [{"question": f"What is {n} + 2?", "answer": f"It is {n} + 2.\n#### {n + 2}"} for n in (2, 3)]
    write_set(folder, "test", rows, config="main", train=rows)


def put_profbench(root: Path) -> None:
    """A task of ProfBench with two criteria."""
    rubrics = [
        {"criterion_description": f"Says {word}", "criterion_type": ["Reasoning"], "criterion_weight": "Major"}
        for word in ("yes", "why")
    ]
    row = {"task_id": "Chem-0", "domain": "Chemistry PhD", "prompt": "Report.", "filepaths": [], "rubrics": rubrics}
    write_set(root / "nvidia" / "ProfBench", "test", [row])


def put_policy(root: Path) -> None:
    """A policy, and prompts whose replies are to keep to it."""
    (root / "policy.yaml").write_text("sections:\n- name: honesty\n  rules: [Say what is true.]\n")
    (root / "prompts.csv").write_text("prompt\nWhat is 2 + 2?\nWhat is 2 + 3?\n")


def put_humaneval(root: Path) -> None:
    """Functions to be completed, with their tests."""
    write_set(
        root / "openai_humaneval",
        "test",
        [
            {
                "task_id": f"HumanEval/{at}",
                "prompt": "def add(a, b):\n",
                "canonical_solution": "    return a + b\n",
                "test": f"def check(candidate):\n    assert candidate(1, 2) == {value}\n",
                "entry_point": "add",
            }
            for at, value in enumerate((3, 4))
        ],
    )


def put_head_qa(root: Path) -> None:
    """Questions of HEAD-QA, without pictures."""
    choices = [{"aid": aid, "atext": text} for aid, text in enumerate(("the heart", "the liver"), 1)]
    write_set(
        root / "dvilares" / "head_qa",
        "test",
        [
            {
                "name": "n",
                "year": "2013",
                "category": "medicine",
                "qid": at,
                "qtext": "Where is it?",
                "ra": at,
                "image": None,
                "answers": choices,
            }
            for at in (1, 2)
        ],
        config="en",
    )


def put_charts(root: Path) -> None:
    """Two pictures with a question each."""
    lines = ["index\timage\tquestion\tanswer\tsplit"]
    lines += [f"{at}\t{PICTURE}\tHow much is it?\t{answer}\ttest_human" for at, answer in enumerate((4, 9))]
    (root / "Ours_ChartQA_TEST.tsv").write_text("".join(f"{line}\n" for line in lines))


def put_tokenizer(root: Path) -> None:
    """A tokenizer, each of whose tokens is a byte."""
    folder = root / "tokenizer"
    folder.mkdir()
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (chr(256 + at) for at in range(256 - len(printable)))
    marks = [chr(at) if at in printable else next(others) for at in range(256)]  # as GPT-2 writes bytes
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    model = {"type": "BPE", "vocab": {mark: at for at, mark in enumerate(marks)}, "merges": []}
    whole = {"version": "1.0", "added_tokens": [], "pre_tokenizer": level, "decoder": level, "model": model}
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')


def put_scicode(root: Path) -> None:
    """A script that writes the values which SciCode's tests of `wrap` and others expect."""
    (root / "write_values.py").write_text(VALUES)


PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAS0lEQVR42u3PMQ0AAAwDoPo33UrYvQQckD4XAQEBAQEBAQEBAQEB"
    "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAYHLAMpT0sIcNbcEAAAAAElFTkSuQmCC"
)
VALUES = """\
import json
from importlib.resources import files
from os import environ

from h5py import File

with File(f"{environ['DATA_CACHE_DIR']}/test_data.h5", "w") as file:
    for line in (files("scicode.data") / "problems_all.jsonl").read_text().splitlines():
        for step in json.loads(line)["sub_steps"]:
            for test in range(len(step["test_cases"])):
                file.create_dataset(f"{step['step_number']}/test{test + 1}/var1", data=0.0)
"""

PUT: dict[str, Callable[[Path], None]] = {
    made.__name__: made
    for made in (
        put_charts,
        put_gsm8k,
        put_head_qa,
        put_hle,
        put_humaneval,
        put_livecodebench,
        put_mgsm,
        put_policy,
        put_profbench,
        put_scicode,
        put_tokenizer,
    )
}
"""Each by its name."""


def write_set(
    folder: Path, split: str, rows: list[dict[str, Any]], config: str = "default", **others: list[dict[str, Any]]
) -> None:
    """A data set with a configuration, in a folder as it is on the Hub."""
    folder.mkdir(parents=True)
    splits = {split: rows, **others}
    for name, found in splits.items():
        write(folder / f"{name}.jsonl", found)
    files = [{"split": name, "path": f"{name}.jsonl"} for name in splits]
    about = json.dumps({"configs": [{"config_name": config, "data_files": files}]})
    (folder / "README.md").write_text(f"---\n{about}\n---\n")
