"""Jobs and endpoints of the emulator as processes, each in a mount namespace that has its volumes.

A process ends with the emulator. An endpoint's replicas have a network of their own, too, so that each
listens on the port it was told; the ingress goes in there for every request.
"""

from __future__ import annotations

import ctypes
import http.client
import os
import shlex
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CRASHES = 3
_NET = 0x40000000
_HOP = {"connection", "transfer-encoding", "keep-alive", "host"}


class Refused(Exception):
    """A request that is not carried out."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Container:
    """A command as a process in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        command: list[str],
        env: Mapping[str, str],
        binds: Mapping[str, Path],
        apart: bool,
    ) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        steps = ["mount -t tmpfs none /mnt"]
        for target, source in binds.items():
            source.mkdir(parents=True, exist_ok=True)
            there, here = shlex.quote(target), shlex.quote(str(source))
            steps.append(f"mkdir -p {there} && mount --bind {here} {there}")
        steps += ["ip link set lo up"] if apart else []
        steps.append('exec "$@"')
        argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork"]
        argv += ["--kill-child", "--mount-proc", *(["--net"] if apart else [])]
        argv += ["/bin/sh", "-c", " && ".join(steps), "sh", *command]
        told = {"PATH": os.environ["PATH"], "HOME": str(folder), **env}
        with (folder / "said").open("wb") as said:
            self.process = subprocess.Popen(
                argv, cwd=folder, env=told, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )

    @property
    def status(self) -> int | None:
        """The exit status, once it ended."""
        return self.process.poll()

    def said(self) -> str:
        """What it printed."""
        return (self.folder / "said").read_text(errors="replace")

    def lines(self, query: Mapping[str, str]) -> Iterator[tuple[int, str]]:
        """Its lines with times between those that were asked for."""
        at = (self.folder / "said").stat().st_mtime_ns
        if int(query.get("start", 0)) <= at <= int(query.get("end", 2**63)):
            yield from ((at + n, line) for n, line in enumerate(self.said().splitlines()))

    def end(self, by: int = signal.SIGKILL) -> None:
        """End it and all that it started; `unshare` leaves a gentler signal to its child."""
        if self.process.poll() is not None:
            return
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        for pid in map(int, children.split()) if by != signal.SIGKILL else [self.process.pid]:
            os.kill(pid, by)

    def connected(self, port: int) -> socket.socket:
        """A connection to a port of its network."""
        libc = ctypes.CDLL(None, use_errno=True)
        with (
            open("/proc/thread-self/ns/net") as ours,
            open(f"/proc/{self.process.pid}/ns/net") as its,
        ):
            if libc.setns(its.fileno(), _NET):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                return socket.create_connection(("127.0.0.1", port), 5)
            finally:
                libc.setns(ours.fileno(), _NET)


class Job:
    """A job: `state` is the word that the API shows."""

    def __init__(self, id: str, body: dict[str, Any], now: float) -> None:
        self.id, self.body, self.since = id, body, now
        self.name: str = body["metadata"]["name"]
        self.labels: dict[str, str] = body["metadata"].get("labels") or {}
        self.image: str = body["spec"]["container"]["image"]
        self.state, self.archived, self.ended = "Queueing", False, 0.0
        self.stop_by = 0.0
        self.containers: dict[str, Container] = {}
        self.events: list[dict[str, Any]] = []

    @property
    def over(self) -> bool:
        return self.state in ("Completed", "Failed", "Stopped", "Archived")

    def shown(self) -> dict[str, Any]:
        meta = {**self.body["metadata"], "id": self.id, "created_at": int(self.since * 1000)}
        done = {"completion_time": int(self.ended)} if self.ended else {}
        status = {"state": self.state, "job_name": self.id, "creation_time": int(self.since)}
        shown = {**meta, "owner": "a user", "created_by": "a user"}
        return {"metadata": shown, "spec": self.body["spec"], "status": {**status, **done}}


