"""The keys of a report, with what `evalmake help` says of each."""

from __future__ import annotations

from evalmake.project.key_types import (
    Block,
    ColumnGroups,
    PlainGroups,
    RowName,
    Sections,
    SigningKeys,
    Targets,
    Word,
    define_key,
)

_GROUPS = "`true`, or map of lists of columns"
_COORDINATES = "one of model, benchmark, eval, metric, seed, limit, weights, tag, or any other axis"


class Report(Block):
    """A file that shows results; the format adds keys of its own."""

    of: Targets = define_key(
        ..., "The evals, cells or aliases that the report shows.", "[grid]", type="list of targets"
    )
    format: Word = define_key(
        "markdown", "The plugin that writes the file.", "json", type="name of an installed exporter"
    )
    path: str = define_key(..., "The file to write, relative to the Evalfile.", '"reports/scorecard.md"')
    rows: Word = define_key("model", "What each row stands for.", "benchmark", type=_COORDINATES)
    column: Word = define_key("benchmark", "What each column stands for.", "model", type=_COORDINATES)
    compare: RowName | None = define_key(
        None,
        "The row that every other row is compared with.",
        "baseline",
        type="name of a row, or a value of the axis that rows stand for",
    )
    average: ColumnGroups = define_key(
        False,
        "Averages of a row over columns, each counting the same or by its weight; `true` is one over all of them.",
        "{ core = [gsm8k, mmlu], weighted = { gsm8k = 2, mmlu = 1 } }",
        type=_GROUPS,
    )
    pooled: PlainGroups = define_key(
        False, "Averages of a row over columns, each item counting the same.", "{ core = [gsm8k, mmlu] }", type=_GROUPS
    )
    best: PlainGroups = define_key(
        False, "The best of several columns of a row.", "{ math = [gsm8k-strict, gsm8k-flexible] }", type=_GROUPS
    )
    sections: Sections = define_key(
        {},
        "Titles, each over some columns of the table, or over some rows.",
        '{ "Reasoning" = [gsm8k, mmlu], "Safety" = [xstest] }',
        type="map of lists of columns or rows",
    )
    sign: SigningKeys = define_key(
        (),
        "The private keys that sign it (`evalmake key new`): one, or a list.",
        'secret("AUDIT_SIGNING_KEY")',
        type="`secret(...)`, `file(...)` or a list of them",
        unset="unsigned",
    )
