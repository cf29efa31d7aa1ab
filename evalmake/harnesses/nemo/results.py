"""Reading what `run_eval` leaves: results.yml, the marks of an early end, and normalised samples."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from evalmake.harnesses.log_errors import last_error
from evalmake.harnesses.samples import NAME, Row, score_from_samples, unanswered, write_samples
from evalmake.plugin_api.harness import Outcome
from evalmake.scoring.score import Score

_UNUSED = re.compile(r"not used in the command template: (.*?)\. Valid params")
_PARAM = "config.params."


class Entry(NamedTuple):
    """A score as reported: of a task or group, a metric of it, and a way of taking that."""

    name: str
    way: str
    value: float
    stats: Mapping[str, Any]


def read_run(outputs: Path, status: int, metric: str | None, meant: Sequence[str], coverage: float) -> Outcome:
    """The outcome of a run with its results in `outputs`/nemo; writes its samples beside them.

    `meant` are the parameters that must have had an effect, `coverage` the share of requests that
    must have been answered, 0 to 1.
    """
    folder, log = outputs / "nemo", outputs.parent / "log"
    if (folder / ".nemo_evaluator_interrupted").exists():
        return Outcome(error="the harness was interrupted (exit status 143)")
    if status:
        return Outcome(error=last_error(log) or f"exit status {status}")
    if unused := _unused(log, meant):
        return Outcome(error=f"the task takes no {' and no '.join(unused)}")
    if missing := unanswered(outputs, coverage):
        return Outcome(error=missing)
    entries = _read_results(folder / "results.yml")
    if isinstance(entries, str):
        return Outcome(error=entries)
    rows = list(_samples(folder))
    outcome = _judge(entries, rows, metric)
    if rows:
        write_samples(outputs / NAME, _named(rows, outcome.metric))
    return outcome


def _judge(entries: Sequence[Entry], rows: Sequence[Row], metric: str | None) -> Outcome:
    names = [entry.name for entry in entries]
    if not names:
        return Outcome(error="the harness reported no score")
    headline = metric or _headline(entries)
    if headline not in names:
        return Outcome(error=f"the harness reported no `{headline}`; it reported {', '.join(names)}")
    wrong = next((e for e in entries if e.name == headline and not math.isfinite(e.value)), None)
    if wrong:
        return Outcome(error=f"the harness reports {wrong.value} as `{headline}`")
    return Outcome(tuple(_score(entry, rows, headline) for entry in entries), headline)


def _read_results(path: Path) -> list[Entry] | str:
    """Every score by the name that NVIDIA's exporters give it, TASK_METRIC_SCORE; groups first."""
    import yaml

    try:
        results = yaml.safe_load(path.read_text(encoding="utf-8"))["results"]
        found: dict[str, Entry] = {}
        for name, body in (*_groups(results.get("groups")), *(results.get("tasks") or {}).items()):
            for metric, scores in (body.get("metrics") or {}).items():
                for way, score in scores["scores"].items():
                    full, value = f"{name}_{metric}_{way}", float(score["value"])
                    found.setdefault(full, Entry(full, way, value, score.get("stats") or {}))
    except FileNotFoundError:
        return "the harness wrote no results.yml"
    except (OSError, yaml.YAMLError):
        return "results.yml is cut off or is not YAML"
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return f"results.yml has another form than this evalmake knows: {error!r}"
    return list(found.values())


def _groups(groups: Any) -> Iterator[tuple[str, Any]]:
    for name, body in (groups or {}).items():
        yield name, body
        yield from _groups(body.get("groups"))


def _headline(entries: Sequence[Entry]) -> str:
    """The first, by samples where it was also taken otherwise: a mean of means hides its weights."""
    first = entries[0].name.removesuffix(entries[0].way)
    alike = [entry for entry in entries if entry.name == first + entry.way]
    return next((entry.name for entry in alike if entry.way.startswith("micro")), entries[0].name)


def _score(entry: Entry, rows: Sequence[Row], headline: str) -> Score:
    """As reported; the headline's is computed from the samples, where there are any."""
    stderr, count = entry.stats.get("stderr"), entry.stats.get("count")
    told = float(stderr) if isinstance(stderr, int | float) and math.isfinite(stderr) else None
    if rows and entry.name == headline:
        return score_from_samples(_named(rows, headline), headline, told, entry.value)
    scored = count if isinstance(count, int) else 0
    sure = None if told == 0 and not scored else told  # of equal scores, and nobody says how many
    value = entry.value if math.isfinite(entry.value) else None
    return Score(entry.name, value, sure, scored=scored, reported=told)


def _named(rows: Sequence[Row], headline: str) -> Sequence[Row]:
    """The samples' only score by the name of the headline; as they are where there are several."""
    if not headline or len({name for row in rows for name in row.scores}) > 1:
        return rows
    return [replace(row, scores={headline: max(row.scores.values())}) for row in rows]


def _unused(log: Path, meant: Sequence[str]) -> list[str]:
    """Those of `meant` that the harness warns have no effect on what it runs."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    told = {name for found in _UNUSED.findall(text) for name in found.split(", ")}
    return [f"`{name}`" for name in meant if _PARAM + name in told]


def _samples(folder: Path) -> Iterator[Row]:
    """The samples that some harnesses write in NVIDIA's normal form."""
    seen: Counter[tuple[str, str]] = Counter()
    for path in sorted(folder.glob("**/nemo-evaluator-per-sample-outputs/**/*.jsonl")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
                if row.get("score") is None:  # a step on the way, or not scored
                    continue
                id, name = str(row["id"]), row.get("score_name") or "score"
                seen[id, name] += 1
                content = json.dumps([row.get("query"), row.get("ground_truth")], sort_keys=True)
                reply = row.get("generation")
                yield Row(
                    id,
                    hashlib.sha256(content.encode()).hexdigest(),
                    {name: float(row["score"])},
                    seen[id, name],
                    target=row.get("ground_truth"),
                    reply=reply if isinstance(reply, str) else json.dumps(reply),
                    tokens_in=row.get("num_prompt_tokens"),
                    tokens_out=row.get("num_generated_tokens"),
                )
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
