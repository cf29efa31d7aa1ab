"""Tables of texts in the formats of other programs. The first row is the head."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

FORMATS = ("table", "json", "csv", "markdown", "latex")
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def to_csv(rows: Iterable[Sequence[object]]) -> str:
    """Comma-separated values, by RFC 4180 but with LF at the ends of lines; None is empty."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def to_latex(rows: Sequence[Sequence[str]], numbers_from: int = 1) -> str:
    """A `tabular` with the rules of booktabs; the first `numbers_from` columns are set to the left."""
    head, *body = [" & ".join(map(escape_latex, row)) + r" \\" for row in rows]
    columns = "l" * numbers_from + "r" * (len(rows[0]) - numbers_from)
    lines = [r"\toprule", head, r"\midrule", *body, r"\bottomrule"]
    begin, end = f"\\begin{{tabular}}{{{columns}}}", r"\end{tabular}"
    return "\n".join(["% needs \\usepackage{booktabs}", begin, *(f"  {line}" for line in lines), end])


def escape_latex(text: str) -> str:
    """Text that LaTeX takes literally, on one line."""
    return re.sub(r"[\\~^&%$#_{}]", lambda found: _LATEX[found[0]], " ".join(text.split()))
