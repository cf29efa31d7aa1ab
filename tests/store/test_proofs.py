"""What proves what in the store: samples a score, records a history, and each record the one before it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from evalmake.planner.staleness import ActionHistory
from evalmake.scoring.score import Score
from evalmake.store import records
from evalmake.store.history import extend_history
from evalmake.store.store import Store
from evalmake.store.verification import verify_store
from tests.support.stores import action, put, result, update

SAMPLES_TEXT = b"".join(
    json.dumps({"id": str(at), "item": str(at), "scores": {"accuracy": float(at % 2)}}).encode() + b"\n"
    for at in range(10)
)

HALF = Score("accuracy", 0.5, 0.5 / 3, scored=10)


def commit_half(store: Store) -> ActionHistory:
    """An attempt whose score is the mean of its samples, one half."""
    one = action()
    return store.commit(one, replace(result(one), scores=(HALF,)), {"samples.jsonl": SAMPLES_TEXT})


def test_a_changed_history_changes_no_score(store: Store) -> None:
    """One UPDATE of a history's row has no effect: it is made from its records again, and `verify` says so."""
    head = commit_half(store)
    update(store, "head", "0.5,", "0.968,")
    with Store.open(store.folder) as again:
        assert again.history(head.action) == head
        assert again.save_rebuilt_histories() == [head.action]
    update(store, "head", "0.5,", "0.968,")
    with Store.open(store.folder) as again:
        [wrong] = verify_store(again).wrong
        assert wrong.endswith("is not what its records say; it was written again")
        assert verify_store(again).wrong == []
    with Store.read(store.folder) as again:
        assert again.history(head.action) == head


def test_every_character_of_a_history_counts(store: Store) -> None:
    """Whatever character of a history's text is another one, the seal and its marks included, it is not believed."""
    head = commit_half(store)
    text = records.history_to_text(head)
    for at, character in enumerate(text):
        changed = text[:at] + chr(ord(character) ^ 1) + text[at + 1 :]
        try:
            known, doubtful = records.histories_from_texts([(head.action, changed)])
        except records.NewerRecord:
            continue
        assert (known, doubtful) == ({}, [head.action]), (at, character)


def test_a_history_sealed_anew_is_not_the_result(store: Store) -> None:
    """A history that somebody changed and sealed is not what its record says, which reading and `verify` notice."""
    head = commit_half(store)
    forged = replace(head, scores=(replace(HALF, value=0.968),))
    put(store, f"head/{head.action}", records.history_to_text(forged))
    with Store.open(store.folder) as again:
        assert again.history(head.action) == forged
        with pytest.raises(records.UnreadableRecord, match="the result of e/1 is not the one on record"):
            again.proved_result(forged)
        assert len(verify_store(again).wrong) == 1
        assert again.history(head.action) == head


@pytest.mark.parametrize("sealed", [False, True])
def test_a_changed_record(store: Store, sealed: bool) -> None:
    """A changed record makes its action stale; one that was sealed anew is not the mean of its samples."""
    head = commit_half(store)
    if sealed:
        record = store.proved_result(head)
        forged = replace(record, scores=(replace(HALF, value=0.968),))
        put(store, f"record/{head.action}/1", records.record_to_text(forged))
        put(store, f"head/{head.action}", records.history_to_text(extend_history(None, forged, "")))
        with Store.open(store.folder) as again:
            wrong = verify_store(again).wrong
        assert "e/1 (attempt 1): accuracy is 0.968 on record, and 0.5 by its samples" in wrong
        return
    update(store, "record", ":0.5,", ":0.968,")
    update(store, "head", "0.5,", "0.968,")
    with Store.open(store.folder) as again:
        damaged = again.history(head.action)
        assert damaged is not None
        assert (damaged.success, damaged.scores) == (None, ())
        assert any("it was removed" in line for line in verify_store(again).wrong)
        assert verify_store(again).wrong == []
    with Store.open(store.folder) as again:
        assert again.history(head.action) is None
        assert commit_half(again).attempts == 1


def test_records_form_a_chain(store: Store) -> None:
    """Each record names the one before it, so `verify` notices one that was replaced by another that is whole."""
    commit_half(store)
    commit_half(store)
    one = action()
    [first, second] = store.attempts(one.digest)
    assert (first.previous, second.previous) == ("", store.record_digest(one.digest, 1))
    put(store, f"record/{one.digest}/1", records.record_to_text(replace(first, executor="elsewhere")))
    assert verify_store(store).wrong == ["e/1 (attempt 2): the record before it was replaced"]


def test_no_attempt_is_replaced(store: Store) -> None:
    """Where the history of an action is lost, the next attempt still gets a number of its own."""
    head = commit_half(store)
    store.remove_entry(f"head/{head.action}")
    with Store.open(store.folder) as again:
        assert again.history(head.action) is None
        assert commit_half(again).attempts == 2
        assert [attempt.attempt for attempt in again.attempts(head.action)] == [1, 2]
