"""Files of data sets of the hub, kept by their content in the user's cache: `~/.cache/evalmake/hub`.

`files/` has each content once, under its sha256. `selections/` says which of them are a split of a data set at a
commit, so that nobody is asked again.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from evalmake.language.atomic_write import write_atomic
from evalmake.language.file_hashes import FileHashes
from evalmake.language.values import File, Files
from evalmake.seal import seal, unseal

if TYPE_CHECKING:
    from evalmake.pins.hub_client import HubDataset, HubFile

_MOST_CARD = 4 << 20


@dataclass(frozen=True, slots=True)
class Selection:
    """A split of a data set at a commit; `config` and `split` may be empty, where there is only one."""

    repository: str
    commit: str
    config: str = ""
    split: str = ""

    @classmethod
    def of(cls, dataset: str, config: str | None, split: str | None) -> Selection:
        """That of `hf://OWNER/NAME@COMMIT`."""
        name, _, commit = dataset.removeprefix("hf://").partition("@")
        return cls(name.removeprefix("datasets/"), commit, config or "", split or "")

    @property
    def key(self) -> str:
        """What the cache calls it."""
        return sha256(json.dumps([self.repository, self.commit, self.config, self.split]).encode()).hexdigest()

    def __str__(self) -> str:
        more = [f"{name} {value}" for name, value in (("config", self.config), ("split", self.split)) if value]
        revision = f"@{self.commit[:12]}" if self.commit else ""
        return f"{self.repository}{revision}" + (f" ({', '.join(more)})" if more else "")


def _tell_sum(tell: Callable[[int, int], None], before: int, total: int, size: int) -> None:
    tell(before + size, total)


class HubCache:
    """The cache of this user."""

    def __init__(self, folder: Path | None = None) -> None:
        home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
        self.folder = folder or home / "evalmake" / "hub"

    @property
    def contents(self) -> Path:
        """The folder with the contents of files."""
        return self.folder / "files"

    def find(self, selection: Selection) -> Files | None:
        """The files of a selection, if all of them are here; their contents are not looked at."""
        path = self._selection_path(selection)
        try:
            content = unseal(path.name, path.read_bytes())
            entries = json.loads(content) if content is not None else []
            files = [(str(name), str(digest), int(size)) for name, digest, size in entries]
            whole = all(self._place(name, digest).stat().st_size == size for name, digest, size in files)
        except (OSError, ValueError, TypeError):
            return None
        if not files or not whole:
            return None
        return Files(tuple(File(name, digest, self._place(name, digest)) for name, digest, _ in files))

    def drop_damaged(self, files: Files) -> bool:
        """Remove the files that have not the content of their names; whether there were any."""
        hashes = FileHashes(self.folder / "hashes.json")
        damaged = [file.path for file in files.files if hashes.of(file.path) != file.sha256]
        for path in damaged:
            path.unlink()
        hashes.save()
        return bool(damaged)

    def fetch(self, selection: Selection, tell: Callable[[int, int], None]) -> Files:
        """Download what is not here; UnresolvedName with the reason. `tell` gets the bytes so far, and of all."""
        from evalmake.pins.hub_client import HubDataset
        from evalmake.pins.hub_layout import CARD, select_files

        dataset = HubDataset(selection.repository, selection.commit)
        files = dataset.list_files()
        self.contents.mkdir(parents=True, exist_ok=True)
        cards = [one for one in files if one.path == CARD and one.size <= _MOST_CARD]
        card = self._get(dataset, cards[0], lambda size: None).path.read_text(errors="replace") if cards else ""
        chosen = select_files(files, card, selection.config, selection.split)
        total, done = sum(one.size for one in chosen), 0
        found = []
        for one in chosen:
            found.append(self._get(dataset, one, partial(_tell_sum, tell, done, total)))
            done += one.size
            tell(done, total)
        entries = [(file.name, file.sha256, one.size) for file, one in zip(found, chosen, strict=True)]
        path = self._selection_path(selection)
        write_atomic(path, seal(path.name, json.dumps(entries).encode()))
        return Files(tuple(found))

    def _get(self, dataset: HubDataset, one: HubFile, tell: Callable[[int], None]) -> File:
        """One file, downloaded unless its content is here."""
        if one.sha256 and (place := self._place(one.path, one.sha256)).exists() and place.stat().st_size == one.size:
            return File(one.path, one.sha256, place)
        temporary = self.contents / f".{os.getpid()}"
        try:
            digest = dataset.download(one, temporary, tell)
            place = self._place(one.path, digest)
            temporary.chmod(0o444)
            os.replace(temporary, place)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        return File(one.path, digest, place)

    def _place(self, name: str, digest: str) -> Path:
        """Where a content lies; the suffix says how it is read."""
        return self.contents / f"{digest}{PurePosixPath(name).suffix}"

    def _selection_path(self, selection: Selection) -> Path:
        return self.folder / "selections" / f"{selection.key}.json"
