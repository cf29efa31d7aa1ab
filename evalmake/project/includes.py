"""Reads the root Evalfile and its includes, each once, in the order of the text."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path

from evalmake.language import tree as syntax
from evalmake.language.diagnostic import EvalmakeError, closest_name, make_error
from evalmake.language.external_inputs import ExternalInputs
from evalmake.language.file_hashes import hash_bytes
from evalmake.language.file_search import is_pattern, split_pattern
from evalmake.language.parser import MAX_NESTING, load_tree
from evalmake.language.source import Source, Span
from evalmake.language.text_files import decode_text, shorten_path
from evalmake.project import catalog
from evalmake.project.boundary import Boundary, allow_help

_MAX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """One file of an Evalfile: `path` is absolute, the source's name is the path as messages show it."""

    path: Path
    source: Source
    tree: syntax.Tree
    included_at: Span | None
    optional: bool = False
    """Whether it, or a file that includes it, came in by `include?`: its variables take the place of others."""

    def span(self, node: syntax.Name | syntax.Expr | syntax.Item | syntax.Statement) -> Span:
        """Where `node` stands in this file."""
        return Span(self.source, node.start, node.end)


@dataclass(slots=True)
class FileSet:
    """All files, included ones first, and the places that optional includes and patterns looked at.

    `read` has the path of each file that was begun.
    """

    boundary: Boundary
    external: ExternalInputs
    files: list[LoadedFile] = field(default_factory=list)
    read: set[Path] = field(default_factory=set)
    watched: set[str] = field(default_factory=set)
    unpinned: list[Span] = field(default_factory=list)


def read_files(
    path: Path, cache: Path | None, external: ExternalInputs, boundary: Boundary, written: Source | None = None
) -> FileSet:
    """Read `path` and its includes; the first error ends it.

    `written` is a text that stands for the file: it includes nothing, and is kept nowhere.
    """
    found = FileSet(boundary, external)
    found.watched |= found.boundary.watched
    external.check_text = lambda path, at: _check_text(boundary, path, at)
    if written is None:
        _read_file(path, shorten_path(path), None, None, cache, found, [])
    else:
        found.files.append(LoadedFile(path.absolute(), written, load_tree(written, None), None))
    return found


def _read_file(
    path: Path,
    name: str,
    at: Span | None,
    digest: syntax.Literal | None,
    cache: Path | None,
    found: FileSet,
    open_files: list[Path],
    optional: bool = False,
) -> None:
    real = path.absolute()
    if real in open_files:
        ring = " -> ".join(shorten_path(p) for p in [*open_files[open_files.index(real) :], real])
        raise make_error("include-cycle", f"a file includes itself: {ring}", at)
    if real in found.read:
        return
    if len(open_files) > MAX_NESTING:
        raise make_error(
            "too-deep",
            f"files include each other more than {MAX_NESTING} deep",
            at,
            help=["include them all from one file"],
        )
    found.read.add(real)
    if not (found.boundary.holds(path) or name.startswith(catalog.PREFIX)):
        raise _outside_error(found.boundary, path, at)
    data = _read_bytes(path, at, found.external)
    if not found.boundary.allows(path, data):  # and what it is, is not shown
        help_ = ["if it is one, give it a name that ends in `.evalfile`"]
        raise make_error("syntax", f"`{name}` is not an Evalfile", at, help=help_)
    source = Source(name, decode_text(data, path, at, "included here"))
    if digest is not None and at is not None:
        _check_digest(digest, data, source, at)
    file = LoadedFile(real, source, load_tree(source, cache), at, optional)
    for item in file.tree.items:
        if isinstance(item, syntax.Include):
            _read_include(file, item, cache, found, [*open_files, real])
    found.files.append(file)


def _read_include(
    file: LoadedFile, item: syntax.Include, cache: Path | None, found: FileSet, open_files: list[Path]
) -> None:
    text = item.path.text.strip("\"'")
    at = file.span(item.path)
    if item.digest is None:
        found.unpinned.append(at)
    shipped = text.startswith(catalog.PREFIX)
    folder = str(file.path.parent)
    written = str(catalog.catalog_path(text)) if shipped else text
    path = Path(os.path.normpath(os.path.join(folder, written)))
    if "://" in text:
        help_ = ["copy or clone the file, and include it from there"]
        raise make_error("missing-file", f"an include is a file, and `{text}` is a URL", at, help=help_)
    matches = _find_matches(written, folder, found, at) if is_pattern(text) else [path]
    if shipped and not item.maybe and not any(found.external.exists(match) for match in matches):
        raise _missing_catalog_error(text.removeprefix(catalog.PREFIX), at)
    if not matches and not item.maybe:
        raise make_error("missing-file", f"no file matches `{text}`", at, notes=[f"evalmake looked for it at {path}"])
    for match in matches:
        if item.maybe and not found.external.exists(match):
            found.watched.add(str(match))
            continue
        name = catalog.catalog_name(match) if shipped else shorten_path(match)
        _read_file(match, name, at, item.digest, cache, found, open_files, item.maybe or file.optional)


