"""Secrets that the environment lacks come from the system's keyring."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from evalmake.run.secrets import Secrets
from tests.support.workspaces import Bench

KEPT = "kept-0123456789"

EVALFILE = """\
    executor local {
        backend = process
        env     = { KEPT = secret("KEPT_KEY") }
    }
    model remote {
        endpoint = "http://127.0.0.1:9/v1"
        name     = "remote"
        api_key  = secret("KEPT_KEY")
    }
    benchmark shown {
        harness = command
        run     = '''
            echo "the key is $KEPT"
            echo "{\\"accuracy\\": ${#KEPT}}" > "$EVALMAKE_OUT/scores.json"
        '''
    }
    eval told {
        model     = remote
        benchmark = shown
    }
"""

BACKEND = """\
def get_password(service, user):
    with open({log!r}, "a") as log:
        log.write(f"{{service}} {{user}}\\n")
    return {{("evalmake", "KEPT_KEY"): {kept!r}}}.get((service, user))
"""


class FakeKeyring(ModuleType):
    """A keyring in memory that counts its calls, or raises `error`."""

    def __init__(self, held: dict[str, str], error: Exception | None = None) -> None:
        super().__init__("keyring")
        self.held = held
        self.error = error
        self.asked: list[tuple[str, str]] = []

    def get_password(self, service: str, user: str) -> str | None:
        """The password, or None."""
        self.asked.append((service, user))
        if self.error:
            raise self.error
        return self.held.get(user)


def installed(keyring: FakeKeyring | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `import keyring` return this one; None: the package is not installed."""
    if keyring is not None:
        monkeypatch.setitem(sys.modules, "keyring", keyring)
    found = None if keyring is None else object()
    monkeypatch.setattr("evalmake.run.secrets.find_spec", lambda name: found)


def test_a_job_gets_what_the_keyring_holds(bench: Bench, tmp_path: Path) -> None:
    """A key that only the keyring has reaches the job, and is redacted in its log."""
    folder, log = tmp_path / "packages", tmp_path / "asked"
    folder.mkdir()
    (folder / "keyring.py").write_text(BACKEND.format(log=str(log), kept=KEPT))
    bench.env["PYTHONPATH"] = str(folder)
    bench.env.pop("KEPT_KEY", None)
    bench.evalfile(EVALFILE)
    ended = bench.run()

    assert ended.status == 0, ended.text
    assert log.read_text() == "evalmake KEPT_KEY\n"
    (attempt,) = bench.attempts()
    assert attempt.scores[0].value == len(KEPT)
    assert bench.run("logs", "told").out.startswith("the key is [secret KEPT_KEY]\n")


def test_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keyring is asked once for each name that the environment lacks."""
    keyring = FakeKeyring({"A": "from the keyring", "B": "kept-7f3a91b2"})
    installed(keyring, monkeypatch)
    secrets = Secrets({"A": "from the environment", "B": ""})
    assert secrets.missing_names(["A", "B", "C"]) == ["C"]
    assert secrets.missing_names(["A", "B", "C"]) == ["C"]
    assert secrets.resolve({"X": "A", "Y": "B"}) == {"X": "from the environment", "Y": "kept-7f3a91b2"}
    assert secrets.redact(b"kept-7f3a91b2, from the environment") == b"[secret B], [secret A]"
    assert keyring.asked == [("evalmake", "B"), ("evalmake", "C")]
    with pytest.raises(KeyError):
        secrets.resolve({"Z": "C"})


def test_nothing_is_loaded_without_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is not imported for a secret that the environment has."""
    monkeypatch.delitem(sys.modules, "keyring", raising=False)
    secrets = Secrets({"A": "value"})
    assert secrets.missing_names(["A"]) == []
    assert secrets.resolve({"X": "A"}) == {"X": "value"}
    assert "keyring" not in sys.modules
    assert secrets.keyring_error == ""


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing secret says how to install what reads the keyring."""
    installed(None, monkeypatch)
    secrets = Secrets({})
    assert secrets.missing_names(["A"]) == ["A"]
    assert "pip install 'evalmake[keyring]'" in secrets.keyring_error


def test_a_keyring_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A locked or absent keyring leaves the secret missing, and the first line says why."""
    installed(FakeKeyring({}, RuntimeError("it is locked\nmore of it")), monkeypatch)
    secrets = Secrets({})
    assert secrets.missing_names(["A"]) == ["A"]
    assert secrets.keyring_error == "the keyring cannot be read: it is locked"
