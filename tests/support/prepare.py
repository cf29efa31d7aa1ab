"""Builds what tests share, before or while they run: `python -m tests.support.prepare NAME...`.

A test that comes first waits for what it needs, or builds it itself.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.support import debian, environments, lepton_service


def prepare_environments() -> None:
    """Build the environments of other people's programs in $EVALMAKE_ENVIRONMENTS."""
    for packages in environments.ALL:
        environment, failed = environments.build(Path(os.environ["EVALMAKE_ENVIRONMENTS"]), packages)
        if failed:
            sys.exit(f"{' '.join(packages)}: {failed}: {environment.log_path}")


TASKS = {
    "debian": debian.fetch_all,
    "emulator": lepton_service.python,
    "environments": prepare_environments,
}


def main() -> None:
    """Carry out the tasks that the command line names."""
    debian.HOME.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:]:
        TASKS[name]()


if __name__ == "__main__":
    main()
