"""Joins the sources of the page and its data into one file, which asks for nothing from anywhere.

Its content-security policy allows this one script and this one style, by their hashes, and no request at all. Data
stand in elements that are not run: JSON in which `<` is escaped, and base64.
"""

from __future__ import annotations

import html
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

from evalmake.web.sample_columns import encode_json

_FOLDER = Path(__file__).parent
MODULES = (
    "elements",
    "numbers",
    "report_data",
    "sample_data",
    "filter_parser",
    "filter_patterns",
    "filter_evaluation",
    "sample_search",
    "interval_bars",
    "heat_map",
    "scores",
    "row_list",
    "word_diff",
    "two_replies",
    "scatter",
    "compare",
    "sample_view",
    "sample_list",
    "sample_filter",
    "samples",
    "histograms",
    "cost",
    "provenance",
    "keyboard",
    "application",
)
"""The modules of the script, each after those that it uses."""
_IMPORT = re.compile(r"^import (\{[^}]*\}) from \"\./(\w+)\.js\";$", re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?function\*?|const|class) (\w+)", re.MULTILINE)


def render_page(title: str, data: Mapping[str, object], blocks: Mapping[str, Sequence[bytes]]) -> bytes:
    """The page. `blocks` are compressed texts; the one at place 2 of `reply` has the id `reply-2`."""
    script, style = join_script(), read_source("style.css")
    parts = {
        "policy": _make_policy(script, style),
        "title": html.escape(title),
        "style": style,
        "script": script,
        "report": encode_json(data).replace("<", "\\u003c"),
        "blocks": "".join(
            f'<script type="text/plain" id="{name}-{place}">{b64encode(block).decode()}</script>\n'
            for name, known in blocks.items()
            for place, block in enumerate(known)
        ),
    }
    pieces = re.split(r"\{\{(\w+)\}\}", read_source("index.html"))
    return "".join(parts[piece] if place % 2 else piece for place, piece in enumerate(pieces)).encode(
        "utf-8", "replace"
    )


@cache
def join_script() -> str:
    """All modules, each a function that returns what it exports, so that no name of one meets that of another."""
    return '"use strict";\n' + "".join(map(wrap_module, MODULES))


def wrap_module(name: str) -> str:
    """A module as a function that returns what it exports, and is called."""
    source = read_source(f"{name}.js")
    exported = ", ".join(found[2] for found in _EXPORT.finditer(source))
    body = _EXPORT.sub(r"\1 \2", _IMPORT.sub(r"const \1 = \2_module;", source))
    return f"const {name}_module = (() => {{\n{body}return {{ {exported} }};\n}})();\n"


@cache
def read_source(name: str) -> str:
    """A source of the page."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def _make_policy(script: str, style: str) -> str:
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
