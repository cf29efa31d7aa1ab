"""Files that the records of a benchmark's data name, such as pictures: inputs of its job, and part of its identity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

from evalmake.language.external_inputs import ExternalInputs
from evalmake.language.values import File, Files
from evalmake.project.declarations import Declaration
from evalmake.project.plugin_registry import PluginRegistry

Identity = Files | dict[str, Files] | None


@runtime_checkable
class NamesFiles(Protocol):
    """A harness whose data name further files."""

    def describe_named_files(self, benchmark: Declaration, /) -> str:
        """What of a benchmark decides which files its data name; empty where they name none."""

    def find_named_files(self, benchmark: Declaration, file: Path, /) -> list[str]:
        """The files that the records of a data file name, relative to its folder. It does not raise for bad data."""


def add_named_files(benchmarks: Iterable[Declaration], plugins: PluginRegistry, external: ExternalInputs) -> None:
    """Give each benchmark the files that its data name. A file that is not there is left for the check of data."""
    for benchmark in benchmarks:
        harness = plugins.get("harnesses", benchmark.plugin)
        if not isinstance(harness, NamesFiles) or not (question := harness.describe_named_files(benchmark)):
            continue
        for data in list_data_files(benchmark):
            found = external.named_files(data.path, question, partial(harness.find_named_files, benchmark))
            if found:
                benchmark.named_files[data.path] = Files(tuple(found))


def list_data_files(benchmark: Declaration) -> list[File]:
    """Every file that the keys of a benchmark name, and those of its data set of the hub where they are here."""
    found: list[File] = [*benchmark.fetched.files] if benchmark.fetched else []
    for block in (benchmark.block, benchmark.settings):
        for key in type(block).model_fields if block is not None else ():
            value = getattr(block, key)
            if isinstance(value, Files):
                found += value.files
    return found


def list_input_files(benchmark: Declaration) -> list[File]:
    """Every file that a benchmark reads: those that its keys name, and those that its data name."""
    return [*list_data_files(benchmark), *(file for files in benchmark.named_files.values() for file in files.files)]


def identify_named_files(benchmark: Declaration) -> Identity:
    """The files that data name, for the identity: by the name of the data file where there are several."""
    named: Mapping[Path, Files] = benchmark.named_files
    if len(named) < 2:
        return next(iter(named.values()), None)
    found: dict[str, Files] = {}
    for data in list_data_files(benchmark):
        if data.path in named:
            again = f" {len(found)}" if data.name in found else ""
            found[f"{data.name}{again}"] = named[data.path]
    return found
