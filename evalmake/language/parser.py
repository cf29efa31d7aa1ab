"""Text to tree, through lark; a parsed file is kept on disk by its content."""

from __future__ import annotations

import gc
import os
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalmake.language import tree
from evalmake.language.atomic_write import write_atomic
from evalmake.language.diagnostic import make_error
from evalmake.language.source import Source

if TYPE_CHECKING:
    from lark import Lark

MAX_CHARACTERS = 16 * 1024 * 1024  # about a minute
MAX_TEXT_CHARACTERS = 256 * 1024  # `re` takes half a kilobyte for a character of a text
MAX_NESTING = 100
_FORM = "1"  # of the pickled tree; to be raised when `tree` or the builder changes
# Unrolled loops instead of possessive ones, which CPython 3.11.2 gets wrong (Debian 12's).
_SCAN = re.compile(
    r"(?P<comment>\#[^\n]*)"
    r'|"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
    r"|'''[^']*(?:'(?!'')[^']*)*'''|'[^'\n]*'"
    r"|(?P<open>[\[({])|(?P<close>[\])}])",
    re.DOTALL,
)


def parse(source: Source) -> tree.Tree:
    """The tree of a file; EvalmakeError with one diagnostic when it is no Evalfile."""
    text = source.text
    comments = _scan(source)
    return tree.Tree(_run(source, text if text.endswith("\n") else text + "\n", "start"), comments)


def parse_override(source: Source, start: int = 0) -> tree.Expr:
    """The expression that stands in `source` from `start` on, as after `NAME=` in an argument."""
    _scan(source)
    expression: tree.Expr = _run(source, " " * start + source.text[start:], "override")
    return expression


def load_tree(source: Source, cache_dir: Path | None) -> tree.Tree:
    """`parse`, or what it made of the same text before; `cache_dir` is made when needed."""
    if cache_dir is None:
        return parse(source)
    import xxhash

    key = xxhash.xxh3_128_hexdigest(source.text.encode() + _version().encode())
    path = cache_dir / f"{key}.tree"
    try:
        return _Unpickler.read(path.read_bytes())
    except OSError:
        pass
    except Exception:  # whatever a damaged pickle raises: it is made anew
        path.unlink(missing_ok=True)
    parsed = parse(source)
    try:
        write_atomic(path, pickle.dumps(parsed, pickle.HIGHEST_PROTOCOL))
    except OSError:
        return parsed
    return parsed


class _Unpickler(pickle.Unpickler):
    """Makes nothing but trees, so that a cache folder from elsewhere cannot run code."""

    def find_class(self, module: str, name: str) -> Any:
        if module == tree.__name__ and isinstance(found := getattr(tree, name, None), type):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a tree")

    @classmethod
    def read(cls, data: bytes) -> tree.Tree:
        """The tree in `data`; any exception when it is damaged."""
        with _no_collection():
            found = cls(BytesIO(data)).load()
        if not isinstance(found, tree.Tree):
            raise pickle.UnpicklingError("not a tree")
        return found


def _scan(source: Source) -> tuple[tuple[int, int], ...]:
    """The comments; fails on texts that would cost too much to parse."""
    if len(source.text) > MAX_CHARACTERS:
        raise make_error("too-large", "this Evalfile is longer than 16 million characters", source.span(0))
    comments = []
    depth = 0
    for match in _SCAN.finditer(source.text):
        if match.lastgroup == "comment":
            comments.append(match.span())
        elif match.lastgroup == "open":
            depth += 1
            if depth > MAX_NESTING:
                raise make_error(
                    "too-deep",
                    f"brackets are nested more than {MAX_NESTING} deep",
                    source.span(match.start()),
                    "one too many",
                )
        elif match.lastgroup == "close":
            depth = max(depth - 1, 0)
        elif match.end() - match.start() > MAX_TEXT_CHARACTERS:
            raise make_error(
                "too-large",
                "this text is longer than 256 thousand characters",
                source.span(match.start()),
                "it begins here",
                help=['put it into a file, and write `file("PATH")`'],
            )
    return tuple(comments)


def _run(source: Source, text: str, start: str) -> Any:
    from lark.exceptions import UnexpectedInput

    try:
        with _no_collection():
            return load_parser().parse(text, start)
    except UnexpectedInput as error:
        from evalmake.language.syntax_errors import explain_syntax_error

        raise explain_syntax_error(source, error, load_parser()) from None


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the cyclic garbage collector: trees hold no cycles, and it doubles the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@cache
def _grammar() -> str:
    from pkgutil import get_data  # importlib.resources alone would take 15 ms

    return (get_data("evalmake.grammar", "evalfile.lark") or b"").decode()


@cache
def _version() -> str:
    import xxhash

    return _FORM + xxhash.xxh3_128_hexdigest(_grammar().encode())


@cache
def load_parser() -> Lark:
    """The parser, from the cache of its tables where there is one."""
    from lark import Lark

    from evalmake.language.tree_builder import Builder

    kept = _cache_file()
    return Lark(
        _grammar(),
        parser="lalr",
        start=["start", "override"],
        keep_all_tokens=True,
        transformer=Builder(),
        cache=str(kept) if kept else False,
    )


def _cache_file() -> Path | None:
    """Where lark keeps the tables: a folder that only this user can write to, or nowhere."""
    from tempfile import gettempdir

    own = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    for folder in (Path(own) / "evalmake", Path(gettempdir()) / f"evalmake-{os.getuid()}"):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            stat = folder.stat()
        except OSError:
            continue
        if stat.st_uid == os.getuid() and not stat.st_mode & 0o022 and os.access(folder, os.W_OK):
            return folder / f"grammar-{_version()[:16]}.lark"
    return None
