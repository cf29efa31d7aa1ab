"""What the thread beside makes of a Slurm that is full, away, unwilling or broken."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

import pytest

from evalmake.executors.remote.shell import CommandFailed, Shell
from evalmake.executors.slurm import SlurmExecutor
from evalmake.executors.slurm.commands import ArrayTooLarge, SlurmCommands
from evalmake.executors.slurm.job_states import SlurmJob
from evalmake.executors.slurm.port_forwards import PortForwards
from evalmake.plugin_api.executor import Job, Phase
from tests.executors.slurm.fake_slurm import FakeSlurm, on_fake, submitted
from tests.support.daemons import until

Make = Callable[[FakeSlurm], SlurmExecutor]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Executors of one workspace, as one evalmake after the other has them."""
    made: list[SlurmExecutor] = []

    def make(slurm: FakeSlurm) -> SlurmExecutor:
        made.append(on_fake(tmp_path / "work", slurm))
        return made[-1]

    yield make
    for one in made:
        one.close()


def phases(executor: SlurmExecutor, ids: list[str]) -> set[Phase]:
    """How jobs stand."""
    return {executor.poll(id).phase for id in ids}


def out(executor: SlurmExecutor, id: str) -> bool:
    """Whether a job is in Slurm's hands."""
    state = executor.poll(id)
    return state.phase is Phase.QUEUED and not state.unsubmitted


def test_away_is_no_end(make: Make) -> None:
    """While the cluster does not answer, a job is neither cancelled nor fetched; afterwards it is cancelled."""
    slurm = FakeSlurm()
    first = make(slurm)
    [id] = submitted(first, 1)
    until(lambda: out(first, id))
    first.close()
    slurm.failure = ConnectionError("cannot reach it")
    second = make(slurm)
    with pytest.raises(ConnectionError, match="cannot reach it"):
        second.cancel(id)
    with pytest.raises(ConnectionError, match="cannot reach it"):
        second.fetch(id, second.root / id)
    assert slurm.pending()
    slurm.failure = None
    second.cancel(id)
    assert not slurm.pending()


@pytest.mark.parametrize(
    ("word", "status", "out_of_time"), [("TIMEOUT", 0, True), ("TIMEOUT", 143, True), ("FAILED", 1, False)]
)
def test_ended_at_its_time_limit(word: str, status: int, out_of_time: bool, make: Make) -> None:
    """A job that writes a status as Slurm ends it at its time limit has that status, and is out of time."""
    slurm = FakeSlurm()
    executor = make(slurm)
    [id] = submitted(executor, 1)
    until(lambda: out(executor, id))
    (executor.root / id / "status").write_text(f"{status}\n")
    slurm.jobs = {one: (name, word) for one, (name, _) in slurm.jobs.items()}
    until(lambda: executor.poll(id).is_over)
    state = executor.poll(id)
    assert (state.status, state.out_of_time) == (status, out_of_time)
    assert state.detail.startswith("TIMEOUT: it reached its time limit") == out_of_time


@pytest.mark.parametrize("count", [1, 3])
def test_folder_gone(count: int, make: Make) -> None:
    """What runs in Slurm though its folder here is gone is ended by the next build, and nothing else is."""
    slurm = FakeSlurm()
    first = make(slurm)
    ids = submitted(first, count)
    until(lambda: all(out(first, id) for id in ids))
    first.close()
    shutil.rmtree(first.root / ids[0])
    make(slurm).cancel(ids[0])
    assert len(slurm.pending()) == count - 1
    batches = list(first.root.glob("slurm-*"))
    assert len(batches) == (count > 1)


def test_unwilling_next_time(make: Make) -> None:
    """A job that Slurm refuses to cancel stays in the journal, and does not disturb other submissions."""
    slurm = FakeSlurm()
    first = make(slurm)
    [id] = submitted(first, 1)
    until(lambda: out(first, id))
    first.close()
    shutil.rmtree(first.root / id)
    slurm.deny = CommandFailed("Access denied")
    second = make(slurm)
    submitted(second, 2)
    assert len(list(first.root.glob("slurm-*"))) >= 1
    second.close()
    slurm.deny = None
    third = make(slurm)
    third.cancel(id)
    assert "101" not in slurm.pending()


