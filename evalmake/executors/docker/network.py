"""The networks of containers, and the addresses of this host in them.

`network = open` is the engine's own bridge. `network = gateway` is a bridge of this executor that leads
nowhere: the engine forwards nothing from it or within it, and a firewall chain lets its containers reach only
the ports of gateways on this host. If such a chain is not possible here, jobs are refused.
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

_BRIDGE_NAME = "com.docker.network.bridge.name"
_ISOLATION = {"com.docker.network.bridge.enable_icc": "false"}


def host_address_on_bridge(engine: Engine) -> str:
    """Return the address at which containers on the engine's own bridge reach this host."""
    if engine.remote_host:
        return _address_towards(engine)
    try:
        with engine.call("its bridge network") as api:
            found = api.inspect_network("bridge")
    except LookupError as error:
        raise OSError(str(error)) from None
    return _host_address(engine, found)


def _host_address(engine: Engine, network: Any) -> str:
    """Return the gateway address of a network; OSError unless it is an address of this host."""
    configs = network["IPAM"]["Config"] or [{}]
    address = str(configs[0].get("Gateway", ""))
    try:
        with socket.socket() as probe:
            probe.bind((address or "none", 0))
    except OSError:
        why = f"its containers cannot reach this host: {address or 'no address'} is not an address of this host"
        raise OSError(engine.message(why)) from None
    return address


def _address_towards(engine: Engine) -> str:
    """Return the address of this host on the way to the host of the engine."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((engine.remote_host, 9))
            return str(probe.getsockname()[0])
    except OSError:
        why = f"the address at which {engine.remote_host} reaches this host is not known"
        raise OSError(engine.message(why)) from None


class ClosedNetwork:
    """The network of `network = gateway`. The network, its bridge and its firewall chain have the same name."""

    no_dns = "192.0.2.53"  # a reserved address: nothing answers there

    def __init__(self, engine: Engine, name: str, labels: dict[str, str], root: Path) -> None:
        self.engine = engine
        self.name = name
        self.labels = labels
        self._lock = threading.Lock()
        self.marker = root / name
        """A folder that exists longer than the network, so that a kill in between leaves a trace."""

    def open(self) -> str:
        """Make the network and its firewall chain if need be, and return this host's address in it."""
        with self._lock:
            return self._open()

    def _open(self) -> str:
        self._check_possible()
        self.marker.mkdir(parents=True, exist_ok=True)
        self._close_firewall()
        try:
            with self.engine.call() as api:
                found = api.inspect_network(self.name)
        except LookupError:
            with self.engine.call("cannot make a network") as api:
                api.create_network(
                    self.name,
                    driver="bridge",
                    internal=True,
                    labels=self.labels,
                    options=_ISOLATION | {_BRIDGE_NAME: self.name},
                    check_duplicate=True,
                )
                found = api.inspect_network(self.name)
        return _host_address(self.engine, found)

    def _check_possible(self) -> None:
        why = ""
        if self.engine.remote_host:
            why = "the engine is on another host, with another firewall"
        elif os.geteuid() != 0 or shutil.which("iptables") is None:
            why = "it takes iptables, as root, to close this host to containers"
        else:
            with self.engine.call() as api:
                if not api.info().get("BridgeNfIptables"):
                    why = "the kernel hides bridge traffic from iptables"
        if why:
            raise OSError(self.engine.message(f"`network = gateway` is not possible: {why}"))

    def _close_firewall(self) -> None:
        """Make the chain, which drops everything from the bridge but replies."""
        if not _try_iptables("-L", self.name, "-n"):
            self._iptables("-N", self.name)
        replies = ["-m", "conntrack", "--ctstate", "ESTABLISHED", "-j", "ACCEPT"]
        for rule in ([self.name, *replies], [self.name, "-j", "DROP"]):
            if not _try_iptables("-C", *rule):
                self._iptables("-A", *rule)
        enter = ["INPUT", "-i", self.name, "-j", self.name]
        if not _try_iptables("-C", *enter):
            self._iptables("-I", *enter)

    def allow(self, ports: Iterable[int]) -> None:
        """Let containers reach these ports of this host."""
        with self._lock:
            for port in ports:
                rule = [self.name, "-p", "tcp", "--dport", str(port), "-j", "ACCEPT"]
                if not _try_iptables("-C", *rule):
                    self._iptables("-I", *rule)

    def _iptables(self, *words: str) -> None:
        if not _try_iptables(*words):
            why = f"`network = gateway` is not possible: iptables refuses {' '.join(words)}"
            raise OSError(self.engine.message(why))

    def remove(self) -> None:
        """Remove the network and its firewall chain; OSError while containers are in it."""
        with contextlib.suppress(LookupError), self.engine.call("cannot remove a network") as api:
            api.remove_network(self.name)
        with self._lock:
            while _try_iptables("-D", "INPUT", "-i", self.name, "-j", self.name):
                pass
            _try_iptables("-F", self.name)
            _try_iptables("-X", self.name)
            if not _try_iptables("-L", self.name, "-n"):
                with contextlib.suppress(OSError):
                    self.marker.rmdir()


def _try_iptables(*words: str) -> bool:
    """Run iptables, and return whether it succeeds."""
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