def _outside_error(boundary: Boundary, path: Path, at: Span | None) -> EvalmakeError:
    """The error for an include, or an Evalfile that is a link, which leads out of the project."""
    return make_error(
        "outside-project",
        f"`{shorten_path(path)}` is outside the project, so it is not read",
        at,
        notes=[f"the project is {boundary.root}"],
        help=allow_help(path),
    )


def _check_text(boundary: Boundary, path: Path, at: Span) -> None:
    """Refuse the file of a `text()` whose words may not be shown in messages and plans, or sent to a model."""
    if not boundary.holds(path):
        raise _outside_error(boundary, path, at)
    real = Path(os.path.realpath(path))
    inner = real.relative_to(boundary.root) if real.is_relative_to(boundary.root) else Path(real.name)
    if any(part.startswith(".") for part in inner.parts):
        message = f"`{shorten_path(path)}` is hidden, as files with secrets are, so it is not read as a text"
        raise make_error(
            "outside-project", message, at, help=["if it holds none, give it a name that begins otherwise"]
        )


def _missing_catalog_error(name: str, at: Span) -> EvalmakeError:
    """The error for a harness that the catalog does not have."""
    folder = f"{catalog.WHEELS}/" if name.startswith(f"{catalog.WHEELS}/") else ""
    known = catalog.wheel_names() if folder else catalog.harness_names()
    meant = catalog.closest_harness(name.removeprefix(folder))
    if folder and meant in catalog.imageless_names():
        note, help = f"`{meant}` has no image, and is of packages anyway", f"include `{catalog.PREFIX}{meant}`"
    elif folder and meant in catalog.harness_names() and meant not in known:
        note, help = (
            f"NVIDIA publishes no wheel of `{meant}` that runs",
            f"include `{catalog.PREFIX}{meant}`, its image",
        )
    else:
        note = "" if meant else f"it has {', '.join(folder + one for one in known)}"
        help = "`evalmake catalog WORD` looks for a benchmark by its name"
        help = f"did you mean `{catalog.PREFIX}{folder}{meant}`?" if meant else help
    return make_error("missing-file", f"the catalog has no `{name}`", at, notes=[note] if note else [], help=[help])


def _find_matches(pattern: str, folder: str, found: FileSet, at: Span) -> list[Path]:
    root, inner = split_pattern(pattern, folder)
    return [root / name for name in found.external.find_files(root, inner, at)]


def _read_bytes(path: Path, at: Span | None, external: ExternalInputs) -> bytes:
    shown = shorten_path(path)
    try:
        return external.read(path, _MAX_BYTES)
    except IsADirectoryError:
        raise make_error("not-a-file", f"`{shown}` is a folder, not an Evalfile", at) from None
    except FileNotFoundError:
        where = _suggest_file(path) if at else ["name one with -f, or begin with `evalmake init`"]
        raise make_error("missing-file", f"there is no file `{shown}`", at, help=where) from None
    except OSError as error:
        code = "too-large" if error.errno == errno.EFBIG else "missing-file"
        raise make_error(code, f"cannot read `{shown}`: {error.strerror}", at) from None


def _suggest_file(path: Path) -> list[str]:
    """Help for a missing file: one with a similar name in the same folder."""
    if "${" in str(path):
        return ["the path of an include cannot contain variables"]
    siblings = [p.name for p in path.parent.iterdir()] if os.path.isdir(path.parent) else []
    meant = closest_name(path.name, siblings)
    return [f"did you mean `{shorten_path(path.with_name(meant))}`?"] if meant else []


def _check_digest(digest: syntax.Literal, data: bytes, source: Source, at: Span) -> None:
    """Check the digest of an included file, as it lies on the disk or with the line ends that git stores."""
    algorithm, _, digits = digest.text.partition(":")
    span = Span(at.source, digest.start, digest.end)
    wanted = 64 if algorithm == "sha256" else 32
    if len(digits) != wanted:
        raise make_error(
            "bad-digest", f"a {algorithm} digest has {wanted} digits, but this one has {len(digits)}", span
        )
    found = [_hash(algorithm, content) for content in (data, source.text.encode())]
    if digits not in found:
        raise make_error(
            "digest-mismatch",
            f"`{source.name}` differs from the file that was pinned",
            span,
            notes=[f"the file is {algorithm}:{found[0]}"],
            help=["check what has changed in it, then write the new digest"],
        )


def _hash(algorithm: str, data: bytes) -> str:
    if algorithm == "sha256":
        return hash_bytes(data)
    import xxhash

    return xxhash.xxh3_128_hexdigest(data)
