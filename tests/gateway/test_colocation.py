"""Colocation: one program runs a server and other jobs in the same allocation."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.support.workspaces import wait_for

SERVER = """\
mkdir started
until test -e ../close; do sleep 0.05; done
exit 3
"""


class Host:
    """The folders of a server's job and of others; `running` have begun and not ended."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "server" / "queue").mkdir(parents=True)
        self.job("server", SERVER)
        self.process: subprocess.Popen[bytes]

    def start(self, at_once: int = 2) -> None:
        """Start it."""
        argv = [sys.executable, "-P", "-m", "evalmake.gateway.sidecar.colocation", str(at_once)]
        self.process = subprocess.Popen([*argv, str(self.root / "server")])

    def job(self, id: str, text: str) -> None:
        """Write a job's script, which stands in its folder."""
        folder = self.root / id
        folder.mkdir(exist_ok=True)
        (folder / "job.sh").write_text(f"cd {folder}\n{dedent(text)}")

    def add(self, *ids: str, limit: int = 0, batch: str = "batch") -> None:
        """Put jobs into the queue. A job without a script of its own waits for the file `go`."""
        for id in ids:
            if not (self.root / id).exists():
                text = "mkdir started\nuntil test -e ../go; do sleep 0.05; done\necho 0 > status\n"
                self.job(id, text)
        self.put(batch, "\n".join([str(limit), *ids]))

    def put(self, name: str, text: str = "") -> None:
        """A whole file of the queue."""
        unfinished = self.root / "server" / "queue" / f".{name}"
        unfinished.write_text(text)
        unfinished.rename(unfinished.with_name(name))

    def began(self) -> set[str]:
        """The jobs that have begun."""
        return {path.parent.name for path in self.root.glob("*/started")} - {"server"}

    def ended(self) -> dict[str, str]:
        """The exit statuses in the jobs' folders."""
        written = [path for path in self.root.glob("*/status") if path.is_file()]
        found = {path.parent.name: path.read_text().strip() for path in written}
        return {id: status for id, status in found.items() if status}

    def left(self) -> list[str]:
        """The command lines of processes that jobs started and that still run, without the server's."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                environ = (entry / "environ").read_bytes().split(b"\0")
                words = (entry / "cmdline").read_text()
            except OSError:
                continue
            hosted = [word for word in environ if word.startswith(f"EVALMAKE_HOSTED={self.root}/".encode())]
            if hosted and not hosted[0].endswith(b"/server"):
                found.append(words)
        return found

    def close(self) -> int:
        """End the server; returns the program's exit status."""
        (self.root / "close").touch()
        return self.process.wait(60)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """An allocation that has not started."""
    made = Host(tmp_path)
    yield made
    made.process.terminate()
    made.process.wait(60)


def test_so_many_at_once(host: Host) -> None:
    """Jobs start in order within the limit, and the program exits with the server's status."""
    host.start(at_once=2)
    host.add("a", "b", "c")
    wait_for(lambda: len(host.began()) == 2)
    assert host.began() == {"a", "b"}
    (host.root / "go").touch()
    wait_for(lambda: host.ended() == {"a": "0", "b": "0", "c": "0"})
    assert host.close() == 3


def test_limit(host: Host) -> None:
    """A job of a batch with a lower limit waits until fewer jobs run; others may pass it."""
    host.start(at_once=3)
    host.add("a", "b")
    wait_for(lambda: len(host.began()) == 2)
    host.add("c", limit=2, batch="few")
    host.add("d", batch="many")
    wait_for(lambda: host.began() == {"a", "b", "d"})
    (host.root / "go").touch()
    wait_for(lambda: "c" in host.ended())


def test_batches_in_their_order(host: Host) -> None:
    """Of batches that are found together, the jobs of the first start first, whatever the batches are called."""
    host.add("first", batch="b")
    host.add("second", batch="a")
    for at, batch in enumerate("ba"):
        os.utime(host.root / "server" / "queue" / batch, (at, at))
    host.start(at_once=1)
    wait_for(lambda: host.began() != set())
    assert host.began() == {"first"}


def test_cancelled(host: Host) -> None:
    """A job is cancelled by its batch and id; the same id in a later batch is another job."""
    host.start(at_once=1)
    host.add("a", "b")
    wait_for(lambda: host.began() == {"a"})
    host.put("batch.b.cancel")
    wait_for(lambda: host.ended() == {"b": "143"})
    host.put("batch.a.cancel")
    wait_for(lambda: host.ended() == {"a": "143", "b": "143"})
    assert host.left() == []
    (host.root / "b" / "status").unlink()
    (host.root / "go").touch()
    host.add("b", batch="later")
    wait_for(lambda: host.ended() == {"a": "143", "b": "0"})


def test_cancelled_though_it_does_not_run(host: Host) -> None:
    """A cancelled job gets a status also where it neither waits nor runs: evalmake waits for that."""
    host.add("a", "b")
    (host.root / "a" / "started").mkdir()
    host.start(at_once=1)
    wait_for(lambda: "b" in host.began())
    assert host.ended() == {}
    host.put("batch.a.cancel")
    wait_for(lambda: host.ended() == {"a": "143"})


