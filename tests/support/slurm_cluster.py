"""A Slurm of the tests' own, from Debian's packages: a controller and some nodes on this machine.

All that it keeps lies in one folder, and each cluster has its own ports, its own munged and key, and if
it accounts, its own database: any number live beside each other. A node has 8 processors, 4,000 MB and 2
GPUs, none of which need be there.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support import slurm_accounting
from tests.support.daemons import Daemon, descendants, kill, port, until, within
from tests.support.owned_folders import owned_folder
from tests.support.slurm_wrappers import Wrappers

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged", "setpriv", *slurm_accounting.PROGRAMS)
CONF = {
    "ClusterName": "evalmake",
    "SlurmUser": "root",
    "SlurmdUser": "root",
    "AuthType": "auth/munge",
    "CredType": "cred/munge",
    "ProctrackType": "proctrack/linuxproc",
    "TaskPlugin": "task/none",
    "MpiDefault": "none",
    "MailProg": "/bin/true",
    "SelectType": "select/cons_tres",
    "SelectTypeParameters": "CR_Core_Memory",
    "DefMemPerCPU": "64",
    "JobAcctGatherType": "jobacct_gather/linux",
    "JobAcctGatherFrequency": "1",
    "JobAcctGatherParams": "OverMemoryKill",
    "AccountingStorageType": "accounting_storage/none",
    "GresTypes": "gpu",
    "ReturnToService": "1",
    "SlurmdParameters": "config_overrides",  # more processors than the machine has
    "PropagateResourceLimits": "NONE",
    "SlurmdTimeout": "30",
    "KillWait": "2",
    "OverTimeLimit": "0",
    "MessageTimeout": "10",
    "MaxJobCount": "20000",
    "MaxArraySize": "1001",
    "SchedulerParameters": "bf_interval=1,sched_interval=1,sched_min_interval=0,batch_sched_delay=0",
}
WATCHED = {"TaskPlugin": "task/cgroup", "JobAcctGatherParams": "UsePss"}
_STATE_FLAGS = ("COMPLETING", "CONFIGURING", "REQUEUED")  # they stand for the state in what people see
LIVE = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING")
CGROUPS = Path("/sys/fs/cgroup")


def lacking() -> str:
    """Why no cluster can be had here; empty where one can."""
    if os.geteuid() != 0:
        return "a cluster is started by root"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""


def no_cgroups() -> str:
    """Why the kernel cannot watch over a job's memory here; empty where it can."""
    if (CGROUPS / "memory").is_dir():  # version 1
        return ""
    controllers = CGROUPS / "cgroup.subtree_control"  # version 2
    given = controllers.read_text().split() if controllers.exists() else []
    return "" if "memory" in given else f"{CGROUPS} gives no control over memory"


