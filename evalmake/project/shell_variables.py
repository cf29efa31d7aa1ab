"""Refuses texts that look like a variable of the shell or of Make, such as `"$MODEL"`."""

from __future__ import annotations

import re
from collections.abc import Container

from evalmake.language.diagnostic import Diagnostics
from evalmake.project.fields import Fields

_REFERENCE = re.compile(r"\$(?:([A-Z_][A-Z0-9_]*)|\(([A-Z_][A-Z0-9_]*)\))")
_SECRET_KEYS = ("api_key", "key", "token", "sign")


def refuse_shell_variables(fields: Fields, declared: Container[str], diagnostics: Diagnostics, about: str) -> None:
    """Refuse `name = "$MODEL"`: a variable of the Evalfile has no `$`, and only `env()` reads the environment.

    `declared` has the variables of the Evalfile.
    """
    for key, value in fields.values.items():
        reference = _REFERENCE.fullmatch(value) if isinstance(value, str) and key != "run" else None
        if reference:
            name = reference[1] or reference[2]
            function = "secret" if key in _SECRET_KEYS else "env"
            cure = name if name in declared else f'{function}("{name}")'
            diagnostics.error(
                "bad-value",
                f"`{key}` is the text `{value}`: an Evalfile does not expand shell variables",
                fields.spans[key,].value,
                about=about,
                help=[f"write `{key} = {cure}`"],
            )
