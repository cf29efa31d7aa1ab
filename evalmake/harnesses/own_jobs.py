"""Jobs that are evalmake's own, and run where other software is installed: their files, and their scores.

A job is a module of evalmake. It and the modules that it imports are put into the job's folder, in a package of the
same name: in the job's interpreter there is no evalmake, or another one. So they import the standard library alone.
"""

from __future__ import annotations

import json
from pathlib import Path

import evalmake
from evalmake.harnesses.samples import Row, score_from_samples
from evalmake.plugin_api.harness import Outcome
from evalmake.scoring.sample_counts import SAMPLES


def read_modules(*names: str) -> dict[str, str]:
    """The files of modules, by their names in a job's folder."""
    root = Path(evalmake.__file__).parents[1]
    files: dict[str, str] = {}
    for name in names:
        path = Path(*name.split("."))
        files |= {str(folder / "__init__.py"): "" for folder in path.parents[:-1]}
        files[f"{path}.py"] = (root / f"{path}.py").read_text(encoding="utf-8")
    return files


def read_scores_of_samples(outputs: Path, status: int, default: str, metric: str | None) -> Outcome:
    """The mean of every metric in the rows of `samples.jsonl`; `metric` is the headline, else `default`."""
    if status != 0:
        return Outcome(error=f"exit status {status}")
    try:
        lines = (outputs / SAMPLES).read_text(encoding="utf-8").split("\n")  # U+2028 may be in a text
        rows = [_read_row(line) for line in lines if line]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Outcome(error=f"{SAMPLES} is missing or not whole: {error}")
    if not rows:
        return Outcome(error=f"{SAMPLES} is empty")
    headline = metric or default
    known = list(dict.fromkeys(name for row in rows for name in row.scores)) or [headline]
    if headline not in known:
        return Outcome(error=f"the harness reported no `{headline}`; it reported {', '.join(known)}")
    return Outcome(tuple(score_from_samples(rows, name) for name in known), headline)


def _read_row(line: str) -> Row:
    row = json.loads(line)
    return Row(id=row["id"], item=row["item"], scores=row["scores"], error=row["error"])