class Cluster:
    """A cluster in a folder, which must be one that every user may enter; `conf` adds to slurm.conf.

    Its partitions are `main`, which is the default, and `short`, whose jobs have a minute at most. A job
    that takes more memory than it may is found by Slurm, which looks every second, and it fails; with
    `cgroups` the kernel finds it, and it is out of memory.
    """

    def __init__(
        self,
        folder: Path,
        *,
        accounting: bool = False,
        nodes: int = 2,
        cgroups: bool = False,
        conf: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.port = folder, port()
        name = f"n{self.port}-" if cgroups else "n"  # a node's cgroup has its name
        self.nodes = [f"{name}{at + 1}" for at in range(nodes)]
        self.conf = folder / "slurm.conf"
        for name in ("munge", "log", "state", "spool", "run"):
            (folder / name).mkdir(parents=True)
        self.wrappers = Wrappers(folder, self.conf)
        auth = f"socket={folder}/munge/socket"
        self.munged = Daemon(self._munged(), folder / "log" / "munged", folder)
        self.accounting = None
        if accounting:
            self.accounting = slurm_accounting.Accounting(folder / "accounting", self.conf, auth)
        watched = WATCHED if cgroups else {}
        self._configure(CONF | {"AuthInfo": auth} | watched | dict(conf or {}))
        controller = ["slurmctld", "-D", "-f", str(self.conf)]
        self.controller = Daemon(controller, folder / "log" / "slurmctld", folder)
        self.daemons = {
            node: Daemon(
                ["slurmd", "-D", "-N", node, "-f", str(self.conf)], folder / "log" / node, folder / "spool" / node
            )  # jobs' keepers stay there
            for node in self.nodes
        }

    def _munged(self) -> list[str]:
        at = self.folder / "munge"
        (at / "key").touch(0o600)
        (at / "key").write_bytes(os.urandom(128))
        argv = ["munged", "--foreground", "--force"]
        for option in ("socket", "key-file", "pid-file", "seed-file", "log-file"):
            argv.append(f"--{option}={at}/{option.partition('-')[0]}")
        return argv

    def _configure(self, conf: dict[str, str]) -> None:
        host = socket.gethostname()
        conf |= {
            "SlurmctldHost": f"{host}(127.0.0.1)",
            "SlurmctldPort": str(self.port),
            "StateSaveLocation": f"{self.folder}/state",
            "SlurmdSpoolDir": f"{self.folder}/spool/%n",
            "SlurmctldPidFile": f"{self.folder}/run/slurmctld.pid",
            "SlurmdPidFile": f"{self.folder}/run/%n.pid",
        }
        if self.accounting:
            conf |= {
                "AccountingStorageType": "accounting_storage/slurmdbd",
                "AccountingStorageHost": "127.0.0.1",
                "AccountingStoragePort": str(self.accounting.port),
                "AccountingStoragePass": f"{self.folder}/munge/socket",
                "AccountingStorageTRES": "gres/gpu",
                "AccountingStoreFlags": "job_comment",
            }
        lines = [f"{name}={value}" for name, value in conf.items()]
        for node in self.nodes:
            lines.append(
                f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port()}"
                " CPUs=8 RealMemory=4000 Gres=gpu:2 State=UNKNOWN"
            )
        lines.append("PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP")
        lines.append("PartitionName=short Nodes=ALL MaxTime=1 State=UP")
        self.conf.write_text("\n".join(lines) + "\n")
        gpus = "".join(f"Name=gpu File=/dev/{name}\n" for name in ("null", "zero"))
        (self.folder / "gres.conf").write_text(gpus)
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=autodetect\nIgnoreSystemd=yes\nConstrainRAMSpace=yes\n")

    # its life

    def start(self) -> None:
        """Start all of it and wait until every node is idle."""
        self.munged.start((self.folder / "munge" / "socket").exists)
        if self.accounting:
            self.accounting.start()
            self.run("sacctmgr", "-i", "add", "cluster", "evalmake")
        self.start_controller()
        for node in self.nodes:
            self.revive(node)

    def stop(self) -> None:
        """End all of it, the jobs too."""
        for node in self.nodes:
            self.crash(node)
        self.controller.stop()
        if self.accounting:
            self.accounting.stop()
        self.munged.stop()

    def start_controller(self) -> None:
        """Start the controller, which knows what it knew, and wait until it answers."""
        self.controller.start(lambda: self._try("sinfo", "-h").returncode == 0)

    def stop_controller(self) -> None:
        """End the controller; jobs go on."""
        self.controller.stop()

    def crash(self, node: str) -> None:
        """End a node and the jobs on it, as by a loss of power."""
        self.daemons[node].stop(signal.SIGKILL)
        kill(descendants(within(self.folder / "spool" / node)))
        _remove_cgroups(node)

    def revive(self, node: str) -> None:
        """Start a node and wait until it takes jobs."""
        (self.folder / "spool" / node).mkdir(exist_ok=True)
        self.daemons[node].start(lambda: self.state(node) == "idle")

    # its administration

    def down(self, node: str) -> None:
        """Declare a node lost, until `resume`: its jobs end, and are begun anew if they may be."""
        self.run("scontrol", "update", f"nodename={node}", "state=down", "reason=a test")

    def drain(self, node: str) -> None:
        """Let a node take no more jobs."""
        self.run("scontrol", "update", f"nodename={node}", "state=drain", "reason=a test")

    def resume(self, node: str) -> None:
        """Let a node take jobs again."""
        self.run("scontrol", "update", f"nodename={node}", "state=resume")
        until(lambda: self.state(node) in ("idle", "mixed", "allocated"), lambda: self.state(node))

    def state(self, node: str) -> str:
        """What Slurm says of a node."""
        return self._try("sinfo", "-h", "-N", "-p", "main", "-n", node, "-o", "%T").stdout.strip()

    # its jobs

    def submit(self, text: str, *options: str) -> str:
        """The id of a new job that runs a shell text; it keeps what it prints in the cluster's folder."""
        output = f"--output={self.folder}/run/%j.out"
        return self.run("sbatch", "--parsable", output, *options, "--wrap", text).strip()

    def expire(self, id: str) -> None:
        """Let the time of a running job be over; Slurm finds that within half a minute."""
        argv = ["scontrol", "update", f"jobid={id}", "endtime=now"]  # refused in the second of its start
        until(lambda: self._try(*argv).returncode == 0, lambda: self._try(*argv).stderr)

    def jobs(self) -> dict[str, dict[str, Any]]:
        """All that the controller knows of each job, by id; one of an array has an id of its own."""
        listed = json.loads(self.run("squeue", "--json", "-a", "-t", "all"))
        assert not listed["errors"], listed["errors"]  # squeue itself is content with them
        return {str(one["job_id"]): _simplify(one) for one in listed["jobs"]}

    def ended(self, id: str, *states: str) -> dict[str, Any]:
        """Wait until a job is in one of some states, and give what is known of it."""
        until(lambda: self.jobs()[id]["job_state"] in states, lambda: self.jobs()[id])
        found: dict[str, Any] = self.jobs()[id]
        return found

    def tasks(self, array: str) -> list[dict[str, Any]]:
        """Wait until no task of an array waits or runs, and give what is known of each."""

        def known() -> list[dict[str, Any]]:
            return [job for job in self.jobs().values() if str(job["array_job_id"]) == array]

        until(lambda: all(job["job_state"] not in LIVE for job in known()), known)
        return known()

    def scancel(self, *words: str) -> None:
        """Cancel jobs."""
        self.run("scancel", *words)

    def sacct(self, *words: str) -> list[dict[str, str]]:
        """What accounting says, a row each."""
        lines = self.run("sacct", "--parsable2", *words).splitlines()
        names = lines[0].split("|")
        return [dict(zip(names, line.split("|"), strict=True)) for line in lines[1:]]

    def rpc_counts(self) -> dict[str, int]:
        """How often the controller was asked for what, since it started or `forget_rpcs`."""
        found = re.findall(r"^\t(\w+) +\( *\d+\) count:(\d+)", self.run("sdiag"), re.MULTILINE)
        return {name: int(count) for name, count in found if name.isupper()}

    def forget_rpcs(self) -> None:
        """Count from nothing."""
        self.run("sdiag", "--reset")

    @property
    def env(self) -> dict[str, str]:
        """The variables by which a user reaches it, through the wrappers."""
        path = f"{self.wrappers.bin}:{os.environ['PATH']}"
        return {"SLURM_CONF": str(self.conf), "PATH": path}

    def run(self, *argv: str) -> str:
        """What one of Slurm's commands prints, called past the wrappers."""
        done = self._try(*argv)
        assert done.returncode == 0, f"{argv}: {done.stderr}{done.stdout}"
        return done.stdout

    def _try(self, *argv: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"SLURM_CONF": str(self.conf)}
        return subprocess.run(argv, capture_output=True, text=True, env=env)


