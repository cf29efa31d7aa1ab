"""How many jobs run at once: never more than `slots` and a model allow, in however many arrays."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from evalmake.executors.slurm import array_slots
from evalmake.executors.slurm.batch import Batch
from tests.executors.slurm.counted_cells import CountedCells, counted_cells
from tests.support.daemons import until
from tests.support.slurm_cluster import Cluster
from tests.support.workspaces import SCORE

LIMITS = {"": 5, "model": 2, "judge": 1}
PARTS = st.tuples(st.integers(1, 6), st.sets(st.sampled_from(sorted(LIMITS))))
NOTED = """\
echo + >> {noted}
test "$EVALMAKE_SEED" != 1 -o -e {noted}.failed || {{ touch {noted}.failed; echo - >> {noted}; exit 3; }}
sleep 0.2
{score}
echo - >> {noted}
"""


def at_most(text: str) -> int:
    """How many of those that noted their begin and end were between the two at once."""
    marks = text.split()
    return max(marks[:at].count("+") - marks[:at].count("-") for at in range(len(marks) + 1))


@given(st.lists(PARTS, min_size=1, max_size=12), st.data())
def test_shares(parts: list[tuple[int, set[str]]], data: st.DataObject) -> None:
    """Whatever comes when, what runs keeps each limit, and all of it comes to run as others end."""
    waiting = [(size, {name: LIMITS[name] for name in names}) for size, names in parts]
    live: dict[Batch, int] = {}
    while waiting or live:
        several = data.draw(st.integers(0, len(waiting)))
        some = waiting[: max(several, not live)]
        sizes, limits = [size for size, _ in some], [names for _, names in some]
        shares = list(array_slots.divide_slots(sizes, limits, array_slots.count_used(live)))
        assert live or shares[0] != 0  # who is first, and alone, never waits
        for (size, names), share in zip(some, shares, strict=True):
            assert (share is None) == (not names)
            if share != 0:
                live[Batch(Path(), [], limits=names, at_once=share or 0)] = size
        waiting = [one for one, share in zip(some, shares, strict=True) if share == 0] + waiting[len(some) :]
        for batch, at_once in array_slots.find_wider_shares(live):
            assert at_once > batch.at_once
            batch.at_once = at_once
        for name, limit in LIMITS.items():
            assert array_slots.count_used(live)[name] <= limit
            assert sum(min(b.at_once, n) for b, n in live.items() if name in b.limits) <= limit
        if live:
            batch = data.draw(st.sampled_from(list(live)))
            live[batch] -= 1
            live = {one: count for one, count in live.items() if count}


def test_alone_it_has_all() -> None:
    """One part has all that is free, two share it, and more parts than slots have one each."""
    assert list(array_slots.divide_slots([100], [{"": 8}], {})) == [8]
    assert list(array_slots.divide_slots([100, 100], [{"": 8}] * 2, {})) == [4, 4]
    assert list(array_slots.divide_slots([100, 2, 100], [{"": 9}] * 3, {"": 1})) == [2, 2, 4]
    assert list(array_slots.divide_slots([4, 4, 4], [{"": 2}] * 3, {})) == [1, 1, 0]


def noted(work: CountedCells, array: int, more: str = "") -> Path:
    """Cells that note when they begin and end, and of which one fails at first."""
    marks = work.open / "marks"
    marks.touch()
    marks.chmod(0o666)
    work.write_cells(9, NOTED.format(noted=marks, score=SCORE), more=f"array = {array}\n    {more}", retries=1)
    return marks


def test_more_arrays_than_slots(cluster: Cluster) -> None:
    """No more run at once than there are slots, though each array has one at least, and one is tried again."""
    with counted_cells(cluster) as work:
        marks = noted(work, 2)
        ended = work.run("SLOTS=2")
        assert ended.status == 0, ended.text
        assert work.begun() == {1: 2} | dict.fromkeys(range(2, 10), 1)
        assert at_most(marks.read_text()) <= 2
        work.clean()


def test_arrays_have_what_others_leave(cluster: Cluster) -> None:
    """An array whose share was small gets that of one that is over."""
    with counted_cells(cluster) as work:
        work.write_cells(
            6,
            f"""\
            test "$EVALMAKE_SEED" -le 3 || until test "$(wc -l < {work.ran})" = 6; do sleep 0.1; done
            {SCORE}""",
            more="array = 3",
        )
        ended = work.run("SLOTS=4")
        assert ended.status == 0, ended.text
        work.clean()


def test_a_build_that_is_killed(cluster: Cluster) -> None:
    """The next build knows what runs of an earlier one's arrays, and keeps the limits beside it."""
    with counted_cells(cluster) as work:
        marks = noted(work, 2)
        process = work.start("SLOTS=2")
        until(lambda: len(marks.read_text().split()) > 2 or process.poll() is not None)
        process.kill()
        process.communicate()
        ended = work.run("SLOTS=2")
        assert ended.status == 0, ended.text
        assert set(work.begun()) == set(range(1, 10))
        assert at_most(marks.read_text()) <= 2
        work.clean()
