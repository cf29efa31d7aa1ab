"""What a signer edited before signing, and let agree with everything else, is found and named all the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from evalmake.evidence import layout
from evalmake.evidence.material import StoredRecord
from evalmake.evidence.statements import AttemptEntry
from evalmake.evidence_checks.findings import State
from evalmake.harnesses.native.expected_request import RequestSettings
from evalmake.harnesses.native.expected_samples import AskedTask, recount
from evalmake.planner.action import ActionResult
from evalmake.store.records import record_from_text, record_to_text
from tests.evidence_checks.conftest import Made, failures
from tests.evidence_checks.false_signer import FalseSigner
from tests.support.workspaces import Bench

Signer = Callable[[Path], FalseSigner]
ONE = "grid/1"


@pytest.fixture
def signer(made: Made, evidence: Path) -> FalseSigner:
    """The owner of the evidence, who may edit it."""
    return FalseSigner.of(made, evidence)


def found(made: Made, signer: FalseSigner) -> dict[str, str]:
    """What does not hold of the evidence, signed again."""
    signer.sign()
    return failures(made.verify(signer.folder, "audit"))


def unchecked(made: Made, signer: FalseSigner) -> dict[str, str]:
    """What cannot be checked of the evidence, signed again; its status is then 1."""
    signer.sign()
    verified = made.verify(signer.folder, "audit")
    assert failures(verified) == {}
    assert verified.findings.status == 1
    return {
        one.subject: "; ".join((one.message, *one.details))
        for one in verified.findings.checks
        if one.state is State.UNCHECKED
    }


def test_nothing_is_found_where_nothing_was_edited(made: Made, signer: FalseSigner) -> None:
    """Evidence whose statements are made again from its own records, and signed again, holds."""
    for name in ("grid/1", "grid/2", "once"):
        signer.note_outputs(name)
    signer.sign()
    verified = made.verify(signer.folder, "audit")
    assert failures(verified) == {}
    assert verified.findings.status == 0


# Samples ------------------------------------------------------------------------------------------------


def test_a_native_result_has_samples(made: Made, signer: FalseSigner) -> None:
    """A record that never had samples is refused where its harness always leaves some."""
    (signer.place(ONE) / "outputs/samples.jsonl").unlink()
    signer.note_outputs(ONE)
    assert "grid/1: its record has no samples, which every result of `native` has" in found(made, signer)["samples"]


def test_a_program_need_not_leave_samples(made: Made, signer: FalseSigner) -> None:
    """A command may leave no samples: that is told, and no error."""
    (signer.place("once") / "outputs/samples.jsonl").unlink()
    signer.note_outputs("once")
    signer.sign()
    verified = made.verify(signer.folder, "audit")
    assert "samples" not in failures(verified)
    left_out = [one.message for one in verified.findings.checks if one.state is State.LEFT_OUT]
    assert "1 evaluation left no samples: once" in left_out


def adapt_scores(signer: FalseSigner, name: str) -> None:
    """Let scores.json, the record and the statement have the means of the samples that are left."""
    rows = [json.loads(line) for line in (signer.place(name) / "outputs/samples.jsonl").read_text().splitlines()]
    content = recount(
        AskedTask(Path(), RequestSettings("chat", "", {}, None), None), rows, "accuracy", has_checks=False
    )
    signer.change_output(name, "scores.json", lambda scores: scores.update(scores=content["scores"]))
    again = content["scores"]["accuracy"]
    signer.change_score(name, **{key: again[key] for key in ("value", "stderr", "low", "high", "scored", "unscored")})


def drop_wrong(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["scores"]["accuracy"] == 1.0]


def repeat_right(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    right = drop_wrong(rows)
    return [*right, *({**right[0], "index": 100 + at} for at in range(len(rows) - len(right)))]


@pytest.mark.parametrize("change", [drop_wrong, repeat_right])
def test_samples_are_those_of_the_data(
    made: Made, signer: FalseSigner, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> None:
    """Wrong samples that are dropped, or replaced by right ones, are missed: the data say which there must be."""
    signer.change_samples(ONE, change)
    adapt_scores(signer, ONE)
    wrong = found(made, signer)
    assert "scores" not in wrong
    assert "sample: none in the evidence, and asked for by the data" in wrong["data"]


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "target": lambda row: row.update(target=7777),
    "input": lambda row: row["input"].update(answer=7777),
    "request.messages": lambda row: row["request"]["messages"][0].update(content="What is 1 + 1?"),
    "request.temperature": lambda row: row["request"].update(temperature=0),
    "request.logit_bias": lambda row: row["request"].update(logit_bias={"7": 100}),
    "id": lambda row: row.update(id="another"),
    "weight": lambda row: row.update(weight=2.0),
}


@pytest.mark.parametrize("what", EDITS)
def test_each_sample_is_asked_as_the_data_say(made: Made, signer: FalseSigner, what: str) -> None:
    """A sample with another prompt, target, parameter or weight than the Evalfile and the data give is named."""

    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        EDITS[what](rows[2])
        return rows

    signer.change_samples(ONE, change)
    assert f"grid/1: sample 2: {what}: " in found(made, signer)["data"]


def test_data_that_are_withheld_are_named(made: Made, signer: FalseSigner) -> None:
    """Evidence that says to leave out nothing, and has no data file, is not checked as a whole, and says so."""
    (signer.folder / "sources/sums.jsonl").unlink()
    told = unchecked(made, signer)["data"]
    assert "sums.jsonl is not in the evidence, and nothing is said to be left out" in told


# Counts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "values"), [("scored", {"scored": 1200}), ("stderr", {"stderr": 0.001}), ("low", {"low": 0.5})]
)
def test_numbers_beside_a_score_are_counted_again(
    made: Made, signer: FalseSigner, what: str, values: dict[str, Any]
) -> None:
    """The number of samples, the standard error and the interval of a native score are those of its samples."""
    signer.change_output(ONE, "scores.json", lambda scores: scores["scores"]["accuracy"].update(values))
    signer.change_score(ONE, **values)
    assert f"grid/1: {what} of accuracy is " in found(made, signer)["counts"]


def test_numbers_of_a_program_are_those_of_its_file(made: Made, signer: FalseSigner) -> None:
    """The standard error of another program's score is the one in its own file."""
    signer.change_score("once", stderr=0.01)
    wrong = found(made, signer)["counts"]
    assert "once: stderr of accuracy is 0.01 on record, and none by its harness's own files" in wrong