def _simplify(job: dict[str, Any]) -> dict[str, Any]:
    """Return a job as Slurm 22.05 shows it; later versions wrap numbers and list the flags of a state."""
    simple = {key: _unwrap(value) for key, value in job.items()}
    if isinstance(states := simple["job_state"], list):
        simple["job_state"] = next((flag for flag in _STATE_FLAGS if flag in states), states[0])
    if isinstance(ended := simple["exit_code"], dict):
        simple["exit_code"] = (_unwrap(ended["return_code"]) or 0) << 8 | (_unwrap(ended["signal"]["id"]) or 0)
    return simple


def _unwrap(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() >= {"set", "number"}:
        return value["number"] if value["set"] else None
    return value


def _remove_cgroups(node: str) -> None:
    """Remove the cgroups of a node whose processes were killed."""
    for name in (f"slurm_{node}", f"{node}_slurmstepd.scope"):  # of version 1, of version 2
        for place in CGROUPS.glob(f"*/{name}"):
            until(lambda place=place: _removed(place))  # type: ignore[misc]


def _end_left(folder: Path) -> None:
    """End the nodes of a cluster whose test process was killed: its daemons ended with that, its jobs did not."""
    for node in (folder / "spool").glob("*"):
        kill(descendants(within(node)))
        if "-" in node.name:  # it has cgroups, and a name that no other cluster's node has
            _remove_cgroups(node.name)


def _removed(cgroup: Path) -> bool:
    """Remove a cgroup and those in it, once no process is left there."""
    for place, _, _ in os.walk(cgroup, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(place)
    return not cgroup.exists()


@contextlib.contextmanager
def cluster(*, accounting: bool = False, nodes: int = 2, cgroups: bool = False, **conf: str) -> Iterator[Cluster]:
    """A running cluster in a folder that every user may enter; nothing is left of it."""
    with owned_folder("slurm-", _end_left) as folder:
        folder.chmod(0o755)
        made = Cluster(folder, accounting=accounting, nodes=nodes, cgroups=cgroups, conf=conf)
        try:
            made.start()
            yield made
        finally:
            made.stop()
