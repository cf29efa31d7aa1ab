"""The store of results: outputs (blobs) by sha256, attempts by action, parts of identities by digest.

It is append-only. A commit is one transaction: outputs, attempt, and the action's history. So a kill at any moment
leaves either all of it or nothing.

What proves what: an attempt's record names its outputs by their sha256, and the record before it. The history of an
action names its last record. A history only saves reading records: one that is damaged is made from them again.
All histories are read by one query instead of ten thousand.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from evalmake.planner.action import Action, ActionResult
from evalmake.planner.digest import digest as digest_of_walk
from evalmake.planner.staleness import ActionHistory
from evalmake.store import records
from evalmake.store.blobs import Blobs
from evalmake.store.database import Database
from evalmake.store.failure import DamagedOutput, store_failed
from evalmake.store.history import extend_history, is_proved_by


class Store:
    """All attempts and their outputs. Open it with `Store.open` or `Store.read`; close it, or use it in a `with`.

    `evalfile` says which Evalfile this process builds. Several can share a store and have cells of the
    same name, so baselines are kept apart by it. `keeps_baselines` says whether attempts are what later ones of
    their cells are compared with.
    """

    def __init__(self, database: Database, evalfile: str = "") -> None:
        self.folder = database.folder
        self.database = database
        self.blobs = Blobs(database)
        self.evalfile = evalfile
        self.keeps_baselines = True
        self._heads: dict[str, ActionHistory] | None = None
        self._rebuilt: set[str] = set()
        self._damaged: dict[str, str] = {}
        self._whole_parts: set[str] = set()

    @classmethod
    def open(cls, folder: Path, evalfile: str = "") -> Store:
        """Open or create the store in `folder`; EvalmakeError where that fails."""
        return cls(Database.open(folder), evalfile)

    @classmethod
    def read(cls, folder: Path, evalfile: str = "") -> Store:
        """Open the store in `folder` for reading, which writes nothing; one that does not exist is empty."""
        return cls(Database.open_for_reading(folder), evalfile)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Close; errors of the database or of a record in it become an EvalmakeError."""
        self.close()
        if isinstance(error, sqlite3.Error | records.UnreadableRecord):
            raise store_failed(self.folder, error) from None

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    # Reading ------------------------------------------------------------------------------------

    def histories(self) -> dict[str, ActionHistory]:
        """The history of every action, read once."""
        if self._heads is None:
            rows = self.database.rows("SELECT key, value FROM Cache WHERE tag = 'head'")
            known = [(key, text) for key, text in rows if isinstance(key, str) and key.startswith("head/")]
            texts = [(key[5:], text if isinstance(text, str) else self.database.text(key) or "") for key, text in known]
            self._heads, doubtful = records.histories_from_texts(texts)
            for action in doubtful:
                self._heads |= {action: head} if (head := self._rebuild_history(action)) else {}
        return self._heads

    def history(self, action: str) -> ActionHistory | None:
        """The history of an action."""
        return self.histories().get(action)

    def _rebuild_history(self, action: str) -> ActionHistory | None:
        """The history of an action, made from its records; without a result where one of them is damaged."""
        self._rebuilt.add(action)
        try:
            return self.history_of_records(action)
        except records.NewerRecord:
            raise
        except records.UnreadableRecord as error:
            self._damaged[action] = f"its record is damaged: {error}"
            return ActionHistory(action, max(self.attempt_numbers(action)), "failed", self._damaged[action], None)

    def history_of_records(self, action: str) -> ActionHistory | None:
        """What the records of an action come to; UnreadableRecord where one of them is damaged."""
        head: ActionHistory | None = None
        for record in self.attempts(action):
            head = extend_history(head, record, self.record_digest(action, record.attempt))
        return head

    def distrust_history(self, action: str) -> None:
        """Make the history of an action from its records, whatever is stored; `save_rebuilt_histories` writes it."""
        self.histories().pop(action, None)
        self._damaged.pop(action, None)
        if (head := self._rebuild_history(action)) is not None:
            self.histories()[action] = head

    def baseline(self, name: str) -> Mapping[str, str] | None:
        """The parts of the result that was last valid for a cell of this Evalfile, to say what has changed since.

        A cell that never succeeded has those of its last attempt. Stores of version 0.1 kept one attempt
        for each name, whatever its end and its Evalfile.
        """
        for key in (self._baseline_key("succeeded", name), self._baseline_key("tried", name), f"last/{name}"):
            if (found := self.walk(key)) is not None:
                return found
        return None

    def walk(self, key: str) -> Mapping[str, str] | None:
        """The walk that is stored under a key; None where there is none, or where it is damaged."""
        text = self.database.text(key)
        try:
            return records.pairs_from_text(key, text) if text is not None else None
        except records.NewerRecord:
            raise
        except records.UnreadableRecord:
            return None

    def baselines(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Every baseline of every Evalfile, by its key: the parts that they name must stay."""
        for key in self.keys_of_kind("last"):
            yield key, self.walk(key) or {}

    def _baseline_key(self, kind: str, name: str) -> str:
        return f"last/{kind}:{self.evalfile}:{name}"

    def last_headline(self, name: str) -> str:
        """The headline metric of the last successful attempt of a cell of this Evalfile; empty without one."""
        return (self.walk(self._headline_key(name)) or {}).get("metric", "")

    def _headline_key(self, name: str) -> str:
        return f"headline/{self.evalfile}:{name}"

    def shortfalls(self) -> dict[str, str]:
        """Why results of this Evalfile were not valid when they were last judged, by the names of their cells."""
        return dict(self.walk(self._shortfalls_key) or {})

    def record_shortfalls(self, reasons: Mapping[str, str]) -> None:
        """Record why results are not valid; those with an empty reason are."""
        known = self.shortfalls()
        now = {name: reason for name, reason in {**known, **reasons}.items() if reason}
        if now != known and self.database.is_writable:
            with self.database.transaction():
                self.put_walk(self._shortfalls_key, now)

    @property
    def _shortfalls_key(self) -> str:
        return f"shortfall/{self.evalfile}"

    def part(self, digest: str) -> Mapping[str, str] | None:
        """The walk of a part: its values by path; None where it is missing or damaged."""
        found = self.walk(f"part/{digest}")
        return found if found is not None and digest_of_walk(found.items()) == digest else None

    def attempt(self, action: str, number: int) -> ActionResult | None:
        """The record of one attempt; UnreadableRecord where it is damaged."""
        text = self.record_text(action, number)
        return records.record_from_text(action, number, text) if text is not None else None

    def attempt_numbers(self, action: str) -> list[int]:
        """The numbers of the attempts of an action that have a record, in order."""
        start = f"record/{action}/"
        numbers = [key[len(start) :] for key in self.keys_between(start, f"record/{action}0")]
        return sorted(int(number) for number in numbers if number.isascii() and number.isdigit())

    def attempts(self, action: str) -> Iterator[ActionResult]:
        """Every attempt of an action, oldest first; UnreadableRecord where one is damaged."""
        self.histories()  # refuses a store that a newer evalmake wrote to
        for number in self.attempt_numbers(action):
            if (found := self.attempt(action, number)) is not None:
                yield found

    def all_attempts(self) -> Iterator[ActionResult]:
        """Every attempt on record; UnreadableRecord where one is damaged."""
        yield from map(self.attempt_of_key, self.keys_of_kind("record"))

    def attempt_of_key(self, key: str) -> ActionResult:
        """The attempt whose record has this key; UnreadableRecord where it is damaged, or no record."""
        if (found := self.attempt(*records.parse_record_key(key))) is None:
            raise records.UnreadableRecord(f"{key[:60]} is no record")
        return found

    def record_text(self, action: str, number: int) -> str | None:
        """A record as it is stored; None without one."""
        return self.database.text(f"record/{action}/{number}")

    def record_digest(self, action: str, number: int) -> str:
        """The sha256 of a record as it is stored; empty without one."""
        text = self.record_text(action, number)
        return sha256(text.encode("utf-8", "surrogatepass")).hexdigest() if text is not None else ""

    def proved_result(self, head: ActionHistory) -> ActionResult:
        """The record of the result that counts; UnreadableRecord where it does not say what the history says."""
        record = self.attempt(head.action, head.success or 0)
        if record is None or not is_proved_by(head, record):
            name = record.name if record else head.action[:19]
            raise records.UnreadableRecord(f"the result of {name} is not the one on record")
        return record

    def output(self, record: ActionResult, name: str) -> bytes | None:
        """An output of an attempt; None where it left none, DamagedOutput where it is missing or damaged."""
        digest = next((output.sha256 for output in record.outputs if output.name == name), None)
        if digest is None:
            return None
        if (data := self.blob(digest)) is None:
            raise DamagedOutput(self.folder, digest, f"{name} of {record.name} is missing or damaged")
        return data

    def blob(self, digest: str) -> bytes | None:
        """A blob's bytes by the hex of its sha256; None where it is missing or damaged."""
        return self.blobs.read(digest)

    def find_damage(self, head: ActionHistory) -> str:
        """What is damaged of the result that counts: its record, or the first output that is not there whole.

        The contents of outputs are not read. Empty where there is no such damage.
        """
        if reason := self._find_damaged_record(head):
            return reason
        lost = next((blob for blob in head.blobs if not self.blobs.seems_whole(blob)), None)
        return f"blob sha256:{lost[:12]} is missing from the store or damaged" if lost else ""

    def damage(self, action: str) -> str:
        """Why the result of an action was dropped; empty for one that was not."""
        return self._damaged.get(action, "")

    def drop_result(self, action: str, reason: str) -> None:
        """Let the result of an action count for nothing, as it is damaged, until an attempt is stored."""
        self._damaged[action] = reason
        head = self.histories()[action]
        self.histories()[action] = ActionHistory(action, head.attempts, "failed", reason, None)

    def _find_damaged_record(self, head: ActionHistory) -> str:
        """Why the record of the result that counts does not prove it; empty where it does, or there is none.

        Mostly the result is the last attempt, whose digest the history has: then no record need be parsed.
        """
        if head.success is None:
            return ""
        if head.success == head.attempts and self.record_digest(head.action, head.success) == head.record:
            return ""
        try:
            self.proved_result(head)
        except records.NewerRecord:
            raise
        except records.UnreadableRecord as error:
            return f"its record is damaged: {error}"
        return ""

    def large_files(self, actions: Iterable[str]) -> set[str]:
        """The files of outputs of `actions`; only those too large for the database have one."""
        heads = self.histories()
        blobs = {blob for action in actions if action in heads for blob in heads[action].blobs}
        return {path for blob in blobs if (path := self.blobs.path(blob))}

    def report_identity(self, name: str) -> Mapping[str, str] | None:
        """What a report was last written from: the walk of its identity, and the sha256 of its file."""
        return self.walk(f"report/{name}")

    # Writing ------------------------------------------------------------------------------------

    def commit(self, action: Action, result: ActionResult, files: Mapping[str, Path | bytes]) -> ActionHistory:
        """Append an attempt with its outputs, all or nothing; its number is assigned here.

        `files` are the outputs by name. A success becomes the action's result.
        """
        with self.database.transaction():
            before = self._history_now(action.digest)
            if before is not None and (action.digest in self._damaged or self.find_damage(before)):
                before = None
            last = max(self.attempt_numbers(action.digest), default=0)
            outputs = tuple(self.blobs.put(name, data) for name, data in sorted(files.items()))
            log = next((o.sha256 for o in outputs if o.name == "log"), "")
            previous = self.record_digest(action.digest, last)
            result = replace(result, attempt=last + 1, outputs=outputs, log=log, previous=previous)
            for _, part in action.parts:
                if part.digest not in self._whole_parts and self.part(part.digest) is None:
                    self.put_walk(f"part/{part.digest}", dict(part.pairs))
            self._whole_parts.update(part.digest for _, part in action.parts)
            if self.keeps_baselines:
                self._put_baseline(result)
            key = f"record/{action.digest}/{result.attempt}"
            self.database.put(key, records.record_to_text(result), "record")
            head = extend_history(before, result, self.record_digest(action.digest, result.attempt))
            self._set_head(head)
            self.mark_changed()
        self._damaged.pop(action.digest, None)
        return head

    def _put_baseline(self, result: ActionResult) -> None:
        kind = "succeeded" if result.status == "succeeded" else "tried"
        self.put_walk(self._baseline_key(kind, result.name), result.identity)
        if kind == "succeeded" and result.metric:
            self.put_walk(self._headline_key(result.name), {"metric": result.metric})

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
        with self.database.transaction() if names else contextlib.nullcontext():
            yield [head for action in names if (head := self._history_now(action)) is not None]
            if names:
                self.mark_changed()

    def _set_head(self, head: ActionHistory) -> None:
        self.database.put(f"head/{head.action}", records.history_to_text(head), "head")
        if self._heads is not None:
            self._heads[head.action] = head

    def _history_now(self, action: str) -> ActionHistory | None:
        """The history of an action within a transaction, whatever was read before."""
        text = self.database.text(f"head/{action}")
        if text is None:
            return None
        return records.histories_from_texts([(action, text)])[0].get(action) or self._rebuild_history(action)

    def put_walk(self, key: str, pairs: Mapping[str, str]) -> None:
        """Store a walk under a key; call it within a transaction."""
        self.database.put(key, records.pairs_to_text(key, pairs), key.partition("/")[0])

    def save_rebuilt_histories(self) -> list[str]:
        """Write the histories that had to be made from the records, as those of evalmake 0.1 have; their actions."""
        self.histories()
        rebuilt = sorted(self._rebuilt - set(self._damaged))
        self._rebuilt -= set(rebuilt)
        with self.database.transaction() if rebuilt else contextlib.nullcontext():
            for action in rebuilt:
                if (head := self.history(action)) is not None:
                    self.database.put(f"head/{action}", records.history_to_text(head), "head")
                else:
                    self.database.delete(f"head/{action}")
        return rebuilt

    def mark_valid(self, actions: Mapping[str, Action]) -> None:
        """Make the results of these actions the baselines of their cells, by name.

        A result can become valid again without an attempt: somebody undid a change. What changes next is
        then compared with that result, not with the one of the change that was undone.
        """
        known: dict[str, object] = dict(self.database.rows("SELECT key, value FROM Cache WHERE tag = 'last'"))
        keys = {self._baseline_key("succeeded", name): action for name, action in actions.items()}
        walks = {key: {part: walk.digest for part, walk in action.parts} for key, action in keys.items()}
        changed = {key: walk for key, walk in walks.items() if known.get(key) != records.pairs_to_text(key, walk)}
        if changed and self.database.is_writable:
            with self.database.transaction():
                for key, walk in changed.items():
                    self.put_walk(key, walk)

    def record_report(self, name: str, identity: Mapping[str, str]) -> None:
        """Record what a report was written from; in a store that can only be read, it stays out of date."""
        if self.database.is_writable:
            with self.database.transaction():
                self.put_walk(f"report/{name}", identity)
                self.mark_changed()

    def mark_changed(self) -> None:
        """Tell the fast path that the store has changed: by a new file, as the clocks of files are coarse."""
        if not self.database.is_writable:
            return
        marker = self.folder / "generation"
        temporary = self.folder / f".generation.{os.getpid()}"
        temporary.write_text(f"{os.getpid()} {os.times().elapsed}")
        os.replace(temporary, marker)

    # Upkeep --------------------------------------------------------------------------------------

    def keys_of_kind(self, kind: str) -> list[str]:
        """The keys of one kind: blob, part, record, head, last, headline, shortfall or report."""
        return self.keys_between(f"{kind}/", f"{kind}0")

    def keys_between(self, first: str, end: str) -> list[str]:
        """The keys from `first` to before `end`, as text."""
        query = "SELECT key FROM Cache WHERE key >= ? AND key < ?"
        return [str(key) for (key,) in self.database.rows(query, (first, end))]

    def remove_entry(self, key: str) -> None:
        """Remove one entry, or with `file/NAME` a file that no entry names."""
        with self.database.transaction():
            if key.startswith("file/"):
                self.database.file(key[5:]).unlink(missing_ok=True)
            self.database.delete(key)
