"""Where a deployment's weights are: a folder of this host, a model of a hub, or an object store."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from evalmake.language.diagnostic import Diagnostics
from evalmake.language.values import Files
from evalmake.plugin_api.executor import Mount
from evalmake.project.declarations import Declaration

MODELS = "/models"  # in a container, the folder of weights
HUB = "/hub"  # in a container, the cache of models from the hub
_URL = re.compile(r"([a-z0-9]+)://(.+)")


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights as a server loads them: `name` is a path in a container, a hub's name, or a URL."""

    name: str
    revision: str = ""
    mounts: Mapping[str, Mount] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


def weights_scheme(weights: str | Files | None) -> str:
    """The scheme of weights that are a URL, `hf`, `s3` or the like; empty for files and paths."""
    found = _URL.match(weights) if isinstance(weights, str) else None
    return found[1] if found else ""


def find_weights(deployment: Declaration) -> Weights:
    """The weights that a deployment names."""
    named = deployment.block.weights
    if weights_scheme(named) == "hf":
        name, _, revision = named.removeprefix("hf://").partition("@")
        mounts, env = hub_cache(deployment)
        return Weights(name, revision, mounts, env)
    if weights_scheme(named):
        return Weights(named)
    source = weights_folder(deployment)
    suffix = source.suffix if isinstance(named, Files) and named.single else ""
    path = f"{MODELS}/{deployment.name}{suffix}"
    return Weights(path, mounts={path: Mount(source)})


def hub_cache(deployment: Declaration) -> tuple[dict[str, Mount], dict[str, str]]:
    """This host's cache of the hub, and the variable for it; nothing if the deployment sets its own."""
    if {"HF_HOME", "HF_HUB_CACHE"} & set(deployment.block.env):
        return {}, {}
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    cache = Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub")
    return {HUB: Mount(cache, writable=True)}, {"HF_HUB_CACHE": HUB}


def weights_folder(deployment: Declaration) -> Path:
    """The path of weights that are files: the one file, the root of a `glob()`, or the path as written."""
    named = deployment.block.weights
    if not isinstance(named, Files):
        return Path(deployment.fields.spans["weights",].value.source.folder, named)
    first = named.files[0]
    return first.path if named.single else first.path.parents[len(PurePath(first.name).parts) - 1]


def check_weights(
    deployment: Declaration, diagnostics: Diagnostics, schemes: tuple[str, ...], takes_revision: bool = True
) -> None:
    """Check that a deployment names weights, in a way that its engine can load."""
    block, about = deployment.block, f"deployment {deployment.name}"
    if not block.weights:
        diagnostics.error(
            "missing-key",
            f"{about} has no `weights`",
            deployment.span,
            about=about,
            help=[f"name what to serve: {_describe_schemes(schemes)}"],
        )
        return
    span = deployment.fields.spans["weights",].value
    kind = weights_scheme(block.weights)
    if kind and kind not in schemes:
        diagnostics.error(
            "bad-value",
            f"engine `{block.engine}` cannot fetch weights from {kind}://",
            span,
            about=about,
            help=[f"fetch them first, and name what it can serve: {_describe_schemes(schemes)}"],
        )
    elif unnamed := _find_unnamed_files(deployment):
        more = ", ..." if len(unnamed) > 3 else ""
        diagnostics.error(
            "bad-value",
            f"the server would see more than the weights that {about} names",
            span,
            about=about,
            notes=[f"in the same folder: {', '.join(unnamed[:3])}{more}"],
            help=["name all that is in the folder, or keep the weights in one of their own"],
        )
    elif kind == "hf" and "@" in block.weights and not takes_revision:
        diagnostics.error(
            "bad-value",
            f"engine `{block.engine}` cannot load a given revision",
            span,
            about=about,
            help=['fetch the weights first, and name their files: glob("FOLDER/*")'],
        )


def _find_unnamed_files(deployment: Declaration) -> list[str]:
    """Files in the folder that a `glob()` does not name: the server would load them, and no identity would show it."""
    named = deployment.block.weights
    if not isinstance(named, Files) or named.single:
        return []
    root, known = weights_folder(deployment), {file.path for file in named.files}
    paths = (path for path in root.rglob("*") if path.is_file())
    return sorted(
        str(path.relative_to(root))
        for path in paths
        if path not in known and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )


def _describe_schemes(schemes: tuple[str, ...]) -> str:
    known = {"hf": '"hf://ORG/NAME@REVISION"', "s3": '"s3://BUCKET/FOLDER"'}
    return " or ".join(['glob("FOLDER/*")', *(known[one] for one in schemes)])
