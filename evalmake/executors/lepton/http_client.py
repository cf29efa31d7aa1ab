"""Sends requests to the API, and sends them again where that can help, after the wait that the reply asks for."""

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
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 30.0
_TIMEOUT = 60.0


class RetryableError(ConnectionError):
    """The request may be sent again, after `wait` seconds if the reply says so."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class OutcomeUnknown(RetryableError):
    """There is no reply, or it does not tell whether the request was carried out."""


class RateLimited(RetryableError):
    """The request was not carried out."""


class QuotaReached(OSError):
    """A quota of the workspace is used up."""


class NotFound(OSError):
    """There is no such thing."""


class NameTaken(OSError):
    """There is another thing of this name."""


class Client:
    """Talks to one workspace. `find_workspace` returns the URL of its API and its token, once they are needed."""

    def __init__(self, executor: str, find_workspace: Callable[[], tuple[str, str]]) -> None:
        self.executor = executor
        self._find_workspace = find_workspace
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self.url = ""

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, str] | None = None,
        find: Callable[[], Any] = lambda: None,
        tries: int = TRIES,
    ) -> Any:
        """Return the reply. Before a request is sent again, `find` looks for what the first may have created.

        ConnectionError if there is no reply, NotFound if there is no such thing, OSError for other refusals.
        """
        for at in range(tries):
            try:
                return self._send(method, path, body, query)
            except RetryableError as error:
                if at == tries - 1:
                    raise
                time.sleep(min(_FIRST_WAIT * 2**at if error.wait is None else error.wait, _LONGEST_WAIT))
                if isinstance(error, OutcomeUnknown) and (found := find()) is not None:
                    return found
        raise AssertionError

    def _send(self, method: str, path: str, body: object, query: Mapping[str, str] | None) -> Any:
        import httpx

        client = self._connected()
        try:
            reply = client.request(method, self.url + path, json=body, params=query)
        except httpx.InvalidURL as error:
            raise OSError(self.message(f"{self.url} is not a usable URL: {error}")) from None
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
            raise OutcomeUnknown(self.message(f"{self.place} cannot be reached: {why}")) from None
        if reply.is_success:
            return _content(reply)
        raise self._error(reply, f"{method} {path}: {_error_text(reply)}")

    def _error(self, reply: httpx.Response, text: str) -> OSError:
        """Return the error that a reply stands for."""
        match reply.status_code:
            case 429:
                return RateLimited(self.message(f"{self.place} gets too many requests: {text}"), _retry_after(reply))
            case 401:
                return OSError(self.message(f"{self.place} does not accept the token: {text}"))
            case 404:
                return NotFound(self.message(f"{self._wrong_address}: {text}"))
            case 409:
                return NameTaken(self.message(text))
            case status if status >= 500:
                return OutcomeUnknown(self.message(f"{self.place} failed: {text}"), _retry_after(reply))
            case _ if "quota" in text.lower():
                return QuotaReached(self.message(text))
            case 403:
                return OSError(self.message(f"the token does not allow that: {text}"))
        return OSError(self.message(text))

    def message(self, text: str) -> str:
        """Return a message with the name of the executor."""
        return f"executor {self.executor}: {text}"

    def unexpected_reply(self) -> OSError:
        """Return the error for a reply that cannot be understood."""
        return OSError(self.message(f"{self._wrong_address}: its replies are not those of Lepton"))

    @property
    def _wrong_address(self) -> str:
        source = "from `workspace` or `url`"
        return f"there is no such workspace, or {self.url} ({source}) is not the address of its API"

    @property
    def place(self) -> str:
        """The API, for messages."""
        return f"Lepton at {urlsplit(self.url).netloc}"

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None

    def _connected(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None:
                try:
                    self.url, token = self._find_workspace()
                except OSError as error:
                    raise OSError(self.message(str(error))) from None
                parts = urlsplit(self.url)
                headers = {"Authorization": f"Bearer {token}", "User-Agent": "evalmake"}
                if "dgxc" in self.url:
                    headers["origin"] = f"{parts.scheme}://{parts.netloc}"
                self._client = httpx.Client(headers=headers, timeout=_TIMEOUT)
            return self._client


def _content(reply: httpx.Response) -> Any:
    if "json" in reply.headers.get("content-type", "json"):
        with contextlib.suppress(ValueError):
            return reply.json()
    return reply.text


def _error_text(reply: httpx.Response) -> str:
    """Return the API's own message, in one line."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return f"{reply.json()['message']} ({reply.status_code})"
    return f"{' '.join(reply.text.split())[:300] or reply.reason_phrase} ({reply.status_code})"


def _retry_after(reply: httpx.Response) -> float | None:
    """Return the seconds of `Retry-After`; a date counts by the clock of the server that sent it."""
    value = reply.headers.get("retry-after", "")
    with contextlib.suppress(ValueError):
        return max(0.0, float(value))
    with contextlib.suppress(ValueError, TypeError, KeyError):
        since = parsedate_to_datetime(reply.headers["date"])
        return max(0.0, (parsedate_to_datetime(value) - since).total_seconds())
    return None
