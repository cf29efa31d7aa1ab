"""What the client makes of an API that is slow, busy, broken, or says no."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from evalmake.executors.lepton.api import Api
from evalmake.executors.lepton.http_client import TRIES, Client
from tests.support.lepton_service import TOKEN, Lepton

JOBS = "/jobs"


@pytest.fixture
def api(service: Lepton) -> Iterator[Api]:
    """The API of the workspace."""
    client = Client("far", lambda: (service.url, TOKEN))
    yield Api(client, "0123456789ab")
    client.close()


def waited(service: Lepton) -> list[float]:
    """The times between requests."""
    came = service.arrivals()
    return [later - before for before, later in itertools.pairwise(came)]


@pytest.mark.parametrize(
    ("date", "until"),
    [
        ("", "3"),
        ("Wed, 01 Jan 2031 00:00:00 GMT", "Wed, 01 Jan 2031 00:00:03 GMT"),
        ("Tue, 01 Jan 2019 00:00:00 GMT", "Tue, 01 Jan 2019 00:00:03 GMT"),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after(api: Api, service: Lepton, status: int, date: str, until: str) -> None:
    """evalmake waits as long as `Retry-After` says, by the clock of the server."""
    service.fault("GET", JOBS, status=status, retry_after=until, date=date)
    assert api.jobs() == []
    [wait] = waited(service)
    assert 3 <= wait < 20


@pytest.mark.parametrize(("kind", "calls"), [("drop", 3), ("status", 3), ("slow", 1)])
def test_asked_again(api: Api, service: Lepton, kind: str, calls: int) -> None:
    """A broken connection and a server error are tried again; a slow reply is awaited."""
    service.fault("GET", JOBS, kind, times=2, seconds=1)
    assert api.jobs() == []
    assert len(service.calls()) == calls


def test_given_up(api: Api, service: Lepton) -> None:
    """A request that fails every time ends, after some tries, with the message of the API."""
    service.fault("GET", JOBS, status=500, times=TRIES, message="the database is gone")
    with pytest.raises(ConnectionError, match=r"executor far: Lepton at .* failed: GET /jobs: the database"):
        api.jobs()
    assert len(service.calls()) == TRIES


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        (401, "who are you", "does not accept the token: GET /jobs: who are you"),
        (403, "not yours", "the token does not allow that: GET /jobs: not yours"),
        (403, "quota exceeded", "GET /jobs: quota exceeded"),
        (400, "no such page", "GET /jobs: no such page"),
    ],
)
def test_refused(api: Api, service: Lepton, status: int, message: str, said: str) -> None:
    """A refusal is reported at once, with its reason."""
    service.fault("GET", JOBS, status=status, message=message)
    with pytest.raises(OSError, match=said) as told:
        api.jobs()
    assert not isinstance(told.value, ConnectionError)
    assert len(service.calls()) == 1


@pytest.mark.parametrize("ask", [Api.jobs, Api.secrets, lambda api: api.check_shape("cpu.small", "job")])
@pytest.mark.parametrize("page", ["<html>Log in</html>", {"error": "none of ours"}, None])
def test_not_lepton(api: Api, service: Lepton, ask: Callable[[Api], object], page: object) -> None:
    """A server that is not Lepton, such as a proxy with a login page, is reported as such."""
    service.fault("GET", ".*", "page", page=page, times=TRIES)
    with pytest.raises(OSError, match=r"from `workspace` or `url`.* are not those of Lepton"):
        ask(api)


def test_pages(api: Api, service: Lepton) -> None:
    """All pages are read, and jobs of other users are ignored."""
    service.tell(page=2, wait=3600)
    spec = {
        "resource_shape": "cpu.small",
        "container": {"image": "image", "command": ["true"]},
    }
    for key in ("0123456789ab", "ba9876543210"):
        for at in range(5):
            labels = {"evalmake-workspace": key, "evalmake-job": f"job.{at}"}
            api.client.request("POST", JOBS, {"metadata": {"name": f"job-{at}", "labels": labels}, "spec": spec})
    assert [one.job for one in api.jobs()] == [f"job.{at}" for at in range(5)]
