"""Cells that ask no model, as the answers that they score are in the data: the model of each is a name alone."""

from __future__ import annotations

from collections.abc import Iterator

from evalmake.language.diagnostic import Diagnostics
from evalmake.language.source import Span
from evalmake.project.declarations import Declaration
from evalmake.project.eval_declaration import EvalDeclaration
from evalmake.project.fields import Fields
from evalmake.project.project import Project
from evalmake.project.references import find_judge
from evalmake.project.schema import Model

NO_MODEL = "none"
"""What stands for the model of results in which none was asked and none is named."""


class UnaskedModels:
    """Finds the models of the cells of one eval, and reports what its cells without a model have no use for."""

    def __init__(self, declaration: EvalDeclaration, project: Project, diagnostics: Diagnostics) -> None:
        self._declaration, self._project, self._diagnostics = declaration, project, diagnostics
        self._labels: dict[str, Declaration] = {}
        self._checked: set[tuple[int, str]] = set()
        self._named: dict[tuple[str, object], str] = {}

    def find_model(self, fields: Fields, benchmark: Declaration, name: str | None, limit: object) -> Declaration:
        """The model of a cell; of one that asks none, it has a name and no endpoint, parameters or adapter."""
        if not benchmark.unasked:
            if name is not None:
                return self._project.models[name]
            self._report_no_model(fields, benchmark)
        elif (known := (id(fields), benchmark.name)) not in self._checked:
            self._checked.add(known)
            self._report_unused_keys(fields, benchmark)
        label = NO_MODEL if name is None else name
        if benchmark.unasked:
            self._report_second_name(benchmark, label, limit)
        if label not in self._labels:
            span = self._declaration.span if name is None else self._project.models[name].span
            self._labels[label] = Declaration("model", label, Model.model_validate({}), None, Fields(), span, "", None)
        return self._labels[label]

    def _report_no_model(self, fields: Fields, benchmark: Declaration) -> None:
        if (0, benchmark.name) in self._checked:
            return
        self._checked.add((0, benchmark.name))
        self._diagnostics.error(
            "missing-key",
            f"the benchmark `{benchmark.name}` asks a model, and `model` is `none`",
            fields.spans["model",].value,
            about=f"eval {self._declaration.name}",
            also=[(benchmark.span, "this benchmark")],
            help=["name a model, as `model = NAME`; `none` is for a benchmark whose answers are in the data"],
        )

    def _report_unused_keys(self, fields: Fields, benchmark: Declaration) -> None:
        others = [one for axis in self._declaration.axes if axis.key == "benchmark" for one in axis.values]
        asking = next((one for one in others if not self._project.benchmarks[str(one)].unasked), "")
        for key, span, is_axis in _list_written_keys(self._declaration, fields):
            if key == "seed" and find_judge(self._project, benchmark) is not None:
                continue  # each seed asks the judge anew
            cure = "leave it out"
            if asking:
                one = f"write `when benchmark = {asking} {{ {key} = ... }}`"
                cure = f"write an eval of its own for `{benchmark.name}`" if is_axis else one
            self._diagnostics.error(
                "unused-key",
                f"`{key}` would change nothing: {benchmark.unasked}",
                span,
                about=f"eval {self._declaration.name}",
                also=[(benchmark.span, "this benchmark asks no model")],
                help=[cure],
            )

    def _report_second_name(self, benchmark: Declaration, label: str, limit: object) -> None:
        """Report that the same answers would stand under the names of two models."""
        first = self._named.setdefault((benchmark.name, limit), label)
        axis = next((axis for axis in self._declaration.axes if axis.key == "model"), None)
        if first == label or axis is None or (1, benchmark.name) in self._checked:
            return
        self._checked.add((1, benchmark.name))
        self._diagnostics.error(
            "bad-axis",
            f"the same answers would stand under the names of two models, `{first}` and `{label}`",
            axis.span,
            about=f"eval {self._declaration.name}",
            also=[(benchmark.span, "this benchmark asks no model")],
            help=["name the model whose answers they are, as `model = NAME`, or none: `model = none`"],
        )


def _list_written_keys(declaration: EvalDeclaration, fields: Fields) -> Iterator[tuple[str, Span, bool]]:
    """The keys that only requests to a model need, each with its place, and whether it is an axis.

    Those that an eval inherits do not count as given.
    """
    axes = {axis.key.partition(".")[0]: axis for axis in declaration.axes}
    for key in ("params", "adapter", "weights", "seed"):
        written = fields.spans.get((key,))
        if (axis := axes.get(key)) is not None:
            yield axis.key, axis.span, True
        elif written and fields.values.get(key) not in (None, {}, 0) and _is_own(written.origin):
            yield key, written.key, False


def _is_own(origin: str) -> bool:
    return origin == "own" or origin.startswith("when")
