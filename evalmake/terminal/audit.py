"""What `evalmake audit` prints: the stories of results as text, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from evalmake.audit.outputs import find_counts, find_text
from evalmake.audit.story import Audit, AuditStory, GroupStory, TriedAttempt
from evalmake.language.markdown_text import escape
from evalmake.language.plural import count_of
from evalmake.terminal.audit_events import describe_events, summarize_attempts
from evalmake.terminal.audit_sentences import (
    describe_gates,
    describe_model,
    describe_number,
    describe_question,
    describe_run,
    describe_traces,
    show_moment,
)
from evalmake.terminal.plan import render_reasons
from evalmake.terminal.tables import wrap_row


@dataclass(frozen=True, slots=True)
class StorySection:
    """A heading, and sentences; each may have a mark before it, such as its time."""

    title: str
    lines: tuple[tuple[str, str], ...]
    level: int = 2


def to_text(audit: Audit, columns: int | None) -> str:
    """The whole story of one evaluation; of several, what they come to, and which were eventful."""
    found = audit.stories
    sections = tell_story(found[0], audit.plan, 1) if len(found) == 1 else [*_summarize(audit), _advise(found)]
    return "\n\n".join(_to_block(section, columns) for section in sections) + "\n"


def to_markdown(audit: Audit) -> str:
    """The same as Markdown, with the whole story of each evaluation."""
    found = audit.stories
    sections = [] if len(found) == 1 else _summarize(audit)
    for story in found:
        sections += tell_story(story, audit.plan, 1 if len(found) == 1 else 2)
    return "\n\n".join(map(_to_markdown, sections)) + "\n"


def _to_block(section: StorySection, columns: int | None) -> str:
    lines = [section.title] if section.title else []
    for mark, sentence in section.lines:
        lines.append(wrap_row(f"  {mark}  " if mark else "  ", _join(sentence), columns))
    return "\n".join(lines)


def _to_markdown(section: StorySection) -> str:
    lines = [f"{'#' * section.level} {escape(section.title)}", ""] if section.title else []
    return "\n".join([*lines, *(f"- {escape(f'{mark} {sentence}')}" for mark, sentence in section.lines)])


def _join(text: str) -> str:
    """A sentence on one line, whatever a harness or a server put into it."""
    return " ".join(text.split())


# --- One evaluation -------------------------------------------------------------------------------


def tell_story(story: AuditStory, plan: str, level: int = 1) -> list[StorySection]:
    """The whole story of one evaluation, in sections that have something to tell."""
    titled: list[tuple[str, Iterable[str]]] = [
        ("What was asked", describe_question(story)),
        ("Who answered", describe_model(story)),
        ("How it was run", describe_run(story)),
    ]
    after: list[tuple[str, Iterable[str]]] = [
        ("What is required", describe_gates(story)),
        ("How to find it again", describe_traces(story, plan)),
    ]
    events = tuple(describe_events(story))
    tried = StorySection("What was tried, in the order of time (UTC)", events, level + 1)
    sections = [
        _section(story.name, describe_number(story), level),
        *(_section(title, lines, level + 1) for title, lines in titled),
        *([tried] if events else []),
        *(_section(title, lines, level + 1) for title, lines in after),
    ]
    return [section for section in sections if section.lines]


def _section(title: str, sentences: Iterable[str], level: int) -> StorySection:
    return StorySection(title, tuple(("", sentence) for sentence in sentences), level)


# --- Several --------------------------------------------------------------------------------------


def _summarize(audit: Audit) -> list[StorySection]:
    stories = audit.stories
    head = _section(audit.title, _describe_all(stories), 1)
    return [head, *(_section(group.address, _describe_group(group), 2) for group in audit.groups)]


def _describe_all(stories: list[AuditStory]) -> Iterator[str]:
    counting = sum(story.counted is not None and not story.reasons for story in stories)
    yield f"{count_of(len(stories), 'evaluation')}, of which {counting} have a result that counts."
    tried = [one for story in stories for one in story.attempts]
    ends = Counter(one.record.status for one in tried if one.accepted_because is None)
    if ends:
        moments = sorted(show_moment(one.moment) for one in tried)
        told = ", ".join(f"{n} {end}" for end, n in ends.items())
        yield f"{count_of(ends.total(), 'attempt')} between {moments[0]} and {moments[-1]} UTC: {told}."
    if makers := sorted({f"{one.maker[0]} on {one.maker[1]}" for one in tried if one.maker}):
        yield f"They were made by {', '.join(makers)}."
    if accepted := sum(one.accepted_because is not None for one in tried):
        yield f"Results of other definitions were ACCEPTED: {accepted}."
    counted = [story for story in stories if story.counted is not None]
    models = sorted({name for story in counted for name in find_counts(story.usage.get("model"), "models")})
    yield f"Replies named {'these models: ' + ', '.join(models[:10]) if models else 'no model'}."
    yield from _describe_builds([story.counted for story in counted if story.counted])


def _describe_builds(counted: list[TriedAttempt]) -> Iterator[str]:
    known = [one.build for one in counted if one.build is not None]
    if unknown := len(counted) - len(known):
        yield f"Of {count_of(unknown, 'result')}, evalmake's version, the plan and the git commit are not recorded."
    for label, path in (("evalmake", ("evalmake",)), ("git commit", ("git", "commit")), ("plan", ("plan",))):
        if values := Counter(text for build in known if (text := find_text(build, *path))):
            listed = ", ".join(f"{text} ({n} of {len(counted)} results)" for text, n in values.most_common(5))
            yield f"By {label}: {listed}."


def _describe_group(group: GroupStory) -> Iterator[str]:
    found = [story for story in group.stories if story.result is not None]
    seeds = len(group.stories)
    over = f", over {len(found)} of {seeds} seeds" if seeds > 1 or len(found) < seeds else ""
    yield f"{group.score}{over}." if group.score else "There is no number."
    yield from describe_gates(group.stories[0]) if group.gates else ()
    yield from (f"Note on the number: {note.text}." for note in group.notes)
    lines: dict[str, list[str]] = {}
    for story in group.stories:
        if not story.is_uneventful:
            lines.setdefault("; ".join(_describe_cell(story)), []).append(story.name)
    for text, names in lines.items():
        yield f"{', '.join(names[:8])}{' and others' if len(names) > 8 else ''}: {text}."
    if not lines:
        yield "Each succeeded at its only attempt." if seeds > 1 else "It succeeded at its only attempt."


def _describe_cell(story: AuditStory) -> Iterator[str]:
    yield summarize_attempts(story)
    if not story.is_of_this_definition and story.counted is not None:
        yield "the result is of an earlier definition"
    elif story.reasons and story.attempts:
        yield f"does not count now: {render_reasons(story.reasons)}"
    score = story.headline
    if score is not None and score.unscored:
        yield f"{score.unscored} of {count_of(score.scored + score.unscored, 'sample')} not scored"
    yield from story.doubts


def _advise(stories: list[AuditStory]) -> StorySection:
    eventful = next((story for story in stories if not story.is_uneventful), stories[0])
    return StorySection("", (("", f"`evalmake audit {eventful.name}` tells the whole story of one evaluation."),))


# --- For programs ---------------------------------------------------------------------------------


def to_json(audit: Audit) -> str:
    """One object, with an object for each group and in it one for each evaluation."""
    groups = [
        {
            "address": group.address,
            "score": group.score,
            "notes": [asdict(note) for note in group.notes],
            "gates": [gate.fields() for gate in group.gates],
            "evaluations": [_story_to_json(story) for story in group.stories],
        }
        for group in audit.groups
    ]
    return json.dumps({"title": audit.title, "plan": audit.plan, "groups": groups}, ensure_ascii=False)


def _story_to_json(story: AuditStory) -> dict[str, Any]:
    counted = story.counted
    return {
        "name": story.name,
        "action": story.action,
        "counts": counted is not None and not story.reasons,
        "reasons": [asdict(reason) for reason in story.reasons],
        "changed_since": [asdict(change) for change in story.since],
        "metric": story.result.metric if story.result else None,
        "confidence": story.confidence,
        "scores": [asdict(score) for score in story.scores],
        "notes": [asdict(note) for note in story.notes],
        "unscored": [{"reason": text, "samples": count} for text, count in story.causes],
        "made_by": [story.made.record.action, story.made.record.attempt] if story.made else None,
        "result": [counted.record.action, counted.record.attempt] if counted else None,
        "definition": {part or "cell": dict(pairs) for part, pairs in story.identity.items()},
        "parameters": None if story.parameters is None else [asdict(one) for one in story.parameters],
        "usage": {role: dict(usage) for role, usage in story.usage.items()},
        "attempts": [_attempt_to_json(one) for one in story.attempts],
        "doubts": list(story.doubts),
    }


def _attempt_to_json(one: TriedAttempt) -> dict[str, Any]:
    record = one.record
    facts: Mapping[str, str] = record.facts
    return {
        "action": record.action,
        "attempt": record.attempt,
        "record": f"sha256:{one.digest}",
        "name": record.name,
        "status": record.status,
        "detail": record.detail,
        "started": record.started,
        "finished": record.finished,
        "seconds": record.seconds,
        "executor": record.executor,
        "job": record.job,
        "facts": dict(facts),
        "accepted_because": one.accepted_because,
        "forced": one.was_forced,
        "changes": [asdict(change) for change in one.changes],
        "lost": list(one.lost),
        "outputs": [asdict(output) for output in record.outputs],
        "build": one.build,
        "provenance": one.own,
        "damage": list(one.damage),
    }
