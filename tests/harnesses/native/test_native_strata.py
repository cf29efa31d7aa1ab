"""`limit_by`: a limit takes the same share of each stratum, and a higher one keeps what was asked."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from evalmake.harnesses.native.dataset import Record
from evalmake.harnesses.native.json_io import fingerprint
from evalmake.harnesses.native.sampling import sample_records, share_limit
from evalmake.harnesses.native.template import parse

KIND = parse("{kind}", "limit_by")
KINDS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=80)


def records(kinds: list[str]) -> list[Record]:
    """A record of each kind, all of them different."""
    rows = [{"n": number, "kind": kind} for number, kind in enumerate(kinds)]
    return [Record(number, f"a.jsonl:{number + 1}", row, fingerprint(row)) for number, row in enumerate(rows)]


def asked(kinds: list[str], limit: int) -> list[Record]:
    """The records that a limit asks."""
    return sample_records(records(kinds), limit, KIND)


@given(KINDS, st.integers(1, 80))
def test_strata_have_their_shares(kinds: list[str], limit: int) -> None:
    """Of each stratum, its exact share is asked, rounded down or up; in all, as many as the limit says."""
    sizes, chosen = Counter(kinds), asked(kinds, limit)
    assert len(chosen) == min(limit, len(kinds))
    counts = Counter(record.data["kind"] for record in chosen)
    for kind, size in sizes.items():
        exact = Fraction(size * len(chosen), len(kinds))
        assert abs(counts[kind] - exact) < 1


def test_the_largest_remainders_are_rounded_up() -> None:
    """Of 1.5, 0.9 and 0.6 records, the last two become one each."""
    assert share_limit({"a": 50, "b": 30, "c": 20}, 3) == {"a": 1, "b": 1, "c": 1}
    assert share_limit({"a": 60, "b": 30, "c": 10}, 10) == {"a": 6, "b": 3, "c": 1}


@given(KINDS, st.integers(1, 80), st.integers(1, 80))
def test_a_higher_limit_keeps_what_was_asked(kinds: list[str], one: int, other: int) -> None:
    """Whatever a smaller limit asks is asked by a larger one, but where a stratum has fewer in all."""
    small, large = (asked(kinds, limit) for limit in sorted((one, other)))
    kept = {record.index for record in large}
    before, after = (Counter(record.data["kind"] for record in chosen) for chosen in (small, large))
    lost = Counter(record.data["kind"] for record in small if record.index not in kept)
    assert lost == +Counter({kind: before[kind] - after[kind] for kind in before})
    assert all(count == 1 for count in lost.values())


@given(KINDS, st.integers(1, 80))
def test_the_order_of_the_data_does_not_matter(kinds: list[str], limit: int) -> None:
    """Records in another order are the same sample."""
    rows = records(kinds)
    mixed = sorted(rows, key=lambda record: fingerprint(["another order", record.item]))
    renumbered = [Record(number, record.where, record.data, record.item) for number, record in enumerate(mixed)]
    first, second = (sample_records(one, limit, KIND) for one in (rows, renumbered))
    assert {record.item for record in first} == {record.item for record in second}