def test_discarded(host: Host) -> None:
    """A job that was given up gets no status, wherever it is and whenever it arrives; its id may be used again."""
    host.start(at_once=1)
    host.add("a", "b", "c")
    wait_for(lambda: host.began() == {"a"})
    for id in ("a", "b", "c"):
        host.put(f"batch.{id}.discard")
    host.put("late.d.discard")
    wait_for(lambda: host.left() == [])
    host.add("d", batch="late")
    (host.root / "go").touch()
    host.add("b", "e", batch="next")
    wait_for(lambda: {"b", "e"} <= host.ended().keys())
    assert host.ended() == {"a": "143", "b": "0", "e": "0"}  # `a` ran in its folder, which is still there
    assert host.began() == {"a", "b", "e"}


def test_folder_made_anew(host: Host) -> None:
    """A job that ends after its folder was replaced leaves no status in the new one, where its successor runs."""
    host.job("a", "trap 'mkdir ../told' TERM\nmkdir started\nuntil test -e ../over; do sleep 0.05; done\n")
    host.start()
    host.add("a")
    wait_for(lambda: host.began() == {"a"})
    host.put("batch.a.discard")
    wait_for((host.root / "told").exists)
    (host.root / "a").rename(host.root / "old")
    host.add("a", batch="next")
    host.add("b", batch="other")
    wait_for(lambda: "b" in host.began())
    assert not (host.root / "a" / "started").exists()
    (host.root / "over").touch()
    (host.root / "go").touch()
    wait_for(lambda: {"a", "b", "old"} <= host.ended().keys())
    assert host.ended()["a"] == "0"


def test_a_broken_folder_holds_up_no_other(host: Host) -> None:
    """A job that cannot be started now is tried again, and the others run meanwhile."""
    host.add("a", "b")
    (host.root / "a" / "log").mkdir()
    (host.root / "go").touch()
    host.start(at_once=1)
    wait_for(lambda: host.ended() == {"b": "0"})
    (host.root / "a" / "log").rmdir()
    wait_for(lambda: host.ended() == {"a": "0", "b": "0"})


def test_what_hides_its_environment(host: Host) -> None:
    """Processes of a job end with it, also those whose environment cannot be read."""
    host.job("a", "mkdir started\nenv -i sh -c 'echo $$ > hidden; exec sleep 600'\n")
    host.start()
    host.add("a")
    hidden = host.root / "a" / "hidden"
    wait_for(lambda: hidden.exists() and hidden.read_text().strip())
    host.put("batch.a.cancel")
    wait_for(lambda: host.ended() == {"a": "143"})
    stat = Path(f"/proc/{hidden.read_text().strip()}/stat")
    assert not stat.exists() or ") Z " in stat.read_text()


def test_says_how_it_ended(host: Host) -> None:
    """A killed job gets its status written for it, and its processes end."""
    host.start()
    host.job("a", "setsid sleep 600 & echo $! > left; kill -9 $$")
    host.add("a")
    wait_for(lambda: host.ended() == {"a": "137"})
    wait_for(lambda: not os.path.exists(f"/proc/{(host.root / 'a' / 'left').read_text().strip()}"))


@pytest.mark.parametrize("how", ["it ends", "TERM"])
def test_ends_with_the_server(host: Host, how: str) -> None:
    """All jobs end with the server, and then have no status."""
    host.start()
    host.add("a", "b", "c")
    wait_for(lambda: len(host.began()) == 2)
    if how == "TERM":
        host.process.terminate()
        assert host.process.wait(60) == 143
    else:
        assert host.close() == 3
    assert (host.left(), host.ended()) == ([], {})
    assert len(host.began()) == 2


def test_no_words_of_its_own(host: Host) -> None:
    """A job that ends with the server has no status, even if it tries to write one."""
    host.start()
    host.job(
        "a",
        "trap 'echo 0 > .status; mv .status status; exit' TERM\nmkdir started\nsleep 600 & wait",
    )
    host.add("a")
    wait_for(lambda: host.began() == {"a"})
    assert host.close() == 3
    assert not (host.root / "a" / "status").is_file()


def test_begins_nothing_twice(host: Host) -> None:
    """Neither a job nor a server starts twice, and a job whose folder is gone is skipped."""
    host.add("a", "b", "gone")
    (host.root / "a" / "started").mkdir()
    (host.root / "gone" / "job.sh").unlink()
    (host.root / "gone").rmdir()
    host.start()
    wait_for(lambda: host.began() == {"a", "b"})
    second = [sys.executable, "-m", "evalmake.gateway.sidecar.colocation", "2", str(host.root / "server")]
    assert subprocess.run(second).returncode == 0
    (host.root / "go").touch()
    wait_for(lambda: host.ended() == {"b": "0"})
