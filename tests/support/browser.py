"""Debian's Chromium, driven by its chromedriver over plain HTTP, as the WebDriver protocol has it."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx

CHROMIUM, CHROMEDRIVER = shutil.which("chromium"), shutil.which("chromedriver")
KEYS = {"Escape": "\ue00c", "Enter": "\ue007", "Tab": "\ue004", "ArrowDown": "\ue015", "End": "\ue010"}
_SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--hide-scrollbars",
)


class Browser:
    """One session; every method is one command, or waits for something by several."""

    def __init__(self, http: httpx.Client, session: str) -> None:
        self._http = http
        self._session = session

    def command(self, method: str, path: str, body: Any = None) -> Any:
        """The value of a command's reply."""
        reply = self._http.request(method, f"/session/{self._session}{path}", json=body if method == "POST" else None)
        value = reply.json()["value"]
        assert reply.status_code == 200, value
        return value

    def open(self, address: str) -> None:
        """Go to an address, and wait until it is read."""
        self.command("POST", "/url", {"url": address})

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns."""
        return self.command("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait_for(self, condition: str, seconds: float = 20) -> Any:
        """Wait until an expression is true in the page, and return its value."""
        end = monotonic() + seconds
        while not (value := self.run(f"return ({condition})")):
            assert monotonic() < end, f"never true: {condition}; errors: {self.errors()}"
            sleep(0.02)
        return value

    def text(self, selector: str) -> str:
        """The text of the first element that a selector finds."""
        text: str = self.wait_for(f"document.querySelector({selector!r})?.textContent")
        return text

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements that a selector finds."""
        found: list[str] = self.run(
            "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector
        )
        return found

    def press(self, *keys: str) -> None:
        """Press keys one after the other: characters, or names such as `Escape`."""
        actions = [{"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")]
        self.command("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def resize(self, width: int, height: int) -> None:
        """Show the page as on a screen of this size, in CSS pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)

    def set_theme(self, name: str) -> None:
        """`light` or `dark`, as the system would say."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.devtools("Emulation.setEmulatedMedia", {"features": features})

    def devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        """A command of Chromium's own protocol."""
        return self.command("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def screenshot(self, path: Path) -> None:
        """Write what is on the screen to a file."""
        path.write_bytes(base64.b64decode(self.command("GET", "/screenshot")))

    def errors(self) -> list[str]:
        """What the console has said since the last time, but for what it only notes."""
        return [entry["message"] for entry in self.command("POST", "/se/log", {"type": "browser"})]

    def requests(self) -> list[str]:
        """The addresses that the page has asked for, but for its own file and data in itself."""
        found: list[str] = self.run(
            "return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith('data:'))"
        )
        return found


@contextmanager
def start_browser(profile: Path, switches: Sequence[str] = ()) -> Iterator[Browser]:
    """Start a browser with a profile of its own, and end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = subprocess.Popen(
        [str(CHROMEDRIVER), f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as http:
            session = _open_session(http, [*_SWITCHES, f"--user-data-dir={profile}", *switches])
            try:
                yield Browser(http, session)
            finally:
                http.delete(f"/session/{session}")
    finally:
        driver.terminate()
        driver.wait(20)


def _open_session(http: httpx.Client, switches: Sequence[str]) -> str:
    options = {"args": list(switches), "binary": CHROMIUM}
    wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
    body = {"capabilities": {"alwaysMatch": wanted}}
    end = monotonic() + 30
    while True:
        try:
            reply = http.post("/session", json=body)
        except httpx.TransportError:
            assert monotonic() < end, "chromedriver does not answer"
            sleep(0.05)
            continue
        value = reply.json()["value"]
        assert reply.status_code == 200, value
        session: str = value["sessionId"]
        return session
