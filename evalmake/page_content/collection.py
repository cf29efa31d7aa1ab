"""Collects the material of a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from evalmake.audit.collection import collect_audit
from evalmake.audit.story import AuditStory
from evalmake.language.diagnostic import EvalmakeError
from evalmake.model_reply.reasoning_tags import split_reasoning
from evalmake.planner.digest import describe_change, describe_text
from evalmake.planner.graph import Graph, Node
from evalmake.planner.staleness import Histories
from evalmake.sample_filter.fields import Meaning
from evalmake.sample_selection import has_failed
from evalmake.scoring.result_set import ResultSet
from evalmake.store.store import Store
from evalmake.stored_results import Standing, StoredResult
from evalmake.stored_samples import StoredSample, find_sampled_results, make_field_reader, read_messages, read_samples
from evalmake.terminal.audit import tell_story
from evalmake.web.material import PageMaterial, PageSample
from evalmake.workspace import Workspace

_read_reasoning = make_field_reader(Meaning("field", ("reasoning",)))
Redact = Callable[[bytes], bytes]


def collect_page(
    workspace: Workspace, nodes: list[Node], histories: Histories, results: ResultSet, store: Store, redact: Redact
) -> PageMaterial:
    """The material of a page with these results; `redact` takes secrets out of what is shown."""
    audit = collect_audit(workspace, Graph({node.name: node for node in nodes}), store, results.title)
    stories = [_redact(_tell(story, results.plan), redact) for story in audit.stories]

    def read() -> Iterator[PageSample]:
        stored = [
            StoredResult(node, Standing.VALID, (), head)
            for node in nodes
            if (head := histories.get(node.name)) is not None and head.success is not None
        ]
        for result in find_sampled_results(store, stored):
            for sample in read_samples(store, result):
                yield _make_sample(_redact_row(sample, redact))

    return PageMaterial(results, stories, read)


def _redact_row(sample: StoredSample, redact: Redact) -> StoredSample:
    """The sample without the values of secrets."""
    plain = json.dumps(sample.row, ensure_ascii=False).encode("utf-8", "surrogatepass")
    found = redact(plain)
    return sample if found is plain or found == plain else sample._replace(row=json.loads(found))


def _redact(value: dict[str, Any], redact: Redact) -> dict[str, Any]:
    plain = json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass")
    found: dict[str, Any] = json.loads(redact(plain).decode("utf-8", "surrogatepass"))
    return found


def _make_sample(sample: StoredSample) -> PageSample:
    reply = sample.row.get("reply")
    reasoning = _read_reasoning(sample)
    split = split_reasoning(reply) if isinstance(reply, str) and "<" in reply else None
    try:
        failed = has_failed(sample)
    except EvalmakeError:
        failed = None
    return PageSample(
        sample.result.stored.name,
        sample.row,
        sample.score,
        failed,
        read_messages(sample.row),
        str(reasoning) if reasoning else None,
        split.answer if split is not None and split.reasoning else None,
    )


# Stories ---------------------------------------------------------------------------------------------


def _tell(story: AuditStory, plan: str) -> dict[str, Any]:
    """The story of an evaluation in sentences, its identity as a walk, and its attempts."""
    return {
        "name": story.name,
        "address": story.address,
        "sections": [[section.title, [list(line) for line in section.lines]] for section in tell_story(story, plan)],
        "identity": {
            part or "evaluation": [[path, describe_text(text)] for path, text in pairs.items() if path]
            for part, pairs in story.identity.items()
        },
        "attempts": [
            {
                "attempt": one.record.attempt,
                "status": one.record.status,
                "started": one.record.started,
                "seconds": one.record.seconds,
                "executor": one.record.executor,
                "counts": story.counted is not None and one.digest == story.counted.digest,
                "changes": [describe_change(change.path, change.before, change.now) for change in one.changes],
                "detail": one.record.detail,
            }
            for one in story.attempts
        ],
    }
