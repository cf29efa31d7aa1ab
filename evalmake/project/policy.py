"""Checks the demands of the `settings` block: the version of evalmake, pinned inputs, folders of cached replies."""

from __future__ import annotations

import os
import re
from pathlib import Path

from evalmake import __version__
from evalmake.language.diagnostic import Diagnostics
from evalmake.project.fields import Fields
from evalmake.project.includes import LoadedFile
from evalmake.project.pinned_inputs import UnpinnedInput, find_unpinned_inputs
from evalmake.project.project import Project
from evalmake.project.settings_schema import Settings

_PINNED_TO = {"image": "digest", "weights": "commit", "dataset": "commit"}
_PINNABLE = {"image": "images", "weights": "weights", "dataset": "datasets"}


def check_requires(settings: tuple[Settings, Fields], root: LoadedFile, diagnostics: Diagnostics) -> None:
    """Report an Evalfile that needs a newer evalmake, before anything else is checked."""
    wanted = settings[0].requires
    if not wanted:
        return
    span = settings[1].spans["requires",].value
    match = re.fullmatch(r"\s*>=\s*(\d+(?:\.\d+)*)\s*", wanted)
    if not match:
        diagnostics.error("bad-value", '`requires` takes a minimum version: ">= 1.0"', span)
    elif _parse_version(match[1]) > _parse_version(__version__):
        diagnostics.error(
            "too-old",
            f"{root.source.name} needs evalmake {match[1]} or newer, but this is {__version__}",
            span,
            help=["pip install --upgrade evalmake"],
        )


def _parse_version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def check_policy(project: Project, written: Fields, diagnostics: Diagnostics) -> None:
    """Check `settings { pinned = [...] }`: every input of these sorts is pinned in the file or the lock."""
    pinned = project.settings.pinned
    if not pinned:
        return
    because = [(written.spans["pinned",].value, "inputs must be pinned because of this")]
    for each in find_unpinned_inputs(project):
        if _PINNABLE.get(each.sort) in pinned:
            diagnostics.error(
                "unpinned-input",
                f"{each.title} {each.is_or_are} not pinned",
                each.span,
                _explain_risk(each),
                also=because,
                about=each.about,
                help=[_explain_pinning(project, each)],
            )
    if "includes" in pinned:
        for span in project.files.unpinned:
            diagnostics.error(
                "unpinned-input",
                f"the include {span.text} is not pinned",
                span,
                also=because,
                help=['write the file\'s sha256 after it: include "PATH" sha256:...'],
            )


def check_seeds(project: Project, written: Fields, diagnostics: Diagnostics) -> None:
    """Check `settings { seeds = [...] }`: each folder holds a reply cache."""
    for name in project.settings.seeds:
        folder = Path(os.path.normpath(project.folder / name))
        if not project.external.is_file(folder / "cache.db"):
            is_folder = os.path.isdir(folder)
            diagnostics.error(
                "missing-file",
                f"`{name}` holds no reply cache" if is_folder else f"there is no folder `{name}`",
                written.spans["seeds",].value,
                about="settings",
                notes=[f"evalmake looked for it at {folder}"],
                help=["`evalmake replies export FOLDER` writes one"],
            )


def _explain_risk(what: UnpinnedInput) -> str:
    """Why an unpinned input is a risk."""
    if not what.resolvable:
        return "a file can change; a digest cannot"
    return f"a {'tag' if what.sort == 'image' else 'branch'} can move; a {_PINNED_TO[what.sort]} cannot"


def _explain_pinning(project: Project, what: UnpinnedInput) -> str:
    """How to pin an input."""
    if what.resolvable:
        kind = "tag" if what.sort == "image" else "revision"
        path = Path(project.files.files[-1].source.name).with_suffix(".lock")
        return f"`evalmake pin` resolves the {kind} and writes its {_PINNED_TO[what.sort]} to {path}"
    if what.sort == "image":
        return "use an image from a registry instead"
    return "give its `digest = sha256:...`"