def test_held_are_ended_one_by_one(make: Make) -> None:
    """Jobs that Slurm does not take yet end at once, and the others are handed over without them."""
    slurm = FakeSlurm(room=0)
    executor = make(slurm)
    ids = submitted(executor, 6)
    until(lambda: all("takes no more" in executor.poll(id).detail for id in ids))
    executor.cancel(ids[2])
    assert executor.poll(ids[2]).phase is Phase.ENDED
    assert len(list((executor.root).glob("slurm-*"))) >= 1
    slurm.room = 1000
    others = [id for id in ids if id != ids[2]]
    until(lambda: all(out(executor, id) for id in others))
    assert sum(slurm.sizes) == 5


def test_lost_reply_is_no_end(make: Make) -> None:
    """A job whose batch Slurm may have had is looked for before it is told that it never was."""

    class Lost(FakeSlurm):
        """Takes a batch, but its reply is lost, and then it does not answer."""

        def submit(self, folder: str) -> str:
            super().submit(folder)
            self.failure = ConnectionError("reply lost")
            raise self.failure

    slurm = Lost()
    executor = make(slurm)
    [id, other] = submitted(executor, 2)
    until(lambda: executor.poll(id).phase is Phase.UNREACHABLE)
    with pytest.raises(ConnectionError):
        executor.cancel(id)
    slurm.failure = None
    until(lambda: executor.poll(id).phase is Phase.ENDED)
    assert slurm.tries == 1
    assert len(slurm.pending()) == 1
    until(lambda: out(executor, other))


@pytest.mark.parametrize("limits", [{}, {"": 8}])
def test_larger_than_the_limit(limits: dict[str, int], make: Make) -> None:
    """An array larger than what Slurm takes at all goes out in parts, one after the other."""
    slurm = FakeSlurm(room=3)
    executor = make(slurm)
    ids = submitted(executor, 8, limits=limits)
    until(lambda: phases(executor, ids) and slurm.pending())
    while phases(executor, ids) != {Phase.ENDED}:
        there = slurm.pending()
        assert len(there) <= 3
        for id in there:
            slurm.jobs[id] = slurm.jobs[id][0], "FAILED"
        until(lambda: phases(executor, ids) == {Phase.ENDED} or slurm.pending())
    assert sum(slurm.sizes) == 8


def test_others_are_tried(make: Make) -> None:
    """What is held back by a limit holds back nothing of another sort."""
    slurm = FakeSlurm(room=1)
    executor = make(slurm)
    slurm.jobs["1"] = ("somebody's", "PENDING")
    large = submitted(executor, 4)
    until(lambda: all("takes no more" in executor.poll(id).detail for id in large))
    original = slurm.submit

    def only_small(folder: str) -> str:
        slurm.room = 10 if "--mem" in (Path(folder) / "batch.sh").read_text() else 1
        return original(folder)

    slurm.submit = only_small  # type: ignore[method-assign]
    other = on_job(executor, memory=1 << 30)
    until(lambda: out(executor, other))
    assert slurm.sizes == [1]


def on_job(executor: SlurmExecutor, **more: object) -> str:
    """Hand over one job more."""
    job = Job("other.1", "other", ("true",), executor.root / "other.1", **more)  # type: ignore[arg-type]
    executor.submit(job, {})
    return job.id


def test_broken_thread(make: Make) -> None:
    """Whatever goes wrong in the thread is told, keeps nobody waiting, and loses no job."""
    slurm = FakeSlurm()
    executor = make(slurm)
    slurm.jobs = {}
    [id] = submitted(executor, 1)
    slurm.failure = ValueError("spoilt")
    until(lambda: executor.poll(id).phase is Phase.UNREACHABLE)
    assert "spoilt" in executor.poll(id).detail
    with pytest.raises(ConnectionError, match="spoilt"):
        executor.cancel(id)
    slurm.failure = None
    until(lambda: executor.poll(id).phase is Phase.ENDED)


def test_denied(make: Make) -> None:
    """What Slurm will not end is told in its words, and the others are seen as before."""
    slurm = FakeSlurm()
    executor = make(slurm)
    [id, other] = submitted(executor, 2)
    until(lambda: out(executor, id))
    slurm.deny = CommandFailed("scancel: error: Access/permission denied")
    with pytest.raises(ConnectionError, match=r"does not end it: .* denied"):
        executor.cancel(id)
    assert out(executor, other)


