"""A server's life in a build, and what to tell of one that could not be had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalmake.lang.diagnostic import Diagnostic, problem
from evalmake.run.gateways import Place
from evalmake.run.served import Served

_NOWHERE = Place("", "")
_KILLED = "137 is SIGKILL, most often the memory limit: raise `resources.memory`"
_TAKEN = "end what listens there, or give the deployment another `port`"


@dataclass(slots=True)
class Running:
    """One server's life in this build."""

    what: Served
    users: set[str] = field(default_factory=set)
    state: str = "wanted"  # wanted | starting | ready | failed | stopped
    id: str = ""
    starts: int = 0
    since: float = 0.0
    put_off: int = 0  # times that its executor could not be reached to start it
    not_before: float = 0.0
    place: Place = _NOWHERE
    why: str = ""
    taken: bool = False  # its port, by something else
    lent: bool = False  # by jobs that an earlier build left, which go on with it
    facts: Mapping[str, str] = field(default_factory=dict)
    tail: tuple[str, ...] = ()


def failure(service: Running, starts: int) -> Diagnostic:
    """What to tell of a server that could not be had in so many starts."""
    what, declared = service.what, service.what.declared
    waiting = sorted(service.users)
    notes = []
    if service.tail:
        notes.append("\n".join(["the last lines of its log were", *service.tail]))
    log = (
        f"; the whole log: evalmake logs {what.name}" if service.tail and what.is_deployment else ""
    )
    where = f" on executor {what.executor}" if what.is_deployment else ""
    notes.append(f"attempt {service.starts} of {starts}{where}{log}")
    more = ", ..." if len(waiting) > 3 else ""
    notes.append(f"{len(waiting)} evaluations wait for it: {', '.join(waiting[:3])}{more}")
    key, label, help = "", "", ""
    if "exit status 137" in service.why and what.is_deployment:
        key, label, help = "resources", "the limit it ran under", _KILLED
    elif service.taken:
        key, label, help = "port", "the port it was given", _TAKEN
    place = declared.fields.spans.get((key,))
    return problem(
        "service-failed",
        f"{what.title} {service.why}",
        declared.span,
        also=[(place.value, label)] if place else (),
        notes=notes,
        help=[help] if help else [],
    )
