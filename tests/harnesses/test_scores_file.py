"""What a program may write as scores, and what is said of what it may not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalmake.harnesses.measurements import read_measurement
from evalmake.harnesses.program_samples import ProgramSamples
from evalmake.harnesses.scores_file import read_scores
from evalmake.scoring.score import Score
from tests.support.evalfiles import PROGRAM
from tests.support.workspaces import Bench


def read(tmp_path: Path, text: str) -> tuple[Score, ...] | str:
    """The scores in a file with this text, or what is wrong with it."""
    path = tmp_path / "scores.json"
    path.write_text(text)
    found = read_scores(path, None)
    return found.error or found.scores


def test_scores_in_both_forms(tmp_path: Path) -> None:
    """A number alone, and a map with all that may be known."""
    assert read(tmp_path, '{"accuracy": 1, "f1": {"value": null, "unscored": 3}}') == (
        Score("accuracy", 1.0),
        Score("f1", None, unscored=3),
    )
    whole = {"value": 0.8, "stderr": 0.04, "low": 0.7, "high": 0.9, "n": 100, "unscored": 2, "clusters": 10}
    assert read(tmp_path, json.dumps({"scores": {"accuracy": whole}, "usage": {"requests": 5, "note": "x"}})) == (
        Score("accuracy", 0.8, 0.04, 0.7, 0.9, 100, 2, clusters=10),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"accuracy": -0.5}', "the score `accuracy` is -0.5: by its name it is a share, from 0 to 1 or from 0 to 100"),
        ('{"pass@1": {"value": 1e308}}', "the score `pass@1` is 1e+308: by its name it is a share"),
        ('{"accuracy": NaN}', "the score `accuracy` is NaN, not a number"),
        ('{"accuracy": 1e999}', "the score `accuracy` is Infinity, not a number"),
        ('{"accuracy": "0.8"}', 'the score `accuracy` is "0.8", not a number'),
        ('{"accuracy": true}', "the score `accuracy` is true, not a number"),
        ('{"accuracy": {"value": [1]}}', "the score `accuracy` is [1], not a number"),
        ('{"accuracy": {"value": 0.8, "stderr": NaN}}', "the stderr of the score `accuracy` is NaN, not a number"),
        ('{"accuracy": {"value": 0.8, "stderr": "0.1"}}', 'the stderr of the score `accuracy` is "0.1", not a number'),
        ('{"accuracy": {"value": 0.8, "stderr": -0.1}}', "the stderr of the score `accuracy` is -0.1, below 0"),
        (
            '{"accuracy": {"value": 0.8, "low": 0.9, "high": 0.7}}',
            "the low of the score `accuracy` is 0.9, above its high, 0.7",
        ),
        (
            '{"accuracy": {"value": 0.5, "low": 0.6, "high": 0.7}}',
            "the score `accuracy` is 0.5, outside its interval: 0.6 to 0.7",
        ),
        (
            '{"accuracy": {"value": 0.5, "high": 0.4}}',
            "the score `accuracy` is 0.5, outside its interval: null to 0.4",
        ),
        ('{" ": 0.5}', "the name of a score is not printable: ' '"),
        (
            '{"accuracy": {"value": 0.8, "n": 1000000000001}}',
            "`n` of the score `accuracy` is 1000000000001, not a count",
        ),
        ('{"accuracy": {"value": 0.8, "n": -5}}', "`n` of the score `accuracy` is -5, not a count"),
        ('{"accuracy": {"value": 0.8, "n": 0}}', "the score `accuracy` is 0.8, of 0 samples"),
        ('{"accuracy": {"value": 0.8, "n": 2.5}}', "`n` of the score `accuracy` is 2.5, not a count"),
        ('{"accuracy": {"value": 0.8, "scored": NaN}}', "`scored` of the score `accuracy` is NaN, not a count"),
        ('{"accuracy": {"value": 0.8, "unscored": -1}}', "`unscored` of the score `accuracy` is -1, not a count"),
        ('{"accuracy": {"value": 0.8, "n": true}}', "`n` of the score `accuracy` is true, not a count"),
        ('{"accuracy": {"value": 0.8, "n": 5, "clusters": 9}}', "the score `accuracy` has 9 clusters and 5 samples"),
        ('{"accuracy": 0.8, "usage": {"requests": NaN}}', "the usage `requests` is NaN, not a count"),
        ('{"accuracy": 0.8, "usage": {"requests": -1}}', "the usage `requests` is -1, not a count"),
        ('{"accuracy": 0.8, "accuracy": 0.9}', "scores.json is not JSON: the key `accuracy` occurs twice"),
        ("[" * 100_000, "scores.json is not JSON: it is nested too deeply"),
        ('{"accuracy": 1' + "0" * 5000 + "}", "scores.json is not JSON: a number in it has thousands of digits"),
        ('{"accuracy": 0.8, "usage": {"requests": 1' + "0" * 400 + "}}", "the usage `requests` is 1000"),
        (
            '{"accuracy": {"value": 0.8, "N": 9}}',
            "scores.json: the score `accuracy` has the unknown key `N`: did you mean `n`?",
        ),
        (
            '{"accuracy": {"value": 0.8, "std": 0.1}}',
            "scores.json: the score `accuracy` has the unknown key `std`: it may have value, stderr, low, high, n",
        ),
        ('{"scores": {"a": {"value": 1, "m": 1}}}', "scores.json: the score `a` has the unknown key `m`"),
        ('{"scores": {"a": 1}, "b": 2}', "scores.json: `b` stands beside `scores`"),
        (
            '{"accuracy": 0.8, "n": 9}',
            'scores.json: `n` is no score, but of one: write {"METRIC": {"value": ..., "n": 9}}',
        ),
        (
            '{"accuracy": {"value": 0.8, "scored": 7, "n": 9}}',
            "the score `accuracy` has `scored` 7 and `n` 9, which are the same",
        ),
        ("[0.8]", "scores.json is not an object of scores"),
        ("{}", "the harness reported no score"),
    ],
)
def test_what_is_no_score_is_named(tmp_path: Path, text: str, words: str) -> None:
    """The message names the record and the value."""
    found = read(tmp_path, text)
    assert isinstance(found, str)
    assert found.startswith(words)


@pytest.mark.timeout(60)  # it took hours
def test_a_key_that_occurs_twice_among_many(tmp_path: Path) -> None:
    """It is found in a moment, however many keys stand before it."""
    keys = "".join(f'"m{number}": 0.5, ' for number in range(200_000))
    assert read(tmp_path, f'{{{keys}"m0": 1}}') == "scores.json is not JSON: the key `m0` occurs twice"


def test_files_of_scores_have_limits(tmp_path: Path) -> None:
    """A program that writes too many scores or too much text fails, before either takes minutes and all memory."""
    scores = {f"m{number}": 0.5 for number in range(10_001)}
    assert read(tmp_path, json.dumps(scores)) == "the harness reported 10001 scores, and 10000 may be"
    for name, most, location in (
        ("scores.json", 64, None),
        ("all.json", 256, "all.json:accuracy"),
        ("junit.xml", 256, "junit.xml"),
    ):
        with (tmp_path / name).open("wb") as file:
            file.truncate((most << 20) + 1)
        told = read_measurement(tmp_path, location) if location else read_scores(tmp_path / name, None).error
        assert isinstance(told, str)
        assert told.endswith(f": it is larger than {most} MiB")


def test_a_byte_order_mark_is_no_part_of_the_scores(tmp_path: Path) -> None:
    """Editors and PowerShell write one, and data files may have it, too; other encodings are told."""
    path = tmp_path / "scores.json"
    path.write_text('{"accuracy": 0.8}', encoding="utf-8-sig")
    assert [score.value for score in read_scores(path, None).scores] == [0.8]
    path.write_text('{"accuracy": 0.8}', encoding="utf-16")
    assert read_scores(path, None).error == "scores.json is not JSON: it is not UTF-8 text"


def test_a_file_and_a_folder_in_place_of_each_other(tmp_path: Path) -> None:
    """A folder in place of the scores, and a file in place of the folder for outputs, are told in words."""
    (tmp_path / "scores.json").mkdir()
    assert read_scores(tmp_path / "scores.json", None).error == "scores.json is not JSON: it is a folder"
    assert read_measurement(tmp_path, "scores.json:a") == "scores.json is not JSON: it is a folder"
    (tmp_path / "out").touch()
    assert read_scores(tmp_path / "out" / "scores.json", None).error == "the harness wrote no scores.json"
    assert read_measurement(tmp_path / "out", "scores.json:a") == "the harness wrote no scores.json"


@pytest.mark.parametrize("metrics", [None, {"a": "scores.json:a"}])
def test_what_lies_in_place_of_the_scores_is_told(tmp_path: Path, metrics: dict[str, str] | None) -> None:
    """Samples are no score, and the working folder is not the one for outputs."""
    (out := tmp_path / "out").mkdir()
    missing = "the harness wrote no scores.json"
    assert _read_missing(out, metrics) == missing
    (out / "samples.jsonl").write_text("{}\n")
    assert _read_missing(out, metrics).startswith(f"{missing}, only samples.jsonl, which is no score: write the means")
    (tmp_path / "scores.json").write_text("{}")
    assert _read_missing(out, metrics) == f"{missing} into $EVALMAKE_OUT, but one into its working folder"


def _read_missing(out: Path, metrics: dict[str, str] | None) -> str:
    found = read_measurement(out, metrics["a"]) if metrics else read_scores(out / "scores.json", None).error
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"id": "2", "scores": {"accuracy": NaN}}', "s.jsonl:2: accuracy is NaN, not a number"),
        ('{"id": "2", "scores": {"accuracy": -1e999}}', "s.jsonl:2: accuracy is -Infinity, not a number"),
        (f'{{"id": "2", "scores": {{"accuracy": 1{"0" * 400}}}}}', "s.jsonl:2: accuracy is 1000"),
        ('{"id": "2", "scores": {"accuracy": "yes"}}', 's.jsonl:2: accuracy is "yes", not a number'),
        ('{"id": "2", "scores": {"accuracy": -1}}', "s.jsonl:2: accuracy is -1: by its name it is a share"),
        ('{"id": "2", "scores": {"accuracy": 83}}', ""),
        ('{"id": "2", "scores": {"accuracy": null}}', ""),
        ('{"id": "2", "scores": {"accuracy": true}}', ""),
        ('{"scores": 5}', ""),
        ("a note of its own", ""),
    ],
)
def test_a_sample_that_is_no_number_is_named(tmp_path: Path, line: str, words: str) -> None:
    """The message names the line of the file; a form of the program's own is left alone."""
    path = tmp_path / "s.jsonl"
    path.write_text('{"id": "1", "scores": {"accuracy": 1.0}}\n' + line + "\n")
    found = ProgramSamples.read(path).mistake
    assert found.startswith(words)
    assert bool(found) == bool(words)


