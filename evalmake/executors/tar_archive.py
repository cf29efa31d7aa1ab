"""What goes into a container and comes out of it: streams of tar.

What comes out was written by a program that is not trusted: plain files and folders below the place
where they belong, and nothing else.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, cast


def packed(folder: str, folders: Iterable[str], files: Mapping[str, str], inputs: Mapping[str, Path]) -> IO[bytes]:
    """`folder` with these texts and inputs as a tar to be unpacked at `/`.

    Folders can be written by whatever user the image has, files only be read.
    """
    now = time.time()
    spool = tempfile.TemporaryFile()  # noqa: SIM115 (it is what is returned)
    made: set[str] = set()
    with tarfile.open(fileobj=spool, mode="w") as tar:

        def place(name: str) -> str:
            path = PurePosixPath(folder.strip("/")) / name
            for parent in [*reversed(path.parents)][1:]:
                make(str(parent))
            return str(path)

        def make(path: str) -> None:
            if path not in made:
                made.add(path)
                entry = tarfile.TarInfo(path)
                entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o777, now
                tar.addfile(entry)

        for name in folders:
            make(place(name))
        for name, text in files.items():
            entry = tarfile.TarInfo(place(name))
            data = text.encode()
            entry.size, entry.mode, entry.mtime = len(data), 0o644, now
            tar.addfile(entry, io.BytesIO(data))
        for name, source in inputs.items():
            entry = tarfile.TarInfo(place(name))
            with source.open("rb") as content:
                entry.size, entry.mode = os.fstat(content.fileno()).st_size, 0o444
                entry.mtime = now
                tar.addfile(entry, content)
    spool.seek(0)
    return spool


def unpack(chunks: Iterator[bytes], into: Path) -> None:
    """The files of a tar, less the first part of their names, below `into`, which they replace."""
    there = into.with_name(f".{into.name}.unpacked")
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir(parents=True)
    try:
        with tarfile.open(fileobj=cast(IO[bytes], _Reader(chunks)), mode="r|") as tar:
            for entry in tar:
                _unpack(tar, entry, there)
    except tarfile.TarError as error:
        raise ConnectionError(f"what was copied broke off: {error}") from None
    shutil.rmtree(into, ignore_errors=True)
    there.rename(into)


def _unpack(tar: tarfile.TarFile, entry: tarfile.TarInfo, root: Path) -> None:
    path = _inside(root, entry.name)
    if path is None:
        return
    if entry.isdir():
        path.mkdir(parents=True, exist_ok=True)
    elif entry.isreg() and (content := tar.extractfile(entry)) is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            shutil.copyfileobj(content, file)
    elif entry.islnk():  # another name of a file that came before
        first = _inside(root, entry.linkname)
        if first is not None and first.is_file():
            shutil.copyfile(first, path)


def _inside(root: Path, name: str) -> Path | None:
    parts = PurePosixPath(name).parts[1:]
    return root.joinpath(*parts) if parts and ".." not in parts else None


class _Reader:
    """Chunks as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int) -> bytes:
        """As much as was asked for, less only at the end."""
        parts, length = [self._rest], len(self._rest)
        while length < size and (chunk := next(self._chunks, b"")):
            parts.append(chunk)
            length += len(chunk)
        data = b"".join(parts)
        self._rest = data[size:]
        return data[:size]
