"""Reports with `sign`: a signature beside the file that others verify, written again whenever it is not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from evalmake.signatures.envelope import open_envelope
from evalmake.signatures.keys import parse_public_key
from tests.support.keys import foreign_private_keys, pem_of
from tests.support.projects import Project

EVALFILE = """
model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }

benchmark b {
    harness = command
    run     = "SCRIPT"
}

eval e { model = m, benchmark = b }

report r {
    of   = [e]
    path = "out/r.md"
    sign = KEYS
}
"""
SCORE = r"""echo '{\"a\": 1}' > $EVALMAKE_OUT/scores.json"""
KEYS = [parse_public_key(pem_of(seed)[1], "") for seed in (1, 2)]
BOTH = '[secret("AUDIT_KEY"), file("second.key")]'
ENV = {"AUDIT_KEY": pem_of(1)[0]}


@pytest.fixture
def keyed(project: Project) -> Project:
    """A project whose report is signed by a secret and by a file."""
    declare(project, BOTH)
    project.write("second.key", pem_of(2)[0])
    return project


def declare(project: Project, keys: str, script: str = SCORE) -> None:
    """Write the Evalfile with these keys."""
    project.write("Evalfile", EVALFILE.replace("KEYS", keys).replace("SCRIPT", script))


@pytest.mark.parametrize("form", ["md", "json"])
def test_a_report_is_signed(keyed: Project, form: str) -> None:
    """The envelope holds a Statement whose only subject is the file, signed by both keys."""
    text = (keyed.root / "Evalfile").read_text()
    keyed.write("Evalfile", text.replace('r.md"', f'r.{form}", format = {"json" if form == "json" else "markdown"}'))
    keyed.run(env=ENV)
    report = keyed.root / "out" / f"r.{form}"
    found = open_envelope(report.with_name(f"r.{form}.sig.json").read_bytes(), KEYS)
    assert set(found.valid) == {key.key_id for key in KEYS}
    assert found.payload_type == "application/vnd.in-toto+json"
    statement = json.loads(found.payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "urn:evalmake:report:v1"
    digest = sha256(report.read_bytes()).hexdigest()
    assert statement["subject"] == [{"name": f"r.{form}", "digest": {"sha256": digest}}]
    assert statement["predicate"]["plan"].startswith("sha256:")
    assert set(statement["predicate"]) == {"plan", "evalmake"}


def test_a_signature_that_is_gone_or_changed_is_written_again(keyed: Project) -> None:
    """A report is up to date only with the signature that was written, and with the keys that are declared."""
    keyed.run(env=ENV)
    signature = keyed.root / "out" / "r.md.sig.json"
    sealed = signature.read_bytes()
    for _ in range(2):
        assert "nothing to do" in keyed.run(env=ENV).stdout
    signature.unlink()
    assert "out/r.md.sig.json is missing" in keyed.run("-n", env=ENV).stdout
    keyed.run(env=ENV)
    signature.write_bytes(sealed + b" ")
    assert "out/r.md.sig.json was changed after evalmake wrote it" in keyed.run("-n", env=ENV).stdout
    keyed.run(env=ENV)
    assert len(open_envelope(signature.read_bytes(), KEYS).valid) == 2
    keyed.write("second.key", pem_of(3)[0])
    keyed.run(env=ENV)
    assert len(open_envelope(signature.read_bytes(), KEYS).unknown) == 1
    declare(keyed, 'secret("AUDIT_KEY")')
    keyed.run(env=ENV)
    assert open_envelope(signature.read_bytes(), KEYS).valid == (KEYS[0].key_id,)


def test_no_key_is_needed_where_nothing_is_written(keyed: Project) -> None:
    """A report that is up to date asks for no key."""
    keyed.run(env=ENV)
    assert "nothing to do" in keyed.run("-v").stdout + keyed.run().stdout


def test_keys_are_checked_before_anything_runs(keyed: Project) -> None:
    """A missing secret ends a build, and is a note of `-n`; what is no private key is an error of both."""
    assert "AUDIT_KEY" in keyed.run("-n").stdout
    missing = keyed.run(status=2).stderr
    assert "the secret `AUDIT_KEY` is neither in the environment nor in the keyring [missing-secret]" in missing
    assert 'export AUDIT_KEY="$(cat FILE.key)"' in missing
    for words, text in foreign_private_keys().items():
        if text:
            for flags in (("-n",), ()):
                refused = keyed.run(*flags, env={"AUDIT_KEY": text}, status=2).stderr
                assert "the secret `AUDIT_KEY` is no private key that evalmake can use [bad-key]" in refused
                assert " --> Evalfile:" in refused
                assert words in refused
    keyed.write("second.key", pem_of(2)[1])
    refused = keyed.run("-n", env=ENV, status=2).stderr
    assert "second.key is no private key that evalmake can use [bad-key]" in refused
    assert "it is a public key" in refused
    assert not (keyed.root / "out").exists()


def test_other_values_are_no_keys(keyed: Project) -> None:
    """`sign` takes secrets and single files, alone or in a list."""
    for keys in ('"audit.key"', "5", '["second.key"]', 'glob("*.key")', '{ a = secret("K") }'):
        declare(keyed, keys)
        refused = keyed.run("-n", status=2).stderr
        assert "`secret(...)`, `file(...)` or a list of them" in refused
        assert "[wrong-type]" in refused


def test_jobs_do_not_see_a_signing_secret(keyed: Project) -> None:
    """The secret is not in a job's environment, and a log that holds it holds its name instead."""
    declare(keyed, BOTH, f"env > $EVALMAKE_OUT/env.txt; cat ../../../leak.txt; {SCORE}")
    keyed.write("leak.txt", pem_of(1)[0])
    argv, env = [sys.executable, "-m", "evalmake"], os.environ | ENV
    done = subprocess.run(argv, cwd=keyed.root, env=env, capture_output=True, text=True, check=True)
    assert "1 ran" in done.stdout
    assert "[secret AUDIT_KEY]" in keyed.run("logs", "e").stdout
    core = pem_of(1)[0].splitlines()[1].encode()
    for path in _files(keyed.root / ".evalmake"):
        assert core not in path.read_bytes()


def _files(folder: Path) -> list[Path]:
    return [Path(at) / name for at, _, names in os.walk(folder) for name in names]


def test_a_key_of_the_project_is_copied_nowhere(keyed: Project) -> None:
    """The text of a private key file is in no other file of the project."""
    keyed.run(env=ENV)
    keyed.run("-n", "-o", "plan.json", env=ENV)
    core = pem_of(2)[0].splitlines()[1].encode()
    holders = [path.name for path in _files(keyed.root) if core in path.read_bytes()]
    assert holders == ["second.key"]


def test_a_key_is_no_input_of_a_job(keyed: Project) -> None:
    """A key among the files of a benchmark is refused: jobs and evidence would have a copy."""
    text = (keyed.root / "Evalfile").read_text()
    keyed.write("Evalfile", text.replace("harness = command", 'harness = command, files = glob("*.key")'))
    refused = keyed.run("-n", status=2, env=ENV).stderr
    assert "the private key `second.key` is a file of benchmark b, whose jobs would read it [secret-place]" in refused


def test_a_signature_overwrites_nothing(keyed: Project) -> None:
    """The file of the signatures may be no input, and no other report's."""
    text = (keyed.root / "Evalfile").read_text()
    keyed.write("Evalfile", text + '\nreport s { of = [e], path = "out/r.md.sig.json", format = json }\n')
    assert "two reports write out/r.md.sig.json [same-path]" in keyed.run("-n", status=2, env=ENV).stderr
