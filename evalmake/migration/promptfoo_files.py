"""Files that a configuration of promptfoo names as `file://PATH`, relative to itself."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any

from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.migration.yaml_file import Node, read_document, read_text

PREFIX = "file://"
PROGRAMS = (".py", ".js", ".ts", ".mjs", ".cjs")
"""Suffixes of files with code, which evalmake does not run."""


def is_file(value: Any) -> bool:
    """Whether a value names a file."""
    return isinstance(value, str) and value.startswith(PREFIX)


def get_path(value: str, folder: Path) -> Path:
    """The path of the file that a value names."""
    return folder / value.removeprefix(PREFIX)


def find_paths(value: str, folder: Path) -> list[Path]:
    """The files that a value names: by a pattern such as `t/*.yaml` all that match, in the order of their names."""
    text = value.removeprefix(PREFIX)
    if not glob.has_magic(text) or (folder / text).is_file():
        return [folder / text]
    pattern = os.path.join(glob.escape(str(folder)), text)
    return [Path(found) for found in sorted(glob.glob(pattern, recursive=True))]


def read_map(node: Node, folder: Path) -> Node:
    """The node itself, or the document of the file that it names."""
    if not is_file(node.value):
        return node
    path = get_path(node.value, folder)
    if path.suffix in PROGRAMS:
        message = f"`{node.value}` is a program, and evalmake runs none of a configuration"
        raise make_error("bad-config", message, node.span)
    try:
        return read_document(path).root
    except EvalmakeError as error:
        raise make_error("missing-file", str(error), node.span) from None


def read_stripped(node: Node, path: Path) -> str:
    """The text of a file without the space at its end, as promptfoo reads it."""
    try:
        return read_text(path).rstrip()
    except EvalmakeError as error:
        raise make_error("missing-file", str(error), node.span) from None
