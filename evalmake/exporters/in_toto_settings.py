"""The keys of reports that hold evidence."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator

from evalmake.language.values import Duration
from evalmake.project.key_types import Block, define_key, to_tuple, to_word

Redactable = Annotated[Literal["prompt", "target", "reply"], BeforeValidator(to_word)]


class InTotoSettings(Block):
    """What evidence leaves out, and until when it is valid."""

    redact: Annotated[tuple[Redactable, ...], BeforeValidator(to_tuple)] = define_key(
        (),
        "The texts to leave out: of them, the folder has digests only.",
        "[prompt, target]",
        type="list of prompt, target, reply",
    )
    valid: Duration | None = define_key(
        None, "For how long after its last result the evidence can be relied on.", "365d", unset="for ever"
    )
