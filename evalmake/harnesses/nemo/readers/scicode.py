"""Reads scicode's results, which count how many of the samples of each step passed.

scicode_results/MODEL_with_background.json: {"n_samples": 2, "num_correct": {"77": {"1": 2, "2": 0}}, ...}. A problem
is taken for solved with the product of the shares of its steps.
"""

from __future__ import annotations

import math
from pathlib import Path

from evalmake.harnesses.nemo.readers.reading import Reading, find_only, hash_content, read_json
from evalmake.harnesses.samples import GatewayRequests, Row


def read(folder: Path, requests: GatewayRequests) -> Reading | None:
    """The problems, and their steps, which belong together."""
    path = find_only(folder, "**/scicode_results/*.json")
    if path is None:
        return None
    told, rows = read_json(path), []
    for problem, steps in told["num_correct"].items():
        shares = {step: passed / told["n_samples"] for step, passed in steps.items()}
        solved = {"scicode_problems_pass@1_problems_pass@1": math.prod(shares.values())}
        rows.append(Row(f"scicode/{problem}", hash_content(problem), solved))
        for step, share in shares.items():
            id, score = f"scicode/{problem}.{step}", {"scicode_steps_pass@1_steps_pass@1": share}
            rows.append(Row(id, hash_content(problem, step), score, cluster=problem))
    return Reading(rows)