def write_rows(tmp_path: Path, rows: list[dict[str, float | None]]) -> ProgramSamples:
    """Samples with these scores."""
    path = tmp_path / "s.jsonl"
    lines = [json.dumps({"id": str(number), "scores": row}) for number, row in enumerate(rows)]
    path.write_text("".join(f"{line}\n" for line in lines))
    return ProgramSamples.read(path)


@pytest.mark.parametrize(
    ("given", "rows", "counts"),
    [
        (Score("a", 0.9), [{"a": 1}, {"a": 0.5}, {}], (2, 1)),
        (Score("a", 0.9), [{"a": 1}, {"a": None}], (1, 1)),
        (Score("a", 0.0), [{}, {}], (0, 2)),
        (Score("bleu", 31.0), [{"a": 1}, {}], (0, 0)),
        (Score("a", 0.9, scored=1), [{"a": 1}, {}], (1, 1)),
        (Score("a", 0.9, scored=7), [{"a": 1}, {}], (7, 0)),
        (Score("a", 0.9), [], (0, 0)),
    ],
)
def test_rows_are_counted_where_the_program_counts_none(
    tmp_path: Path, given: Score, rows: list[dict[str, float | None]], counts: tuple[int, int]
) -> None:
    """Items without a score in the rows are unscored, unless the program counts otherwise or has another metric."""
    score = write_rows(tmp_path, rows).complete(given)
    assert (score.scored, score.unscored) == counts


