"""Refuses targets that no reply could ever equal."""

from __future__ import annotations

from collections.abc import Sequence

from evalmake.harnesses.native.answers import mathematics
from evalmake.harnesses.native.errors import Mistake, RecordError, TaskError
from evalmake.harnesses.native.task_file import FOLDING, LETTERED, Task
from evalmake.harnesses.native.template import as_text
from evalmake.harnesses.native.text_folding import make_folding


def check_target(task: Task, scorer: str, target: object) -> None:
    """RecordError if no reply could ever be right."""
    if task.target is None or scorer in (*LETTERED, "python", "judge"):
        return
    accepted = target if isinstance(target, list) else [target]
    for one in accepted:
        if isinstance(one, list | dict):
            kind = "a list in a list" if isinstance(one, list) else "an object"
            raise RecordError("target", f"the target is {kind}, and a reply is a text", "name the field in it")
    texts = [as_text(one) for one in accepted]
    if not texts or not all(one.strip() for one in texts):
        raise RecordError("target", "the target is empty")
    if scorer in FOLDING:
        _check_folded(texts, task.normalize)
    if scorer == "math" and mathematics.find_version() is None:
        raise TaskError(Mistake(f"the scorer 'math' needs {mathematics.PACKAGE}", "scorer", mathematics.CURE))
    for text in texts if scorer == "math" else ():
        if not mathematics.is_readable(text):
            raise RecordError("target", f"the target '{text[:60]}' holds no mathematics")
    if scorer == "number":
        _check_numbers(texts)


def _check_folded(texts: Sequence[str], normalize: Sequence[str]) -> None:
    """RecordError for a target of which `normalize` leaves nothing: it would equal all such replies."""
    fold = make_folding(normalize)
    for text in texts:
        if not fold(text):
            guilty = [name for name in ("punctuation", "articles") if not make_folding([name])(text)]
            help = f"leave `{'` and `'.join(guilty)}` out of `normalize`" if guilty else ""
            raise RecordError("target", f"`normalize` leaves nothing of the target '{text[:60]}'", help)


def _check_numbers(texts: Sequence[str]) -> None:
    """RecordError for a target that holds no number, or several."""
    from evalmake.harnesses.native.answers.number import read_target  # its patterns take time to compile

    for text in texts:
        try:
            read_target(text)
        except ValueError as error:
            raise RecordError("target", f"the target '{text[:60]}' {error}") from None
