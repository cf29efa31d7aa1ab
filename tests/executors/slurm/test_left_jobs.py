"""What a killed build left of colocated and refused jobs: no later build waits for what never comes."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from evalmake.executors.remote.shell import CommandFailed
from evalmake.executors.slurm import SlurmExecutor
from evalmake.executors.slurm.batch import make_batch_folder, write_batch
from evalmake.executors.slurm.commands import ArrayTooLarge
from evalmake.language.file_tree import remove_tree
from evalmake.plugin_api.executor import Job, Phase
from tests.executors.slurm.fake_slurm import FakeSlurm, on_fake, submitted
from tests.support.daemons import until

HOST = "server.s1"


class Killed:
    """Builds of one workspace, one after the other, whose server runs in a Slurm that is a dictionary."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.slurm = FakeSlurm()
        self.executors: list[SlurmExecutor] = []

    def begin(self) -> SlurmExecutor:
        """Begin a build; what the one before knew is lost."""
        self.end()
        self.executors.append(on_fake(self.root, self.slurm))
        return self.executors[-1]

    def end(self) -> None:
        """End the build that runs."""
        if self.executors:
            self.executors[-1].close()

    def serve(self, executor: SlurmExecutor) -> None:
        """Start the server, in whose allocation jobs run."""
        executor.submit(Job(HOST, "server", ("true",), self.root / HOST, colocation_slots=0), {})
        until(lambda: executor.poll(HOST) and self.slurm.jobs)
        self.slurm.jobs = {id: (name, "RUNNING") for id, (name, _) in self.slurm.jobs.items()}
        until(lambda: executor.poll(HOST).phase is Phase.RUNNING)

    def queue(self, pattern: str) -> list[str]:
        """The files in the server's queue."""
        return sorted(path.name for path in (self.root / HOST / "queue").glob(pattern))


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Killed]:
    """Builds of one workspace; the last one ends with the test."""
    made = Killed(tmp_path / "work")
    yield made
    made.end()


def collect_one_of_two(killed: Killed) -> str:
    """Run two jobs next to their server, and collect the first: its id."""
    first = killed.begin()
    killed.serve(first)
    id, other = submitted(first, 2, colocated_with=HOST)
    until(lambda: first.poll(id) and killed.queue("slurm-*"))
    (killed.root / id / "status").write_text("0\n")
    until(lambda: first.poll(id).phase is Phase.ENDED)
    first.fetch(id, killed.root / id)
    assert first.poll(other).phase is Phase.QUEUED
    return id


def test_half_of_a_folder(killed: Killed) -> None:
    """A collected job whose folder a kill left in part is over: nobody waits for a status of it."""
    id = collect_one_of_two(killed)
    for path in (killed.root / id).iterdir():
        remove_tree(path)
    second = killed.begin()
    assert second.poll(id).phase is Phase.UNKNOWN
    second.cancel(id)


def test_same_id_again(killed: Killed) -> None:
    """A job that is to be submitted again is not taken for the collected one of its id, which is over."""
    id = collect_one_of_two(killed)
    shutil.rmtree(killed.root / id)
    (killed.root / id / "out").mkdir(parents=True)
    (killed.root / id / "job.sh").touch()
    assert killed.begin().poll(id).phase is Phase.UNKNOWN


def test_still_being_submitted(killed: Killed) -> None:
    """Jobs that a killed build is still submitting are discarded before a folder of the same id is made."""
    first = killed.begin()
    killed.serve(first)
    late = write_batch(make_batch_folder(killed.root), ["job.0"], host_job=HOST)
    second = killed.begin()
    discarded = f"{late.folder.name}.job.0.discard"
    write = second.cluster.folders.write

    def write_after_that(*words: object) -> None:
        assert killed.queue("*.discard") == [discarded]
        write(*words)  # type: ignore[arg-type]

    second.cluster.folders.write = write_after_that  # type: ignore[method-assign]
    submitted(second, 1, colocated_with=HOST)
    second.poll("job.0")
    until(lambda: any("." not in name for name in killed.queue("slurm-*")))
    assert killed.queue("*.cancel") == []


def test_refused_while_it_is_cancelled(killed: Killed) -> None:
    """Cancelling a job ends also where Slurm refuses the job at that moment."""

    class Refusing(FakeSlurm):
        """Refuses what is cancelled by then."""

        def submit(self, folder: str) -> str:
            self.tries += 1
            until(lambda: executor.watch.cancelled)
            raise CommandFailed("there is no such partition")

    killed.slurm = Refusing()
    executor = killed.begin()
    [id] = submitted(executor, 1)
    until(lambda: executor.poll(id) and killed.slurm.tries)
    executor.cancel(id)
    assert executor.poll(id).phase is Phase.UNKNOWN


def test_does_not_end(killed: Killed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancelled job that does not end, as on a node that hangs, is left to the next build after a while."""

    class Hanging(FakeSlurm):
        """Takes orders and does not carry them out."""

        def cancel(self, ids: Iterable[str]) -> None:
            self.tries += 1

    killed.slurm = Hanging()
    executor = killed.begin()
    [id] = submitted(executor, 1)
    until(lambda: executor.poll(id) and killed.slurm.jobs)
    monkeypatch.setattr("evalmake.executors.remote.watch_loop._CANCEL_TIMEOUT", 0.0)
    with pytest.raises(ConnectionError, match=r"job\.0 was cancelled and does not end"):
        executor.cancel(id)


def test_no_room_for_a_half(killed: Killed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an array can neither be taken whole nor written in parts, the jobs behind it are submitted all the same."""

    class Small(FakeSlurm):
        """Takes no array; when it was given one, the disk is full for a moment."""

        def submit(self, folder: str) -> str:
            if len((Path(folder) / "jobs").read_text().split()) == 1:
                return super().submit(folder)
            self.tries += 1
            if self.tries > 1:
                raise CommandFailed("the folder is gone")
            monkeypatch.setattr("evalmake.executors.slurm.submission.prepare_batch", fail)
            raise ArrayTooLarge("invalid job array specification")

    def fail(*words: object) -> None:
        raise OSError("the disk is full")

    killed.slurm = Small()
    executor = killed.begin()
    ids = submitted(executor, 4)
    behind = Job("other.1", "other", ("true",), executor.root / "other.1", memory=2**30)
    executor.submit(behind, {})
    until(lambda: executor.poll(behind.id) and killed.slurm.jobs)
    until(lambda: all(executor.poll(id).phase in (Phase.REFUSED, Phase.UNKNOWN) for id in ids))
