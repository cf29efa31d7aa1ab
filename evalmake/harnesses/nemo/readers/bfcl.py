"""Reads BFCL's score and result files, one of each for a category of questions.

BFCL_v3_CATEGORY_result.json has a line for each question: {"id": "simple_0", "result": ...}. In
BFCL_v3_CATEGORY_score.json the first line counts, {"accuracy": 0.5, "correct_count": 1, "total_count": 2}, and each
further one is a question that failed. Most scores of several categories are means of theirs, whatever their sizes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from evalmake.harnesses.nemo.readers.reading import Reading, find_only, hash_content, read_json_lines
from evalmake.harnesses.samples import GatewayRequests, Row

_METRICS = {
    "simple": "python_simple_ast_non_live",
    "java": "java_simple_ast_non_live",
    "javascript": "javascript_simple_ast_non_live",
    "multiple": "multiple_ast_non_live",
    "parallel": "parallel_ast_non_live",
    "parallel_multiple": "parallel_multiple_ast_non_live",
    "exec_simple": "python_simple_exec_non_live",
    "rest": "rest_simple_exec_non_live",
    "exec_multiple": "multiple_exec_non_live",
    "exec_parallel": "parallel_exec_non_live",
    "exec_parallel_multiple": "parallel_multiple_exec_non_live",
    "irrelevance": "irrelevance_detection_non_live",
    "live_simple": "python_simple_ast_live",
    "live_multiple": "python_multiple_ast_live",
    "live_parallel": "python_parallel_ast_live",
    "live_parallel_multiple": "python_parallel_multiple_ast_live",
    "live_irrelevance": "irrelevance_detection_live",
    "live_relevance": "relevance_detection_live",
    "multi_turn_base": "base",
    "multi_turn_miss_func": "miss_func",
    "multi_turn_miss_param": "miss_param",
    "multi_turn_long_context": "long_context",
}
"""A category -> the metric that is the mean over its questions."""
_LIVE = tuple(metric for category, metric in _METRICS.items() if category.startswith("live_"))
_AST = ("simple_ast_non_live", "multiple_ast_non_live", "parallel_ast_non_live", "parallel_multiple_ast_non_live")
_EXEC = ("simple_exec_non_live", "multiple_exec_non_live", "parallel_exec_non_live", "parallel_multiple_exec_non_live")
_COMPOSITES = {
    "simple_ast_non_live": (
        "python_simple_ast_non_live",
        "java_simple_ast_non_live",
        "javascript_simple_ast_non_live",
    ),
    "simple_exec_non_live": ("python_simple_exec_non_live", "rest_simple_exec_non_live"),
    "ast_summary": _AST,
    "exec_summary": _EXEC,
    "non_live_overall_acc": (*_AST, *_EXEC, "irrelevance_detection_non_live"),
    "multi_turn_overall_acc": ("base", "miss_func", "miss_param", "long_context"),
}
_SCORE_FILE = re.compile(r"(?P<start>BFCL_v\d+_(?P<category>\w+))_score\.json")


def read(folder: Path, requests: GatewayRequests) -> Reading | None:
    """The questions, which score 0 or 100, as BFCL reports percents."""
    files = {path: _SCORE_FILE.fullmatch(path.name) for path in sorted(folder.glob("**/BFCL_v*_score.json"))}
    if not files:
        return None
    known = [(path, named) for path, named in files.items() if named and named["category"] in _METRICS]
    rows = [row for path, named in known for row in _read_category(folder, path, named["start"], named["category"])]
    composites = {_name(name): tuple(map(_name, parts)) for name, parts in _COMPOSITES.items()}
    return Reading(rows, composites, {_name("live_overall_acc"): tuple(map(_name, _LIVE))}, decimals=2)


def _name(metric: str) -> str:
    return f"bfcl_{metric}_{metric}"


def _read_category(folder: Path, path: Path, start: str, category: str) -> Iterator[Row]:
    results = find_only(folder, f"**/{start}_result.json")
    if results is None:
        raise ValueError(f"{path.name} has no {start}_result.json")
    (counts, *wrong), answers = read_json_lines(path), list(read_json_lines(results))
    failed = {one["id"]: one for one in wrong}
    if counts["total_count"] != len(answers) or counts["correct_count"] != len(answers) - len(failed):
        raise ValueError(f"{path.name} and {results.name} contradict each other")
    for answer in answers:
        id, said = answer["id"], answer["result"]
        scores = {_name(_METRICS[category]): 0.0 if id in failed else 100.0}
        target = failed.get(id, {}).get("possible_answer")
        reply = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        yield Row(id, hash_content(id), scores, target=target, reply=reply)
