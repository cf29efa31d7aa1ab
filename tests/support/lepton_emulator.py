"""Workspaces of DGX Cloud Lepton over HTTP, each in a process that is forked on command.

Every body is checked by the types of NVIDIA's own `leptonai` package, in whose environment this runs.
`POST /_control` changes its behaviour, and `GET /_calls` returns the requests so far. This file is
the HTTP side. What the routes do is in `lepton_emulator_workspace`, and the jobs and endpoints behind it are
in `lepton_emulator_work`.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lepton_emulator_work import Endpoint, Job, Refused
from lepton_emulator_workspace import WORKSPACE, Fault, Workspace

TOKEN = "a token of the workspace"
ROOT = f"/api/v2/workspaces/{WORKSPACE}"
_PR_SET_PDEATHSIG = 1


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    of: Workspace

    def log_message(self, *words: Any) -> None:
        """Calls are noted elsewhere."""

    def answer(self) -> None:
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        if url.path.startswith("/_"):
            self.reply(*control(self.of, url.path, body))
            return
        path = url.path.removeprefix(ROOT)
        with self.of.lock:
            self.of.calls.append((self.command, path))
            self.of.arrivals.append(time.monotonic())
            fault = self.fault(path)
        if fault is not None and fault.kind == "slow":
            time.sleep(fault.seconds)
        if fault is not None and fault.kind == "hold":
            self.of.go_on.wait()
        if fault is not None and not fault.after and fault.kind not in ("slow", "hold"):
            self.spoil(fault)
            return
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        status, told = self.told(url.path, path, query, body)
        if fault is not None and fault.after:
            self.spoil(fault)
            return
        self.reply(status, told)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = answer

    def fault(self, path: str) -> Fault | None:
        for one in self.of.faults:
            if one.method in ("*", self.command) and re.fullmatch(one.path, path):
                one.times -= 1
                if one.times <= 0:
                    self.of.faults.remove(one)
                return one
        return None

    def spoil(self, fault: Fault) -> None:
        if fault.kind == "drop":
            self.close_connection = True
            self.connection.close()
            return
        if fault.kind == "page":
            self.reply(200, fault.page)
            return
        more = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        self.reply(fault.status, {"code": "Told", "message": fault.message}, more, fault.date)

    def told(self, whole: str, path: str, query: Mapping[str, str], body: Any) -> tuple[int, Any]:
        if self.headers.get("Authorization") != f"Bearer {self.of.token}":
            return 401, {"code": "Unauthorized", "message": "the token is not valid"}
        if not whole.startswith(f"{ROOT}/"):
            return 404, {"code": "NotFound", "message": "there is no such workspace"}
        try:
            with self.of.lock:
                return route(self.of, self.command, path, query, body)
        except Refused as error:
            return error.status, {"code": "Refused", "message": str(error)}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return 400, {"code": "InvalidArgument", "message": f"{type(error).__name__}: {error}"}

    def reply(self, status: int, told: Any, more: Mapping[str, str] | None = None, date: str = "") -> None:
        data = told.encode() if isinstance(told, str) else json.dumps(told).encode()
        self.send_response_only(status)
        self.send_header("Date", date or self.date_time_string())
        for name, value in {"Content-Length": str(len(data)), **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


Route = Callable[..., tuple[int, Any]]


def route(of: Workspace, method: str, path: str, query: Mapping[str, str], body: Any) -> tuple[int, Any]:
    """The routes of jobs, endpoints and all that they need."""
    kind, *rest = path.strip("/").split("/")
    whole: dict[tuple[str, str], Callable[[], tuple[int, Any]]] = {
        ("GET", "workspace"): lambda: (200, of.info()),
        ("GET", "shapes"): lambda: (200, of.shapes()),
        ("GET", "dedicated-node-groups"): lambda: (200, of.groups()),
        ("GET", "usersecrets"): lambda: (200, [{"name": name} for name in of.secrets]),
        ("POST", "usersecrets"): lambda: of.create_secrets(body),
        ("GET", "jobs"): lambda: of.list_jobs(query),
        ("POST", "jobs"): lambda: of.create_job(body),
        ("GET", "logs"): lambda: (200, logs(of, query)),
    }
    if of.new_api:
        whole["GET", "endpoints"] = lambda: (200, [e.shown() for e in of.work.endpoints.values()])
        whole["POST", "endpoints"] = lambda: of.create_endpoint(body)
    if not rest and (method, kind) in whole:
        return whole[method, kind]()
    if method == "DELETE" and kind == "usersecrets":
        return of.remove_secret(rest[0])
    if kind == "dedicated-node-groups" and method == "GET" and len(rest) == 1:
        [found] = [one for one in of.groups() if one["metadata"]["id"] == rest[0]]
        return 200, found
    if kind in ("jobs", "endpoints") and rest and (of.new_api or kind == "jobs"):
        return one_of(of, method, kind, rest, body)
    raise Refused(404, f"there is no {method} {path}")


def one_of(of: Workspace, method: str, kind: str, rest: list[str], body: Any) -> tuple[int, Any]:
    """What concerns one job or endpoint."""
    all: Mapping[str, Job | Endpoint] = of.work.jobs if kind == "jobs" else of.work.endpoints
    one = all.get(rest[0])
    if one is None:
        raise Refused(404, f"{kind} {rest[0]} does not exist")
    match (method, *rest[1:]):
        case ("GET",):
            return 200, one.shown()
        case ("PATCH",) if isinstance(one, Job):
            return of.change_job(one, body)
        case ("DELETE",):
            of.work.remove(one)
            return 200, {}
        case ("GET", "events"):
            return 200, one.events
        case ("GET", "replicas"):
            return 200, [{"metadata": {"id": id, "name": id}, "id": id} for id in one.containers]
        case ("GET", "replicas", id, "log"):
            return 200, one.containers[id].said()
    raise Refused(404, f"there is no {method} of {'/'.join(rest[1:])}")


def logs(of: Workspace, query: Mapping[str, str]) -> dict[str, Any]:
    """The lines that were written in a span of time, as Loki has them."""
    if ("start" in query) != ("end" in query):
        raise Refused(400, "start and end belong together")
    name = query.get("job") or query.get("endpoint") or ""
    one = of.work.jobs.get(name) or of.work.endpoints.get(name)
    if one is None:
        raise Refused(404, f"{name} does not exist")
    lines = [
        {"stream": {"replica": id}, "values": [[str(at), line] for at, line in box.lines(query)]}
        for id, box in one.containers.items()
        if query.get("replica", id) == id
    ]
    return {"status": "success", "data": {"resultType": "streams", "result": lines}}


def control(of: Workspace, path: str, body: Any) -> tuple[int, Any]:
    """What a test tells the emulator, and asks it."""
    with of.lock:
        if path == "/_calls":
            return 200, of.calls
        if path == "/_arrivals":
            return 200, of.arrivals
        if path == "/_state":
            images = [one.image for one in of.work.all()]
            return 200, {"secrets": sorted(of.secrets), "images": images, **of.work.counts()}
        for word, value in body.items():
            if word == "fault":
                of.faults.append(Fault(**value))
            elif word == "go_on":
                of.go_on.set()
            elif word in ("page", "limit", "token", "new_api"):
                setattr(of, word, value)
            else:
                getattr(of.work, word)(value)
    return 200, {}


def serve(folder: Path, port: int, token: str) -> None:
    """Serve a new workspace until the end."""
    of = Workspace(folder, token)
    handler = type("Handling", (Handler,), {"of": of})
    ThreadingHTTPServer.daemon_threads = True
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=of.work.watch, daemon=True).start()
    server.serve_forever()


def start(folder: str, port: int) -> int:
    """Fork a process that serves a workspace and ends with this one; return its id."""
    parent = os.getpid()
    if pid := os.fork():
        return pid
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    log = os.open(Path(folder, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor, target in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
        os.dup2(descriptor, target)
    os.chdir(folder)
    try:
        serve(Path(folder), port, TOKEN)
    finally:
        os._exit(1)
    return 0


def stop(pid: int) -> int:
    """End a process that `start` forked; return its exit status."""
    os.kill(pid, signal.SIGTERM)
    return os.waitpid(pid, 0)[1]


def main() -> None:
    """Carry out commands from standard input, a JSON list a line, and print each result.

    The imports take a second of processor time, so all tests of a worker fork from one process.
    """
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        print({"start": start, "stop": stop}[command](*arguments), flush=True)


if __name__ == "__main__":
    main()
