"""The networks that containers are in, and where in them this host is.

`open` is the engine's own bridge. `gateway` is a bridge of this executor's that leads nowhere: the
engine forwards nothing from it or within it, and a chain of the firewall lets its containers have
nothing of this host but the ports of gateways. Where such a chain cannot be kept, it is refused.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evalmake.executors.docker.engine import Engine

_NAME = "com.docker.network.bridge.name"
_APART = {"com.docker.network.bridge.enable_icc": "false"}


def near_address(engine: Engine) -> str:
    """Where containers of the engine's own bridge find this host."""
    if engine.remote:
        return _address_towards(engine)
    try:
        with engine.asked("its bridge network") as api:
            found = api.inspect_network("bridge")
    except LookupError as error:
        raise OSError(str(error)) from None
    return _ours(engine, found)


def _ours(engine: Engine, network: Any) -> str:
    """The address of a network's near end, if it is one of this host's."""
    configs = network["IPAM"]["Config"] or [{}]
    address = str(configs[0].get("Gateway", ""))
    try:
        with socket.socket() as probe:
            probe.bind((address or "none", 0))
    except OSError:
        why = f"its containers cannot reach this host: {address or 'no address'} is not this host's"
        raise OSError(engine.says(why)) from None
    return address


def _address_towards(engine: Engine) -> str:
    """The address of this host on the way to the engine's."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((engine.remote, 9))
            return str(probe.getsockname()[0])
    except OSError:
        why = f"by what address {engine.remote} reaches this host is not known"
        raise OSError(engine.says(why)) from None


class Closed:
    """The network of `network = gateway`. It, its bridge and its chain have one name."""

    nowhere = "192.0.2.53"  # no name server: names are asked for from within, and nothing answers

    def __init__(self, engine: Engine, name: str, labels: dict[str, str], root: Path) -> None:
        self.engine = engine
        self.name = name
        self.labels = labels
        self._lock = threading.Lock()
        self.mark = root / name
        """A folder that is there before the network, and goes after it: a kill may come between."""

    def open(self) -> str:
        """This host's address in the network, which is made and shut off where it is not."""
        with self._lock:
            return self._opened()

    def _opened(self) -> str:
        self._check()
        self.mark.mkdir(parents=True, exist_ok=True)
        self._shut()
        try:
            with self.engine.asked() as api:
                found = api.inspect_network(self.name)
        except LookupError:
            with self.engine.asked("cannot make a network") as api:
                api.create_network(
                    self.name,
                    driver="bridge",
                    internal=True,
                    labels=self.labels,
                    options=_APART | {_NAME: self.name},
                    check_duplicate=True,
                )
                found = api.inspect_network(self.name)
        return _ours(self.engine, found)

    def _check(self) -> None:
        why = ""
        if self.engine.remote:
            why = "this host's firewall is not that of the engine"
        elif os.geteuid() != 0 or shutil.which("iptables") is None:
            why = "the rest of this host is closed to containers by iptables, as root"
        else:
            with self.engine.asked() as api:
                if not api.info().get("BridgeNfIptables"):
                    why = "the kernel does not show iptables what passes a bridge"
        if why:
            raise OSError(self.engine.says(f"`network = gateway` cannot be kept: {why}"))

    def _shut(self) -> None:
        """The chain, which drops all but answers, for whatever comes from the bridge."""
        if not _iptables("-L", self.name, "-n"):
            self._must("-N", self.name)
        answers = ["-m", "conntrack", "--ctstate", "ESTABLISHED", "-j", "ACCEPT"]
        for rule in ([self.name, *answers], [self.name, "-j", "DROP"]):
            if not _iptables("-C", *rule):
                self._must("-A", *rule)
        enter = ["INPUT", "-i", self.name, "-j", self.name]
        if not _iptables("-C", *enter):
            self._must("-I", *enter)

    def allow(self, ports: Iterable[int]) -> None:
        """Let containers ask these ports of this host."""
        with self._lock:
            for port in ports:
                rule = [self.name, "-p", "tcp", "--dport", str(port), "-j", "ACCEPT"]
                if not _iptables("-C", *rule):
                    self._must("-I", *rule)

    def _must(self, *words: str) -> None:
        if not _iptables(*words):
            said = f"`network = gateway` cannot be kept: iptables refuses {' '.join(words)}"
            raise OSError(self.engine.says(said))

    def remove(self) -> None:
        """Take the network away, and what shuts it off; OSError while containers are in it."""
        with contextlib.suppress(LookupError), self.engine.asked("cannot remove a network") as api:
            api.remove_network(self.name)
        with self._lock:
            while _iptables("-D", "INPUT", "-i", self.name, "-j", self.name):
                pass
            _iptables("-F", self.name)
            _iptables("-X", self.name)
            if not _iptables("-L", self.name, "-n"):
                with contextlib.suppress(OSError):
                    self.mark.rmdir()


def _iptables(*words: str) -> bool:
    """Whether iptables does or finds it."""
    try:
        done = subprocess.run(
            ["iptables", "-w", "20", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
