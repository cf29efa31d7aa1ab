"""Patterns that take too long on a reply."""

from __future__ import annotations

import re
import threading
import time

import pytest

from evalmake.harnesses.native.pattern_search import search
from evalmake.harnesses.native.time_limit import TooSlow


def test_a_slow_pattern_ends() -> None:
    """A pattern that would search for ever ends after a second, with its name; the next search is not hurt."""
    began = time.monotonic()
    with pytest.raises(TooSlow, match=r"the pattern '\(a\+\)\+b' took longer than 1s on this reply"):
        search(re.compile("(a+)+b"), "a" * 60)
    assert time.monotonic() - began < 60
    found = search(re.compile("a+"), "baa")
    assert found is not None
    assert found[0] == "aa"


def test_in_another_thread() -> None:
    """In another thread than the main one, there is no limit, and a search works."""
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(search(re.compile("a+"), "baa")))
    thread.start()
    thread.join()
    assert found
    assert found[0] is not None