@pytest.mark.parametrize(
    ("value", "mean"), [(0.67, 2 / 3), (0.6667, 2 / 3), (0.66, 0.66), (0.7, 0.7), (1.0, 1.0), (None, None)]
)
def test_a_rounded_mean_is_the_mean_of_the_rows(tmp_path: Path, value: float | None, mean: float | None) -> None:
    """A program may round its mean to two or more decimals; the items tell the rest."""
    assert write_rows(tmp_path, [{"a": 1}, {"a": 1}, {"a": 0}]).complete(Score("a", value)).value == mean


@pytest.mark.parametrize(
    ("given", "sentences"),
    [
        (Score("a", 2 / 3, scored=3), []),
        (Score("a", 0.9, scored=3), ["a is 0.9 by the program, and the mean of its samples is 0.667"]),
        (Score("a", 66.7, scored=3), ["a is 66.7 by the program, and the mean of its samples is 0.667"]),
        (Score("a", 2 / 3, scored=100), ["a has 100 samples by the program, and samples.jsonl has 3"]),
        (Score("bleu", 31.0, scored=9), []),
    ],
)
def test_scores_that_contradict_their_samples(tmp_path: Path, given: Score, sentences: list[str]) -> None:
    """A value or a count that is not that of the rows is told in a sentence each."""
    samples = write_rows(tmp_path, [{"a": 1}, {"a": 1}, {"a": 0}])
    assert list(samples.find_contradictions([given])) == sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ('{"id": "1", "scores": {"a": 1}}\n\n', []),
        ('{"id": "1", "scores": {"a": 1}}\n{"id": "2", "error": "HTTP 500"}\n', []),
        ("", ["samples.jsonl is empty"]),
        ("{bad\n", ["1 of 1 lines of samples.jsonl are no samples: line 1 is not JSON"]),
        ("1\n0\n", ["2 of 2 lines of samples.jsonl are no samples: line 1 is not an object"]),
        ('{"scores": {"a": 1}}\n', ["1 of 1 lines of samples.jsonl are no samples: line 1 has no `id`"]),
        (
            '{"id": "1", "a": 1}\n',
            [
                "1 of 1 lines of samples.jsonl are no samples:"
                ' line 1 has no `scores`: write {"id": ..., "scores": {...}}'
            ],
        ),
        ('{"id": "1", "scores": 1}\n', ["1 of 1 lines of samples.jsonl are no samples: line 1 has no map `scores`"]),
        (
            '{"id": "1", "scores": {"a": 1}}\n{torn',
            ["1 of 2 lines of samples.jsonl are no samples: line 2 is not JSON"],
        ),
        (
            '{"id": "1", "scores": {"acc": 1}}\n',
            ["no row of samples.jsonl has `a` in its `scores`, so it is not compared: they have acc"],
        ),
    ],
)
def test_samples_that_show_nothing_of_the_score_are_told(tmp_path: Path, text: str, sentences: list[str]) -> None:
    """Lines that are no samples are counted, with the first, and so are samples without the headline metric."""
    path = tmp_path / "s.jsonl"
    path.write_text(text)
    assert list(ProgramSamples.read(path).find_gaps("a")) == sentences
    assert list(ProgramSamples.read(tmp_path / "none").find_gaps("a")) == []


