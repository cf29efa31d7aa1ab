"""What a task file says: the keys of a benchmark, and the names by which a job finds its files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from evalmake.language.values import File, Files
from evalmake.plugin_api.harness import find_seed_step
from evalmake.project.matrix import Evaluation


def dump_task(task: Mapping[str, Any]) -> str:
    """The text of a task file."""
    return json.dumps(task, indent=1, ensure_ascii=False)


def make_task(evaluation: Evaluation, place: Callable[[File, str], str]) -> dict[str, Any]:
    """The content of a task file; `place(file, folder)` returns the name by which the job finds a file."""
    block = evaluation.benchmark.block
    settings: Any = evaluation.benchmark.settings
    root = evaluation.variant.eval.parsed.file.path.parent
    fetched = evaluation.benchmark.fetched
    paths: dict[str, str] = {}

    def place_all(files: Files | None, folder: str) -> list[str]:
        names = [place(file, folder) for file in files.files] if files else []
        paths.update(zip(names, (_display_path(f.path, root) for f in files.files), strict=True) if files else ())
        return names

    def place_fetched(files: Files) -> list[str]:
        names = [place(file, "inputs") for file in files.files]
        paths.update(zip(names, (file.name for file in files.files), strict=True))
        return names

    task: dict[str, Any] = {
        "files": place_fetched(fetched) if fetched else place_all(block.files, "inputs"),
        "examples": place_all(settings.examples, "examples"),
        "fewshot": block.fewshot,
        "paths": paths,
    }
    sources = [files for files in (fetched or block.files, settings.examples) if files]
    data = [file for files in sources for file in files.files]
    task["media"] = {
        name: {file.name: place(_rename_media(file), "media") for file in named.files}
        for name, one in zip([*task["files"], *task["examples"]], data, strict=True)
        if (named := evaluation.benchmark.named_files.get(one.path))
    }
    scorer = place_all(settings.scorer_file, "scorer")
    task |= {"scorer_file": scorer[0]} if scorer else {}
    if evaluation.variant.stop_rule is not None:
        task["until"] = evaluation.variant.stop_rule.fields
    if evaluation.variant.block.repeats > 1:
        task |= {"repeats": evaluation.variant.block.repeats, "seed_step": find_seed_step(evaluation)}
    own = {"config", "split", "examples", "scorer_file", "judge", "embedder"}
    plain = settings.model_dump(exclude=own, exclude_none=True, warnings=False)
    task |= {key: True for key in ("judge", "embedder") if getattr(settings, key) and settings.checks}
    return {key: value for key, value in {**plain, **task}.items() if value not in (None, [], {})}


def _rename_media(file: File) -> File:
    """A picture or clip under a name that its content gives it."""
    suffix = PurePath(file.name).suffix
    return replace(file, name=f"{file.sha256}{suffix if re.fullmatch('[.][A-Za-z0-9]{1,8}', suffix) else '.bin'}")


def _display_path(path: Path, root: Path) -> str:
    """A path as it stands in an Evalfile in `root`."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
