"""Signed plans: reviewers sign one after another, and a build that demands signatures runs nothing else."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest

from evalmake.planner.signed_plan import PAYLOAD_TYPE
from evalmake.signatures.envelope import open_envelope, seal_envelope
from evalmake.signatures.keys import parse_public_key, read_private_key
from tests.planner.test_saved_plan import EVALFILE
from tests.support.keys import pem_of
from tests.support.projects import Project

KEYS = [parse_public_key(pem_of(seed)[1], "") for seed in (1, 2, 3)]
REQUIRED = ("--plan", "plan.json", "--require-signature")


@pytest.fixture
def keyed(project: Project) -> Project:
    """A project with three key pairs."""
    project.write("Evalfile", EVALFILE)
    for seed in (1, 2, 3):
        private, public = pem_of(seed)
        project.write(f"{seed}.key", private)
        project.write(f"{seed}.pub", public)
    return project


def signed(project: Project, *seeds: int) -> bytes:
    """The bytes of a plan that these keys have signed."""
    project.run("-n", "-o", "plan.json", *(word for seed in seeds for word in ("--sign", f"{seed}.key")))
    return (project.root / "plan.json").read_bytes()


def test_a_signed_plan_is_run(keyed: Project) -> None:
    """The signatures are an envelope of the plan's very bytes, and every key that is asked for must be there."""
    data = signed(keyed, 1, 2)
    found = open_envelope((keyed.root / "plan.json.sig.json").read_bytes(), KEYS)
    assert (found.payload, found.payload_type) == (data, "application/vnd.evalmake.plan+json")
    assert set(found.valid) == {KEYS[0].key_id, KEYS[1].key_id}
    refused = keyed.run(*REQUIRED, "--key", "1.pub", "--key", "3.pub", status=2)
    assert "plan.json is not signed by every key that must have signed it [bad-signature]" in refused.stderr
    assert f"note: 3.pub ({KEYS[2].key_id}) has not signed it" in refused.stderr
    assert keyed.run("-q", status=1)
    assert "1 ran" in keyed.run(*REQUIRED, "--key", "2.pub", "--key", "1.pub").stdout


def test_what_ran_says_who_signed_its_plan(keyed: Project) -> None:
    """The provenance of an attempt has the plan's digest, and the keys whose signatures were demanded."""
    plan = json.loads(signed(keyed, 1, 2))
    keyed.run(*REQUIRED, "--key", "2.pub")
    keyed.run("outputs", "e", "--copy", "kept")
    (path,) = (keyed.root / "kept").rglob("provenance/build.json")
    build = json.loads(path.read_text())
    assert build["plan"] == plan["digest"]
    assert build["plan_signed_by"] == [KEYS[1].key_id]


MOVES = [
    ("env = { LD_PRELOAD = '/tmp/evil.so' }", "e: executor.env.LD_PRELOAD: (none) -> /tmp/evil.so"),
    ('env = { TOKEN = secret("EVIL") }', "e: executor.env.TOKEN.secret: (none) -> EVIL"),
    ("gpus = 2", "e: executor.gpus: (none) -> 2"),
]


@pytest.mark.parametrize(("line", "told"), MOVES)
def test_executors_are_signed(keyed: Project, line: str, told: str) -> None:
    """A setting of an executor that is added after signing is refused by its name; unsigned, a plan lets it differ."""
    executor = "executor local {\n    backend = process\n    LINE\n}\n"
    keyed.write("Evalfile", EVALFILE + executor.replace("LINE", ""))
    data = signed(keyed, 1)
    keyed.write("Evalfile", EVALFILE + executor.replace("LINE", line))
    refused = keyed.run("-n", *REQUIRED, "--key", "1.pub", status=2)
    assert "the plan has changed since plan.json was saved [plan-moved]" in refused.stderr
    assert told in refused.stderr
    keyed.run("-q", "--plan", "plan.json", status=1)
    assert b"EVIL" not in data


def test_the_executor_itself_is_signed(keyed: Project) -> None:
    """Another executor of the evaluation is refused as well."""
    more = "executor other {\n    backend = process\n    env = { A = '1' }\n}\n"
    keyed.write("Evalfile", EVALFILE + more)
    signed(keyed, 1)
    text = EVALFILE.replace("benchmark = b", "benchmark = b\n    executor = other", 1)
    assert text != EVALFILE
    keyed.write("Evalfile", text + more)
    refused = keyed.run("-n", *REQUIRED, "--key", "1.pub", status=2)
    assert "e: executor.env.A: (none) -> 1" in refused.stderr


