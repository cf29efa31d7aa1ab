"""What `settings` demands of the rest of an Evalfile, and of the disk: a version, pins, seeds."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from evalmake import __version__
from evalmake.lang.diagnostic import Diagnostics
from evalmake.lang.source import Span
from evalmake.project.catalog import PREFIX
from evalmake.project.declare import Declared
from evalmake.project.fields import Fields
from evalmake.project.files import Loaded
from evalmake.project.lock import Lock
from evalmake.project.project import Project
from evalmake.project.references import named
from evalmake.project.schema import Settings

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_REVISION = re.compile(r"@[0-9a-f]{7,64}$")


def check_requires(settings: tuple[Settings, Fields], root: Loaded, found: Diagnostics) -> None:
    """An Evalfile that needs a newer evalmake says so before anything else is judged."""
    wanted = settings[0].requires
    if not wanted:
        return
    span = settings[1].spans["requires",].value
    match = re.fullmatch(r"\s*>=\s*(\d+(?:\.\d+)*)\s*", wanted)
    if not match:
        found.error("bad-value", '`requires` is a least version: ">= 1.0"', span)
    elif _version(match[1]) > _version(__version__):
        found.error(
            "too-old", f"{root.source.name} needs evalmake {match[1]} or newer, and this is {__version__}", span,
            help=["pip install --upgrade evalmake"],
        )  # fmt: skip


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def check_policy(project: Project, written: Fields, found: Diagnostics) -> None:
    """`settings { pinned = [...] }`: every input of those sorts has a digest in file or lock."""
    pinned = project.settings.pinned
    if not pinned:
        return
    lock = Lock.read(project.path)
    because = [(written.spans["pinned",].value, "inputs must be pinned because of this")]
    for what, text, span, about in _inputs(project, pinned):
        if lock.digest(text) is None:
            verb = "are" if what == "weights" else "is"
            found.error(
                "unpinned-input", f"the {what} `{text}` {verb} not pinned", span,
                "a tag can move; a digest cannot" if what == "image" else "a branch can move; a commit cannot",
                also=because, about=about, help=[_pin(what, text)],
            )  # fmt: skip
    if "includes" in pinned:
        for span in project.files.unpinned:
            found.error(
                "unpinned-input", f"the include {span.text} is not pinned", span, also=because,
                help=["write the file's sha256 after it: include \"PATH\" sha256:..."],
            )  # fmt: skip


def check_seeds(project: Project, written: Fields, found: Diagnostics) -> None:
    """`settings { seeds = [...] }` names folders that a response cache is in."""
    for name in project.settings.seeds:
        folder = Path(os.path.normpath(project.folder / name))
        if not folder.joinpath("cache.db").is_file():
            is_folder = folder.is_dir()
            found.error(
                "missing-file", f"`{name}` holds no response cache" if is_folder else f"there is no folder `{name}`",
                written.spans["seeds",].value, about="settings", notes=[f"it was looked for at {folder}"],
                help=["`evalmake replies export FOLDER` writes one"],
            )  # fmt: skip


def _pin(what: str, text: str) -> str:
    """How to pin it in the file."""
    if what == "image":
        name = re.sub(r":[^/:]*$", "", text)
        return f'name it by its digest: "{name}@sha256:..."'
    return f'name a commit, "{text.partition("@")[0]}@COMMIT", or give its `digest = sha256:...`'


def _inputs(project: Project, pinned: tuple[str, ...]) -> Iterator[tuple[str, str, Span, str]]:
    """The unpinned images, weights and datasets: what, its text, where, in what."""
    asked = {name for eval in project.evals.values() for name, _ in named(eval, "benchmark")}
    blocks: Mapping[str, Declared]
    for blocks in (project.deployments, project.benchmarks):
        for item in blocks.values():
            if item.span.source.name.startswith(PREFIX) and item.name not in asked:
                continue  # whoever includes a catalog asks only for some of it
            for sort, key, good in (("images", "image", _DIGEST), ("weights", "weights", _REVISION),
                                    ("datasets", "dataset", _REVISION)):  # fmt: skip
                text = getattr(item.block, key, None)
                digest = key != "image" and getattr(item.block, "digest", None)
                if (
                    sort in pinned
                    and isinstance(text, str)
                    and not digest
                    and not good.search(text)
                ):
                    yield key, text, item.fields.spans[key,].value, f"{item.kind} {item.name}"
