"""One server of a build: its state, its job, and how often it has started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalmake.plugin_api.executor import JobState
from evalmake.run.time_budget import TimeBudget
from evalmake.servers.addresses import ServerAddress
from evalmake.servers.spec import ServerSpec
from evalmake.servers.state import State

_NO_ADDRESS = ServerAddress("", "")


@dataclass(slots=True)
class Server:
    """A server in this build. Only `change_state` sets `state`. Moments are on the monotonic clock, but for one."""

    spec: ServerSpec
    budget: TimeBudget  # of all its jobs
    users: set[str] = field(default_factory=set)  # the evaluations that need it and are not done
    state: State = State.WANTED
    job_id: str = ""
    submitted_at: float = 0.0  # when its job was submitted, maybe by an earlier build; seconds since the epoch
    queued_until: float = 0.0  # when it was last seen in a queue; seconds since the epoch
    starting_since: float = 0.0  # from here on `ready` counts; time in a queue does not
    address: ServerAddress = _NO_ADDRESS
    facts: Mapping[str, str] = field(default_factory=dict)  # what its executor says of where it runs

    starts: int = 0  # starts that count against the budget
    blameless_losses: int = 0  # losses since it was last ready that were not its own fault
    unreachable_starts: int = 0  # starts since it was last ready for which its executor was unreachable
    not_before: float = 0.0  # the pause before the next start ends here

    failure: str = ""  # why it was lost; empty while nothing is wrong
    end: JobState | None = None  # how its last job ended by itself
    port_taken: bool = False  # something else listens on its port
    log_tail: tuple[str, ...] = ()

    last_probe: float = 0.0
    last_notice: float = 0.0  # when people were last shown how far it is
    lent: bool = False  # jobs that an earlier build left behind use it, so this build must not stop it

    @property
    def runs_since(self) -> float:
        """When its job left the queue, as far as is known; seconds since the epoch."""
        return max(self.submitted_at, self.queued_until)