WITH_JUDGE = """
deployment d {
    engine = mock
}
model m { deployment = d }
model j { endpoint = "http://127.0.0.1:9/v1", name = "j" }
benchmark b {
    harness = native
    files   = file("data.jsonl")
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = judge
    judge   = j
}
eval e { model = m, benchmark = b }
"""
MOVES_OF_OTHERS = [
    ("engine = mock", 'engine = mock\n env = { A = secret("S") }', "e: deployment d.env.A.secret: (none) -> S"),
    ("harness = native", 'harness = native\n env = { A = secret("S") }', "e: benchmark.env.A.secret: (none) -> S"),
    ('name = "j"', 'name = "j", api_key = secret("S")', "e: model j.api_key.secret: (none) -> S"),
    ('name = "j"', 'name = "j", headers = { A = secret("S") }', "e: model j.headers.A.secret: (none) -> S"),
    ('name = "j"', 'name = "j", verify = false', "e: model j.verify: (none) -> false"),
    ("deployment = d }", 'deployment = d, ca = file("data.jsonl") }', "e: model m.ca.sha256: (none) -> sha256:"),
    ("\nmodel m", '\nsettings { seeds = ["other"] }\nmodel m', "e: settings.seeds[0]: (none) -> other"),
]


@pytest.mark.parametrize(("before", "after", "told"), MOVES_OF_OTHERS)
def test_what_else_no_identity_has_is_signed(keyed: Project, before: str, after: str, told: str) -> None:
    """Secrets of servers, benchmarks and models, whom a model's gateway trusts, and foreign replies are signed."""
    keyed.write("data.jsonl", '{"question": "1+1", "answer": "2"}\n')
    keyed.write("other/cache.db", "")
    keyed.write("Evalfile", WITH_JUDGE)
    signed(keyed, 1)
    assert WITH_JUDGE.count(before) == 1
    keyed.write("Evalfile", WITH_JUDGE.replace(before, after))
    refused = keyed.run("-n", *REQUIRED, "--key", "1.pub", status=2)
    assert told in refused.stderr
    assert refused.stderr.count("note: ") == 1
    keyed.run("-q", "--plan", "plan.json", status=1)


def to_version_2(project: Project) -> None:
    """Make of the plan what a version of evalmake that knew no part of executors has saved."""
    path = project.root / "plan.json"
    plan = json.loads(path.read_text())
    for entry in plan["evaluations"]:
        del entry["parts"]["execution"]
    path.write_text(json.dumps(plan | {"v": 2}))


def test_a_plan_of_before_is_followed_and_not_signed(keyed: Project) -> None:
    """A plan without executors is followed as ever; signatures of it are refused, old and new, and it is said why."""
    signed(keyed, 1)
    to_version_2(keyed)
    keyed.run("-q", "--plan", "plan.json", status=1)
    told = "plan.json does not cover executors, and neither would a signature of it [bad-plan]"
    refused = keyed.run("key", "sign", "plan.json", "--key", "1.key", status=2)
    assert told in refused.stderr
    data = (keyed.root / "plan.json").read_bytes()
    signer = read_private_key(pem_of(1)[0], "")
    (keyed.root / "plan.json.sig.json").write_bytes(seal_envelope(PAYLOAD_TYPE, data, [signer]))
    refused = keyed.run(*REQUIRED, "--key", "1.pub", status=2)
    assert told in refused.stderr
    assert "save and sign it again: evalmake -n -o plan.json --sign FILE.key" in refused.stderr


def test_executors_cannot_be_taken_out(keyed: Project) -> None:
    """A plan of this version whose evaluations have no executors is none."""
    signed(keyed, 1)
    to_version_2(keyed)
    path = keyed.root / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"v": 3}))
    refused = keyed.run("key", "sign", "plan.json", "--key", "1.key", status=2)
    assert "the parts of e are not those of its action" in refused.stderr


def test_no_name_of_a_plan_stands_twice(keyed: Project) -> None:
    """Of a name that stands twice in a map, readers may see another value than the one that counts."""
    signed(keyed, 1)
    path = keyed.root / "plan.json"
    path.write_text(path.read_text().replace('"v": 3', '"v": 1, "v": 3', 1))
    refused = keyed.run("key", "sign", "plan.json", "--key", "1.key", status=2)
    assert "`v` stands twice in one map" in refused.stderr


def test_reviewers_sign_one_after_another(keyed: Project) -> None:
    """`key sign` and `-n -o --sign` add to the signatures of the same plan, without a change of the plan."""
    data = signed(keyed, 1)
    said = keyed.run("key", "sign", "plan.json", "--key", "2.key").stdout
    assert said.splitlines()[0].startswith("plan.json.sig.json: plan sha256:")
    assert {line for line in said.splitlines()[1:]} == {f"signed by {key.key_id}" for key in KEYS[:2]}
    keyed.run("-n", "-o", "plan.json", "--sign", "secret:THIRD", env={"THIRD": pem_of(3)[0]})
    assert (keyed.root / "plan.json").read_bytes() == data
    keyed.run("-n", *REQUIRED, *(word for seed in (1, 2, 3) for word in ("--key", f"{seed}.pub")))