class Endpoint:
    """An endpoint with its ingress."""

    def __init__(self, body: dict[str, Any], now: float) -> None:
        self.body, self.since = body, now
        self.id = self.name = str(body["metadata"]["name"])
        self.component: dict[str, Any] = body["spec"]["components"][0]
        self.image: str = self.component["image"]
        self.containers: dict[str, Container] = {}
        self.events: list[dict[str, Any]] = []
        self.crashes = 0
        self.port: int = (self.component.get("ports") or [{"container_port": 40000}])[0]["container_port"]
        self.requests: list[float] = []  # when each came, of the last minute
        self.tokens = [one["value"] for one in body["spec"].get("api_tokens") or []]
        handler = type("Handling", (Ingress,), {"of": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def is_busy(self) -> bool:
        """Whether another replica is wanted, and may be."""
        target = (self.component.get("autoscaling") or {}).get("target_throughput") or {}
        count, wanted = len(self.containers), float(target.get("qpm") or 0)
        self.requests = [at for at in self.requests if time.time() - at < 60]
        may_grow = count < self.component.get("max_replicas", count)
        return bool(wanted) and may_grow and len(self.requests) > wanted * count

    def ready(self) -> list[Container]:
        """The replicas that listen."""
        return [one for one in self.containers.values() if one.status is None and self._hears(one)]

    def _hears(self, one: Container) -> bool:
        try:
            one.connected(self.port).close()
        except OSError:
            return False
        return True

    def shown(self) -> dict[str, Any]:
        ready = len(self.ready())
        state = "Error" if self.crashes >= CRASHES else "Ready" if ready else "Starting"
        url = f"http://127.0.0.1:{self.server.server_port}"
        meta = {**self.body["metadata"], "created_at": int(self.since * 1000)}
        meta["lepton_metadata"] = {"owner": "a user", "created_by": "a user"}
        spec = {**self.body["spec"], "api_tokens": [{"value": "***"} for _ in self.tokens]}
        status = {"state": state, "ready_replicas": ready, "external_url": url}
        return {"metadata": meta, "spec": spec, "status": status}


class Ingress(BaseHTTPRequestHandler):
    """A request to an endpoint: admitted by its token, sent to one of its replicas."""

    of: Endpoint
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: Any) -> None:
        """Nothing is noted."""

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        ready = self.of.ready()
        if self.of.tokens and given not in self.of.tokens:
            self.say(401, b"no such token")
        elif not ready:
            self.say(503, b"no replica is ready")
        else:
            self.of.requests.append(time.time())
            self.forward(ready[int(time.time() * 1000) % len(ready)], body)

    do_GET = do_POST = answer

    def say(self, status: int, text: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def forward(self, replica: Container, body: bytes) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.of.port)
        try:
            connection.sock = replica.connected(self.of.port)
            connection.sock.settimeout(None)
            heads = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
            connection.request(self.command, self.path, body, heads)
            reply = connection.getresponse()
            data = reply.read()
        except (OSError, http.client.HTTPException):
            self.say(502, b"the replica went away")
            return
        finally:
            connection.close()
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in _HOP | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Work:
    """All that runs, or ran."""

    def __init__(self, folder: Path, lock: threading.RLock, secrets: Mapping[str, str]) -> None:
        self.folder, self.lock, self.secrets = folder, lock, secrets
        self.jobs: dict[str, Job] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.queue = 0.0  # seconds that a job waits
        self.made = {"jobs": 0, "endpoints": 0}
        self.peak = 0  # of the replicas of one endpoint
        self.names: list[str] = []  # of all jobs that were ever made
        self._count = 0

    def all(self) -> list[Job | Endpoint]:
        """Jobs and endpoints."""
        return [*self.jobs.values(), *self.endpoints.values()]

    def counts(self) -> dict[str, Any]:
        """How many were ever made, and the names of those that are not over."""
        alive = [one.name for one in self.jobs.values() if not one.over]
        kept: dict[str, Any] = {
            "kept_jobs": sorted(self.jobs),
            "endpoints_now": sorted(self.endpoints),
        }
        kept |= {"names": self.names, "peak": self.peak}
        kept["listed"] = sorted(one.name for one in self.jobs.values() if not one.archived)
        return {"made": self.made, "alive": sorted(alive), **kept}

    def start_job(self, body: dict[str, Any]) -> Job:
        """Queue a job under a name that may be given several times."""
        self._count += 1
        job = Job(f"{body['metadata']['name']}-{self._count:04x}", body, time.time())
        self.jobs[job.id] = job
        self.made["jobs"] += 1
        self.names.append(job.name)
        return job

    def start_endpoint(self, body: dict[str, Any]) -> Endpoint:
        """Start the replicas of an endpoint whose name is its own."""
        if body["metadata"]["name"] in self.endpoints:
            raise Refused(409, f"endpoint {body['metadata']['name']} exists")
        endpoint = Endpoint(body, time.time())
        self.endpoints[endpoint.name] = endpoint
        self.made["endpoints"] += 1
        for _ in range(endpoint.component.get("min_replicas", 1)):
            self._replica(endpoint)
        return endpoint

    def _replica(self, endpoint: Endpoint) -> None:
        at = self._run(endpoint, endpoint.component, endpoint.component["command"], True)
        self._tell(endpoint, "Started", f"replica {at}")

    def _run(self, of: Job | Endpoint, spec: dict[str, Any], command: list[str], apart: bool) -> str:
        self._count += 1
        id = f"{of.id}-r{self._count:04x}"
        env = {}
        for one in spec.get("envs") or []:
            ref = (one.get("value_from") or {}).get("secret_name_ref")
            env[one["name"]] = self.secrets[ref] if ref else one["value"]
        binds = {}
        for mount in spec.get("mounts") or []:
            volume = self.folder / "volumes" / mount["from"].partition(":")[2]
            binds[mount["mount_path"]] = volume / mount.get("path", "/").strip("/")
        folder = self.folder / "containers" / id
        of.containers[id] = Container(folder, command, env, binds, apart)
        return id

    def watch(self) -> None:
        """Begin what waits, and see what ended, for ever."""
        while True:
            with self.lock:
                for job in list(self.jobs.values()):
                    self._look_at(job)
                for endpoint in list(self.endpoints.values()):
                    self._look_after(endpoint)
            time.sleep(0.05)

    def _look_at(self, job: Job) -> None:
        if job.state == "Queueing" and time.time() - job.since >= self.queue:
            self._run(job, job.body["spec"], job.body["spec"]["container"]["command"], False)
            job.state = "Running"
            self._tell(job, "Started", "its container was started")
        if job.state not in ("Running", "Stopping"):
            return
        container = list(job.containers.values())[-1]
        if job.state == "Stopping" and time.time() > job.stop_by:
            container.end()
        if container.status is None:
            return
        job.ended = time.time()
        if job.state == "Stopping":
            job.state = "Stopped"
        else:
            job.state = "Failed" if container.status else "Completed"

    def _look_after(self, endpoint: Endpoint) -> None:
        if endpoint.is_busy():
            self._replica(endpoint)
        self.peak = max(self.peak, len(endpoint.containers))
        dead = [id for id, one in endpoint.containers.items() if one.status is not None]
        for id in dead:
            if endpoint.crashes < CRASHES:
                endpoint.crashes += 1
                del endpoint.containers[id]
                self._tell(endpoint, "BackOff", f"replica {id} ended and is started again", "Warning")
                self._replica(endpoint)

    def stop_job(self, job: Job) -> None:
        """TERM, and KILL after a grace."""
        if job.over:
            return
        if job.state == "Queueing":
            job.state, job.ended = "Stopped", time.time()
            return
        job.state, job.stop_by = "Stopping", time.time() + 3
        list(job.containers.values())[-1].end(signal.SIGTERM)

    def remove(self, one: Job | Endpoint) -> None:
        """End it; of a job, nothing is left but in the archive."""
        for container in one.containers.values():
            container.end()
        if isinstance(one, Endpoint):
            one.server.shutdown()
            one.server.server_close()
            del self.endpoints[one.name]
        elif one.archived:
            del self.jobs[one.id]
        else:
            one.archived, one.state = True, "Archived"

    def _tell(self, one: Job | Endpoint, reason: str, message: str, kind: str = "Normal") -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        one.events.append(
            {
                "type": kind,
                "reason": reason,
                "count": 1,
                "last_observed_time": at,
                "regarding": {"name": one.id, "message": message},
            }
        )

    # What a test may ask for ----------------------------------------------------------------------

    def lose(self, name: str) -> None:
        """Kill the replicas of an endpoint, or the node of a job."""
        for one in self.all():
            if one.name == name or one.id == name:
                for container in one.containers.values():
                    container.end()
                self._tell(one, "NodeLost", "the node is gone", "Warning")

    def preempt(self, name: str) -> None:
        """End a job for another's sake."""
        for job in self.jobs.values():
            if job.name == name and job.state == "Running":
                list(job.containers.values())[-1].end()
                job.state, job.ended = "Failed", time.time()
                self._tell(job, "Preempted", "a job of a higher priority took its place", "Warning")

    def fail(self, told: Mapping[str, str]) -> None:
        """Have every running job of a name fail for a reason."""
        for job in self.jobs.values():
            if job.name == told["name"] and job.state == "Running":
                list(job.containers.values())[-1].end()
                job.state, job.ended = "Failed", time.time()
                self._tell(job, told["reason"], told["message"], "Warning")

    def wait(self, seconds: float) -> None:
        """Let jobs wait so long before they run."""
        self.queue = seconds
