"""Files of variables, as `.env`: `NAME=VALUE` lines that a command takes for its environment."""

from __future__ import annotations

import re
from pathlib import Path

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)")
_MOST_BYTES = 2**20


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of a file; EvalmakeError with the line that is none. A message shows no value."""
    from evalmake.language.diagnostic import make_error

    try:
        if path.stat().st_size > _MOST_BYTES:
            raise make_error("bad-value", f"`{path}` is larger than 1 MiB, and no file of variables")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise make_error("not-utf8", f"`{path}` is not UTF-8 text") from None
    except OSError as error:
        raise make_error("missing-file", f"cannot read `{path}`: {error.strerror}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        variable = _LINE.fullmatch(line)
        value = _unquote(variable[2]) if variable else None
        if variable is None or value is None or "\0" in value:
            raise make_error(
                "bad-value",
                f"{path}:{number}: the line is not `NAME=VALUE`",
                help=["write one variable a line; quotes around a value must end on the line"],
            )
        found[variable[1]] = value
    return found


def _unquote(text: str) -> str | None:
    """A value without its quotes, or without the comment behind it; None where quotes do not end."""
    if text[:1] in ("'", '"'):
        end = text.find(text[0], 1)
        rest = text[end + 1 :].strip()
        return text[1:end] if end > 0 and (not rest or rest.startswith("#")) else None
    return re.sub(r"(^|\s+)#.*", "", text)
