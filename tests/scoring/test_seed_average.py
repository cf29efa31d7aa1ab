"""Averages over seeds, from items and from summaries."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.scoring.headline import MetricKind
from evalmake.scoring.intervals import mean_se, t_interval, wilson
from evalmake.scoring.notes import Note
from evalmake.scoring.numbers import format_number, format_percent
from evalmake.scoring.result_set import Item, Run, Score, SeedAverage, average_seeds


def binary(right: int, n: int) -> Score:
    """The score of `right` right answers of n."""
    p = right / n
    return Score("accuracy", p, math.sqrt(p * (1 - p) / (n - 1)), scored=n)


def score(value: float, stderr: float | None = None, scored: int = 0) -> Score:
    """A score that need not be of zeros and ones."""
    return Score("accuracy", value, stderr, scored=scored)


def clustered(value: float, stderr: float, scored: int, clusters: int) -> Score:
    """A score whose items come in clusters."""
    return Score("accuracy", value, stderr, scored=scored, clusters=clusters)


def of_items(values: Sequence[float], reply: str = "", clusters: str = "") -> Run:
    """A run that left its items."""
    items = [
        Item(str(at), f"hash {at}", {"accuracy": value}, clusters[at] if clusters else None, f"{reply} {at}")
        for at, value in enumerate(values)
    ]
    found = mean_se(values)
    return Run((Score("accuracy", found.mean, found.stderr, scored=len(values)),), lambda: items, "native")


def average(*runs: Run | Score, confidence: float = 0.95) -> SeedAverage:
    """The average of the accuracy; a score stands for a run that left no items."""
    return average_seeds("accuracy", [Run((one,)) if isinstance(one, Score) else one for one in runs], confidence)


# --- Scores, and summaries without items -----------------------------------------------------------


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_score_is_a_number_or_none(number: float) -> None:
    """NaN and infinity never travel: what is not known is None."""
    with pytest.raises(ValueError, match="write None"):
        Score("accuracy", number)
    with pytest.raises(ValueError, match="write None"):
        Score("accuracy", 0.5, number)


@pytest.mark.parametrize(("k", "n"), [(7, 10), (0, 5), (10, 10), (143, 164)])
def test_one_binary_run_has_its_own_wilson_interval(k: int, n: int) -> None:
    """Pooling one run changes nothing, with its items or without; a perfect score still has a width."""
    for run in (binary(k, n), of_items([1.0] * k + [0.0] * (n - k))):
        found = average(run)
        assert (found.low, found.high) == pytest.approx(wilson(k, n), abs=1e-12)
        assert (found.basis, found.runs, found.samples, found.spread) == ("proportion", 1, n, None)


def test_summaries_take_no_credit_for_asking_again() -> None:
    """Without items SE^2 is the mean of the runs' SE^2: never wider than the widest run, never narrower."""
    found = average(binary(345, 500), binary(340, 500), binary(335, 500))
    assert found.mean == pytest.approx(0.68)
    assert found.spread == pytest.approx(0.01)
    assert (found.low, found.high) == pytest.approx(wilson(340, 500))
    assert found.stderr == pytest.approx(math.sqrt(sum((binary(k, 500).stderr or 0) ** 2 for k in (345, 340, 335)) / 3))
    assert average(score(31.0, 0.5, 200), score(33.0, 0.5, 200)).low == pytest.approx(t_interval(32.0, 0.5, 199)[0])


def test_a_summary_is_told_to_be_the_harness_s() -> None:
    """Where only a mean and an error are known, the harness is named, and no n is pretended."""
    found = average_seeds("accuracy", [Run((score(31.25, 0.5),), harness="lm-eval")])
    assert (found.low, found.high) == pytest.approx(t_interval(31.25, 0.5, math.inf))
    assert (found.reported_by, found.notes, found.samples) == (
        "lm-eval",
        (Note("reported", "as reported by lm-eval"),),
        0,
    )
    assert average(of_items([1, 0, 1])).notes == ()


def test_a_metric_that_is_no_mean_of_items_is_a_summary() -> None:
    """BLEU of a corpus is not the mean of its samples, so their spread says nothing of it."""
    run = of_items([0.5, 0.25, 1.0])
    bleu = Run((Score("accuracy", 0.31, 0.02, scored=3),), run.read_items, "lm-eval")
    found = average(bleu)
    assert (found.mean, found.stderr, found.reported_by) == (0.31, 0.02, "lm-eval")


