"""A server's life in a build, and what to tell of one that cannot be had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalmake.language.diagnostic import Diagnostic, make_diagnostic
from evalmake.plugin_api.executor import JobState
from evalmake.run.gateways.host_gateways import Place
from evalmake.servers.readiness import SILENT
from evalmake.servers.spec import ServerSpec

_NOWHERE = Place("", "")
_TAKEN = "end what listens there, or give the deployment another `port`"
_MEMORY = "give it more memory: raise `resources.memory`"
_DEAF = "a server in a container listens on 0.0.0.0, at the `port` of its deployment"


@dataclass(slots=True)
class Server:
    """One server's life in this build."""

    what: ServerSpec
    users: set[str] = field(default_factory=set)
    state: str = "wanted"  # wanted | starting | ready | failed | stopped
    id: str = ""
    starts: int = 0
    since: float = 0.0
    begun: float = 0.0  # when its job was asked for, maybe by an earlier build
    excused: int = 0  # times since it was ready that it was lost through no fault of its own
    put_off: int = 0  # times that its executor could not be reached to start it
    not_before: float = 0.0
    place: Place = _NOWHERE
    why: str = ""
    ended: JobState | None = None  # how its last job did, by itself
    asked: float = 0.0  # when it was last asked whether it is ready
    told: float = 0.0  # when it was last told how far it is
    taken: bool = False  # its port, by something else
    lent: bool = False  # by jobs that an earlier build left, which go on with it
    facts: Mapping[str, str] = field(default_factory=dict)
    tail: tuple[str, ...] = ()


def failure(service: Server, starts: int) -> Diagnostic:
    """What to tell of a server that could not be had in so many `starts`."""
    what, declared = service.what, service.what.declared
    waiting = sorted(service.users)
    notes = []
    if service.tail:
        notes.append("\n".join(["the last lines of its log were", *service.tail]))
    mine = what.is_deployment
    where = f" on executor {what.executor}" if mine else ""
    log = f"; the whole log: evalmake logs {what.name}" if mine and service.tail else ""
    notes.append(f"attempt {service.starts} of {starts}{where}{log}")
    who = "1 evaluation waits" if len(waiting) == 1 else f"{len(waiting)} evaluations wait"
    notes.append(f"{who} for it: {', '.join(waiting[:3])}{', ...' * (len(waiting) > 3)}")
    key, label, help = _advice(service) if mine else ("", "", "")
    place = declared.fields.spans.get((key,))
    return make_diagnostic(
        "service-failed",
        f"{what.title} {service.why}",
        declared.span,
        also=[(place.value, label)] if place else (),
        notes=notes,
        help=[help] if help else [],
    )


def _advice(service: Server) -> tuple[str, str, str]:
    """The key to look at, what to see there, and what to try."""
    what, status = service.what, service.ended.status if service.ended else None
    program, in_image = what.service.argv[0], bool(what.declared.block.image)
    if service.taken:
        return "port", "the port it was given", _TAKEN
    if status == 137:
        return "resources", "the limit it ran under", _MEMORY
    if status == 127 and in_image and "/" not in program:
        return "image", f"it has no `{program}`", f"name an image that has the program `{program}`"
    if service.why.endswith(SILENT) and in_image:
        return "port", "the port it was asked at", _DEAF
    return "", "", ""


def how(state: JobState) -> str:
    """How a server's job ended."""
    if state.status is None:
        return state.detail or "it is gone, and nothing says why"
    return state.detail or f"exit status {state.status}"


def spent(seconds: float) -> str:
    """For how long."""
    return f"{seconds:.0f}s" if seconds < 120 else f"{seconds / 60:.0f}m"