def test_usage_is_counted_again(made: Made, signer: FalseSigner) -> None:
    """Usage that is not what the gateway and the samples count is named, and so is one that nothing counts."""
    usage = signer.records(ONE)[-1].usage
    signer.change_last(ONE, usage={**usage, "tokens_out": 1.0, "samples": 99.0, "invented": 3.0})
    wrong = found(made, signer)["counts"]
    for name in ("tokens_out", "samples", "invented"):
        assert f"its usage has {name} = " in wrong


def test_the_gateways_sums_are_those_of_its_requests(made: Made, signer: FalseSigner) -> None:
    """A sum of the gateway that was edited together with the record contradicts its list of requests."""
    signer.change_output(ONE, "gateway/usage.json", lambda usage: usage.update(tokens_out=1))
    signer.change_last(ONE, usage={**signer.records(ONE)[-1].usage, "tokens_out": 1})
    assert "the gateway of its model counts tokens_out = 1, and lists" in found(made, signer)["counts"]


def test_models_that_answered_are_those_of_the_gateway(made: Made, signer: FalseSigner) -> None:
    """The models that replied, on record, are those that the gateway saw."""
    facts = {**signer.records(ONE)[-1].facts, "models": '["much-better"]'}
    signer.change_last(ONE, facts=facts)
    assert 'grid/1: models is ["much-better"] on record, and ["d"] by its outputs' in found(made, signer)["counts"]


def test_a_record_of_another_evalmake_is_not_judged_by_this_one(made: Made, signer: FalseSigner) -> None:
    """What another version counted otherwise is unchecked, and never silently right."""
    signer.change_score(ONE, low=0.5)
    signer.change_output(ONE, "provenance/build.json", lambda build: build.update(evalmake="9.9.9"))
    told = unchecked(made, signer)["counts"]
    assert "evalmake 9.9.9 made the records" in told
    assert "low of accuracy is 0.5 on record" in told


# Attempts -----------------------------------------------------------------------------------------------


def hide_failure(records: list[ActionResult]) -> list[ActionResult]:
    return records[1:]


def test_a_renumbered_attempt_contradicts_its_job(made: Made, signer: FalseSigner) -> None:
    """A failed attempt that is dropped, while the others are numbered and chained anew, leaves its job's number."""
    shutil.rmtree(signer.place("once") / "attempts")
    signer.change_records("once", hide_failure)
    wrong = found(made, signer)
    assert "its job is" in wrong["records"]
    assert "it ran because of an attempt before it (failed), and there is none" in wrong["provenance"]


def test_times_follow_the_order_of_attempts(made: Made, signer: FalseSigner) -> None:
    """An attempt that says to have begun before the one before it ended, or to have ended first, is named."""
    signer.change_last("once", started="2020-01-01T00:00:00+00:00")
    assert "began before attempt 1 ended" in found(made, signer)["records"]
    signer.change_last("once", finished="2019-01-01T00:00:00+00:00")
    assert "it ended before it began" in found(made, signer)["records"]


