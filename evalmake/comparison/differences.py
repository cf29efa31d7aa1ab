"""In what the definitions of two sides differ, path by path, as `evalmake why` tells what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from evalmake.comparison.cells import SEED_PATHS, Identity
from evalmake.comparison.pairing import CellPair
from evalmake.planner.digest import Change
from evalmake.planner.staleness import find_walk_changes


@dataclass(frozen=True, slots=True)
class Differences:
    """What differs in all pairs, and what in each of them besides, by its label."""

    shared: tuple[Change, ...] = ()
    own: dict[str, tuple[Change, ...]] = field(default_factory=dict)
    of_seeds: bool = False  # whether the two sides have other seeds somewhere

    def grouped(self) -> dict[tuple[Change, ...], list[str]]:
        """The labels of what differs in the same."""
        found: dict[tuple[Change, ...], list[str]] = {}
        for label, changes in self.own.items():
            found.setdefault(changes, []).append(label)
        return found


def find_differences(pairs: Sequence[CellPair]) -> Differences:
    """Compare the definitions of each pair's first cells of one seed. Seeds are pooled, and no difference."""
    found = {pair.label: _find_changes(pair) for pair in pairs}
    common = [change for change in next(iter(found.values()), []) if all(change in one for one in found.values())]
    own = {label: tuple(one for one in changes if one not in common) for label, changes in found.items()}
    of_seeds = any({cell.seed for cell in pair.before} != {cell.seed for cell in pair.after} for pair in pairs)
    own = {label: changes for label, changes in own.items() if changes}
    return Differences(tuple(common), own, of_seeds)


def find_identity_changes(before: Identity, after: Identity) -> list[Change]:
    """What differs, by path; of a part whose walk is not at hand on both sides, the digest."""
    parts = [name for name in sorted({*before.digests, *after.digests}) if _differ(before, after, name)]
    known = [name for name in parts if name in before.walks and name in after.walks]
    changes = find_walk_changes(*({name: side.walks[name] for name in known} for side in (before, after)))
    for name in parts:
        if name not in known:
            one, other = (side.digests.get(name) for side in (before, after))
            changes.append(Change(name or "the cell itself", one, other))
    return changes


def _differ(before: Identity, after: Identity, part: str) -> bool:
    """Whether a part is not the same; a digest may be cut."""
    one, other = before.digests.get(part, ""), after.digests.get(part, "")
    size = min(len(one), len(other))
    return not size or one[:size] != other[:size]


def _find_changes(pair: CellPair) -> list[Change]:
    seeds = {cell.seed: cell for cell in pair.before}
    both = [(seeds[cell.seed], cell) for cell in pair.after if cell.seed in seeds]
    one, other = both[0] if both else (pair.before[0], pair.after[0])
    return [one for one in find_identity_changes(one.identity, other.identity) if one.path not in SEED_PATHS]
