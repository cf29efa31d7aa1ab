"""What other processes can see of this one."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
from pathlib import Path
from evalmake.run.secrets import Secrets, hide_environment
hide_environment(["MODEL_KEY"])
assert b"sk-4f9d" not in Path("/proc/self/environ").read_bytes()
assert Secrets().value_of("MODEL_KEY") == "sk-4f9d1c7a2b8e"
"""


def test_secrets_are_erased_from_the_environment() -> None:
    """Every variable that holds a secret is erased where /proc shows it, whatever bytes its name has."""
    environment = {b"MODEL_KEY": b"sk-4f9d1c7a2b8e", b"NAME_\xff": b"Bearer sk-4f9d1c7a2b8e"}
    subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True)
