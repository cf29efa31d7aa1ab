"""Jobs of a workspace of Lepton: the contract of every executor, and what is Lepton's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from evalmake.executors.lepton import LeptonExecutor
from evalmake.executors.lepton.login import find_workspace
from evalmake.executors.lepton.resource_names import endpoint_name, job_name
from evalmake.language.values import SecretRef
from evalmake.plugin_api.executor import Job, JobState, Mount, Phase, Sidecar
from tests.executors.contract import ExecutorContract, ended, finished, job, running
from tests.executors.lepton.renting import IMAGE, SECRETS, Made, making, nothing_left
from tests.support import lepton_service
from tests.support.daemons import until
from tests.support.lepton_service import TOKEN, Lepton

SERVER = "import http.server as s; s.HTTPServer(('', 8000), s.SimpleHTTPRequestHandler).serve_forever()"


@pytest.fixture
def make(root: Path, service: Lepton) -> Iterator[Made]:
    """An executor in a workspace."""
    with making(root, service) as make:
        yield make


class TestLepton(ExecutorContract):
    """A job of Lepton is a job."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """The executor's folder."""
        return tmp_path / "work"


def test_name_and_place(make: Made, root: Path, service: Lepton) -> None:
    """A job is named after evalmake's id, labelled, and placed as settings say, its image by digest."""
    executor = make(node_group="reserved", shape="cpu.large", priority="mid-4000")
    executor.submit(job(root, "true"), {"A_KEY": "hidden"})
    running_or_over = ended(executor)
    assert running_or_over.status == 0
    [seen] = service.client("client.job.list_all()")
    assert re.fullmatch(r"em-[0-9a-f]{8}-job-1", seen["metadata"]["name"])
    assert seen["metadata"]["labels"]["evalmake-job"] == "job.1"
    spec = seen["spec"]
    assert (spec["container"]["image"], spec["resource_shape"]) == (IMAGE, "cpu.large")
    assert spec["affinity"]["allowed_dedicated_node_groups"] == ["ng1-abcd"]
    assert spec["queue_config"]["priority_class"] == "mid-4000"
    [env] = spec["envs"]
    assert (env["name"], env["value"]) == ("A_KEY", None)
    assert env["value_from"]["secret_name_ref"] == f"{seen['metadata']['name']}-A_KEY"
    assert running_or_over.facts["shape"] == "cpu.large"
    executor.fetch("job.1", root / "job.1")
    assert nothing_left(service)


def test_unknown_places(make: Made, root: Path) -> None:
    """An unknown node group, volume or shape is refused before anything is created; the error lists the known ones."""
    with pytest.raises(OSError, match="no node group is named none; there are: reserved, shared"):
        make(node_group="none").submit(job(root, "true"), {})
    with pytest.raises(OSError, match="no volume is named other; there are: shared"):
        make(work="node-nfs:other:/evalmake").submit(job(root, "true"), {})
    with pytest.raises(OSError, match=r"no shape is named huge; there are: cpu.large, cpu.small, gpu"):
        make(shape="huge").submit(job(root, "true"), {})


def test_wrong_token(make: Made, root: Path, service: Lepton) -> None:
    """The error for a refused token says so."""
    service.tell(token="another")
    with pytest.raises(OSError, match="does not accept the token"):
        make().submit(job(root, "true"), {})


def test_quota(make: Made, root: Path, service: Lepton) -> None:
    """A job beyond the quota waits, and says why, until there is room."""
    service.tell(limit=1)
    executor = make()
    go = root.parent / "go"
    text = f"while ! test -e {go}; do sleep 0.05; done"
    executor.submit(job(root, text), {})
    running(executor)
    executor.submit(job(root, "true", "job.2"), {})
    until(lambda: "quota" in executor.poll("job.2").detail)
    assert executor.poll("job.2").unsubmitted
    go.touch()
    assert ended(executor, "job.2").status == 0


@pytest.mark.parametrize("kind", ["status", "drop"])
@pytest.mark.parametrize("after", [False, True])
def test_made_once(make: Made, root: Path, service: Lepton, kind: str, after: bool) -> None:
    """If the reply to a creation is lost, evalmake looks for the job before it creates it again."""
    service.fault("POST", "/jobs", kind, after=after)
    executor = make()
    executor.submit(job(root, "exit 4"), {})
    assert finished(executor, root / "job.1").status == 4
    assert service.state()["made"]["jobs"] == 1
    assert nothing_left(service)


def test_busy(make: Made, root: Path, service: Lepton) -> None:
    """After a 429, evalmake waits as long as the API asks."""
    executor = make()
    executor.submit(job(root, "true"), {})
    service.fault("*", "/jobs", status=429, retry_after=1, times=3)
    assert ended(executor).status == 0


