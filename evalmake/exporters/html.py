"""The `html` report: one file to open in a browser, with scores, comparisons and samples.

It is complete in itself and asks for nothing from any server. Everything statistical in it is computed here, by the
functions that the other reports use; the page draws it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from evalmake.exporters.html_data import make_page_data
from evalmake.language.atomic_write import write_atomic
from evalmake.language.values import Size
from evalmake.project.key_types import Block, define_key
from evalmake.scoring.result_set import Item, Result, ResultSet
from evalmake.scoring.row_pairs import average_items_of_cell
from evalmake.web.material import PageMaterial
from evalmake.web.page import render_page
from evalmake.web.sample_columns import SampleColumns, compress, encode_json

_MEBIBYTE = 1 << 20


class HtmlSettings(Block):
    """What a page shows of samples."""

    samples: bool = define_key(
        True, "Whether the page holds prompts, replies and other texts of samples.", "false", type="`true` or `false`"
    )
    inline: Size = define_key(
        Size.parse("50MiB"), "The most that the texts of samples may take; above it, they are left out.", "200MiB"
    )


class HtmlExporter:
    """Writes one page."""

    Settings: ClassVar[type[HtmlSettings]] = HtmlSettings

    def export(self, results: ResultSet, path: Path) -> None:
        """Write a page without samples and stories, which results alone do not have."""
        self.export_page(PageMaterial(results, (), lambda: iter(())), HtmlSettings(), path)

    def export_page(self, material: PageMaterial, settings: HtmlSettings, path: Path) -> None:
        """Write the page to `path` atomically."""
        material = replace(material, results=_remember_items(material.results))
        columns = _pack_samples(material, settings.samples)
        means = _number_items(material.results, columns)
        packed = columns.finish()
        blocks = {"columns": [packed], "reply": columns.replies.blocks, "question": columns.questions.blocks}
        size = sum(len(block) for known in blocks.values() for block in known) * 4 // 3
        left_out = "" if settings.samples else "The report says `samples = false`."
        if size > settings.inline.bytes:
            left_out = (
                f"They would take {size / _MEBIBYTE:.0f} MiB, more than `inline` of the report allows."
                " `evalmake results --samples` shows them."
            )
            columns = _pack_samples(material, False)
            means = _number_items(material.results, columns)
            blocks = {"columns": [columns.finish()]}
        data = make_page_data(material.results, means, left_out)
        blocks["stories"] = [compress(encode_json(material.stories))]
        write_atomic(path, render_page(material.results.title, data, blocks))


def _remember_items(results: ResultSet) -> ResultSet:
    """The same results; the items of each are read once, and not for every row that it is compared with."""
    known: dict[tuple[str, int, str], Sequence[Item] | None] = {}

    def read(result: Result) -> Sequence[Item] | None:
        key = (result.action, result.attempt, result.name)
        if key not in known:
            known[key] = results.read_items(result)
        return known[key]

    return replace(results, read_items=read)


def _pack_samples(material: PageMaterial, with_texts: bool) -> SampleColumns:
    columns = SampleColumns({one.name: one.benchmark for one in material.results.results}, with_texts)
    for sample in material.read_samples():
        columns.add(sample)
    return columns


def _number_items(results: ResultSet, columns: SampleColumns) -> Sequence[Mapping[str, Any]]:
    """Of each cell of the table, the mean score of each item."""
    found = []
    for (row, column), cell in results.divide_into_cells().items():
        means = average_items_of_cell(results, cell)
        if means is not None:
            items = [columns.number_item(cell[0].benchmark, id, content) for id, content in means]
            found.append({"row": row, "column": column, "items": items, "means": list(means.values())})
    return found
