"""What lm-eval's log says: why it failed, and what it passed over though it ended well."""

from __future__ import annotations

import re
from pathlib import Path

from evalmake.harnesses.log_errors import last_error

_LONGEST = 400  # characters of a reason

# What lm-eval's log says when it fails -> what to tell. Groups of the pattern fill the text.
_REASONS = (
    (
        r"Loglikelihood is not supported for chat completions",
        "the task compares likelihoods, which a chat model does not give: it needs a model with `api = completions`",
    ),
    (
        r"Tokenizer is required for loglikelihood tasks",
        "the task compares likelihoods, which takes a tokenizer, and the server offers none:"
        " name one by `tokenizer`, with `transformers` among the packages",
    ),
    (
        r"ModuleNotFoundError: No module named '([\w.]+)'",
        "there is no Python module {}: name what has it among the packages",
    ),
    (r"ValueError: Tasks not found: (.+)", "lm-eval knows no task {}"),
    (
        r"API request failed! Status code: (\d+), Response text: (.*?)(?:\. Retrying\.\.\.)?\n",
        "the model answered status {}: {}",
    ),
    (r"Exception:TimeoutError\(\)", "the model did not answer in time (`request_timeout`, 300 s without it)"),
)


def why_failed(log: Path) -> str:
    """The reason in one line, with what to do where that is known; empty where the log says nothing."""
    text = _read(log)
    for pattern, told in _REASONS:
        if match := re.search(pattern, text):
            return told.format(*(group.strip() for group in match.groups()))[:_LONGEST]
    return last_error(log)[:_LONGEST]


def passed_over(log: Path, max_length: int | None) -> str:
    """Why scores are none: replies scored as empty, or prompts cut to a limit that nobody set."""
    text = _read(log)
    if unread := text.count("Could not parse generations"):
        return f"{unread} replies of the model could not be read, and lm-eval scored them as empty"
    if max_length is None and (cut := text.count("Left truncating context")):
        return f"{cut} prompts were longer than lm-eval's limit and were cut: set `max_length` to what the model takes"
    return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