def test_away(make: Made, root: Path, service: Lepton) -> None:
    """While the API does not answer, states are unreachable; submitted jobs are created when it answers again."""
    executor = make()
    executor.submit(job(root, "true"), {})
    service.fault("*", ".*", times=12)
    until(lambda: executor.poll("job.1").phase is Phase.UNREACHABLE)
    until(lambda: executor.poll("job.1").phase is Phase.ENDED)
    assert executor.poll("job.1").status == 0
    assert service.state()["made"]["jobs"] == 1


@pytest.mark.parametrize(("reason", "status"), [("Preempted", None), ("OOMKilled", 137), ("ImagePullBackOff", 1)])
def test_reasons(make: Made, root: Path, service: Lepton, reason: str, status: int | None) -> None:
    """The reason that Lepton gives for an unfinished job decides whether the failure counts as a retry."""
    executor = make()
    executor.submit(job(root, "sleep 600; true"), {})
    running(executor)
    name = service.state()["alive"][0]
    service.tell(fail={"name": name, "reason": reason, "message": "as it was told to"})
    state = ended(executor)
    assert (state.phase, state.status) == (Phase.ENDED, status)
    assert state.detail.startswith(f"{reason}: ")
    assert "as it was told to" in state.detail


def test_leftovers_go(make: Made, root: Path, service: Lepton) -> None:
    """A job whose folder is gone here, as it is on record, is removed by the next build; who looks removes nothing."""
    first = make()
    first.submit(job(root, "sleep 600; true"), {"A_KEY": "hidden"})
    running(first)
    (root / "job.1").rename(root.parent / "elsewhere")
    second = make()
    assert second.poll("job.1").phase is Phase.UNKNOWN
    until(lambda: second.poll("job.1").phase is Phase.UNKNOWN)
    state = service.state()
    assert (len(state["alive"]), len(state["secrets"])) == (1, 1)
    assert (service.volume / second.key / "job.1").exists()
    second.cancel("job.1")
    assert nothing_left(service)


def test_sweep(make: Made, root: Path, service: Lepton) -> None:
    """Sweeping leaves nothing of a workspace's, running or not."""
    first = make()
    first.submit(job(root, "sleep 600; true"), {"A_KEY": "hidden"})
    running(first)
    assert [id for id, _ in make().sweep()] == ["job.1"]
    until(lambda: nothing_left(service))


def served(root: Path, id: str = "served.s1", **more: object) -> Job:
    """A server on port 8000."""
    argv = ("python3", "-c", SERVER)
    return Job(id, "a server", argv, root / id, port=8000, image=IMAGE, **more)  # type: ignore[arg-type]


def ready(executor: LeptonExecutor, id: str = "served.s1") -> str:
    """Where an endpoint is served, once it is."""
    found: list[str] = []

    def known() -> bool:
        try:
            found.append(executor.url_from_host(id, 8000))
        except OSError:
            return False
        return True

    until(known)
    return found[0]


def test_endpoint(make: Made, root: Path, service: Lepton) -> None:
    """A server is an endpoint of so many replicas with a token of its own; its log comes here."""
    executor = make()
    executor.submit(served(root, replicas=2, env={"PLAIN": "a b"}), {"A_KEY": "hidden"})
    assert ready(executor).startswith("http://127.0.0.1:")
    [seen] = service.client("client.deployment.list_all()")
    wanted = seen["spec"]["resource_requirement"]
    assert (wanted["min_replicas"], wanted["max_replicas"]) == (2, 2)
    assert seen["spec"]["api_tokens"] == [{"value": "***", "value_from": None}]
    assert seen["metadata"]["name"] == executor.poll("served.s1").facts["lepton-endpoint"]
    executor.cancel("served.s1")
    assert executor.poll("served.s1").phase is Phase.ENDED
    assert (root / "served.s1" / "log").exists()
    assert nothing_left(service)


def test_endpoint_found_again(make: Made, root: Path, service: Lepton) -> None:
    """The next evalmake goes on with an endpoint, under the same id or another start's."""
    first = make()
    first.submit(served(root), {})
    url = ready(first)
    second = make()
    assert second.poll("served.s1").phase is Phase.RUNNING
    assert ready(second) == url
    second.submit(served(root, "served.s2"), {})
    assert ready(second, "served.s2") == url
    assert service.state()["made"]["endpoints"] == 1


def test_endpoint_changed(make: Made, root: Path, service: Lepton) -> None:
    """An existing endpoint of another server is replaced."""
    first = make()
    first.submit(served(root), {})
    ready(first)
    second = make(shape="cpu.large")
    second.submit(served(root, "served.s2"), {})
    ready(second, "served.s2")
    [seen] = service.client("client.deployment.list_all()")
    assert seen["spec"]["resource_requirement"]["resource_shape"] == "cpu.large"
    assert service.state()["made"]["endpoints"] == 2


def test_endpoint_kept(make: Made, root: Path, service: Lepton) -> None:
    """With `keep` an endpoint stays, and serves the next build."""
    first = make(keep=True)
    first.submit(served(root), {"A_KEY": "hidden"})
    url = ready(first)
    first.cancel("served.s1")
    second = make(keep=True)
    second.submit(served(root, "served.s2"), {"A_KEY": "hidden"})
    assert ready(second, "served.s2") == url
    assert service.state()["made"]["endpoints"] == 1


