"""Parses Evalfiles with lark, and caches the trees on disk by content."""

from __future__ import annotations

import gc
import os
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalmake.language import tree
from evalmake.language.atomic_write import write_atomic
from evalmake.language.diagnostic import make_error
from evalmake.language.source import Source
from evalmake.seal import seal, unseal

if TYPE_CHECKING:
    from lark import Lark

MAX_CHARACTERS = 16 * 1024 * 1024  # parsing them takes about a minute
MAX_TEXT_CHARACTERS = 256 * 1024  # `re` needs half a kilobyte of memory for each character of a text
MAX_NESTING = 100
_TREE_FORMAT = "6"  # format of the pickled tree: raise it when `tree` or the builder changes
# Comments, texts and brackets, so that nesting and lengths are known before lark runs. The loops are unrolled, as
# backtracking would take quadratic time; possessive ones would be shorter, but CPython 3.11.2 (Debian 12) breaks them.
_SCAN_PATTERN = re.compile(
    r"(?P<comment>\#[^\n]*)"
    r'|"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
    r"|'''[^']*(?:'(?!'')[^']*)*'''|'[^'\n]*'"
    r"|(?P<open>[\[({])|(?P<close>[\])}])",
    re.DOTALL,
)


def parse(source: Source) -> tree.Tree:
    """Parse a file; EvalmakeError with one diagnostic for a syntax error."""
    text = source.text
    comments = _check_limits(source)
    return tree.Tree(_parse_text(source, text if text.endswith("\n") else text + "\n", "start"), comments)


def parse_override(source: Source, start: int = 0) -> tree.Expr:
    """Parse the expression from offset `start` on, as after `NAME=` on the command line."""
    _check_limits(source)
    expression: tree.Expr = _parse_text(source, " " * start + source.text[start:], "override")
    return expression


def load_tree(source: Source, cache_dir: Path | None) -> tree.Tree:
    """Parse a file, or read its tree from `cache_dir`."""
    if cache_dir is None:
        return parse(source)
    import xxhash

    key = xxhash.xxh3_128_hexdigest(source.text.encode() + _grammar_version().encode())
    path = cache_dir / f"{key}.tree"
    try:
        if (content := unseal(key, path.read_bytes())) is not None:
            return _Unpickler.read(content)
    except OSError:
        pass
    except Exception:  # a pickle of somebody else's may raise anything; the file is parsed again
        with suppress(OSError):
            path.unlink()
    parsed = parse(source)
    try:
        write_atomic(path, seal(key, pickle.dumps(parsed, pickle.HIGHEST_PROTOCOL)))
    except OSError:
        return parsed
    return parsed


class _Unpickler(pickle.Unpickler):
    """Loads nothing but trees, so that a cache folder from elsewhere cannot run code."""

    def find_class(self, module: str, name: str) -> Any:
        if module == tree.__name__ and isinstance(found := getattr(tree, name, None), type):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a tree")

    @classmethod
    def read(cls, data: bytes) -> tree.Tree:
        """The tree in `data`; any exception if it is damaged."""
        with _without_garbage_collector():
            found = cls(BytesIO(data)).load()
        if not isinstance(found, tree.Tree):
            raise pickle.UnpicklingError("not a tree")
        return found


def _check_limits(source: Source) -> tuple[tuple[int, int], ...]:
    """Find the comments, and refuse texts that would take too long to parse."""
    if len(source.text) > MAX_CHARACTERS:
        raise make_error("too-large", "this Evalfile is longer than 16 million characters", source.span(0))
    comments = []
    depth = 0
    for match in _SCAN_PATTERN.finditer(source.text):
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


def _parse_text(source: Source, text: str, start: str) -> Any:
    from lark.exceptions import UnexpectedInput

    try:
        with _without_garbage_collector():
            return load_parser().parse(text, start)
    except UnexpectedInput as error:
        from evalmake.language.syntax_errors import explain_syntax_error

        raise explain_syntax_error(source, error, load_parser()) from None


@contextmanager
def _without_garbage_collector() -> Iterator[None]:
    """Turn the garbage collector off: trees have no cycles, and it doubles the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@cache
def _read_grammar() -> str:
    return Path(find_grammar()).read_text(encoding="utf-8")


def find_grammar() -> str:
    """The path of the grammar. (`importlib.resources` would take 15 ms.)"""
    return os.path.join(os.path.dirname(os.path.dirname(__file__)), "grammar", "evalfile.lark")


@cache
def _grammar_version() -> str:
    import xxhash

    return _TREE_FORMAT + xxhash.xxh3_128_hexdigest(_read_grammar().encode())


@cache
def load_parser() -> Lark:
    """Load the parser, from its cached tables if there are any."""
    from lark import Lark

    from evalmake.language.tree_builder import TreeBuilder

    cache_file = _find_cache_file()
    return Lark(
        _read_grammar(),
        parser="lalr",
        start=["start", "override"],
        keep_all_tokens=True,
        transformer=TreeBuilder(),
        cache=str(cache_file) if cache_file else False,
    )


def _find_cache_file() -> Path | None:
    """The file for the cached tables: in a folder that only this user can write to, or None."""
    from tempfile import gettempdir

    def name_in_home() -> Path:
        return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "evalmake"

    def name_in_temporary() -> Path:
        return Path(gettempdir()) / f"evalmake-{os.getuid()}"  # OSError where no such folder can be written to

    for name in (name_in_home, name_in_temporary):
        try:
            folder = name()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            stat = folder.stat()
        except OSError:
            continue
        if stat.st_uid == os.getuid() and not stat.st_mode & 0o022 and os.access(folder, os.W_OK):
            return folder / f"grammar-{_grammar_version()[:16]}.lark"
    return None
