"""`provenance/attempt.json`: what is known of one attempt beside its record, which has its times, scores and facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from evalmake.planner.graph import Node
from evalmake.planner.staleness import Reason
from evalmake.project.declarations import Declaration
from evalmake.provenance.build import VERSION, to_json

ATTEMPT = "provenance/attempt.json"
"""The name of the output."""
_MOST_REASONS = 50
_LONGEST_TEXT = 500  # characters
_IMAGE_FACTS = ("image", "image-digest", "image-id")


@dataclass(frozen=True, slots=True)
class Package:
    """An installed distribution.

    `sha256` is that of the archive that was installed (`of` = archive), or of the RECORD of its files (`of` = RECORD).
    """

    name: str
    version: str
    sha256: str
    of: str
    needed_by: str  # the declaration that names its environment: `benchmark gsm8k`


def describe_attempt(
    node: Node,
    executor: Declaration,
    reasons: Sequence[Reason],
    packages: Iterable[Package],
    facts: Mapping[str, str],
    retry: int,
    taken_over: bool,
) -> bytes:
    """The text.

    `facts` are those of executors about the job and its servers. `taken_over`: an earlier build, which was killed or
    detached, started the job, and what it knew of itself is lost: `build.json` is about the one that took it over.
    Weights and data have their digests in the identity. `replies` names who asked for the replies, where an earlier
    attempt did, and the sha256 of the samples that have them.
    """
    resources = node.evaluation.variant.block.resources
    found: dict[str, object] = {
        "version": VERSION,
        "executor": {"name": executor.name, "backend": executor.plugin},
        "reasons": [_cut(reason) for reason in reasons[:_MOST_REASONS]],
        "packages": [asdict(package) for package in packages],
        "images": _find_images(facts),
        "placement": {
            key: value for key in type(resources).model_fields if (value := getattr(resources, key)) is not None
        },
        "facts": dict(facts),
        "retry": retry,
        "taken_over": taken_over,
    }
    if node.replies is not None:
        found["replies"] = {"attempt": node.replies.origin, "samples": node.replies.samples}
    if len(reasons) > _MOST_REASONS:
        found["more_reasons"] = len(reasons) - _MOST_REASONS
    return to_json(found)


def _cut(reason: Reason) -> dict[str, str | None]:
    """A reason, of whose long texts only the beginning is told."""
    return {key: text and text[:_LONGEST_TEXT] for key, text in asdict(reason).items()}


def _find_images(facts: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What the executors say of images: those of the job (""), and those of each deployment."""
    found: dict[str, dict[str, str]] = {}
    for name, value in facts.items():
        owner, _, key = name.rpartition(" ")
        if key in _IMAGE_FACTS:
            found.setdefault(owner, {})[key] = value
    return found
