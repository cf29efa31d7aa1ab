"""Failures are alike if they say the same, but for what differs between instances."""

from __future__ import annotations

import time

import pytest

from evalmake.scoring.failure_classes import Failure, find_key, find_pattern, fold_failures

ALIKE = {
    "numbers": ("sample 17 took 12.5 s", "sample 1,803 took 3 s"),
    "quoted texts": ("no answer in 'Paris, I think'", "no answer in 'Lyon'"),
    "double quotes": ('could not parse "{" of x', 'could not parse "nothing" of x'),
    "paths": ("cannot read /tmp/a1/x.json: gone", "cannot read /srv/data/y.json: gone"),
    "relative paths": ("cannot read out/run-3/x.json", "cannot read logs/y.json"),
    "cells": ("grid/acme/sums/1 has no result", "grid/acme/sums/20 has no result"),
    "addresses": ("connect to 10.0.0.7:8000 failed", "connect to 192.168.1.20:18001 failed"),
    "hosts": ("connect to node-7.cluster.example:80", "connect to localhost:8131"),
    "urls": ("GET http://a.example/v1?x=1 failed", "GET https://b.example:8/v2 failed"),
    "ids": ("request req_8fK2x91LmZ0 was lost", "request req_77aQ01bX2cd was lost"),
    "uuids": (
        "job 123e4567-e89b-12d3-a456-426614174000 died",
        "job 00000000-e89b-12d3-a456-42661417abcd died",
    ),
    "objects": ("<Task at 0x7f22e2cf5810> hangs", "<Task at 0xdeadbeef> hangs"),
    "digests": ("image 9f2c41aa77 is gone", "image 00ab12cd34ef is gone"),
    "white space": ("it  failed\n", "it failed"),
}
UNLIKE = {
    "statuses of HTTP": ("HTTP 401: no", "HTTP 503: no"),
    "statuses in words": ("HTTP status 500", "HTTP status 429"),
    "codes of errors": ("Error code: 400 - no", "Error code: 404 - no"),
    "statuses of programs": ("exit status 1", "exit status 137"),
    "errno": ("[Errno 28] write", "[Errno 5] write"),
    "words": ("the connection was refused", "the connection was reset"),
    "types": ("ValueError: no", "KeyError: no"),
    "answers of servers": ('{"error": {"message": "too long"}}', '{"error": {"message": "no such model"}}'),
    "names in backticks": ("has no `accuracy`", "has no `f1`"),
    "apostrophes": ("it can't read and won't write", "it can't run and won't write"),
}
TRACEBACK = """\
Traceback (most recent call last):
  File "/work/{n}/run.py", line 3, in <module>
    main()
  File "/work/{n}/score.py", line {line}, in parse
    float(text)
ValueError: could not convert string to float: '{n}'
"""


@pytest.mark.parametrize("what", ALIKE)
def test_what_differs_between_instances_does_not_count(what: str) -> None:
    """Two failures that differ in this alone are of one class."""
    one, other = ALIKE[what]
    assert find_key(one) == find_key(other)


@pytest.mark.parametrize("what", UNLIKE)
def test_what_tells_failures_apart_counts(what: str) -> None:
    """Two failures that differ in this are of two classes."""
    one, other = UNLIKE[what]
    assert find_key(one) != find_key(other)


def test_an_exception_has_its_type_and_place() -> None:
    """They are found in the end of the log, or in the message itself; another line is another class."""
    message = "exit status 1: ValueError: could not convert string to float: '7'"
    key = find_key(message, TRACEBACK.format(n=7, line=12))
    assert (key.type, key.place) == ("ValueError", "score.py:12 in parse")
    assert key == find_key(message.replace("7", "8"), TRACEBACK.format(n=8, line=12))
    assert key != find_key(message, TRACEBACK.format(n=7, line=13))
    [whole] = fold_failures(Failure(str(n), TRACEBACK.format(n=n, line=12)) for n in (1, 2))
    assert whole.label == "ValueError at score.py:12 in parse"
    assert whole.key.pattern == "ValueError: could not convert string to float: '…'"


def test_the_largest_class_is_first() -> None:
    """Of classes of one size, the one that began first; the first failure is the example."""
    messages = ("HTTP 500: x", "timed out after 3 s", "HTTP 500: x", "no reply", "timed out after 9 s", "HTTP 500: x")
    found = fold_failures(Failure(f"e/{n}", text) for n, text in enumerate(messages))
    told = [(one.label, one.count, one.example.name) for one in found]
    assert told == [("HTTP 500: x", 3, "e/0"), ("timed out after N s", 2, "e/1"), ("no reply", 1, "e/3")]


@pytest.mark.parametrize("piece", ["a", "a1", "a/", "1.", "'", "x-1", "0x", "{", ":", "[:", ".a", "Error.", 'File "'])
def test_no_text_takes_long(piece: str) -> None:
    """Whoever writes an error cannot keep evalmake busy."""
    start = time.process_time()
    find_key(piece * 100_000, piece * 1000)
    find_pattern(piece * 100_001)
    assert time.process_time() - start < 1
