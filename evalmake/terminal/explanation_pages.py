"""The pages behind the codes of diagnostics."""

from __future__ import annotations

import re
import shutil
from importlib.resources import files

from evalmake.language.diagnostic import closest_name, make_error


def list_codes() -> list[str]:
    """Every code that has a page."""
    folder = files("evalmake.explanations")
    return sorted(path.name[:-3] for path in folder.iterdir() if path.name.endswith(".md"))


def read_page(code: str) -> str:
    """The page of `code`; EvalmakeError when there is none."""
    path = files("evalmake.explanations") / f"{code}.md"
    if not path.is_file():
        suggestion = closest_name(code, list_codes())
        help = f"did you mean `{suggestion}`?" if suggestion else "`evalmake explain` lists all codes"
        raise make_error("unknown-code", f"there is no diagnostic `{code}`", help=[help])
    return path.read_text(encoding="utf-8")


def render_code_list() -> str:
    """A line for each code: the code, and the first sentence of its page as far as the line goes."""
    codes = list_codes()
    column = max(map(len, codes)) + 2
    room = max(shutil.get_terminal_size((100, 24)).columns - column, 40)
    lines = [f"{code:<{column}}{_shorten(_first_sentence(read_page(code)), room)}" for code in codes]
    return "\n".join([*lines, "", "evalmake explain CODE shows the page of one"])


def _first_sentence(page: str) -> str:
    """The first sentence below the title, without Markdown's backquotes."""
    paragraph = " ".join(page.split("\n\n")[1].split())
    return re.split(r"(?<=[.]) (?=[A-Z`])", paragraph)[0].replace("`", "")


def _shorten(text: str, width: int) -> str:
    """Cut a text at a space."""
    return text if len(text) <= width else text[: width - 3].rsplit(" ", 1)[0] + "..."
