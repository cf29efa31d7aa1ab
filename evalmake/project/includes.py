"""The root Evalfile and its includes, each read once, in the order they are met."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path

from evalmake.language import tree as syntax
from evalmake.language.diagnostic import EvalmakeError, closest_name, make_error
from evalmake.language.file_hashes import hash_bytes
from evalmake.language.parser import load_tree
from evalmake.language.source import Source, Span
from evalmake.project import catalog

_LARGEST = 64 << 20


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """One file of an Evalfile: `path` is absolute, the source's name is how a person knows it."""

    path: Path
    source: Source
    tree: syntax.Tree
    sha256: str
    included_at: Span | None

    def span(self, node: syntax.Name | syntax.Expr | syntax.Item | syntax.Statement) -> Span:
        """Where `node` stands in this file."""
        return Span(self.source, node.start, node.end)


@dataclass(slots=True)
class FileSet:
    """All files, and the places that an optional or globbed include looked at."""

    files: list[LoadedFile] = field(default_factory=list)
    absent: set[str] = field(default_factory=set)
    globs: set[tuple[str, str]] = field(default_factory=set)
    unpinned: list[Span] = field(default_factory=list)


def read_files(path: Path, cache: Path | None, written: Source | None = None) -> FileSet:
    """Read `path` and what it includes; the first error of reading or syntax ends it.

    `written` is a text that stands for the file: it includes nothing, and is kept nowhere.
    """
    found = FileSet()
    if written is None:
        _read(path, _shown(path), None, None, cache, found, [])
    else:
        sha = hash_bytes(written.text.encode("utf-8", "surrogatepass"))
        found.files.append(LoadedFile(path.absolute(), written, load_tree(written, None), sha, None))
    return found


def _read(
    path: Path,
    name: str,
    at: Span | None,
    digest: syntax.Literal | None,
    cache: Path | None,
    found: FileSet,
    open_files: list[Path],
) -> None:
    real = path.absolute()
    if real in open_files:
        ring = " -> ".join(_shown(p) for p in [*open_files[open_files.index(real) :], real])
        raise make_error("include-cycle", f"a file includes itself: {ring}", at)
    if any(file.path == real for file in found.files):
        return
    data = _bytes(path, at)
    sha = hash_bytes(data)
    if digest is not None and at is not None:
        _check(digest, data, sha, name, at)
    source = Source(name, _text(data, path, at))
    file = LoadedFile(real, source, load_tree(source, cache), sha, at)
    for item in file.tree.items:
        if isinstance(item, syntax.Include):
            _include(file, item, cache, found, [*open_files, real])
    found.files.append(file)


def _include(
    file: LoadedFile, item: syntax.Include, cache: Path | None, found: FileSet, open_files: list[Path]
) -> None:
    text = item.path.text.strip("\"'")
    at = file.span(item.path)
    if item.digest is None:
        found.unpinned.append(at)
    shipped = text.startswith(catalog.PREFIX)
    path = catalog.catalog_path(text) if shipped else Path(os.path.normpath(file.path.parent / text))
    matches = list(_matches(path, found)) if is_glob(text) else [path]
    if shipped and not item.maybe and not any(match.exists() for match in matches):
        raise _not_shipped(text.removeprefix(catalog.PREFIX), at)
    if not matches and not item.maybe:
        raise make_error("missing-file", f"no file matches `{text}`", at, notes=[f"it was looked for at {path}"])
    for match in matches:
        if item.maybe and not match.exists():
            found.absent.add(str(match))
            continue
        name = f"{catalog.PREFIX}{match.stem}" if shipped else _shown(match)
        _read(match, name, at, item.digest, cache, found, open_files)


def _not_shipped(name: str, at: Span) -> EvalmakeError:
    """What to say of a harness that the catalog does not have."""
    meant = catalog.closest_harness(name)
    return make_error(
        "missing-file",
        f"the catalog has no `{name}`",
        at,
        notes=[] if meant else [f"it has {', '.join(catalog.harness_names())}"],
        help=[
            f"did you mean `{catalog.PREFIX}{meant}`?"
            if meant
            else "`evalmake catalog WORD` looks for a benchmark by its name"
        ],
    )


def is_glob(text: str) -> bool:
    """Whether an include names a pattern."""
    return any(char in text for char in "*?[")


def _matches(path: Path, found: FileSet) -> Iterator[Path]:
    found.globs.add((str(path.parent), path.name))
    return (Path(name) for name in sorted(glob(str(path), recursive=True)))


def _bytes(path: Path, at: Span | None) -> bytes:
    shown = _shown(path)
    try:
        if path.is_dir():
            raise make_error("not-a-file", f"`{shown}` is a folder, not an Evalfile", at)
        if path.stat().st_size > _LARGEST:
            raise make_error("too-large", f"`{shown}` is larger than 64 MB", at)
        return path.read_bytes()
    except OSError as error:
        where = _near(path) if at else ["name one with -f, or begin with `evalmake init`"]
        what = "there is no file" if isinstance(error, FileNotFoundError) else "cannot read"
        reason = "" if isinstance(error, FileNotFoundError) else f": {error.strerror}"
        raise make_error("missing-file", f"{what} `{shown}`{reason}", at, help=where) from None


def _near(path: Path) -> list[str]:
    """A file beside the missing one that was probably meant."""
    if "${" in str(path):
        return ["the path of an include is plain text: it holds no variables"]
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    meant = closest_name(path.name, siblings)
    return [f"did you mean `{_shown(path.with_name(meant))}`?"] if meant else []


def _text(data: bytes, path: Path, at: Span | None) -> str:
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        source = Source(_shown(path), data.decode("utf-8", "replace"))
        start = len(data[: error.start].decode("utf-8"))
        raise make_error(
            "not-utf8",
            f"`{_shown(path)}` is not UTF-8 text",
            source.span(start),
            f"the byte 0x{data[error.start]:02x}",
            also=[(at, "included here")] if at else [],
            help=[f"convert it: iconv -f latin1 -t utf-8 {_shown(path)}"],
        ) from None


def _check(digest: syntax.Literal, data: bytes, sha: str, name: str, at: Span) -> None:
    algorithm, _, digits = digest.text.partition(":")
    span = Span(at.source, digest.start, digest.end)
    wanted = 64 if algorithm == "sha256" else 32
    if len(digits) != wanted:
        raise make_error("bad-digest", f"a {algorithm} digest has {wanted} digits, this one {len(digits)}", span)
    if algorithm == "xxh128":
        import xxhash

        sha = xxhash.xxh3_128_hexdigest(data)
    if digits != sha:
        raise make_error(
            "digest-mismatch",
            f"`{name}` is not the file that was pinned",
            span,
            notes=[f"the file is {algorithm}:{sha}"],
            help=["look at what changed in it, then write its new digest"],
        )


def _shown(path: Path) -> str:
    """The path as a person in this folder would write it."""
    absolute = path.absolute()
    try:
        return str(absolute.relative_to(Path.cwd()))
    except ValueError:
        return str(absolute)