@pytest.mark.parametrize(
    ("said", "denied"),
    [
        ("", None),
        ("scancel: error: Kill job error on job id 5: Invalid job id specified", None),
        ("scancel: error: Kill job error on job id 5: Job/step already completing or completed", None),
        ("scancel: error: Kill job error on job id 5: Access/permission denied", "denied"),
        ("job 5: Access/permission denied\njob 6: Invalid job id specified", "denied"),
    ],
)
def test_scancel(said: str, denied: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That a job has ended already is no error; that it may not be ended is, wherever it stands."""
    (tmp_path / "said").write_text(said)
    (tmp_path / "scancel").write_text(f"#!/bin/sh\ncat {tmp_path}/said >&2\n[ ! -s {tmp_path}/said ]\n")
    (tmp_path / "scancel").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    commands = SlurmCommands(Shell(None))
    if denied is None:
        commands.cancel(["5", "6"])
    else:
        with pytest.raises(CommandFailed, match=denied):
            commands.cancel(["5", "6"])


@pytest.mark.parametrize("kind", ["accounting_storage/none", "(null)"])
def test_no_accounting(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster without accounting is not asked for it, whatever its version of Slurm calls that."""
    for name, text in {"scontrol": f"echo 'AccountingStorageType   = {kind}'", "sacct": "exit 1"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert SlurmCommands(Shell(None)).query_accounting(["5"]) == {}


def test_forwarded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that went with the connection is made again under its old number."""

    class Forwarding(Shell):
        """Listens as ssh would."""

        def __init__(self) -> None:
            super().__init__("login")
            self.asked: list[tuple[str, int, int]] = []
            self.down = False

        def forward_port(self, host: str, port: int, local_port: int) -> None:
            if self.down:
                raise ConnectionError("there is no connection")
            self.asked.append((host, port, local_port))
            self.listening = socket.create_server(("127.0.0.1", local_port))

    monkeypatch.setattr("evalmake.executors.slurm.port_forwards._CHECK_INTERVAL", 0.0)
    shell = Forwarding()
    forwards = PortForwards(shell)
    near = forwards.local_port("n1", 8000)
    forwards.restore_lost()
    assert forwards.local_port("n1", 8000) == near
    assert len(shell.asked) == 1
    shell.listening.close()
    shell.down = True
    forwards.restore_lost()
    shell.down = False
    forwards.restore_lost()
    assert shell.asked == [("n1", 8000, near)] * 2
    shell.listening.close()
    assert forwards.local_port("n1", 8000) == near
    assert len(shell.asked) == 3
    shell.listening.close()


def test_larger_than_an_array(make: Make) -> None:
    """An array above the `MaxArraySize` of the cluster goes out in parts, although others run."""

    class Small(FakeSlurm):
        """A cluster that takes arrays of at most three jobs."""

        def submit(self, folder: str) -> str:
            if len((Path(folder) / "jobs").read_text().split()) > 3:
                raise ArrayTooLarge("Batch job submission failed: Invalid job array specification")
            return super().submit(folder)

    slurm = Small()
    executor = make(slurm)
    ids = submitted(executor, 20)
    until(lambda: all(out(executor, id) for id in ids))
    assert sum(slurm.sizes) == 20
    assert max(slurm.sizes) <= 3


def test_one_scancel(make: Make) -> None:
    """Slurm is asked once to end a job, however long that takes."""

    class Slow(FakeSlurm):
        """A cluster on which jobs take four looks to end."""

        cancels = 0
        looks = 0

        def cancel(self, ids: Iterable[str]) -> None:
            self.cancels += 1

        def list_jobs(self, names: Collection[str]) -> dict[str, SlurmJob]:
            self.looks += self.cancels
            if self.looks > 4:
                super().cancel(list(self.jobs))
            return super().list_jobs(names)

    slurm = Slow()
    executor = make(slurm)
    [id] = submitted(executor, 1)
    until(lambda: out(executor, id))
    executor.cancel(id)
    assert slurm.looks > 3
    assert slurm.cancels == 1
