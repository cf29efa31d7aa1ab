"""Random inputs for a parser: as many as fit in some seconds, each bounded in processor time and memory.

A test has four seconds, or $EVALMAKE_FUZZ_SECONDS. The seed of the case is printed, which pytest shows with a failure;
$EVALMAKE_FUZZ_SEED repeats that case alone.
"""

from __future__ import annotations

import json
import os
import random
import resource
import time
from collections.abc import Iterator, Sequence
from typing import Any

SECONDS = float(os.environ.get("EVALMAKE_FUZZ_SECONDS") or 4)
_MOST_SECONDS = 20.0  # of processor time for one case, which takes milliseconds: a bound, not a measurement
_MOST_MEMORY = 2 << 30
_NASTY = (
    *(
        b"\x00",
        b"\xff\xfe",
        b"\r",
        b"\xef\xbb\xbf",
        b"\\u12",
        b"\\ud800",
        b"${",
        b"$${",
        b'"""',
        b"'''",
        b"\\",
        b"\n\n",
    ),
    *(b"[" * 200, b"{" * 200, b"9" * 500, b"1e999", b"NaN", b"null", b"true", b"-0", b'""', b"[]", b"{}", b"x" * 5000),
    *(b"/dev/zero", b"/proc/self/environ", b"../" * 50, b"**/*", b"~", b"\xed\xa0\x80", "\u202e\U0001f600".encode()),
)


def fuzz_cases() -> Iterator[random.Random]:
    """Yield a source of randomness for each case, under a limit of memory."""
    given = os.environ.get("EVALMAKE_FUZZ_SEED")
    seed = int(given or random.SystemRandom().randrange(10**9))
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_size_now() + _MOST_MEMORY, before[1]))
    ends = time.monotonic() + SECONDS
    try:
        while time.monotonic() < ends:
            start = time.process_time()
            try:
                yield random.Random(seed)
                assert time.process_time() - start < _MOST_SECONDS, "this case took too long"
            except BaseException:
                print(f"the case of EVALMAKE_FUZZ_SEED={seed}")
                raise
            if given:
                return
            seed += 1
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def mutate(dice: random.Random, data: bytes, nasty: Sequence[bytes] = _NASTY) -> bytes:
    """`data` after one to six changes: bytes flipped, cut, doubled, moved, or nasty ones put in."""
    for _ in range(dice.randint(1, 6)):
        at, end = sorted(dice.randint(0, len(data)) for _ in range(2))
        end = min(end, at + dice.choice((1, 8, 200)))
        piece = data[at:end]
        match dice.randrange(5):
            case 0:
                data = data[:at] + bytes(dice.randrange(256) for _ in piece[:4]) + data[at + len(piece[:4]) :]
            case 1:
                data = data[:at] + data[end:]
            case 2:
                data = data[:at] + piece * dice.choice((2, 2, 30)) + data[end:]
            case 3:
                to = dice.randint(0, len(data))
                data = data[:to] + piece + data[to:]
            case _:
                data = data[:at] + dice.choice(nasty) + data[dice.choice((at, end)) :]
    return data


def mutate_json(dice: random.Random, value: Any) -> Any:
    """`value` with a part of it replaced by another value."""
    if dice.random() < 0.2 or not isinstance(value, dict | list) or not value:
        return dice.choice((None, [], {}, "", "x", 0, -1, 1e308, True, ["x"], {"x": None}, 10**30, json.dumps(value)))
    changed = dict(value) if isinstance(value, dict) else list(value)
    key: Any = dice.choice(list(value)) if isinstance(value, dict) else dice.randrange(len(value))
    if dice.random() < 0.2:
        del changed[key]
    else:
        changed[key] = mutate_json(dice, value[key])
    return changed


def _size_now() -> int:
    """The bytes of address space that this process has."""
    with open("/proc/self/statm", encoding="ascii") as stream:
        return int(stream.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
