"""The inputs of a project that may mean another thing tomorrow, and what its lock says they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evalmake.language.source import Span
from evalmake.pins.lock import name_package_set
from evalmake.project.catalog import PREFIX
from evalmake.project.declarations import Declaration
from evalmake.project.project import Project
from evalmake.project.references import names_given

HUB = "hf://"
_DIGEST = re.compile(r"(^|@)sha256:[0-9a-f]{64}$")
_REVISION = re.compile(r"@([0-9a-f]{40}|(?=\d*[a-f])[0-9a-f]{7,64})$")  # @20240601 is a tag
_KEYS = {"image": _DIGEST, "weights": _REVISION, "dataset": _REVISION}


@dataclass(frozen=True, slots=True)
class UnpinnedInput:
    """An image, weights or dataset without digest or commit, or packages, which never have one.

    `text` is what the lock calls it, `written` what the Evalfile does.
    """

    sort: str
    text: str
    written: str
    span: Span
    declared: Declaration

    @property
    def about(self) -> str:
        """The declaration that names it."""
        return f"{self.declared.kind} {self.declared.name}"

    @property
    def title(self) -> str:
        """What messages call it: ``the image `acme/evals:1` ``."""
        return f"the {self.sort} `{self.written}`"

    @property
    def is_or_are(self) -> str:
        """The verb that goes with its sort."""
        return "is" if self.sort in ("image", "dataset") else "are"

    @property
    def resolvable(self) -> bool:
        """Whether `evalmake pin` can find out what it means: a path says no more than it does."""
        if self.sort == "image":
            return not self.text.startswith(("/", "."))
        return self.sort == "packages" or self.text.startswith(HUB)


def find_unpinned_inputs(project: Project) -> Iterator[UnpinnedInput]:
    """Every input of a project that the Evalfile does not pin, in the order of declarations."""
    asked = {name for eval in project.evals.values() for name, _ in names_given(eval, "benchmark")}
    for block in _all(project):
        if block.span.source.name.startswith(PREFIX) and block.name not in asked:
            continue  # whoever includes a catalog asks only for some of it
        yield from unpinned_inputs_of(block)


def _all(project: Project) -> tuple[Declaration, ...]:
    """What may name an input."""
    kinds = (project.deployments, project.benchmarks, project.executors)
    return tuple(declared for kind in kinds for declared in kind.values())


def unpinned_inputs_of(declared: Declaration) -> Iterator[UnpinnedInput]:
    """The inputs of one deployment, benchmark or executor that it does not pin itself."""
    block, spans = declared.block, declared.fields.spans
    for key, good in _KEYS.items():
        text = getattr(_owner(declared), key, None)
        known = key != "image" and getattr(block, "digest", None)
        if isinstance(text, str) and not known and not good.search(text):
            yield UnpinnedInput(key, text, text, spans[key,].value, declared)
    packages = packages_of(declared)
    if packages and not block.image:
        name, written = name_package_set(packages), " ".join(packages)
        yield UnpinnedInput("packages", name, written, spans["packages",].value, declared)


def _owner(declared: Declaration) -> Any:
    """What says which image and weights: an executor's image is its backend's setting."""
    return declared.settings if declared.kind == "executor" else declared.block


def packages_of(declared: Declaration) -> tuple[str, ...]:
    """What a benchmark, or a deployment whose engine installs its server, names as its packages."""
    owner = declared.block if declared.kind == "benchmark" else declared.settings
    found: tuple[str, ...] | None = getattr(owner, "packages", None)
    return found or ()


def apply_lock(project: Project) -> None:
    """Put the lock's digests and commits where the Evalfile has tags and branches."""
    lock = project.lock
    for declared in _all(project):
        for each in list(unpinned_inputs_of(declared)):
            if each.sort in _KEYS and (pin := lock.pins.get(each.text)) is not None:
                _put(declared, each.sort, pin.applied(each.text), f"from {lock.path.name}")


def _put(declared: Declaration, key: str, value: str, origin: str) -> None:
    """Let a declaration say this, on behalf of another file, where it said something else."""
    written = declared.fields.spans[key,]._replace(origin=origin)
    declared.fields.put(key, value, written, {})
    copy = _owner(declared).model_copy(update={key: value})
    if declared.kind == "executor":
        declared.settings = copy
    else:
        declared.block = copy