def test_signatures_of_another_plan_are_replaced(keyed: Project) -> None:
    """Who signs a plan that was saved anew does not vouch for others who signed the plan before."""
    signed(keyed, 1)
    keyed.run("-n", "-o", "plan.json", "LIMIT=2")
    refused = keyed.run("-n", *REQUIRED, "--key", "1.pub", status=2).stderr
    assert "plan.json is not what was signed [bad-signature]" in refused
    keyed.run("key", "sign", "plan.json", "--key", "2.key")
    assert "1.pub" in keyed.run("-n", *REQUIRED, "--key", "1.pub", status=2).stderr
    keyed.run("-n", *REQUIRED, "--key", "2.pub")


def test_what_is_not_as_it_was_signed_is_refused(keyed: Project) -> None:
    """Any changed byte, no signature, or one of something else: nothing runs."""
    data = signed(keyed, 1)
    plan, signature = keyed.root / "plan.json", keyed.root / "plan.json.sig.json"
    sealed = signature.read_bytes()
    signer = read_private_key(pem_of(1)[0], "")
    forged = read_private_key(pem_of(2)[0], "").sign(b"")
    other_name = json.loads(seal_envelope(PAYLOAD_TYPE, data, [signer]))
    other_name["signatures"][0]["sig"] = b64encode(forged).decode()
    trials = {
        "is not what was signed": (data + b"\n", sealed),
        "plan.json is not what was signed": (data.replace(b'"run": true', b'"run":  true'), sealed),
        "its text is not canonical": (data, sealed + b"\n"),
        "it is not JSON": (data, sealed[:-5]),
        "it holds `text/plain`": (data, seal_envelope("text/plain", data, [signer])),
        "its signature is invalid": (data, json.dumps(other_name, separators=(",", ":")).encode() + b"\n"),
        "there is no plan.json.sig.json": (data, None),
    }
    for words, (changed, envelope) in trials.items():
        plan.write_bytes(changed)
        signature.unlink(missing_ok=True)
        if envelope is not None:
            signature.write_bytes(envelope)
        for flags in ((), ("-n",), ("-q",)):
            refused = keyed.run(*flags, *REQUIRED, "--key", "1.pub", status=2).stderr
            assert "[bad-signature]" in refused
            assert words in refused
    assert not (keyed.root / ".evalmake" / "store" / "cache.db").exists()


def test_a_file_that_is_no_signature_is_not_replaced(keyed: Project) -> None:
    """Signing refuses to write over a file that holds something else."""
    keyed.write("plan.json.sig.json", "my notes")
    said = keyed.run("-n", "-o", "plan.json", "--sign", "1.key", status=2).stderr
    assert "plan.json.sig.json is no signature of a plan [bad-signature]" in said
    assert (keyed.root / "plan.json.sig.json").read_text() == "my notes"


def test_a_key_that_cannot_be_used_ends_before_anything(keyed: Project) -> None:
    """A public key does not sign, a private one does not verify, and an unset secret is told; no plan is written."""
    for words, code in (("1.pub", "bad-key"), ("missing", "bad-key"), ("secret:UNSET_KEY", "missing-secret")):
        assert f"[{code}]" in keyed.run("-n", "-o", "new.json", "--sign", words, status=2).stderr
    assert not (keyed.root / "new.json").exists()
    signed(keyed, 1)
    assert "[bad-key]" in keyed.run(*REQUIRED, "--key", "1.key", status=2).stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--sign", "1.key"),
        ("-n", "--sign", "1.key"),
        ("--require-signature",),
        REQUIRED,
        ("--require-signature", "--key", "1.pub"),
        ("--plan", "plan.json", "--key", "1.pub"),
        ("--key", "1.pub"),
    ],
    ids=" ".join,
)
def test_flags_without_effect_are_refused(keyed: Project, words: tuple[str, ...]) -> None:
    """A signature that would not be made or not be checked is an error of usage."""
    signed(keyed, 1)
    assert "[usage]" in keyed.run(*words, status=2).stderr


def test_only_a_plan_is_signed(keyed: Project) -> None:
    """`key sign` refuses a file that is no plan, and needs a key."""
    keyed.write("notes.json", "{}")
    assert "[bad-plan]" in keyed.run("key", "sign", "notes.json", "--key", "1.key", status=2).stderr
    assert not Path(keyed.root / "notes.json.sig.json").exists()
    assert "[usage]" in keyed.run("key", "sign", "plan.json", status=2).stderr
