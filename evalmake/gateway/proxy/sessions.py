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
from evalmake.gateway.interceptors.selection import interceptors
from evalmake.gateway.proxy.retry import Breaker
from evalmake.gateway.proxy.usage import Account
from evalmake.gateway.reply_cache.key import RequestKey
from evalmake.gateway.settings import AdapterSettings, SessionSettings


class Open:
    """One evaluation at work: its settings, interceptors, counts, and how often it asked what."""

    def __init__(self, path: Path, session: SessionSettings, hide: Callable[[str], str]) -> None:
        """`session` is what `path` says; OSError, TypeError or LookupError where it is nonsense."""
        self.path = path
        self.session = session
        self.adapter = AdapterSettings(**session.adapter)
        self.interceptors: list[Interceptor] = interceptors(self.adapter)
        self.asks = any(one.asks for one in self.interceptors)
        self.answers = [one for one in self.interceptors if one.answers]
        self.breaker = Breaker(self.adapter.client_errors)
        self.account = Account(Path(session.folder), hide)
        self.account.folder.mkdir(parents=True, exist_ok=True)  # tells that something was asked
        self._hide = hide
        self.serial = 0
        self.logged = 0
        self.token = session.token.encode()
        self._asked: Counter[str] = Counter()
        self._returned: dict[str, list[int]] = defaultdict(list)

    def look_again(self) -> None:
        """Learn where the model is served now, if that has been written down."""
        with suppress(OSError, ValueError, TypeError):
            found = SessionSettings.read(self.path)
            if found.token == self.session.token:
                self.session = found

    def apart(self) -> Open:
        """Another like it that cannot end; what it counts is nobody's."""
        other = copy.copy(self)
        other.breaker = Breaker(False)
        other.account = Account(self.account.folder, self._hide)
        return other

    def admits(self, authorization: bytes) -> bool:
        """Whether a request bears this evaluation's token."""
        return bears(authorization, self.session.token)

    @property
    def not_before(self) -> float:
        """The oldest reply that may be used, in seconds since the epoch."""
        age = self.session.max_age
        return max(self.session.not_before, 0.0 if age is None else time.time() - age)

    def occurrence(self, question: RequestKey) -> int:
        """Which sample of this question a request wants: 0 for the first."""
        if not question.samples:
            return 0
        if returned := self._returned.get(question.digest):
            return heappop(returned)
        number = self._asked[question.digest]
        self._asked[question.digest] += 1
        return number

    def give_back(self, question: RequestKey, number: int) -> None:
        """A request got no sample: the next one like it wants this one."""
        if question.samples:
            heappush(self._returned[question.digest], number)


def bears(authorization: bytes, token: str) -> bool:
    """Whether a request's authorization is this token."""
    scheme, _, given = authorization.partition(b" ")
    return scheme.lower() == b"bearer" and compare_digest(given.strip(), token.encode())


class Sessions:
    """Read from a folder when first asked for; a file that was written anew is a new attempt."""

    def __init__(self, folder: Path, hide: Callable[[str], str]) -> None:
        self.folder = folder
        self._hide = hide
        self.admitted: dict[str, Open] = {}
        self.replaced: list[Open] = []
        """Earlier attempts, whose last rows are still to be written."""

    def admit(self, key: str, authorization: bytes) -> Open | None:
        """The evaluation of that key, to whoever has its token."""
        found = self.admitted.get(key)
        if found is not None and found.admits(authorization):
            return found
        path = self.folder / f"{key}.json"
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", key) or not path.exists():
            return None
        try:
            session = SessionSettings.read(path)
            if not bears(authorization, session.token):
                return None
            opened = Open(path, session, self._hide)
        except (OSError, ValueError, TypeError, LookupError) as error:
            print(f"evalmake.gateway: {path}: {error}", file=sys.stderr, flush=True)
            return None
        if found is not None:
            self.replaced.append(found)
        self.admitted[key] = opened
        return opened

    def close(self, key: str) -> None:
        """Forget an evaluation; its token is worth nothing from now on."""
        (self.folder / f"{key}.json").unlink(missing_ok=True)
        self.admitted.pop(key, None)
