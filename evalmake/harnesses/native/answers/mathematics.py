"""Mathematics beyond numbers, by the package `math-verify`: the only module that imports it."""

from __future__ import annotations

import asyncio
import atexit
import logging
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from evalmake.harnesses.native.time_limit import limit_time

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

PACKAGE = "math-verify"
CURE = "pip install 'evalmake[math]'"
_SECONDS = 5


def find_version() -> str | None:
    """The version that is installed in this Python; None if there is none."""
    from importlib.metadata import PackageNotFoundError, version  # most tasks have no mathematics

    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None


def is_readable(target: str) -> bool:
    """Whether a target holds mathematics."""
    return bool(_parse(target))


async def is_equal(targets: Sequence[str], reply: str) -> tuple[bool, str | None]:
    """Whether a reply says the same as a target, and what was read in it.

    Raises TooSlow where that takes too long. It runs in a process of its own: signals limit its time, which only a
    main thread receives, and the event loop goes on meanwhile.
    """
    return await asyncio.get_running_loop().run_in_executor(_pool(), _compare, tuple(targets), reply)


@cache
def _pool() -> ProcessPoolExecutor:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    atexit.register(_pool.cache_clear)  # before Python takes the pool's modules down
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_load)


def _load() -> None:
    """Load all that a comparison needs, which takes seconds on a busy machine: no reply's time."""
    _compare(["x"], "$x$")


def _compare(targets: Sequence[str], reply: str) -> tuple[bool, str | None]:
    from math_verify import verify

    with limit_time(_SECONDS, "comparing the mathematics"):
        answer = _parse(reply)
        right = any(verify(_parse(target), answer, timeout_seconds=None) for target in targets)
        return bool(answer) and right, str(answer[-1]) if answer else None


def _parse(text: str) -> list[object]:
    """The expressions in a text."""
    from math_verify import parse

    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    # The package's own limits are of the clock, and turn what was cut off into a wrong answer.
    found: list[object] = parse(f"${text}$" if _is_bare_formula(text) else text, parsing_timeout=None)
    return found


def _is_bare_formula(text: str) -> bool:
    """Whether a text is a formula without the delimiters of LaTeX: targets are often written so."""
    if "\n" in text.strip() or any(sign in text for sign in ("$", r"\boxed", r"\(", r"\[")):
        return False
    is_number = re.fullmatch(r"[-+\d.,/%\s]*", text) is not None
    return (
        not is_number and re.search(r"[^\W\d_]{2,}", re.sub(r"\\(?:(?:begin|end)\{\w+\}|[a-zA-Z]+)", " ", text)) is None
    )
