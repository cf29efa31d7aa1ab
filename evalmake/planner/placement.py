"""Facts about where an action runs: its image, its interpreter, the files and allocations it can use."""

from __future__ import annotations

from evalmake.language.values import Duration
from evalmake.project.declarations import Declaration
from evalmake.project.matrix import Variant


def sees_host_files(executor: Declaration) -> bool:
    """Whether jobs find this host's files at their paths. Only for executors that are no container engine."""
    return getattr(executor.settings, "host", None) is None


def has_own_nodes(executor: Declaration) -> bool:
    """Whether each job is alone on its nodes, as with `--exclusive`; not so if jobs of one user share them."""
    return "--exclusive" in getattr(executor.settings, "directives", ())


def has_own_python(executor: Declaration) -> bool:
    """Whether jobs run an interpreter other than evalmake's, with the packages that are installed there."""
    own = (getattr(executor.settings, key, None) for key in ("python", "image"))
    return not sees_host_files(executor) or any(own)


def shares_allocations(executor: Declaration) -> bool:
    """Whether evaluations run inside the job of their server, if that is on the same executor."""
    return bool(getattr(executor.settings, "colocate", False))


def attempt_timeout(variant: Variant, executor: Declaration) -> Duration:
    """How long one attempt may take: `timeout`. Its default makes way for an executor's `total_time`."""
    total: Duration | None = getattr(executor.settings, "total_time", None)
    timeout: Duration = variant.block.timeout
    return total if total and ("timeout",) not in variant.fields.spans else timeout


def job_image(benchmark: Declaration, executor: Declaration) -> str | None:
    """The image an evaluation runs in: its benchmark's, which is part of its identity, or else its executor's."""
    image: str | None = benchmark.block.image or getattr(executor.settings, "image", None)
    return image