def test_without_item_errors_only_the_runs_speak() -> None:
    """Several runs without an error give the spread of the runs, and say so; one gives nothing."""
    runs = [score(v) for v in (0.712, 0.698, 0.725, 0.701, 0.709)]
    found = average(*runs)
    assert (found.low, found.high) == pytest.approx((0.6958301645037237, 0.7221698354962776))
    assert found.basis == "runs"
    assert (average(runs[0]).mean, average(runs[0]).basis) == (0.712, "none")
    assert average(*runs[:2], score(0.7, 0.01, 100)).basis == "runs"
    points = average(*[score(v) for v in (31.0, 31.5, 33.25)])
    assert (points.low, points.high) == pytest.approx(t_interval(points.mean or 0, points.stderr or 0, 2))


@pytest.mark.parametrize(
    "certain",
    [
        clustered(0.5, 0.0, 100, 10),
        score(0.37, 0.0, 100),
        score(1.0, 0.0),
        score(1.0, 0.0, 1),
        clustered(0.5, 0.1, 9, 1),
    ],
)
def test_scores_that_do_not_vary_prove_no_certainty(certain: Score) -> None:
    """A standard error of 0 gives no interval, nor does one of a single sample or cluster."""
    for runs in ([certain], [certain] * 3):
        found = average(*runs)
        assert (found.low, found.high, found.basis) == (None, None, "none")


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        ([score(0.7)], "lm-eval reports no standard error"),
        ([score(0.7), score(0.7)], "lm-eval reports no standard error, and the seeds do not differ"),
        ([score(0.37, 0.0, 100)], "a standard error of 0 proves no certainty"),
        ([score(0.37, 0.1, 1)], "one sample tells nothing of others"),
        ([clustered(0.5, 0.1, 9, 1)], "one cluster tells nothing of others"),
        ([of_items([1, 0, 1], clusters="aaa")], "one cluster tells nothing of others"),
        ([of_items([0.5])], "one question tells nothing of others"),
        ([of_items([2.0, 2.0])], "all scores are equal"),
    ],
)
def test_it_is_told_why_there_is_no_interval(runs: list[Score | Run], reason: str) -> None:
    """A score without an interval has one note, which gives the reason."""
    found = average_seeds("accuracy", [one if isinstance(one, Run) else Run((one,), harness="lm-eval") for one in runs])
    assert (found.low, found.high, found.basis, found.lack) == (None, None, "none", reason)
    assert found.notes == (Note("no-interval", f"no interval: {reason}"),)


@pytest.mark.parametrize(
    "summaries",
    [
        [(0.98, 0.019, 50)],
        [(0.98, 0.02, 45)],  # rounded
        [(0.98, 0.019, 0)],
        [(0.02, 0.01, 30), (0.04, 0.02, 30)],
        [(1.0, 0.003, 100)],
        [(0.97, None, 0), (0.99, None, 0), (1.0, None, 0)],
    ],
)
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.9999])
def test_the_interval_of_a_share_stays_inside(
    summaries: list[tuple[float, float | None, int]], confidence: float
) -> None:
    """A mean that a harness reports alone, and that can be of scores from 0 to 1, has an interval from 0 to 1."""
    found = average(*[score(*one) for one in summaries], confidence=confidence)
    assert found.mean is not None
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low < found.mean <= found.high <= 1
    assert found.basis in ("bounded", "runs")


def test_a_summary_of_a_share_is_as_its_items() -> None:
    """Mean, standard error and number give the interval that the items themselves give."""
    values = [0.2, 0.9, 1.0, 0.75, 1.0, 0.5, 1.0, 1.0, 0.9, 1.0]
    found = mean_se(values)
    told = average(score(found.mean or 0, found.stderr, 10))
    items = average(of_items(values))
    assert (told.low, told.high) == pytest.approx((items.low, items.high))


@pytest.mark.parametrize("summary", [(0.98, 0.05, 50), (0.1, 0.14, 40), (1.0, 0.01, 100), (1.0, 0.01, 0)])
def test_a_metric_on_a_scale_of_its_own_may_leave_0_to_1(summary: tuple[float, float, int]) -> None:
    """A correlation or a ratio varies more than scores from 0 to 1 can: it has Student's t, and a note says so."""
    found = average_seeds("accuracy", [Run((score(*summary),), harness="command")])
    assert found.basis == "mean"
    assert found.notes[1] == Note(
        "scale", "the standard error is too large for scores from 0 to 1, so the interval leaves them"
    )


SCALES = [(MetricKind("share"), 1), (MetricKind("percent"), 100)]


