"""Reads lm-eval's log: why a run failed, and faults that it does not report by its exit status."""

from __future__ import annotations

import re
from pathlib import Path

from evalmake.harnesses.log_errors import read_last_error

_MAX_LENGTH = 400  # characters of a reason

# A pattern in lm-eval's log -> the message; the pattern's groups fill it.
_REASONS = (
    (
        r"Loglikelihood is not supported for chat completions",
        "the task compares log-probabilities, which chat APIs do not return: use a model with `api = completions`",
    ),
    (
        r"Tokenizer is required for loglikelihood tasks",
        "the task compares log-probabilities and needs a tokenizer, and the server offers none:"
        " set `tokenizer`, and add `transformers` to `packages`",
    ),
    (
        r"ModuleNotFoundError: No module named '([\w.]+)'",
        "there is no Python module {}: add its package to `packages`",
    ),
    (r"ValueError: Tasks not found: (.+)", "lm-eval has no task {}: a task of your own needs its file in `files`"),
    (
        r"API request failed! Status code: (\d+), Response text: (.*?)(?:\. Retrying\.\.\.)?\n",
        "the model answered status {}: {}",
    ),
    (
        r"number of fewshot samples requested exceeds the (\d+) that are available",
        "the task has only {} examples to show: lower `fewshot`",
    ),
    (
        r"Invalid key: 0 is out of bounds for size 0|SchemaInferenceError",
        "the task's data set is empty: it has no items to ask",
    ),
    (r"Exception:TimeoutError\(\)", "the model did not answer in time (`request_timeout`, 300 s without it)"),
)


def explain_failure(log: Path) -> str:
    """The reason in one line, with the cure where it is known; empty if the log has none."""
    text = _read_text(log)
    for pattern, text_format in _REASONS:
        if match := re.search(pattern, text):
            return text_format.format(*(group.strip() for group in match.groups()))[:_MAX_LENGTH]
    return read_last_error(log)[:_MAX_LENGTH]


def find_silent_faults(log: Path, max_length: int | None) -> str:
    """Why the scores are not valid: unreadable replies, or prompts truncated to a default limit; else ""."""
    text = _read_text(log)
    if unread := text.count("Could not parse generations"):
        return f"lm-eval could not read {unread} replies and scored them as empty"
    if max_length is None and (cut := text.count("Left truncating context")):
        return f"lm-eval truncated {cut} prompts to its default limit: set `max_length` to the model's context length"
    return ""


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
