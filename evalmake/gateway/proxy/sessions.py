"""Evaluations that use this gateway: found by the key in their path, admitted by their token."""

from __future__ import annotations

import copy
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush
from hmac import compare_digest
from pathlib import Path

from evalmake.gateway.interceptors.interceptor import Interceptor
from evalmake.gateway.interceptors.selection import select_interceptors
from evalmake.gateway.proxy.circuit_breaker import CircuitBreaker
from evalmake.gateway.proxy.usage import UsageRecord, log_excerpt
from evalmake.gateway.reply_cache.key import RequestKey
from evalmake.gateway.settings import AdapterSettings, SessionSettings

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{,199}")
"""What may name a session: also a file's name, which systems limit to 255 bytes."""


class AdmittedSession:
    """One evaluation at work: its settings, interceptors, usage, and the repetitions of its requests."""

    def __init__(self, path: Path, settings: SessionSettings, redact: Callable[[str], str]) -> None:
        """`settings` come from `path`; raises OSError, TypeError or LookupError if they make no sense."""
        self.path = path
        self.settings = settings
        self.adapter = AdapterSettings(**settings.adapter)
        self.interceptors: list[Interceptor] = select_interceptors(self.adapter)
        self.request_rewriters = [one for one in self.interceptors if one.rewrites_requests]
        self.reply_rewriters = [one for one in self.interceptors if one.rewrites_replies]
        self.breaker = CircuitBreaker(self.adapter.client_errors)
        self.usage = UsageRecord(Path(settings.folder), redact)
        self.usage.folder.mkdir(parents=True, exist_ok=True)  # the folder shows that a request came
        self._redact = redact
        self.requests = 0
        self._logged = 0
        self.token = settings.token.encode()
        self._next_repetition: Counter[int] = Counter()
        """By the 64-bit hash of a request's digest: with millions of requests, the texts would take most memory."""
        self._returned: dict[str, list[int]] = defaultdict(list)

    def reread_upstreams(self) -> None:
        """Read again where the model is served: evalmake writes it when a server starts again."""
        with suppress(OSError, ValueError, TypeError):
            found = SessionSettings.read(self.path)
            if found.token == self.settings.token:
                self.settings = found

    def copy_for_probe(self) -> AdmittedSession:
        """A copy that nothing stops, and whose usage is not recorded."""
        other = copy.copy(self)
        other.breaker = CircuitBreaker(False)
        other.usage = UsageRecord(self.usage.folder, self._redact)
        return other

    def log_exchange(self, request: bytes, reply: bytes) -> None:
        """Keep the request, the reply or both, as long as the adapter wants more of them."""
        wanted = self.adapter.log
        row: dict[str, object] = {"n": self.requests}
        for key, word, text in (("requests", "request", request), ("replies", "reply", reply)):
            if self._logged < (wanted if isinstance(wanted, int) else wanted.get(key, 0)):
                row[word] = log_excerpt(text)
        if len(row) > 1:
            self._logged += 1
            self.usage.append_row("exchanges", row)

    def accepts(self, authorization: bytes) -> bool:
        """Whether an Authorization header carries this evaluation's token."""
        return carries_token(authorization, self.settings.token)

    @property
    def not_before(self) -> float:
        """The oldest cached reply to use, in seconds since the epoch."""
        age = self.settings.max_age
        return max(self.settings.not_before, 0.0 if age is None else time.time() - age)

    def take_repetition(self, request: RequestKey) -> int:
        """The repetition number of a request: which sample it gets, 0 for the first."""
        if not request.samples:
            return 0
        if returned := self._returned.get(request.digest):
            return heappop(returned)
        key = hash(request.digest)
        number = self._next_repetition[key]
        self._next_repetition[key] += 1
        return number

    def return_repetition(self, request: RequestKey, number: int) -> None:
        """Give the number of a request that got no reply to the next one like it."""
        if request.samples:
            heappush(self._returned[request.digest], number)


def carries_token(authorization: bytes, token: str) -> bool:
    """Whether an Authorization header is `Bearer` and this token."""
    scheme, _, given = authorization.partition(b" ")
    return scheme.lower() == b"bearer" and compare_digest(given.strip(), token.encode())


class SessionRegistry:
    """Reads sessions from a folder at their first request. A new token in the file is a new attempt."""

    def __init__(self, folder: Path, redact: Callable[[str], str]) -> None:
        self.folder = folder
        self._redact = redact
        self.admitted: dict[str, AdmittedSession] = {}
        self.replaced: list[AdmittedSession] = []
        """Earlier attempts, whose last rows are not yet written."""

    def admit(self, key: str, authorization: bytes) -> AdmittedSession | None:
        """The evaluation of that key, if the request carries its token."""
        found = self.admitted.get(key)
        if found is not None and found.accepts(authorization):
            return found
        path = self.folder / f"{key}.json"
        if not _KEY.fullmatch(key) or not path.exists():
            return None
        try:
            settings = SessionSettings.read(path)
            if not carries_token(authorization, settings.token):
                return None
            session = AdmittedSession(path, settings, self._redact)
        except (OSError, ValueError, TypeError, LookupError) as error:
            print(f"evalmake.gateway: {path}: {error}", file=sys.stderr, flush=True)
            return None
        if found is not None:
            self.replaced.append(found)
        self.admitted[key] = session
        return session

    def close(self, key: str) -> None:
        """Forget an evaluation and its token."""
        (self.folder / f"{key}.json").unlink(missing_ok=True)
        self.admitted.pop(key, None)
