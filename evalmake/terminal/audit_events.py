"""What was tried for a result, attempt by attempt, in plain sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from evalmake.audit.outputs import find, find_list, find_text
from evalmake.audit.story import AuditStory, TriedAttempt
from evalmake.language.plural import count_of
from evalmake.planner.digest import Change, describe_change
from evalmake.planner.staleness import Reason
from evalmake.scoring.numbers import format_number
from evalmake.terminal.plan import render_duration, render_reasons

_MOST_CHANGES = 6
_ENDS = {"succeeded": "Succeeded", "failed": "Failed", "cancelled": "Was cancelled"}
_TOLD_BY_CHANGES = ("never-run", "changed", "forced")


def describe_events(story: AuditStory) -> Iterator[tuple[str, str]]:
    """The moment of each attempt and acceptance, and what became of it."""
    maker: tuple[str, str] | None = None
    for one in story.attempts:
        is_only = one is story.counted and len(story.attempts) == 1
        parts = ["Succeeded. Nothing else was tried." if is_only else _describe_end(one), *_describe_occasion(one)]
        if isinstance(retry := find(one.own, "retry"), int) and retry and one.accepted_because is None:
            parts.append(f"It was retry {retry} of its build.")
        if one.record.name != story.name:
            parts.append(f"It ran as {one.record.name}.")
        if one.maker != maker and one.maker is not None and not is_only:
            parts.append(f"By {one.maker[0]} on {one.maker[1]}.")
        if one is story.counted and not is_only:
            parts.append("This is the number above.")
        maker = one.maker
        yield one.moment[:19].replace("T", " "), " ".join(parts)


def _describe_end(one: TriedAttempt) -> str:
    record = one.record
    if one.accepted_because is not None:
        made = record.finished[:19].replace("T", " ")
        return f"The result of {made} was ACCEPTED for this definition, because {one.accepted_because}."
    detail = " ".join(record.detail.split())
    value = next((score.value for score in record.scores if score.metric == record.metric), None)
    if record.status == "succeeded":
        detail = f"{record.metric or 'score'} {'not scored' if value is None else format_number(value)}"
    after = f"{_ENDS.get(record.status, record.status)} after {render_duration(record.seconds)}"
    return f"{after}: {detail}." if detail else f"{after}."


def _describe_occasion(one: TriedAttempt) -> Iterator[str]:
    """Why it was tried: what was different in the attempt before, or what asked for one more."""
    if one.changes:
        yield f"Changed: {describe_changes(one.changes)}."
    if one.lost:
        lost = ", ".join(name or "the cell itself" for name in one.lost)
        yield f"What changed in {lost} cannot be told: the store has lost that part."
    if one.accepted_because is not None:
        return
    if one.was_forced:
        because = find_text(one.build, "because")
        yield f"It was FORCED by -B, because {because}." if because else "It was FORCED by -B; no reason was given."
    elif one.was_forced is None and one.is_repetition:
        yield "There was a result of the same definition already; why it ran again is not recorded."
    elif reasons := [reason for reason in _read_reasons(one) if reason.kind not in _TOLD_BY_CHANGES]:
        yield f"It ran because: {render_reasons(reasons)}."
    yield from (f"Take care: {damage}." for damage in one.damage)


def _read_reasons(one: TriedAttempt) -> Iterator[Reason]:
    for reason in find_list(one.own, "reasons"):
        kind, subject, before = (find_text(reason, key) for key in ("kind", "subject", "before"))
        yield Reason(kind, subject, before or None, find_text(reason, "now") or None)


def describe_changes(changes: Sequence[Change]) -> str:
    """Each change with its value before and now; of many, the first."""
    shown = [": ".join(describe_change(one.path, one.before, one.now)) for one in changes[:_MOST_CHANGES]]
    return "; ".join(shown) + (f"; and {len(changes) - _MOST_CHANGES} more" if len(changes) > _MOST_CHANGES else "")


def summarize_attempts(story: AuditStory) -> str:
    """How often it was tried, and with what ends, in one line."""
    if not story.attempts:
        return "never ran"
    own = [one for one in story.attempts if one.accepted_because is None]
    ends = Counter(one.record.status for one in own)
    parts = [f"{count_of(len(own), 'attempt')}: {', '.join(f'{n} {end}' for end, n in ends.items())}"] if own else []
    changed = sum(bool(one.changes or one.lost) for one in own)
    parts += [f"the definition changed {_times(changed)}"] if changed else []
    forced = sum(one.was_forced is True for one in own)
    parts += [f"forced {_times(forced)}"] if forced else []
    again = sum(one.was_forced is None and one.is_repetition for one in own)
    parts += [f"run again {_times(again)}, why is not recorded"] if again else []
    accepted = len(story.attempts) - len(own)
    parts += [f"a result of another definition was accepted {_times(accepted)}"] if accepted else []
    return "; ".join(parts)


def _times(number: int) -> str:
    return "once" if number == 1 else "twice" if number == 2 else f"{number} times"