def test_an_attempt_ends_after_its_build_began(made: Made, signer: FalseSigner) -> None:
    """A result that is dated back contradicts the build that ran it."""
    signer.change_last(ONE, started="2020-01-01T00:00:00+00:00", finished="2020-01-01T00:01:00+00:00")
    assert "it ended before its build began" in found(made, signer)["provenance"]


def test_provenance_is_that_of_the_record(made: Made, signer: FalseSigner) -> None:
    """Another executor, or a retry of an attempt that is not there, contradicts the record."""
    signer.change_output(
        ONE, "provenance/attempt.json", lambda attempt: attempt.update(executor={"name": "cluster"}, retry=1)
    )
    wrong = found(made, signer)["provenance"]
    assert "its executor is local on record, and cluster by its provenance" in wrong
    assert "it is retry 1 by its provenance, and there are 0 attempts before it" in wrong


def test_earlier_attempts_are_chained_too(made: Made, signer: FalseSigner) -> None:
    """An attempt by an earlier definition names the record before it, and a false one is found."""
    path = signer.place(ONE) / layout.EARLIER
    (line,) = path.read_text().splitlines()
    row = json.loads(line)
    record = record_from_text(row["action"], row["attempt"], line)

    def write(changed: ActionResult) -> None:
        path.write_text(record_to_text(changed) + "\n")
        entry = asdict(AttemptEntry.of(StoredRecord(changed, record_to_text(changed))))
        signer.state(path.parent / layout.EVALUATION, lambda said: said.update(earlierAttempts=[entry]))

    write(replace(record, previous=sha256(b"nothing").hexdigest()))
    assert "by an earlier definition, the record before attempt 1 was replaced" in found(made, signer)["records"]


def test_records_without_a_seal_cannot_follow_sealed_ones(made: Made, signer: FalseSigner) -> None:
    """The form of evalmake 0.1, whose records name none before them, is no way out of the chain."""
    path = signer.place("once") / layout.RECORDS
    first, second = path.read_text().splitlines()
    row = json.loads(second)
    for key in ("seal", "previous", "cause_kind"):
        row.pop(key)
    row["v"] = 1
    path.write_text(f"{first}\n{json.dumps(row, separators=(',', ':'), ensure_ascii=False)}\n")
    signer.restate("once")
    assert "without a seal" in found(made, signer)["records"]


# Statements and files -----------------------------------------------------------------------------------


STATED: dict[str, Callable[[dict[str, Any]], object]] = {
    "runDetails.metadata.finishedOn": lambda said: said["runDetails"]["metadata"].update(finishedOn="2020-01-01"),
    "runDetails.metadata.invocationId": lambda said: said["runDetails"]["metadata"].update(invocationId="x.1"),
    "buildDefinition.internalParameters.action": lambda said: said["buildDefinition"]["internalParameters"].update(
        action="xxh128:0"
    ),
    "buildDefinition.resolvedDependencies": lambda said: said["buildDefinition"].update(resolvedDependencies=[]),
    "reviewed": lambda said: said.update(reviewed="by nobody"),
    "expires": lambda said: said.update(expires="2999-01-01T00:00:00+00:00"),
}


@pytest.mark.parametrize("field", STATED)
def test_a_statement_is_made_again(made: Made, signer: FalseSigner, field: str) -> None:
    """A field of an evaluation's statement that the folder does not give, or that no statement has, is named."""
    signer.state(signer.place(ONE) / layout.EVALUATION, STATED[field])
    assert f"grid/1: its statement says {field}" in found(made, signer)["statements"]


BUILDS: dict[str, Callable[[dict[str, Any]], object]] = {
    "runDetails.metadata.startedOn": lambda said: said["runDetails"]["metadata"].update(startedOn="2020-01-01"),
    "evaluations[0].folder": lambda said: said["evaluations"][0].update(folder=said["evaluations"][1]["folder"]),
    "reviewed": lambda said: said.update(reviewed="by nobody"),
    "gates": lambda said: said["gates"][0].update(message="accuracy 0.999 >= 0.2"),
    "redacted": lambda said: said.update(redacted=["prompt"]),
    "expires": lambda said: said.update(expires="2999-01-01T00:00:00+00:00"),
}


@pytest.mark.parametrize("field", BUILDS)
def test_the_statement_of_the_build_is_made_again(made: Made, signer: FalseSigner, field: str) -> None:
    """A field of the build's statement that neither the folder nor the plan gives is found."""
    signer.state(signer.folder / layout.BUILD, BUILDS[field])
    signer.sign()
    assert failures(made.verify(signer.folder, "audit")) != {}


