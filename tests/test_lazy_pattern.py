"""Patterns that are compiled when they are first used."""

from __future__ import annotations

import gc
import importlib
import pkgutil
import re

import pytest

from evalmake.harnesses.native import answers
from evalmake.lazy_pattern import LazyPattern, compile_on_use


def test_it_is_compiled_once_and_when_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern is not compiled before its first search, and then searches with its flags as often as asked."""
    compiled: list[str] = []
    compile_now = re.compile

    def compile_and_note(pattern: str, flags: int = 0) -> re.Pattern[str]:
        compiled.append(pattern)
        return compile_now(pattern, flags)

    monkeypatch.setattr(re, "compile", compile_and_note)
    pattern = compile_on_use("(?P<word>b+)", re.IGNORECASE)
    assert pattern.pattern == "(?P<word>b+)"
    assert compiled == []
    found = pattern.search("aBBc")
    assert found is not None
    assert found["word"] == "BB"
    assert pattern.search("abc") is not None
    assert compiled == ["(?P<word>b+)"]


def test_an_attribute_that_patterns_lack_is_an_error() -> None:
    """A misspelt method is an AttributeError, as it is of a compiled pattern."""
    with pytest.raises(AttributeError, match="serach"):
        _ = compile_on_use("a").serach  # type: ignore[attr-defined]


def test_every_pattern_of_answers_compiles() -> None:
    """Each pattern that reads answers is valid, also those that no other test uses."""
    for module in pkgutil.walk_packages(answers.__path__, f"{answers.__name__}."):
        importlib.import_module(module.name)
    gc.unfreeze()  # a build in this process hides from the collector what was there before it
    patterns = [one for one in gc.get_objects() if isinstance(one, LazyPattern)]
    assert len(patterns) > 200
    for one in patterns:
        re.compile(one.pattern, one.flags_wanted)