def test_a_torn_line_is_an_unscored_sample(bench: Bench) -> None:
    """A line among samples that is none counts against the coverage, and a note says which one it is."""
    bench.evalfile(PROGRAM.replace("harness = command", "harness = command\n    coverage = 90%"))
    bench.job("""
        echo '{"accuracy": 1}' > $EVALMAKE_OUT/scores.json
        printf '{"id": "1", "scores": {"accuracy": 1}}\\n{"id": "2", "sc' > $EVALMAKE_OUT/samples.jsonl
    """)
    ended = bench.run()
    assert ended.status != 0
    assert "1 of 2 samples" in ended.text, ended.text


def test_a_contradiction_stands_beside_the_score(bench: Bench) -> None:
    """The table has a note where the program's mean is not that of its samples."""
    bench.evalfile(PROGRAM)
    bench.job("""
        echo '{"accuracy": {"value": 0.9, "n": 2}}' > $EVALMAKE_OUT/scores.json
        for id in 1 2; do echo '{"id": "'$id'", "item": "'$id'", "scores": {"accuracy": 0.5}}'; done \\
            > $EVALMAKE_OUT/samples.jsonl
    """)
    ended = bench.run()
    assert "accuracy is 0.9 by the program, and the mean of its samples is 0.500" in ended.out, ended.text


def test_of_several_scores_none_is_the_headline(bench: Bench) -> None:
    """The order of keys names no headline: the benchmark does, and then the stored result is judged without a run."""
    bench.evalfile(PROGRAM)
    bench.job("""echo '{"loss": 0.3, "accuracy": 0.9}' > $EVALMAKE_OUT/scores.json""")
    ended = bench.run()
    assert ended.status == 2
    assert "none of its metrics stands for the others; it reported loss, accuracy" in ended.err
    assert "help: set the benchmark's `metric` to one of these" in ended.err
    bench.edit("harness = command", 'harness = command\n    metric = "accuracy"')
    ended = bench.run()
    assert ended.status == 0, ended.text
    assert len(bench.attempts()) == 1


def test_a_failed_evaluation_s_gate_is_listed(bench: Bench) -> None:
    """A program that counts NaN requests fails with one line, and its gate is not judged, with the reason."""
    bench.evalfile(PROGRAM)
    (bench.root / "job.sh").write_text(
        """echo '{"accuracy": 0.9, "usage": {"requests": NaN}}' > "$EVALMAKE_OUT/scores.json"\n"""
    )
    done = bench.run()
    assert done.status == 2
    assert "Traceback" not in done.err
    assert "the usage `requests` is NaN, not a count" in done.err
    assert "e: not judged: e has no result (failed: the usage `requests` is NaN, not a count)" in done.err
    assert "0 gates met, 1 not judged" in done.out
