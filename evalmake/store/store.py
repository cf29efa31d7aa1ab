"""The store, on diskcache: outputs (blobs) by sha256, attempts by action, parts of identities by digest.

It is append-only. A commit is one transaction: outputs, attempt, and the action's history. So a kill at
any moment leaves either all of it or nothing. diskcache evicts by default; here it never may. All
histories are read by one SELECT on diskcache's own table (`Cache`, unchanged since its version 3): one
query for ten thousand results instead of ten thousand.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import IO, Any

from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.planner.action import Action, ActionResult, Artifact
from evalmake.planner.staleness import ActionHistory
from evalmake.store import records

_ENDLESS = 1 << 60
_LARGEST_IN_MEMORY = 1 << 22
_DAMAGED = ("not a database", "malformed", "no such table", "no such column")


class Store:
    """All attempts and their outputs. Open it with `Store.open`; close it, or use it in a `with`.

    `evalfile` says which Evalfile this process builds. Several can share a store and have cells of the
    same name, so baselines are kept apart by it.
    """

    def __init__(self, folder: Path, cache: Any, evalfile: str = "") -> None:
        self.folder = folder
        self._evalfile = evalfile
        self._cache = cache
        self._heads: dict[str, ActionHistory] | None = None
        self._blobs: dict[str, tuple[str | None, int]] | None = None

    @classmethod
    def open(cls, folder: Path, evalfile: str = "") -> Store:
        """Open or create the store in `folder`; EvalmakeError where that fails."""
        from diskcache import Cache

        try:
            folder.mkdir(parents=True, exist_ok=True)
            cache = Cache(
                str(folder),
                eviction_policy="none",
                size_limit=_ENDLESS,
                cull_limit=0,
                tag_index=1,
                disk_min_file_size=1 << 16,
                timeout=60,
            )
        except (OSError, sqlite3.Error) as error:
            raise store_failed(folder, error) from None
        return cls(folder, cache, evalfile)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Close; errors of the database or of a record in it become an EvalmakeError."""
        self.close()
        if isinstance(error, sqlite3.Error | records.UnreadableRecord):
            raise store_failed(self.folder, error) from None

    def close(self) -> None:
        """Close the database."""
        self._cache.close()

    # Reading ------------------------------------------------------------------------------------

    def histories(self) -> dict[str, ActionHistory]:
        """The history of every action, read once."""
        if self._heads is None:
            rows = self._rows("SELECT key, value FROM Cache WHERE tag = 'head'")
            texts = [(key[5:], text or self._cache.get(key)) for key, text in rows]
            self._heads = records.histories_from_texts(texts)
        return self._heads

    def history(self, action: str) -> ActionHistory | None:
        """The history of an action."""
        return self.histories().get(action)

    def baseline(self, name: str) -> Mapping[str, str] | None:
        """The parts of the result that was last valid for a cell of this Evalfile, to say what has changed since.

        A cell that never succeeded has those of its last attempt. Stores of version 0.1 kept one attempt
        for each name, whatever its end and its Evalfile.
        """
        for key in (self._baseline_key("succeeded", name), self._baseline_key("tried", name), f"last/{name}"):
            text = self._cache.get(key)
            if text is not None:
                return records.pairs_from_text(text)
        return None

    def baselines(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Every baseline of every Evalfile, by its key: the parts that they name must stay."""
        for key in self.keys_of_kind("last"):
            yield key, records.pairs_from_text(self._cache.get(key))

    def _baseline_key(self, kind: str, name: str) -> str:
        return f"last/{kind}:{self._evalfile}:{name}"

    def last_headline(self, name: str) -> str:
        """The headline metric of the last successful attempt of a cell of this Evalfile; empty without one."""
        return self._cache.get(self._headline_key(name)) or ""

    def _headline_key(self, name: str) -> str:
        return f"headline/{self._evalfile}:{name}"

    def shortfalls(self) -> dict[str, str]:
        """Why results of this Evalfile were not valid when they were last judged, by the names of their cells."""
        start = self._shortfall_key("")
        return {
            key[len(start) :]: self._cache.get(key) for key in self.keys_of_kind("shortfall") if key.startswith(start)
        }

    def record_shortfalls(self, reasons: Mapping[str, str]) -> None:
        """Record why results are not valid; those with an empty reason are."""
        known = self.shortfalls()
        changed = {name: reason for name, reason in reasons.items() if reason != known.get(name, "")}
        if not changed:
            return
        with self._writing():
            for name, reason in changed.items():
                key = self._shortfall_key(name)
                if reason:
                    self._cache.set(key, reason, tag="shortfall")
                else:
                    self._cache.delete(key)

    def _shortfall_key(self, name: str) -> str:
        return f"shortfall/{self._evalfile}:{name}"

    def part(self, digest: str) -> Mapping[str, str] | None:
        """The walk of a part: its values by path."""
        text = self._cache.get(f"part/{digest}")
        return records.pairs_from_text(text) if text is not None else None

    def attempt(self, action: str, number: int) -> ActionResult | None:
        """The record of one attempt."""
        text = self._cache.get(f"record/{action}/{number}")
        return records.record_from_text(text) if text is not None else None

    def attempts(self, action: str) -> Iterator[ActionResult]:
        """Every attempt of an action, oldest first."""
        head = self.history(action)
        for number in range(1, (head.attempts if head else 0) + 1):
            found = self.attempt(action, number)
            if found is not None:
                yield found

    def blob(self, digest: str) -> bytes | None:
        """A blob's bytes by the hex of its sha256; None where it is missing or damaged."""
        data = self._cache.get(f"blob/{digest}")
        if not isinstance(data, bytes) or sha256(data).hexdigest() != digest:
            return None
        return data

    def find_damage(self, head: ActionHistory) -> str | None:
        """The first output of an action that is missing or cut off. `verify` looks into the contents."""
        places = self._blob_files()
        for blob in head.blobs:
            if blob not in places or not self._is_whole(*places[blob]):
                return f"blob sha256:{blob[:12]} is missing from the store or damaged"
        return None

    def large_files(self, actions: Iterable[str]) -> set[str]:
        """The files of outputs of `actions`; only those too large for the database have one."""
        places, heads = self._blob_files(), self.histories()
        blobs = {blob for action in actions if action in heads for blob in heads[action].blobs}
        names = (places[blob][0] for blob in blobs if blob in places)
        return {str(self.folder / name) for name in names if name}

    def _blob_files(self) -> dict[str, tuple[str | None, int]]:
        """The file of each blob, if it has one, and its size in bytes; read once."""
        if self._blobs is None:
            rows = self._rows("SELECT key, filename, size FROM Cache WHERE tag = 'blob'")
            self._blobs = {key[5:]: (filename, size) for key, filename, size in rows}
        return self._blobs

    def _is_whole(self, filename: str | None, size: int) -> bool:
        """Whether the file of a blob, if it has one, has the right length."""
        try:
            return filename is None or os.stat(self.folder / filename).st_size == size
        except OSError:
            return False

    def report_identity(self, name: str) -> Mapping[str, str] | None:
        """What a report was last written from: the walk of its identity, and the sha256 of its file."""
        text = self._cache.get(f"report/{name}")
        return records.pairs_from_text(text) if text is not None else None

    # Writing ------------------------------------------------------------------------------------

    def commit(self, action: Action, result: ActionResult, files: Mapping[str, Path | bytes]) -> ActionHistory:
        """Append an attempt with its outputs, all or nothing; its number is assigned here.

        `files` are the outputs by name. A success becomes the action's result.
        """
        with self._writing():
            before = self._head_now(action.digest)
            number = (before.attempts if before else 0) + 1
            outputs = tuple(self._put(name, data) for name, data in sorted(files.items()))
            log = next((o.sha256 for o in outputs if o.name == "log"), "")
            result = replace(result, attempt=number, outputs=outputs, log=log)
            for _, part in action.parts:
                if f"part/{part.digest}" not in self._cache:
                    text = records.pairs_to_text(dict(part.pairs))
                    self._cache.set(f"part/{part.digest}", text, tag="part")
            kind = "succeeded" if result.status == "succeeded" else "tried"
            identity = records.pairs_to_text(result.identity)
            self._cache.set(self._baseline_key(kind, result.name), identity, tag="last")
            if result.status == "succeeded" and result.metric:
                self._cache.set(self._headline_key(result.name), result.metric, tag="headline")
            key = f"record/{action.digest}/{number}"
            self._cache.set(key, records.record_to_text(result), tag="record")
            head = _next_head(before, result)
            self._set_head(head)
            self.mark_changed()
        return head

    def request_reruns(self, oldest_replies: Mapping[str, float]) -> None:
        """Note that the results of these actions are to be made anew: each counts for nothing until that is done.

        `oldest_replies` says from when on cached replies may be used, in seconds since the epoch.
        """
        with self._changing(oldest_replies) as heads:
            for head in heads:
                if head.success is not None:
                    self._set_head(replace(head, last="succeeded", detail="", rerun=oldest_replies[head.action]))

    def withdraw_reruns(self, actions: Iterable[str]) -> int:
        """Let the results count again whose rerun has not ended; return how many. A rerun that failed stays told."""
        with self._changing(actions) as heads:
            unfinished = [head for head in heads if head.rerun is not None and head.last != "failed"]
            for head in unfinished:
                self._set_head(replace(head, rerun=None))
        return len(unfinished)

    @contextlib.contextmanager
    def _changing(self, actions: Iterable[str]) -> Iterator[list[ActionHistory]]:
        """A transaction on the histories of these actions, those that there are."""
        names = [*actions]
        with self._writing() if names else contextlib.nullcontext():
            yield [head for action in names if (head := self._head_now(action)) is not None]
            if names:
                self.mark_changed()

    def _set_head(self, head: ActionHistory) -> None:
        self._cache.set(f"head/{head.action}", records.history_to_text(head), tag="head")
        if self._heads is not None:
            self._heads[head.action] = head

    def mark_valid(self, actions: Mapping[str, Action]) -> None:
        """Make the results of these actions the baselines of their cells, by name.

        A result can become valid again without an attempt: somebody undid a change. What changes next is
        then compared with that result, not with the one of the change that was undone.
        """
        rows = self._rows("SELECT key, value FROM Cache WHERE tag = 'last'")
        known = dict(rows)
        changed = {}
        for name, action in actions.items():
            text = records.pairs_to_text({part: walk.digest for part, walk in action.parts})
            key = self._baseline_key("succeeded", name)
            if known.get(key) != text:
                changed[key] = text
        if changed:
            with self._writing():
                for key, text in changed.items():
                    self._cache.set(key, text, tag="last")

    def record_report(self, name: str, identity: Mapping[str, str]) -> None:
        """Record what a report was written from."""
        with self._writing():
            self._cache.set(f"report/{name}", records.pairs_to_text(identity), tag="report")
            self.mark_changed()

    def accept_result(self, name: str, action: Action, old: ActionHistory, because: str) -> ActionHistory:
        """Let the result of `old` count for `action`, too, for this reason. Both records stay."""
        before = self.attempt(old.action, old.success or 1)
        assert before is not None
        identity = {part_name: part.digest for part_name, part in action.parts}
        facts = {**before.facts, "accepted-from": old.action, "accepted-because": because}
        result = replace(before, action=action.digest, name=name, identity=identity, facts=facts)
        files = {output.name: self.blob(output.sha256) for output in before.outputs}
        whole = {key: data for key, data in files.items() if data is not None}
        if len(whole) < len(files):
            raise make_error("nothing-to-accept", f"an output of {name}'s earlier result is damaged")
        return self.commit(action, result, whole)

    def mark_changed(self) -> None:
        """Tell the fast path that the store has changed: by a new file, as the clocks of files are coarse."""
        marker = self.folder / "generation"
        temporary = self.folder / f".generation.{os.getpid()}"
        temporary.write_text(f"{os.getpid()} {os.times().elapsed}")
        os.replace(temporary, marker)

    def _put(self, name: str, data: Path | bytes) -> Artifact:
        """Store an output, unless it is there and whole."""
        if isinstance(data, Path) and data.stat().st_size > _LARGEST_IN_MEMORY:
            with data.open("rb") as file:
                digest, size = file_digest(file, "sha256").hexdigest(), file.tell()
                file.seek(0)
                self._put_blob(digest, file)
        else:
            content = data.read_bytes() if isinstance(data, Path) else data
            digest, size = sha256(content).hexdigest(), len(content)
            self._put_blob(digest, content)
        return Artifact(name, digest, size)

    def _put_blob(self, digest: str, content: bytes | IO[bytes]) -> None:
        if not self._holds_blob(digest):
            self._cache.set(f"blob/{digest}", content, read=not isinstance(content, bytes), tag="blob")
        self._blobs = None

    def _holds_blob(self, digest: str) -> bool:
        """Whether a blob is in the store and whole."""
        found = self._cache.get(f"blob/{digest}", read=True)
        if found is None or isinstance(found, bytes):
            return found is not None and sha256(found).hexdigest() == digest
        with found:
            return file_digest(found, "sha256").hexdigest() == digest

    def _head_now(self, action: str) -> ActionHistory | None:
        text = self._cache.get(f"head/{action}")
        return records.history_from_text(action, text) if text is not None else None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction; a full disk and the like become an EvalmakeError."""
        from diskcache import Timeout

        try:
            with self._cache.transact():
                yield
        except (OSError, sqlite3.Error, Timeout) as error:
            raise store_failed(self.folder, error) from None

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._cache._sql(query).fetchall()
        return rows

    # Upkeep --------------------------------------------------------------------------------------

    def keys_of_kind(self, tag: str) -> list[str]:
        """The keys of one kind: blob, part, record, head, last or report."""
        return [row[0] for row in self._cache._sql("SELECT key FROM Cache WHERE tag = ?", (tag,))]

    def remove_entry(self, key: str) -> None:
        """Remove one entry, or a file that `find_orphan_files` named."""
        with self._writing():
            if key.startswith("file/"):
                (self.folder / key[5:]).unlink(missing_ok=True)
            self._cache.delete(key)

    def entry_size(self, key: str) -> int:
        """The size of an entry in bytes."""
        query = "SELECT size, length(value) FROM Cache WHERE key = ?"
        row = self._cache._sql(query, (key,)).fetchone()
        return int((row and (row[0] or row[1])) or 0)

    def find_orphan_files(self) -> list[tuple[str, int]]:
        """Files that no row names, left by a kill: `file/NAME` and sizes in bytes."""
        known = {row[0] for row in self._rows("SELECT filename FROM Cache")}
        files = [(str(p.relative_to(self.folder)), p) for p in self.folder.glob("??/??/*.val")]
        return [(f"file/{name}", p.stat().st_size) for name, p in files if name not in known]

    def check_database(self) -> list[str]:
        """What sqlite finds wrong with its database."""
        rows = self._cache._sql("PRAGMA integrity_check").fetchall()
        return [str(row[0]) for row in rows if row[0] != "ok"]


def _next_head(before: ActionHistory | None, result: ActionResult) -> ActionHistory:
    succeeded = result.status == "succeeded"
    if before is not None and not succeeded:
        return replace(before, attempts=result.attempt, last=result.status, detail=result.detail)
    return ActionHistory(
        result.action,
        result.attempt,
        result.status,
        result.detail,
        result.attempt if succeeded else None,
        tuple(output.sha256 for output in result.outputs) if succeeded else (),
        result.scores,
        result.metric,
        result.started,
        result.finished,
        result.seconds,
        result.usage,
        result.facts.get("accepted-because", ""),
    )


def store_failed(folder: Path, error: Exception) -> EvalmakeError:
    """The error for a disk or database that refuses, or holds what cannot be read."""
    error = _cause(error)
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(error, records.NewerRecord):
        message = f"the store at {folder} was written by a newer evalmake"
        return make_error("newer-store", message, help=["upgrade evalmake, or use another store"])
    if isinstance(error, records.UnreadableRecord) or any(sign in reason for sign in _DAMAGED):
        message = f"the store at {folder} is damaged: {reason}"
        return make_error("store-damaged", message, help=["move it away: evalmake then creates a new one"])
    hint = "check the permissions of the folder, or set another one with `settings { store }`"
    if "full" in reason or "No space" in reason:
        hint = "free some space, then run again: finished evaluations are kept"
    return make_error("store-failed", f"cannot write to {folder}: {reason}", help=[hint])


def _cause(error: BaseException) -> Exception:
    """The first error of a chain: the later ones, of the roll-back and of diskcache, say less."""
    found = error
    while isinstance(found.__context__, OSError | sqlite3.Error):
        found = found.__context__
    assert isinstance(found, Exception)
    return found