def test_endpoint_that_crashes(make: Made, root: Path, service: Lepton) -> None:
    """An endpoint whose replicas keep crashing has failed."""
    executor = make()
    executor.submit(replace(served(root), argv=("sh", "-c", "echo why; exit 3")), {})
    until(lambda: executor.poll("served.s1").phase is Phase.ENDED)
    assert executor.poll("served.s1").detail.startswith("Error: BackOff")
    executor.fetch("served.s1", root / "served.s1")
    assert "why" in (root / "served.s1" / "log").read_text()
    assert nothing_left(service)


def test_endpoint_that_loads(make: Made, root: Path, service: Lepton) -> None:
    """The log of an endpoint is copied while it loads."""
    executor = make()
    executor.submit(replace(served(root), argv=("sh", "-c", "echo loading; exec sleep 600")), {})
    log = root / "served.s1" / "log"

    def told() -> bool:
        assert executor.poll("served.s1").phase is not Phase.ENDED
        return log.exists() and log.read_text() == "loading\n"

    until(told)
    executor.cancel("served.s1")
    assert log.read_text() == "loading\n"
    assert nothing_left(service)


def test_old_workspace(make: Made, root: Path, service: Lepton) -> None:
    """A workspace without endpoints of the new API cannot serve models, and the error says so."""
    service.tell(new_api=False)
    executor = make()
    executor.submit(served(root), {})
    seen: list[JobState] = []
    until(lambda: seen.append(executor.poll("served.s1")) or seen[-1].phase is Phase.REFUSED)
    assert "lacks endpoints of the new API" in seen[-1].detail
    assert executor.poll("served.s1").phase is Phase.UNKNOWN


def test_no_evalmake_in_the_image(make: Made, root: Path, service: Lepton) -> None:
    """An image without evalmake cannot bring the gateways to its models: the state and the log say so."""
    executor = make(python=lepton_service.python())
    beside = Sidecar(("{python}", "-P", "-m", "evalmake.gateway.sidecar", "sidecar.json"))
    executor.submit(job(root, "true", sidecar=beside), {})
    state = finished(executor, root / "job.1")
    assert "its image has no evalmake" in state.detail
    assert "in the image has no evalmake" in (root / "job.1" / "log").read_text()


LOGIN = """\
current_workspace: acme
workspaces:
  acme: {id: acme, url: "https://api.acme.invalid/api/v2/workspaces/acme", auth_token: of-acme}
  other: {id: other, url: "https://api.acme.invalid/api/v2/workspaces/other", auth_token: of-other}
"""


def test_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workspace and token are those of `lep login`, as far as settings do not name others."""
    monkeypatch.setenv("LEPTON_CACHE_DIR", str(tmp_path))

    def found(**settings: object) -> tuple[str, str]:
        return find_workspace(LeptonExecutor.Settings(**settings), SECRETS.__getitem__)  # type: ignore[arg-type]

    with pytest.raises(OSError, match="no workspace is named"):
        found()
    with pytest.raises(OSError, match="there is no token for workspace acme"):
        found(workspace="acme")
    (tmp_path / "workspace_info.yaml").write_text(LOGIN)
    assert found() == ("https://api.acme.invalid/api/v2/workspaces/acme", "of-acme")
    assert found(workspace="other")[1] == "of-other"
    url, token = found(workspace="third", token=SecretRef("LEPTON_TOKEN"))
    assert (url.rpartition("/")[2], token) == ("third", TOKEN)


def test_weights(make: Made, root: Path, service: Lepton, tmp_path: Path) -> None:
    """Weights on the volume are mounted; weights of this host are refused."""
    executor = make()
    (service.volume / "weights").mkdir()
    mounts = {"/mnt/models": Mount(service.volume / "weights")}
    executor.submit(served(root, mounts=mounts), {})
    ready(executor)
    [mount] = service.client("client.deployment.list_all()")[0]["spec"]["mounts"]
    assert (mount["from"], mount["path"], mount["mount_path"]) == (
        "node-nfs:shared",
        "/weights",
        "/mnt/models",
    )
    with pytest.raises(OSError, match="which Lepton cannot see"):
        executor.submit(served(root, "other.s1", mounts={"/mnt/models": Mount(tmp_path)}), {})


def test_names() -> None:
    """A name has letters, digits and hyphens, 36 at most, and none is another's."""
    ids = ["605bd92253bc.1", "605bd92253bc.10", "fed8a638b17f.s17c3a4b5c6d7e8f9", "Job.1"]
    names = [job_name("0123456789ab", id) for id in ids]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[a-z][a-z0-9-]{0,34}[a-z0-9]", name)
    starts = {endpoint_name("0123456789ab", f"fed8a638b17f.s{at}") for at in range(3)}
    assert len(starts) == 1