@pytest.mark.parametrize(("kind", "most"), SCALES)
@pytest.mark.parametrize(
    "summary", [(0.5, 0.5, 0), (0.98, 0.05, 50), (0.1, 0.14, 40), (1.0, 0.01, 100), (1.0, 0.01, 0), (0.0, 0.2, 0)]
)
def test_an_interval_stays_on_the_scale_that_is_stated(
    summary: tuple[float, float, int], kind: MetricKind, most: float
) -> None:
    """Whatever error a harness reports; on a scale to 100 it is the one of a share, times 100."""
    value, stderr, n = summary
    found = average_seeds("accuracy", [Run((score(value * most, stderr * most, n),), harness="x")], kind=kind)
    assert found.basis == "bounded"
    assert found.mean == value * most
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= value * most <= found.high <= most
    assert [note.code for note in found.notes] == ["reported"]
    share = average_seeds("accuracy", [Run((score(*summary),), harness="x")], kind=MetricKind("share"))
    assert (found.low, found.high) == pytest.approx(((share.low or 0) * most, (share.high or 0) * most))


def test_items_that_score_0_and_100_are_a_proportion() -> None:
    """They have Wilson's interval, on their scale; a value that is not on it shows what the scale says in vain."""
    values = [100.0] * 7 + [0.0] * 3
    found = average_seeds("accuracy", [of_items(values)], kind=MetricKind("percent"))
    low, high = wilson(7, 10)
    assert (found.mean, found.basis) == (70.0, "proportion")
    assert (found.low, found.high) == pytest.approx((100 * low, 100 * high))
    assert found.stderr == pytest.approx(100 * math.sqrt(0.7 * 0.3 / 9))
    odd = average_seeds("accuracy", [of_items(values)], kind=MetricKind("share"))
    assert (odd.mean, odd.basis) == (70.0, "mean")


def test_the_spread_is_that_of_the_seeds() -> None:
    """The standard deviation of the seeds' values, with items or without."""
    assert average(*[of_items([v] * 4, str(v)) for v in (0.69, 0.68, 0.67)]).spread == pytest.approx(0.01)


def test_runs_without_a_value_are_left_out() -> None:
    """What was not scored is neither a zero nor counted as a run."""
    assert average() == SeedAverage(None)
    assert average(Score("accuracy", None, unscored=5)) == SeedAverage(None)
    assert average(binary(7, 10), Score("accuracy", None, unscored=10)) == average(binary(7, 10))


# --- Items -----------------------------------------------------------------------------------------


def test_a_second_seed_narrows_the_interval() -> None:
    """Independent answers of the same 400 items: three seeds are narrower than one, and not by more than 1/sqrt(3)."""
    draw = random.Random(1)
    seeds = [of_items([float(draw.random() < 0.7) for _ in range(400)], str(seed)) for seed in range(3)]
    one, three = average(seeds[0]), average(*seeds)
    assert three.low is not None
    assert three.high is not None
    assert one.low is not None
    assert one.high is not None
    assert 0.55 < (three.high - three.low) / (one.high - one.low) < 0.65
    assert (three.runs, three.samples, three.basis) == (3, 400, "proportion")


def test_identical_seeds_are_one_run() -> None:
    """Seeds that the endpoint ignored have the interval of one run, and that is said."""
    one, three = average(of_items([1, 1, 0, 1])), average(*[of_items([1, 1, 0, 1])] * 3)
    assert (three.mean, three.low, three.high, three.runs) == (one.mean, one.low, one.high, 1)
    assert three.notes == (Note("seeds", "all 3 seeds gave the same replies: counted as one run"),)
    two = average(*[of_items([1, 1, 0, 1])] * 2, of_items([1, 0, 0, 1], "other"))
    assert (two.runs, two.notes) == (2, (Note("seeds", "1 of 3 seeds gave the replies of another seed"),))


def test_seeds_that_agree_on_every_item_count_as_one() -> None:
    """Other replies with the same scores are as one run, not as three."""
    runs = [of_items([1.0] * 20, reply) for reply in "abc"]
    assert (average(*runs).low, average(*runs).high) == wilson(20, 20)


def test_items_are_not_read_where_the_summary_tells_all() -> None:
    """One run of 0/1 scores of which no question repeats needs no samples; with clusters or seeds it does."""

    def read() -> list[Item]:
        raise AssertionError("the items were read")

    run = Run((binary(7, 10),), read, "native", distinct=True)
    assert (average(run).low, average(run).high, average(run).notes) == (*wilson(7, 10), ())
    for runs in ([run, run], [Run((clustered(0.5, 0.1, 10, 5),), read, distinct=True)]):
        with pytest.raises(AssertionError, match="were read"):
            average(*runs)


