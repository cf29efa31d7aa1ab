"""Text of others, made safe to print: it may hold what controls a terminal, or what a CI takes for its own commands."""

from __future__ import annotations

import os
import re

_CI_VARIABLES = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION")
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_LINE_COMMAND = re.compile(r"^(?=[^\S\n]*::)", re.MULTILINE)
"""`::error::...`, as GitHub understands it."""
_COMMAND = re.compile(r"#(?=#(?:vso|teamcity)?\[)")
"""`##[...]`, `##vso[...]`, `##teamcity[...]`, anywhere in a line."""


def clean(text: str) -> str:
    """The text without characters that control a terminal or are invisible, and in a CI without its commands."""
    shown = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return _disarm(shown)


def clean_line(text: str) -> str:
    """The same on one line, so that no name or message of others can look like a line of evalmake's."""
    return clean(text.replace("\n", "\N{REPLACEMENT CHARACTER}").replace("\t", " "))


def clean_log(data: bytes) -> str:
    """Whole lines of a log, likewise; colours are left out, and what overwrites a line begins a new one."""
    text = _COLOUR.sub("", data.decode(errors="replace")).replace("\r\n", "\n").replace("\r", "\n")
    return _disarm(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))


def _disarm(text: str) -> str:
    if not any(name in os.environ for name in _CI_VARIABLES):
        return text
    return _COMMAND.sub("# ", _LINE_COMMAND.sub("| ", text))
