"""What `evalmake results --sample ID` prints: one sample in full."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from evalmake.sample_filter.fields import Meaning
from evalmake.scoring.numbers import format_given
from evalmake.stored_samples import StoredSample, make_field_reader, read_messages

_INDENT = "  "
_VERDICTS = {"True": "passed", "False": "failed"}


def render_sample(sample: StoredSample) -> str:
    """All that is known of a sample, as text; texts of models are as they are."""
    row = sample.row
    lines = [f"{sample.result.stored.name}, sample {row['id']}", ""]
    facts = list(_list_facts(sample))
    width = max(len(name) for name, _ in facts)
    lines += [f"{_INDENT}{name:<{width}}  {' '.join(text.split())}" for name, text in facts]
    for title, text in _list_texts(sample):
        body = text if text.strip() else "(empty)"
        lines += ["", title, *(f"{_INDENT}{line}".rstrip() for line in body.split("\n"))]
    return "\n".join(lines) + "\n"


def sample_to_json(sample: StoredSample) -> dict[str, Any]:
    """The sample as it is on record, and the evaluation that it belongs to."""
    names = ("cell", "eval", "model", "benchmark", "seed")
    shared = {name: _read(sample, name) for name in names}
    result = sample.result
    state = result.stored.label or "valid"
    return {**shared, "attempt": result.attempt.attempt, "state": state, "metric": result.metric, **sample.row}


def _list_facts(sample: StoredSample) -> Iterator[tuple[str, str]]:
    """Names and short texts: where it comes from, its scores, what it took."""
    row, result = sample.row, sample.result
    yield "model", str(_read(sample, "model"))
    yield "benchmark", str(_read(sample, "benchmark"))
    yield "seed", str(_read(sample, "seed"))
    made = result.attempt.finished[:16].replace("T", " ")
    yield "attempt", f"{result.attempt.attempt} of {made}, {result.attempt.status}"
    if result.stored.label:
        yield "state", result.stored.label
    if row.get("repetition", 1) != 1:
        yield "repetition", str(row["repetition"])
    yield "score", _describe_scores(sample.scores) or "not scored"
    tokens = [f"{row[key]} {word}" for key, word in (("tokens_in", "in"), ("tokens_out", "out")) if _has(row, key)]
    if tokens:
        yield "tokens", ", ".join(tokens)
    if isinstance(row.get("latency"), int | float):
        yield "latency", f"{row['latency']:.3g} s"
    for key, name in (("finish_reason", "finish reason"), ("cluster", "cluster"), ("weight", "weight")):
        if _has(row, key):
            yield name, str(row[key])
    if row.get("refused"):
        yield "refused", "the reply is a refusal"
    if isinstance(row.get("tags"), list) and row["tags"]:
        yield "tags", ", ".join(map(str, row["tags"]))


def _has(row: Mapping[str, Any], key: str) -> bool:
    return row.get(key) is not None


def _describe_scores(scores: Mapping[str, Any]) -> str:
    told = (format_given(value) if isinstance(value, int | float) else str(value) for value in scores.values())
    return ", ".join(f"{name} {value}" for name, value in zip(scores, told, strict=True))


def _list_texts(sample: StoredSample) -> Iterator[tuple[str, str]]:
    """Titles and long texts."""
    row = sample.row
    for role, text in read_messages(row):
        yield f"Prompt ({role})" if role else "Prompt", text
    if not read_messages(row) and row.get("input") is not None:
        yield "Record", _to_text(row["input"])
    if reasoning := _read(sample, "reasoning"):
        yield "Reasoning", str(reasoning)
    for number, turn in enumerate(row["turns"] if isinstance(row.get("turns"), list) else (), start=1):
        if isinstance(turn, dict):
            yield f"Reply of turn {number}", _to_text(turn.get("reply", turn))
    for key, title in (
        ("reply", "Reply"),
        ("tool_calls", "Tool calls"),
        ("answer", "Answer that was scored"),
        ("target", "Target"),
        ("checks", "Checks"),
        ("judge", "What the judge said"),
        ("error", "Error"),
    ):
        if _has(row, key) and not (key == "answer" and row[key] == row.get("reply")):
            yield title, "\n".join(_list_checks(row[key])) if key == "checks" else _to_text(row[key])


def _list_checks(checks: object, indent: str = "") -> Iterator[str]:
    """A line for each check: its verdict, what it asks for, what was found; below it, those of `any` and `all`."""
    for check in checks if isinstance(checks, list) else ():
        if not isinstance(check, dict) or "type" not in check:
            continue
        verdict = _VERDICTS.get(str(check.get("passed")), "no verdict")
        asked = {name: one for name, one in check.items() if name not in ("type", "passed", "reason", "checks")}
        value = "".join(f" {_spell(asked.pop(name))}" for name in ("value", "name") if name in asked)
        rest = "".join(f", {name} {_spell(one)}" for name, one in asked.items())
        reason = f" ({check['reason']})" if check.get("reason") else ""
        yield f"{indent}{verdict}: {check['type']}{value}{rest}{reason}"
        yield from _list_checks(check.get("checks"), indent + _INDENT)


def _spell(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _to_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _read(sample: StoredSample, name: str) -> object:
    return make_field_reader(Meaning("field", (name,)))(sample)
