"""The emulator does what the tests of the executor rest on, as the public client sees it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.support.daemons import until
from tests.support.lepton_service import TOKEN, Lepton

JOB = {
    "metadata": {"name": "a-job", "labels": {"of": "test"}},
    "spec": {
        "resource_shape": "cpu.small",
        "container": {"image": "image@sha256:0", "command": ["/bin/sh", "-c", "echo said"]},
    },
}
SERVER = "import http.server as s; s.HTTPServer(('', 8000), s.SimpleHTTPRequestHandler).serve_forever()"


def ask(service: Lepton, method: str, path: str, body: Any = None, token: str = TOKEN) -> Any:
    """What the API replies, or its status where that is an error."""
    data = None if body is None else json.dumps(body).encode()
    head = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(service.url + path, data, head, method=method)
    try:
        with urllib.request.urlopen(request) as reply:
            return json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code


def job(command: str, **spec: Any) -> dict[str, Any]:
    """The body of a job."""
    container = {"image": "image", "command": ["/bin/sh", "-c", command]}
    return {"metadata": {"name": "a-job"}, "spec": {**JOB["spec"], "container": container, **spec}}


def state(service: Lepton, id: str) -> str:
    """The state of a job."""
    return str(ask(service, "GET", f"/jobs/{id}")["status"]["state"])


def endpoint(*command: str, **component: Any) -> dict[str, Any]:
    """The body of an endpoint."""
    own = {
        "name": "default",
        "image": "image",
        "command": [*command],
        "min_replicas": 1,
        "max_replicas": 1,
        "ports": [{"container_port": 8000}],
        "resource_shape": "cpu.small",
        **component,
    }
    spec = {"components": [own], "api_tokens": [{"value": "open"}]}
    return {"metadata": {"name": "served"}, "spec": spec}


def test_token(service: Lepton) -> None:
    """Requests without the token are refused."""
    assert ask(service, "GET", "/jobs", token="another") == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"metadata": {"name": "Upper"}, "spec": JOB["spec"]},
        {"metadata": {"name": "a-name-of-more-than-thirty-six-letters"}, "spec": JOB["spec"]},
        {"metadata": {"name": "a"}, "spec": {**JOB["spec"], "parallelism": "many"}},
        {"metadata": {"name": "a"}, "spec": {**JOB["spec"], "unheard": 1}},
        {"metadata": {"name": "a"}, "spec": {**JOB["spec"], "resource_shape": "gpu.none"}},
        job("true", mounts=[{"from": "node-nfs:shared", "mount_path": "/usr"}]),
        job("true", envs=[{"name": "A", "value_from": {"secret_name_ref": "none"}}]),
    ],
)
def test_bodies(service: Lepton, wrong: Any) -> None:
    """A body that Lepton's own client types reject, or that names unknown resources, is refused."""
    assert ask(service, "POST", "/jobs", wrong) == 400
    assert service.state()["made"]["jobs"] == 0


def test_job(service: Lepton) -> None:
    """A job runs; the public client sees it, its replica and what it printed."""
    id = ask(service, "POST", "/jobs", JOB)["metadata"]["id"]
    until(lambda: state(service, id) == "Completed")
    [seen] = service.client("client.job.list_all(query='of=test')")
    assert (seen["metadata"]["id"], seen["status"]["state"]) == (id, "Completed")
    text = f"list(client.job.get_log({id!r}, client.job.get_replicas({id!r})[0]))"
    assert service.client(text) == ["said\n"]
    found = service.client(f"client.log.get_log(name_or_job={id!r}, start=1, end=2**62)")
    assert found["data"]["result"][0]["values"][0][1] == "said"


def test_volume_and_secrets(service: Lepton) -> None:
    """A volume is a folder of the job's; a secret comes by its name, and is never shown."""
    assert ask(service, "POST", "/usersecrets", [{"name": "s", "value": "hidden"}]) == {}
    mount = {"from": "node-nfs:shared", "path": "/deep", "mount_path": "/mnt/here"}
    env = {"name": "A", "value_from": {"secret_name_ref": "s"}}
    body = job('echo "$A" > /mnt/here/file', mounts=[mount], envs=[env])
    id = ask(service, "POST", "/jobs", body)["metadata"]["id"]
    until(lambda: state(service, id) == "Completed")
    assert (service.volume / "deep" / "file").read_text() == "hidden\n"
    assert "hidden" not in json.dumps(ask(service, "GET", f"/jobs/{id}"))
    assert service.client("client.secret.list_all()")[0]["name"] == "s"
    assert ask(service, "DELETE", "/usersecrets/s") == {}
    assert service.state()["secrets"] == []


def test_stopped(service: Lepton) -> None:
    """A job that is stopped is told by a signal, and is over."""
    id = ask(service, "POST", "/jobs", job("echo up; exec sleep 600"))["metadata"]["id"]
    until(lambda: state(service, id) == "Running")
    ask(service, "PATCH", f"/jobs/{id}", {"spec": {"stopped": True}})
    until(lambda: state(service, id) == "Stopped")
    ask(service, "DELETE", f"/jobs/{id}?job_query_mode=alive_only")
    assert ask(service, "GET", "/jobs?job_query_mode=alive_only") == {"jobs": []}


def test_preempted(service: Lepton) -> None:
    """A job that is preempted says so in its events."""
    id = ask(service, "POST", "/jobs", job("exec sleep 600"))["metadata"]["id"]
    until(lambda: state(service, id) == "Running")
    service.tell(preempt="a-job")
    assert state(service, id) == "Failed"
    assert service.client(f"client.job.get_events({id!r})")[-1]["reason"] == "Preempted"


def test_pages(service: Lepton) -> None:
    """Jobs are listed by pages, and the public client asks until one is empty."""
    service.tell(page=2, wait=3600)
    for _ in range(5):
        ask(service, "POST", "/jobs", JOB)
    assert len(ask(service, "GET", "/jobs?page=3")["jobs"]) == 1
    assert len(service.client("client.job.list_all()")) == 5


def test_endpoint(service: Lepton) -> None:
    """An endpoint listens on its own port, and is reached by those who have its token."""
    ask(service, "POST", "/endpoints", endpoint("python3", "-c", SERVER))
    until(lambda: service.client("client.deployment.get('served')")["status"]["state"] == "Ready")
    url = service.client("client.deployment.get('served')")["status"]["endpoint"]["external_endpoint"]
    head = {"Authorization": "Bearer open"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=head)) as reply:
        assert reply.status == 200
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url)
    service.tell(lose="served")
    until(lambda: len(service.client("client.deployment.get_events('served')")) > 3)
    ask(service, "DELETE", "/endpoints/served")
    assert service.client("client.deployment.list_all()") == []


def test_faults(service: Lepton) -> None:
    """A fault affects the given number of requests, before or after they are carried out."""
    service.fault("POST", "/jobs", status=429, retry_after=7)
    service.fault("POST", "/jobs", "drop", after=True)
    assert ask(service, "POST", "/jobs", JOB) == 429
    with pytest.raises((OSError, ConnectionError)):
        ask(service, "POST", "/jobs", JOB)
    assert service.state()["made"]["jobs"] == 1
    assert ask(service, "POST", "/jobs", JOB)["metadata"]["name"] == "a-job"
    assert [method for method, _ in service.calls()] == ["POST"] * 3
