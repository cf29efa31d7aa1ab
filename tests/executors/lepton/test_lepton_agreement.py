"""The public client and evalmake see the same of what evalmake made."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

from evalmake.executors.lepton.api import Api, Resource
from evalmake.executors.lepton.http_client import Client
from evalmake.executors.lepton.resource_names import JOB, WORKSPACE, executor_key
from tests.executors.lepton.rented import IMAGED, KEY, bench_on, lean, nothing_left
from tests.support.lepton_service import TOKEN, Lepton
from tests.support.workspaces import end, wait_for

HELD = """\
    benchmark sums {
        harness = command
        image   = "acme/evals@sha256:4567"
        files   = file("job.sh")
        run     = "sh data/job.sh"
    }
"""
SCORED = """echo '{"accuracy": 1}' > $EVALMAKE_OUT/scores.json\n"""


def of_job(told: dict[str, Any]) -> Resource:
    """A job that the public client told of, as evalmake would."""
    meta, spec = told["metadata"], told["spec"]
    [group] = spec["affinity"]["allowed_dedicated_node_groups"]
    return Resource(
        meta["id"],
        meta["name"],
        told["status"]["state"],
        meta["labels"][JOB],
        shape=spec["resource_shape"],
        group=group,
        secrets=secrets_of(spec),
    )


def of_endpoint(told: dict[str, Any]) -> Resource:
    """An endpoint, likewise; `what` is left out."""
    meta, spec, status = told["metadata"], told["spec"], told["status"]
    wanted = spec["resource_requirement"]
    [group] = wanted["affinity"]["allowed_dedicated_node_groups"]
    return Resource(
        meta["name"],
        meta["name"],
        status["state"],
        url=status["endpoint"]["external_endpoint"],
        shape=wanted["resource_shape"],
        group=group,
        replicas=status["ready_replicas"],
        secrets=secrets_of(spec),
    )


def secrets_of(spec: dict[str, Any]) -> tuple[str, ...]:
    """The secrets that variables of a job or an endpoint have their values from."""
    refs = [(env["value_from"] or {}).get("secret_name_ref") for env in spec["envs"] or []]
    return tuple(ref for ref in refs if ref)


def test_same_view(root: Path, service: Lepton) -> None:
    """Every field of jobs, endpoints, secrets, events, logs, node groups and shapes is the same to both."""
    bench = bench_on(root, service, 2, deployment='env = { A_KEY = secret("A_KEY") }\n replicas = 2')
    bench.edit(dedent(IMAGED), dedent(HELD))
    go = root.parent / "go"
    bench.job(f"while ! test -e {go}; do sleep 0.1; done\n{SCORED}")
    bench.env["A_KEY"] = "hidden in the client's answers, too"
    shown = bench.run("-n", "-v").out.split("\n\n")[2:]
    build = bench.start()
    wait_for(lambda: len(list(service.volume.glob("*/*/started"))) == 2 or build.poll() is not None)
    key = executor_key(root / ".evalmake" / "work", "far")
    client = Client("far", lambda: (service.url, TOKEN))
    api, ask = Api(client, key), service.client

    wait_for(lambda: ask("client.deployment.list_all()")[0]["status"]["ready_replicas"] == 2)
    jobs, [endpoint] = ask("client.job.list_all()"), ask("client.deployment.list_all()")
    assert api.jobs() == [of_job(told) for told in jobs]
    assert {told["metadata"]["labels"][WORKSPACE] for told in jobs} == {key}
    [seen] = api.endpoints()
    assert dict(seen.component or {})["image"] == endpoint["spec"]["container"]["image"]
    assert dict(seen.component or {})["command"] == endpoint["spec"]["container"]["command"]
    wanted = of_endpoint(endpoint)
    told = {name: getattr(seen, name) for name in Resource.__slots__ if name != "component"}
    assert told == {name: getattr(wanted, name) for name in told}
    assert api.secrets() == [one["name"] for one in ask("client.secret.list_all()")]
    for one in (*jobs, endpoint):
        assert "hidden" not in json.dumps(one)
        assert KEY not in json.dumps(one)
    for kind, id in (("job", jobs[0]["metadata"]["id"]), ("deployment", seen.id)):
        events = ask(f"client.{kind}.get_events({id!r})")
        odd = [one["reason"] for one in events if one["type"] != "Normal"]
        assert [why for why, _ in api.events("jobs" if kind == "job" else "endpoints", id)] == odd
    found = ask(f"client.log.get_log(name_or_deployment={seen.id!r}, start=1, end=2**62)")
    lines = [line for stream in found["data"]["result"] for _, line in stream["values"]]
    assert sorted(api.read_log("endpoints", seen.id).decode().splitlines()) == sorted(lines)
    assert lines
    for one in ask("client.nodegroup.list_all()"):
        assert api.node_group_id(one["metadata"]["name"]) == one["metadata"]["id"]
    for one in ask("client.shapes.list_shapes()"):
        api.check_shape(one["spec"]["name"], "job")

    client.close()
    go.touch()
    done = end(build)
    assert done.status == 0, done.text
    preview = json.loads(shown[0].partition("\n")[2])["spec"]["components"][0]
    assert {key: dict(seen.component or {})[key] for key in lean(preview) if key != "affinity"} == {
        key: value for key, value in lean(preview).items() if key != "affinity"
    }
    nothing_left(service)
