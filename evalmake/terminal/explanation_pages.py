"""The page behind a diagnostic code."""

from __future__ import annotations

from importlib.resources import files

from evalmake.language.diagnostic import closest_name, make_error


def codes() -> list[str]:
    """Every code that has a page."""
    folder = files("evalmake.explanations")
    return sorted(p.name[:-3] for p in folder.iterdir() if p.name.endswith(".md"))


def page(code: str) -> str:
    """The page of `code`; EvalmakeError when there is none."""
    path = files("evalmake.explanations") / f"{code}.md"
    if not path.is_file():
        meant = closest_name(code, codes())
        hint = f"did you mean `{meant}`?" if meant else "a code stands in brackets after an error's message"
        raise make_error("unknown-code", f"there is no diagnostic `{code}`", help=[hint])
    return path.read_text(encoding="utf-8")
