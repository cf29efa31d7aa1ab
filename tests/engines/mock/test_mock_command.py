"""The command line and the settings."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalmake.engines.mock.settings import Settings, SettingsError, read_settings
from tests.support.repository import ROOT


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "evalmake.engines.mock", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_settings_are_read() -> None:
    """Every setting, and the defaults of those that are not given."""
    assert read_settings("{}") == Settings()
    declared = {"skill": 0.5, "seed": -3, "name": "m", "latency": [0, 2], "rate": 10, "html": True}
    assert read_settings(json.dumps(declared)) == Settings(
        skill=0.5, seed=-3, name="m", latency=(0, 2), rate=10, html=True
    )
    assert read_settings('{"latency": 0.5}').latency == (0.5, 0.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"skil": 1}', "unknown setting 'skil'; known: error_rate, "),
        ('{"api_key": "x"}', "unknown setting 'api_key'; known: error_rate, "),
        ('{"skill": 1.5}', "setting 'skill' must be a number from 0 to 1, not 1.5"),
        ('{"skill": true}', "setting 'skill' must be a number from 0 to 1, not true"),
        ('{"skill": NaN}', "setting 'skill' must be a number from 0 to 1, not NaN"),
        ('{"error_rate": "1"}', "setting 'error_rate' must be a number from 0 to 1, not \"1\""),
        ('{"seed": 1.5}', "setting 'seed' must be an integer, not 1.5"),
        ('{"name": ""}', "setting 'name' must be text, not \"\""),
        ('{"latency": -1}', "setting 'latency' must be seconds, or [least, most] seconds, not -1"),
        ('{"latency": [2, 1]}', "setting 'latency' must be seconds, or "),
        ('{"latency": [1]}', "setting 'latency' must be seconds, or "),
        ('{"rate": 0}', "setting 'rate' must be requests per second, above 0, not 0"),
        ('{"status": 200}', "setting 'status' must be an HTTP status from 400 to 599, not 200"),
        ('{"html": 1}', "setting 'html' must be true or false, not 1"),
        ('{"error_rate": 0.6, "hang_rate": 0.6}', "error_rate, too_many_rate, "),
        ("[]", "the settings must be one JSON object"),
        ("{", "the settings are not JSON: "),
    ],
)
def test_a_wrong_setting_is_named(text: str, said: str) -> None:
    """One line that says which setting is wrong and what would be right."""
    with pytest.raises(SettingsError) as caught:
        read_settings(text)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_wrong_settings_end_with_status_2_and_one_line(tmp_path: Path) -> None:
    """Before anything is bound or written."""
    done = _run("--settings", '{"skil": 1}', "--port-file", str(tmp_path / "port"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("evalmake.engines.mock: unknown setting 'skil'; known: ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_address_in_use_ends_with_status_1(tmp_path: Path) -> None:
    """With the reason on one line and no port written."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = _run("--port", str(taken.getsockname()[1]), "--port-file", str(tmp_path / "port"))
    assert done.returncode == 1
    assert done.stderr.startswith("evalmake.engines.mock: ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server(start: Callable[..., Any], number: signal.Signals) -> None:
    """The port was said and written; a signal ends it with status 0 and nothing more to say."""
    process, port = start()
    with socket.create_connection(("127.0.0.1", port), timeout=60):
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out == f"listening on http://127.0.0.1:{port}\n"


def test_the_name_is_listed_and_echoed(mock: Any) -> None:
    """Whatever name the request gives."""
    server = mock(name="apprentice")
    reply = server.ask("/v1/chat/completions", model="other", messages=[{"role": "user", "content": "hi"}])
    assert reply["model"] == "apprentice"


def test_the_server_imports_little() -> None:
    """It starts fast because it loads no web framework and no validation library."""
    code = "import sys, evalmake.engines.mock.__main__; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"aiohttp", "pydantic", "httpx", "click", "lark"} & set(run.stdout.split())