def test_few_clusters_are_told() -> None:
    """The number of clusters stands beside the score, with a warning below thirty."""
    few = average(of_items([1, 0, 1, 1, 0, 1], clusters="aabbcc"))
    assert few.notes == (Note("clusters", "3 clusters: few, so the interval is itself uncertain"),)
    letters = "".join(chr(100 + at) for at in range(30)) * 2
    assert average(of_items([1.0, 0.0] * 30, clusters=letters)).notes == (Note("clusters", "30 clusters"),)


def test_seeds_that_asked_other_items_are_told() -> None:
    """Runs of other items have a note with the number that all asked; runs without items, one with their counts."""

    def asking(ids: str) -> Run:
        return Run((Score("accuracy", 0.5, 0.1, scored=4),), lambda: [one(id, at % 2) for at, id in enumerate(ids)])

    def one(id: str, value: float) -> Item:
        return Item(id, f"hash {id}", {"accuracy": value})

    text = "the seeds did not ask the same items: 2 of 6 are common to all"
    assert Note("items", text) in average(asking("abcd"), asking("cdef")).notes
    assert average(asking("abcd"), asking("badc")).notes == ()
    counted = average(score(0.5, 0.1, 90), score(0.6, 0.1, 100))
    assert Note("items", "the seeds have 90 to 100 samples") in counted.notes


def test_repeated_questions_are_told() -> None:
    """Rows that repeat a question are counted as one, and their number is told."""
    items = [Item(str(at), f"hash {at % 4}", {"accuracy": float(at % 2)}) for at in range(8)]
    found = average(Run((Score("accuracy", 0.5, 0.1, scored=8),), lambda: items))
    assert found.notes == (Note("duplicates", "8 items, 4 of them distinct: each copy weighs as one"),)


@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 1.0]), min_size=12, max_size=12),
        min_size=1,
        max_size=5,
    ),
    st.floats(0.6, 0.999),
)
def test_pooled_proportions_stay_inside(runs: list[list[float]], confidence: float) -> None:
    """The interval holds the mean and stays in [0, 1]."""
    found = average(*[of_items(one, str(at)) for at, one in enumerate(runs)], confidence=confidence)
    assert found.mean is not None
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.mean + 1e-12
    assert found.mean - 1e-12 <= found.high <= 1


# --- In words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pooled", "text"),
    [
        (SeedAverage(0.83, 0.02, 0.79, 0.87, basis="mean"), "0.83 [0.79, 0.87]"),
        (SeedAverage(0.83, 0.0, 0.825, 0.835, basis="mean"), "0.830 [0.825, 0.835]"),
        (SeedAverage(31.25, 5.0, 21.0, 41.5, basis="mean"), "31.25 [21.00, 41.50]"),
        (SeedAverage(0.5, 0.0, 0.5, 0.5, basis="runs"), "0.50 [0.50, 0.50] (runs only)"),
        (SeedAverage(0.9999, 0.0, 0.99, 1.0, basis="proportion"), "0.9999 [0.990, 1.000]"),
        (SeedAverage(0.5), "0.500"),
        (SeedAverage(None), "not scored"),
    ],
)
def test_pooled_scores_in_words(pooled: SeedAverage, text: str) -> None:
    """A value has as many decimals as its interval deserves."""
    assert str(pooled) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.9999, "0.9999"), (0.00001, "0.00001"), (-0.9999, "-0.9999"), (1.0, "1.000"), (0.0, "0.000"), (-0.0, "0.000")],
)
def test_nothing_reads_as_0_or_1_that_is_not(value: float, text: str) -> None:
    """A number has more decimals where it would read as 0 or 1; the noise of a float sum counts as equal."""
    assert format_number(value) == text
    assert format_number(value + 1e-15 * (value > 0)) == text


@pytest.mark.parametrize(("share", "text"), [(0.95, "95%"), (0.995, "99.5%"), (0.9999, "99.99%"), (0.9, "90%")])
def test_a_confidence_reads_as_it_was_asked_for(share: float, text: str) -> None:
    """99.5 % is not 100 %."""
    assert format_percent(share) == text


def test_settled_runs_read_their_items_once() -> None:
    """A run that was settled for a metric gives the same items without reading and checking them again."""
    asked = []

    def read() -> list[Item]:
        asked.append(1)
        return [Item("q", "", {"accuracy": 1.0, "bleu": 3.0})]

    run = Run((Score("accuracy", 1.0, scored=1), Score("bleu", 40.0)), read)
    settled = run.settle("accuracy")
    assert settled.items("accuracy") == settled.items("accuracy") == run.items("accuracy")
    assert len(asked) == 2
    assert run.settle("bleu").items("bleu") is None  # it is not their mean
