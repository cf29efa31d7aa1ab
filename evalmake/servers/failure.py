"""The message about a server that failed, with advice."""

from __future__ import annotations

from evalmake.language.diagnostic import Diagnostic, make_diagnostic
from evalmake.plugin_api.executor import JobState
from evalmake.servers.readiness import NO_ANSWER
from evalmake.servers.server import Server

_PORT_ADVICE = "end what listens there, or give the deployment another `port`"
_MEMORY_ADVICE = "give it more memory: raise `resources.memory`"
_LISTEN_ADVICE = "a server in a container listens on 0.0.0.0, at the `port` of its deployment"
_KILLED, _NOT_FOUND = 137, 127  # exit statuses


def failure_diagnostic(server: Server, max_starts: int) -> Diagnostic:
    """The error for a server that failed in all its starts."""
    spec, declaration = server.spec, server.spec.declaration
    notes = ["\n".join(["the last lines of its log were", *server.log_tail])] if server.log_tail else []
    where = f" on executor {spec.executor}" if spec.is_deployment else ""
    log = f"; the whole log: evalmake logs {spec.name}" if spec.is_deployment and server.log_tail else ""
    notes.append(f"attempt {server.starts} of {max_starts}{where}{log}")
    notes.append(_describe_users(sorted(server.users)))
    key, label, advice = _advise(server) if spec.is_deployment else ("", "", "")
    place = declaration.fields.spans.get((key,))
    return make_diagnostic(
        "service-failed",
        f"{spec.title} {server.failure}",
        declaration.span,
        also=[(place.value, label)] if place else (),
        notes=notes,
        help=[advice] if advice else [],
    )


def _describe_users(users: list[str]) -> str:
    who = "1 evaluation waits" if len(users) == 1 else f"{len(users)} evaluations wait"
    return f"{who} for it: {', '.join(users[:3])}{', ...' * (len(users) > 3)}"


def _advise(server: Server) -> tuple[str, str, str]:
    """The key of the deployment to look at, the label to put there, and the advice."""
    spec, status = server.spec, server.end.status if server.end else None
    program, in_image = spec.command.argv[0], bool(spec.declaration.block.image)
    if server.port_taken:
        return "port", "this port", _PORT_ADVICE
    if status == _KILLED:
        return "resources", "this is its limit", _MEMORY_ADVICE
    if status == _NOT_FOUND and in_image and "/" not in program:
        return "image", f"it has no `{program}`", f"name an image that has the program `{program}`"
    if server.failure.endswith(NO_ANSWER) and in_image:
        return "port", "the port it was asked at", _LISTEN_ADVICE
    return "", "", ""


def describe_end(state: JobState) -> str:
    """How a server's job ended, in words."""
    if state.status is None:
        return state.detail or "it is gone, for an unknown reason"
    return state.detail or f"exit status {state.status}"


def describe_seconds(seconds: float) -> str:
    """A time in seconds, or in minutes from two minutes on."""
    return f"{seconds:.0f}s" if seconds < 120 else f"{seconds / 60:.0f}m"
