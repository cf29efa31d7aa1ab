"""`evalmake audit` tells the story of a number; the stories here are of attempts that the tests write themselves."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from evalmake.store.acceptance import accept_result
from tests.support.audited_projects import BUILD, EVALFILE, FORCED, USAGE, Lab
from tests.support.projects import Project, check_golden

GOLDEN = Path(__file__).parent / "golden"
DIGEST = "sha256:{}"
MODE = b'["a",{"b":1,"c.d":"e"}]'


@pytest.fixture
def lab(project: Project) -> Lab:
    """A project without attempts."""
    return Lab(project)


def steady(text: str) -> str:
    """The text without what differs from run to run: digests of what holds a moment or a user, and those."""
    text = re.sub(r"(ecord: sha256:)[0-9a-f]{64}", r"\1...", text)
    return re.sub(
        r"\b(?!2026-12-01)\d{4}-\d\d-\d\d \d\d:\d\d:\d\d( +The result.*By )\S+ on [\w.-]+\.", r"NOW\1SOMEBODY.", text
    )


def eventful(lab: Lab) -> None:
    """A number with all that can happen to one."""
    lab.add(limit=5, status="failed", detail="exit status 3")
    lab.add(limit=5, status="cancelled")
    lab.add(limit=5, value=0.5)
    lab.add(limit=8, value=0.9, unscored=2)
    forced = {**BUILD, "forced": True, "because": "the server was restarted", "user": "bob"}
    lab.add(limit=8, value=0.65, reasons=FORCED, build=forced, facts={"user": "bob"})
    lab.accept("grid/1", 8, "two items more change nothing")


def test_an_uneventful_result_fits_a_screen(lab: Lab) -> None:
    """What was asked, who answered, how it was run, what was tried, what is required, and how to find it again."""
    lab.add()
    said = lab.audit("grid/1").stdout
    check_golden(GOLDEN / "audit-uneventful.txt", steady(said))
    assert len(said.splitlines()) <= 40


def test_an_eventful_result_tells_all_that_was_tried(lab: Lab) -> None:
    """Failed and cancelled attempts, earlier definitions, reruns with their reason, and who accepted what and why."""
    eventful(lab)
    check_golden(GOLDEN / "audit-eventful.txt", steady(lab.audit("grid/1").stdout))


def test_markdown_tells_the_same(lab: Lab) -> None:
    """With headings and lists."""
    eventful(lab)
    check_golden(GOLDEN / "audit-eventful.md", steady(lab.audit("grid/1", "--format", "markdown").stdout))


def test_several_are_summarized(lab: Lab) -> None:
    """First what all come to, then each group with the cells that were not simply run once."""
    for seed in (1, 2):
        lab.add(f"grid/{seed}", value=0.5 + seed / 10)
    lab.add("grid/2", value=0.75, reasons=FORCED)
    check_golden(GOLDEN / "audit-several.txt", steady(lab.audit("grid").stdout))
    markdown = lab.audit("grid", "--format", "markdown").stdout
    assert all(f"\n## grid/{seed}\n" in markdown for seed in (1, 2, 3))


def test_a_program_gets_every_fact(lab: Lab) -> None:
    """Attempts in the order of time, each with what changed by key, before and now, and its provenance."""
    eventful(lab)
    found = lab.story()
    assert [one["status"] for one in found["attempts"]] == [
        "failed",
        "cancelled",
        "succeeded",
        "succeeded",
        "succeeded",
        "succeeded",
    ]
    assert [[(c["path"], c["before"], c["now"]) for c in one["changes"]] for one in found["attempts"]] == [
        [],
        [],
        [],
        [("limit", "int:5", "int:8")],
        [],
        [("limit", "int:8", "int:10")],
    ]
    assert found["attempts"][4]["forced"] is True
    assert found["attempts"][4]["build"]["because"] == "the server was restarted"
    assert found["attempts"][5]["accepted_because"] == "two items more change nothing"
    assert found["made_by"] == [lab.action(limit=8).digest, 2]
    assert found["definition"]["cell"]["limit"] == "int:8"
    assert found["counts"] is True


def test_what_never_ran_says_so(lab: Lab) -> None:
    """There is no number; without targets, it is a mistake of the command line."""
    assert "It never ran, so there is no number." in lab.audit("grid/1").stdout
    assert "takes targets" in lab.audit(status=2).stderr
    lab.add(status="failed", detail="exit status 3")
    assert "none of its 1 attempt succeeded" in lab.audit("grid/1").stdout


def test_what_is_stale_says_what_its_result_is_of(lab: Lab) -> None:
    """The story is of the definition that was run, and says what has changed since."""
    lab.add(limit=5)
    said = lab.audit("grid/1").stdout
    assert "It does NOT count for what the Evalfile says now" in said
    assert "Changed since: limit: 5 -> 10." in said
    assert "with a limit of 5" in said


def test_parameters_stand_beside_what_was_sent(lab: Lab) -> None:
    """Only where the two differ: another value, one that nothing declares, one that was in no request."""
    sent = {"temperature": {"0.5": 4, "0": 3}, "top_p": {"0.9": 7}}
    lab.add(usage={**USAGE, "parameters": sent})
    said = lab.audit("grid/1").stdout
    assert "NOT sent as declared: temperature is 0.5 in the Evalfile, and 0.5 (4 requests), 0 (3 requests)." in said
    assert "NOT sent as declared: max_tokens is 100 in the Evalfile, and was in no request." in said
    assert "Sent, though the Evalfile does not declare it: top_p 0.9 (7 requests)." in said


@pytest.mark.parametrize(
    ("declared", "sent", "differs"),
    [
        ("temperature = 1", {"temperature": {"1.0": 1}}, False),
        ('stop = ["a", "b"]', {"stop": {'["a", "b"]': 1}}, False),
        ('stop = ["a", "b"]', {"stop": {'["a"]': 1}}, True),
        (
            "chat_template_kwargs = { enable_thinking = false }",
            {"chat_template_kwargs": {'{"enable_thinking":false}': 1}},
            False,
        ),
        ('mode = "deep"', {"mode": {'"deep"': 1}}, False),
        ('mode = "deep"', {"mode": {'"flat"': 1}}, True),
        ('mode = "deep"', {"mode": {DIGEST.format(sha256(b"deep").hexdigest()): 1}}, False),
        ('mode = "deep"', {"mode": {DIGEST.format(sha256(b"flat").hexdigest()): 1}}, True),
        ('mode = ["a", { b = 1, c.d = "e" }]', {"mode": {DIGEST.format(sha256(MODE).hexdigest()): 1}}, False),
        ("max_tokens = 5", {"max_completion_tokens": {"5": 1}}, False),
        ("flag = true", {"flag": {"1": 1}}, True),
        ("temperature = 1", {"temperature": {"1": 1}, "seed": {"1": 1}}, False),
        ("temperature = 1", {"temperature": {"1": 1}, "seed": {"7": 1}}, True),
        ("temperature = 1", {"temperature": {"1": 2}, "seed": {"1": 1, "1000004": 1}}, False),
    ],
)
def test_values_are_compared_as_values(
    project: Project, declared: str, sent: dict[str, dict[str, int]], differs: bool
) -> None:
    """1 is 1.0, a map is what its keys say, and the seed is declared by the cell."""
    lab = Lab(project, EVALFILE.replace("temperature = 0.5, max_tokens = 100", declared))
    lab.add(usage={"parameters": sent})
    assert any(one["differs"] for one in lab.story()["parameters"]) is differs


def test_what_is_not_recorded_is_said_to_be_so(lab: Lab) -> None:
    """Of an attempt without provenance nothing is guessed, and it is known when evalmake 0.1 wrote it."""
    lab.add(build=None, usage=None)
    lab.add(build=None, usage=None)
    said = lab.audit("grid/1").stdout
    for absent in ("evalmake's version are", "How many requests were sent is", "Which model answered is"):
        assert f"{absent} not recorded." in said
    assert "why it ran again is not recorded" in said
    with closing(sqlite3.connect(lab.project.root / ".evalmake/store/cache.db")) as database, database:
        rows = database.execute("SELECT key, value FROM Cache WHERE tag IN ('record', 'head')").fetchall()
        for key, text in rows:
            value = json.loads(text)
            old = (
                {**{k: v for k, v in value.items() if k != "seal"}, "v": 1}
                if isinstance(value, dict)
                else [1, *value[1:-1]]
            )
            database.execute("UPDATE Cache SET value = ? WHERE key = ?", (json.dumps(old), key))
    assert "evalmake's version are not recorded: evalmake 0.1 wrote this result." in lab.audit("grid/1").stdout


def test_samples_without_a_score_have_their_reasons(lab: Lab) -> None:
    """Each reason, and how many samples it is of."""
    rows = [{"id": str(at), "scores": {"accuracy": 1}} for at in range(7)]
    rows += [{"id": "7", "error": "HTTP 503: busy"}, {"id": "8", "error": "HTTP 503: busy"}, {"id": "9", "scores": {}}]
    samples = "".join(json.dumps(row) + "\n" for row in rows)
    lab.add(unscored=3, value=1.0, files={"samples.jsonl": samples.encode()})
    told = "NOT scored: 3 of 10 samples: HTTP 503: busy (2 samples), left unscored by the scorer (1 sample)."
    assert told in lab.audit("grid/1").stdout


def test_requests_that_failed_are_told(lab: Lab) -> None:
    """Also those that the server refused, with their statuses: a score may rest on the rest."""
    lab.add(usage={**USAGE, "statuses": {"200": 6, "503": 3, "400": 1}, "failed": 3})
    told = "10 in all, 7 asked of the model, 3 answered from the reply cache; 2 sent again; 4 ended in an error"
    assert f"{told} (HTTP status 503: 3, 400: 1)." in lab.audit("grid/1").stdout


def test_a_result_without_requests_says_so(lab: Lab) -> None:
    """Where nothing reached the gateway this is known, and it is told once."""
    lab.add(usage=None, counts={"requests": 0})
    said = lab.audit("grid/1").stdout
    assert "No model answered: no request reached the gateway." in said
    assert "not recorded" not in said
    assert said.count("no request") == 1


def test_text_of_others_forges_no_line(lab: Lab) -> None:
    """Control characters are not printed, and a line break in an error begins no line of its own."""
    lab.add(status="failed", detail="exit\x1b[31m\nWhat is required\n  All is well.")
    lab.add(usage={**USAGE, "models": {"evil\n\x9bmodel](http://x)": 1}})
    for form in ("text", "markdown"):
        said = lab.audit("grid/1", "--format", form).stdout
        assert "\x1b" not in said
        assert "\x9b" not in said
        assert len(re.findall(r"^#* ?What is required", said, re.M)) == 1
    assert "](http" not in said.replace("\\](http", "")


def test_damage_is_told(lab: Lab) -> None:
    """A record or an output that is damaged is named, and all else is told."""
    lab.add(limit=5, status="failed", detail="exit status 3")
    lab.add(files={"provenance/build.json": b"[]"})
    with closing(sqlite3.connect(lab.project.root / ".evalmake/store/cache.db")) as database, database:
        key = f"record/{lab.action(limit=5).digest}/1"
        database.execute("UPDATE Cache SET value = replace(value, 'exit', 'exut') WHERE key = ?", (key,))
    said = lab.audit("grid/1").stdout
    assert "Take care: 1 record in the store cannot be read, because of damage: of what cell is not known." in said
    assert "Take care: provenance/build.json is not what evalmake writes." in said
    assert "The number is accuracy 0.700" in said
    with closing(sqlite3.connect(lab.project.root / ".evalmake/store/cache.db")) as database, database:
        key = f"record/{lab.action().digest}/1"
        database.execute("UPDATE Cache SET value = replace(value, '0.7', '0.9') WHERE key = ?", (key,))
    said = lab.audit("grid/1").stdout
    assert "1 record of this cell cannot be read, because of damage" in said
    assert "0.9" not in said


def test_a_lost_attempt_is_missed(lab: Lab) -> None:
    """Attempts are numbered, so one that was taken out of the store leaves a gap."""
    lab.add(status="failed", detail="too low")
    lab.add()
    with closing(sqlite3.connect(lab.project.root / ".evalmake/store/cache.db")) as database, database:
        database.execute("DELETE FROM Cache WHERE key = ?", (f"record/{lab.action().digest}/1",))
    assert "Take care: attempt 1 of the action xxh128:" in lab.audit("grid/1").stdout


def test_other_names_are_pointed_out(lab: Lab) -> None:
    """Attempts of another Evalfile are not told, and those under a name that is gone are pointed to."""
    lab.add("grid/3")
    lab.project.write("Evalfile", EVALFILE.replace("1..3", "1..2"))
    lab.add(facts={"evalfile": "../other/Evalfile"}, limit=3)
    lab.add()
    said = lab.audit("grid/1").stdout
    assert "names that the Evalfile no longer has: grid/3" in said
    assert "another Evalfile has 1 attempt of a cell of this name" in said
    assert len(lab.story()["attempts"]) == 1


def test_an_attempt_of_another_name_is_told_once(lab: Lab) -> None:
    """Two evals that ask the same share an attempt, whichever of them ran it."""
    lab.add()
    lab.project.write("Evalfile", EVALFILE + "eval same from grid {}\n")
    assert "It ran as grid/1." in lab.audit("same/1").stdout


def test_no_record_of_a_report_is_left_out(lab: Lab) -> None:
    """A report stands for the evaluations that it shows."""
    lab.add()
    lab.project.write("Evalfile", EVALFILE + 'report card { of = [grid], path = "card.md" }\n')
    [group] = json.loads(lab.audit("card", "--format", "json").stdout)["groups"]
    assert [one["name"] for one in group["evaluations"]] == ["grid/1", "grid/2", "grid/3"]


def test_an_acceptance_has_its_time(lab: Lab) -> None:
    """It is told after what was tried before it, though its record has the times of the attempt."""
    lab.add(limit=8)
    lab.add(limit=5, status="failed", detail="exit status 3")
    lab.accept("grid/1", 8, "good enough")
    assert [one["accepted_because"] for one in lab.story()["attempts"]] == [None, None, "good enough"]


def test_what_is_of_two_acceptances_is_traced(lab: Lab) -> None:
    """A result that was accepted for one definition, and from there for another, is of the first one."""
    lab.add(limit=5)
    with lab.store as store:
        first = store.history(lab.action(limit=5).digest)
        assert first is not None
        second = accept_result(store, "grid/1", lab.action(limit=8), first, "once")
        accept_result(store, "grid/1", lab.action(), replace(second), "twice")
    found = lab.story()
    assert found["made_by"] == [lab.action(limit=5).digest, 1]
    assert found["definition"]["cell"]["limit"] == "int:5"
