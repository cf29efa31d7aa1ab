"""The API over HTTP: what may be asked again is, after the wait that was asked for."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx

TRIES = 5
_WAIT = 0.5
_LONGEST = 30.0
_TIMEOUT = 60.0


class Again(ConnectionError):
    """It may be asked for again, after `wait` seconds where that was said."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class Unsure(Again):
    """No answer, or one that does not say whether it was done."""


class Busy(Again):
    """It was not done."""


class Full(OSError):
    """A quota of the workspace is used up."""


class Absent(OSError):
    """There is no such thing."""


class Taken(OSError):
    """The name is that of another."""


class Client:
    """`address` gives the URL of a workspace's API and its token, once they are needed."""

    def __init__(self, executor: str, address: Callable[[], tuple[str, str]]) -> None:
        self.executor = executor
        self._address = address
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self.url = ""

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
        done: Callable[[], Any] = lambda: None,
        tries: int = TRIES,
    ) -> Any:
        """The reply. `done` is asked before a request is made again: what it finds was done after all.

        ConnectionError where there is no answer, OSError where it is refused: Absent where there is no
        such thing.
        """
        for at in range(tries):
            try:
                return self._once(method, path, body, query)
            except Again as error:
                if at == tries - 1:
                    raise
                time.sleep(min(_WAIT * 2**at if error.wait is None else error.wait, _LONGEST))
                if isinstance(error, Unsure) and (found := done()) is not None:
                    return found
        raise AssertionError

    def _once(self, method: str, path: str, body: object, query: Mapping[str, str] | None) -> Any:
        import httpx

        client = self._connected()
        try:
            reply = client.request(method, self.url + path, json=body, params=query)
        except httpx.InvalidURL as error:
            raise OSError(self.says(f"{self.url} cannot be asked: {error}")) from None
        except httpx.HTTPError as error:
            said = str(error) or type(error).__name__
            raise Unsure(self.says(f"{self.place} cannot be reached: {said}")) from None
        if reply.is_success:
            return _parsed(reply)
        said = f"{method} {path}: {_message(reply)}"
        match reply.status_code:
            case 429:
                raise Busy(self.says(f"{self.place} is asked too often: {said}"), _wait(reply))
            case 401:
                raise OSError(self.says(f"{self.place} does not take the token: {said}"))
            case 404:
                raise Absent(self.says(f"{self._strange}: {said}"))
            case 409:
                raise Taken(self.says(said))
            case status if status >= 500:
                raise Unsure(self.says(f"{self.place} failed: {said}"), _wait(reply))
            case _ if "quota" in said.lower():
                raise Full(self.says(said))
            case 403:
                raise OSError(self.says(f"the token may not do that: {said}"))
        raise OSError(self.says(said))

    def says(self, what: str) -> str:
        """A message of this executor's."""
        return f"executor {self.executor}: {what}"

    def odd(self) -> OSError:
        """The error where an answer cannot be understood."""
        return OSError(self.says(f"{self._strange}: it does not answer as Lepton does"))

    @property
    def _strange(self) -> str:
        where = "as `workspace` or `url` says it"
        return f"there is no such workspace, or {self.url} ({where}) is not the address of its API"

    @property
    def place(self) -> str:
        """In messages."""
        return f"Lepton at {urlsplit(self.url).netloc}"

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None

    def _connected(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None:
                try:
                    self.url, token = self._address()
                except OSError as error:
                    raise OSError(self.says(str(error))) from None
                parts = urlsplit(self.url)
                head = {"Authorization": f"Bearer {token}", "User-Agent": "evalmake"}
                if "dgxc" in self.url:
                    head["origin"] = f"{parts.scheme}://{parts.netloc}"
                self._client = httpx.Client(headers=head, timeout=_TIMEOUT)
            return self._client


def _parsed(reply: httpx.Response) -> Any:
    if "json" in reply.headers.get("content-type", "json"):
        with contextlib.suppress(ValueError):
            return reply.json()
    return reply.text


def _message(reply: httpx.Response) -> str:
    """The API's own words, in one line."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return f"{reply.json()['message']} ({reply.status_code})"
    return f"{' '.join(reply.text.split())[:300] or reply.reason_phrase} ({reply.status_code})"


def _wait(reply: httpx.Response) -> float | None:
    """What `Retry-After` asks for, in seconds; a date is measured by the clock of whoever says so."""
    asked = reply.headers.get("retry-after", "")
    with contextlib.suppress(ValueError):
        return max(0.0, float(asked))
    with contextlib.suppress(ValueError, TypeError, KeyError):
        since = parsedate_to_datetime(reply.headers["date"])
        return max(0.0, (parsedate_to_datetime(asked) - since).total_seconds())
    return None
