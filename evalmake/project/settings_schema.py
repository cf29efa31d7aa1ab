"""The keys of `settings`, with what `evalmake help` says of each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator

from evalmake.language.values import Size
from evalmake.project.key_types import (
    Block,
    CacheSize,
    Confidence,
    Count,
    Notified,
    Texts,
    define_key,
    to_tuple,
    to_word,
)

Pinnable = Annotated[Literal["images", "weights", "datasets", "includes"], BeforeValidator(to_word)]

MOST_CELLS = 100_000
"""A plan of so many takes about 20 seconds and 300 MB."""


class Settings(Block):
    """Rules for the whole Evalfile: `settings { ... }`, in the root file only."""

    requires: str | None = define_key(None, "The oldest evalmake that reads this Evalfile.", '">= 0.1"', unset="any")
    store: str | None = define_key(
        None, "The folder of results, relative to the Evalfile.", '"/mnt/team/store"', unset=".evalmake/store"
    )
    cells: Count = define_key(
        10_000, "How many cells the matrices may have in all, at most 100 000.", "20_000", le=MOST_CELLS
    )
    pinned: Annotated[tuple[Pinnable, ...], BeforeValidator(to_tuple)] = define_key(
        (), "Inputs that must be pinned, in the file or in the lock.", "[images, weights]"
    )
    overrides: tuple[str, ...] | None = define_key(
        None,
        "The variables that the command line may override.",
        "[LIMIT]",
        type="list of variables",
        unset="all variables",
    )
    confidence: Confidence | None = define_key(
        None, "The confidence of intervals and gates, for evals that name none.", "99%", type="percent", unset="95%"
    )
    replies: CacheSize | None = define_key(
        Size(20 * 2**30, "20GiB"), "How large the reply cache may grow; `none` caches nothing.", "5GiB"
    )
    outputs: Size = define_key(
        Size(2**30, "1GiB"), "How large the outputs of one attempt may be; a job with more fails.", "5GiB"
    )
    log: Size = define_key(
        Size(50 * 2**20, "50MiB"),
        "How large a job's log may be: one with more is ended, and fails. Of a server's log, both ends are kept.",
        "200MiB",
    )
    shared: Annotated[Literal["group"], BeforeValidator(to_word)] | None = define_key(
        None, "Who else may write to the store: the group of its folder.", "group", unset="nobody"
    )
    notify: Notified | None = define_key(
        None,
        "Where a build that ran something tells how it ended: a URL, which gets one POST of JSON.",
        'secret("SLACK_WEBHOOK")',
        type="URL or `secret(...)`",
        unset="nobody is told",
    )
    seeds: Texts = define_key((), "Folders with reply caches that are read and never written.", '["../shared"]')
