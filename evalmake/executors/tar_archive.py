"""Packs what goes into a container, and unpacks what comes out of it, as streams of tar.

A program that is not trusted wrote what comes out. So only plain files and folders are unpacked, and only
below the folder where they belong.
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

from evalmake.language.file_tree import remove_tree


def pack(folder: str, folders: Iterable[str], files: Mapping[str, str], inputs: Mapping[str, Path]) -> IO[bytes]:
    """Return a tar of `folder` with these folders, texts and inputs, to be unpacked at `/`.

    Every user of an image can write to the folders and read the files.
    """
    now = time.time()
    spool = tempfile.TemporaryFile()  # noqa: SIM115 (it is returned)
    packed: set[str] = set()
    with tarfile.open(fileobj=spool, mode="w") as tar:

        def place(name: str) -> str:
            path = PurePosixPath(folder.strip("/")) / name
            for parent in [*reversed(path.parents)][1:]:
                make(str(parent))
            return str(path)

        def make(path: str) -> None:
            if path not in packed:
                packed.add(path)
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
    """Replace `into` by the files of a tar, without the first part of their names."""
    unpacked = into.with_name(f".{into.name}.unpacked")
    remove_tree(unpacked)
    unpacked.mkdir(parents=True)
    try:
        with tarfile.open(fileobj=cast(IO[bytes], _Reader(chunks)), mode="r|") as tar:
            for entry in tar:
                _unpack(tar, entry, unpacked)
    except tarfile.TarError as error:
        raise ConnectionError(f"the copy broke off: {error}") from None
    remove_tree(into)
    unpacked.rename(into)


def _unpack(tar: tarfile.TarFile, entry: tarfile.TarInfo, root: Path) -> None:
    path = _safe_path(root, entry.name)
    if path is None:
        return
    if entry.isdir():
        path.mkdir(parents=True, exist_ok=True)
    elif entry.isreg() and (content := tar.extractfile(entry)) is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            shutil.copyfileobj(content, file)
    elif entry.islnk():  # a second name of a file that came before
        first = _safe_path(root, entry.linkname)
        if first is not None and first.is_file():
            shutil.copyfile(first, path)


def _safe_path(root: Path, name: str) -> Path | None:
    parts = PurePosixPath(name).parts[1:]
    return root.joinpath(*parts) if parts and ".." not in parts else None


class _Reader:
    """A file that reads from chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return `size` bytes, and fewer only at the end."""
        parts, length = [self._rest], len(self._rest)
        while length < size and (chunk := next(self._chunks, b"")):
            parts.append(chunk)
            length += len(chunk)
        data = b"".join(parts)
        self._rest = data[size:]
        return data[:size]