def test_no_name_stands_twice(made: Made, signer: FalseSigner) -> None:
    """An evaluation that the build names twice is named."""
    signer.state(signer.folder / layout.BUILD, lambda said: said["evaluations"].append(said["evaluations"][0]))
    assert "twice" in found(made, signer)["statements"]


def test_no_name_of_a_record_stands_twice(made: Made, signer: FalseSigner) -> None:
    """A record that tells a reader another end than the one that counts is none."""
    path = signer.place(ONE) / layout.RECORDS
    *others, last = path.read_text().splitlines()
    twice = '{"status": "failed", ' + last[1:]
    assert json.loads(twice) == json.loads(last)
    path.write_text("".join(f"{line}\n" for line in (*others, twice)))
    signer.sign()
    assert "`status` stands twice in one map" in found(made, signer)["records"]


@pytest.mark.parametrize("name", ["ADDENDUM.md", "evaluations/0001-grid-1/NOTE.md", "evaluations/more/x.txt"])
def test_no_other_file_is_evidence(made: Made, signer: FalseSigner, name: str) -> None:
    """A file that evalmake writes into no evidence is named, though it is signed."""
    path = signer.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("the results were confirmed by an independent lab\n")
    assert f"{name} was signed, and is no file of evidence" in found(made, signer)["statements"]


def test_texts_are_not_withheld_without_a_word(made: Made, hidden: Path) -> None:
    """Samples without texts in evidence that says to leave out nothing are named."""
    signer = FalseSigner.of(made, hidden)
    signer.state(hidden / layout.BUILD, lambda said: said.update(redacted=[]))
    wrong = found(made, signer)
    assert "its samples have no texts, and nothing is said to be left out" in wrong["samples"]


# What cannot be checked ---------------------------------------------------------------------------------


def test_an_evalfile_that_does_not_plan_hides_nothing(made: Made, signer: FalseSigner) -> None:
    """Where nothing can be planned, each check that rests on a plan says that it was not made."""
    (signer.folder / "sources/Evalfile").write_text("report {\n")
    inputs = json.loads((signer.folder / layout.INPUTS).read_text())
    inputs["files"]["Evalfile"] = sha256((signer.folder / "sources/Evalfile").read_bytes()).hexdigest()
    (signer.folder / layout.INPUTS).write_text(json.dumps(inputs))
    told = unchecked(made, signer)
    assert set(told) == {"plan", "data", "outputs", "counts", "replies", "report"}
    assert "report.md and report.json, gates and what is missing are not made again" in told["report"]


def claim_version(said: dict[str, Any]) -> None:
    said["runDetails"]["builder"]["version"]["evalmake"] = "9.9.9"


def test_another_version_excuses_no_report(made: Made, signer: FalseSigner) -> None:
    """A report that is edited while another version is named as its writer is unchecked, and the status is not 0."""
    for path in (signer.folder / layout.BUILD, *signer.folder.glob("evaluations/*/evaluation.json")):
        signer.state(path, claim_version)
    path = signer.folder / "report.md"
    path.write_text(path.read_text().replace("0.", "0.9", 1))
    told = unchecked(made, signer)["report"]
    assert "evalmake 9.9.9 wrote the reports" in told
    assert "report.md is not what evalmake writes of these records" in told


@pytest.mark.parametrize("version", ["\ud800", "1\x1b[2K", "9" * 5000])
def test_an_odd_version_is_shown_as_text(made: Made, signer: FalseSigner, version: str) -> None:
    """A version that no terminal can show ends no command in a traceback, as text or as JSON, which is still JSON."""
    for path in (signer.folder / layout.BUILD, *signer.folder.glob("evaluations/*/evaluation.json")):
        signer.state(path, lambda said: said["runDetails"]["builder"]["version"].update(evalmake=version))
    signer.change_output(ONE, "provenance/build.json", lambda build: build.update(evalmake=version))
    path = signer.folder / "report.md"
    path.write_text(path.read_text().replace("0.", "0.9", 1))
    signer.sign()
    bench, key = Bench(signer.folder.parent), str(made.bench.root / "audit.pub")
    for words in (("verify",), ("verify", "--json")):
        ended = bench.run(*words, "evidence", "--key", key)
        assert ended.status == 1, ended.text
        assert "\x1b" not in ended.text
    assert bench.run("audit", "evidence").status == 0
    told = bench.run("audit", "evidence", "--format", "json")
    assert told.status == 0, told.text
    shown = json.dumps(json.loads(told.out), ensure_ascii=False)
    assert version in shown or "\x1b" in version  # no command hands on what a terminal would obey
    assert bench.run("reproduce", "evidence", "--key", key, "--replay", "--json").status in (0, 1)
