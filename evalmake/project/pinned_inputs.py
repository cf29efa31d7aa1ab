"""Finds inputs that can change under their name (tags, branches, packages), and applies the lock to them."""

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
_PINNED_DIGEST = re.compile(r"(^|@)sha256:[0-9a-f]{64}$")
_PINNED_REVISION = re.compile(r"@([0-9a-f]{40}|(?=\d*[a-f])[0-9a-f]{7,64})$")
# A commit is 40 hexadecimal digits, or an abbreviation with a letter among them: `@20240601` is a tag.
_PINNED_FORMS = {"image": _PINNED_DIGEST, "weights": _PINNED_REVISION, "dataset": _PINNED_REVISION}


@dataclass(frozen=True, slots=True)
class UnpinnedInput:
    """An image, weights or a dataset without a digest or commit, or a set of packages.

    `text` is what the lock calls it, `written` what the Evalfile does.
    """

    sort: str
    text: str
    written: str
    span: Span
    declaration: Declaration

    @property
    def about(self) -> str:
        """The declaration that names it, such as `benchmark gsm8k`."""
        return f"{self.declaration.kind} {self.declaration.name}"

    @property
    def title(self) -> str:
        """What messages call it, such as ``the image `acme/evals:1` ``."""
        return f"the {self.sort} `{self.written}`"

    @property
    def is_or_are(self) -> str:
        """The verb that agrees with the title."""
        return "is" if self.sort in ("image", "dataset") else "are"

    @property
    def resolvable(self) -> bool:
        """Whether `evalmake pin` can resolve it. A local path cannot be resolved."""
        if self.sort == "image":
            return not self.text.startswith(("/", "."))
        return self.sort == "packages" or self.text.startswith(HUB)


def find_unpinned_inputs(project: Project) -> Iterator[UnpinnedInput]:
    """Return every input that the Evalfile does not pin, in the order of the declarations."""
    asked = {name for eval in project.evals.values() for name, _ in names_given(eval, "benchmark")}
    for block in _declarations_with_inputs(project):
        if block.span.source.name.startswith(PREFIX) and block.name not in asked:
            continue  # an included catalog has benchmarks that no eval uses
        yield from unpinned_inputs_of(block)


def _declarations_with_inputs(project: Project) -> tuple[Declaration, ...]:
    """The declarations that may name an input."""
    kinds = (project.deployments, project.benchmarks, project.executors)
    return tuple(declaration for kind in kinds for declaration in kind.values())


def unpinned_inputs_of(declaration: Declaration) -> Iterator[UnpinnedInput]:
    """The unpinned inputs of one deployment, benchmark or executor."""
    block, spans = declaration.block, declaration.fields.spans
    for key, good in _PINNED_FORMS.items():
        text = getattr(_block_with_input(declaration), key, None)
        known = key != "image" and getattr(block, "digest", None)
        if isinstance(text, str) and not known and not good.search(text):
            yield UnpinnedInput(key, text, text, spans[key,].value, declaration)
    packages = packages_of(declaration)
    if packages and not block.image:
        name, written = name_package_set(packages), " ".join(packages)
        yield UnpinnedInput("packages", name, written, spans["packages",].value, declaration)


def _block_with_input(declaration: Declaration) -> Any:
    """Return the block with `image` and `weights`. The image of an executor is a key of its backend."""
    return declaration.settings if declaration.kind == "executor" else declaration.block


def packages_of(declaration: Declaration) -> tuple[str, ...]:
    """The packages of a benchmark, or of a deployment whose engine installs its server."""
    owner = declaration.block if declaration.kind == "benchmark" else declaration.settings
    found: tuple[str, ...] | None = getattr(owner, "packages", None)
    return found or ()


def apply_lock(project: Project) -> None:
    """Replace tags and branches by the lock's digests and commits."""
    lock = project.lock
    for declaration in _declarations_with_inputs(project):
        for each in list(unpinned_inputs_of(declaration)):
            if each.sort in _PINNED_FORMS and (pin := lock.pins.get(each.text)) is not None:
                _replace_value(declaration, each.sort, pin.applied(each.text), f"from {lock.path.name}")


def _replace_value(declaration: Declaration, key: str, value: str, origin: str) -> None:
    """Replace a value of a declaration, with another file as its origin."""
    written = declaration.fields.spans[key,]._replace(origin=origin)
    declaration.fields.put(key, value, written, {})
    copy = _block_with_input(declaration).model_copy(update={key: value})
    if declaration.kind == "executor":
        declaration.settings = copy
    else:
        declaration.block = copy
