"""What Slurm keeps its accounting in: a MariaDB and a slurmdbd of a cluster's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.daemons import Daemon, port
from tests.support.docker_engine import listens

PROGRAMS = ("mariadbd", "mariadb-install-db", "slurmdbd", "sacctmgr")


class Accounting:
    """The two, below a folder; a slurmctld reaches the second at `port`."""

    def __init__(self, folder: Path, conf: Path, auth: str) -> None:
        folder.mkdir()
        self.port, self.database_port = port(), port()
        self.data = folder / "data"
        where = [f"--datadir={self.data}", f"--socket={folder}/socket", "--user=root"]
        here = ["--bind-address=127.0.0.1", f"--port={self.database_port}"]
        quick = ["--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"]
        quick += ["--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900"]
        self.database = Daemon(
            ["mariadbd", "--no-defaults", *where, *here, *quick, f"--pid-file={folder}/pid"],
            folder / "mariadbd.log",
            folder,
        )
        env = {"SLURM_CONF": str(conf)}
        self.slurmdbd = Daemon(["slurmdbd", "-D"], folder / "slurmdbd.log", folder, env)
        text = conf.with_name("slurmdbd.conf")  # where slurmdbd looks
        text.write_text(
            f"AuthType=auth/munge\nAuthInfo={auth}\nDbdHost=localhost\nDbdAddr=127.0.0.1\n"
            f"DbdPort={self.port}\nSlurmUser=root\nPidFile={folder}/slurmdbd.pid\n"
            "StorageType=accounting_storage/mysql\nStorageHost=127.0.0.1\nStorageUser=slurm\n"
            f"StoragePort={self.database_port}\nStoragePass=slurm\nStorageLoc=slurm\n"
        )
        text.chmod(0o600)

    def start(self) -> None:
        """Start both, the database made anew the first time."""
        fresh = not self.data.exists()
        if fresh:
            subprocess.run(
                [
                    "mariadb-install-db",
                    "--no-defaults",
                    f"--datadir={self.data}",
                    "--user=root",
                    "--skip-test-db",
                    "--auth-root-authentication-method=normal",
                ],
                check=True,
                capture_output=True,
            )
        self.database.start(lambda: listens(self.database_port))
        if fresh:
            subprocess.run(
                [
                    "mariadb",
                    "--no-defaults",
                    "-h127.0.0.1",
                    f"-P{self.database_port}",
                    "-uroot",
                    "-e",
                    "CREATE DATABASE slurm; GRANT ALL ON slurm.* TO slurm@'127.0.0.1' IDENTIFIED BY 'slurm'",
                ],
                check=True,
            )
        self.slurmdbd.start(lambda: listens(self.port))

    def stop(self) -> None:
        """End both."""
        self.slurmdbd.stop()
        self.database.stop()
