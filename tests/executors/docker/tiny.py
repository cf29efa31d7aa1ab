"""An image that a registry gives in no time, a shell and what that needs; and jobs that run in it."""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile

from tests.executors.docker.contained import Contained
from tests.support.docker_engine import Dockerd, push

EVALFILE = """\
executor box {{
    backend = docker
    host    = "{engine}"
    mounts  = ["{shared}:/shared:rw"]
    network = gateway
}}
model nobody {{
    endpoint = "http://127.0.0.1:9/v1"
    name     = "nobody"
}}
benchmark tiny {{
    harness = command
    image   = "{image}"
    run     = 'echo "$EVALMAKE_SEED" >> /shared/starts; echo "{{\\"x\\": 1.0}}" > "$EVALMAKE_OUT/scores.json"'
}}
eval asked {{
    model     = nobody
    benchmark = tiny
    executor  = box
    seed      in 1..2
}}
"""

_LARGE = 2**20  # bytes: no layer comes in one piece


def pushed(engine: Dockerd, name: str) -> None:
    """Push one under a name, like no other; the engine forgets it."""
    needs = subprocess.run(["ldd", "/bin/sh"], check=True, capture_output=True, text=True).stdout
    folder, filling = tarfile.TarInfo("tmp"), tarfile.TarInfo("filling")
    folder.type, folder.mode, filling.size = tarfile.DIRTYPE, 0o777, _LARGE
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", dereference=True) as tar:
        for path in ("/bin/sh", *re.findall(r"/\S+", needs)):
            tar.add(path)
        tar.addfile(folder)
        tar.addfile(filling, io.BytesIO(os.urandom(_LARGE)))
    repository, _, tag = name.rpartition(":")
    engine.api().import_image_from_data(whole.getvalue(), repository, tag)
    push(engine, name, name)


def evalfile(bench: Contained, image: str) -> None:
    """Two evaluations in an image; each says in `starts`, in the shared folder, that it began."""
    url, shared = bench.engine.url, bench.shared
    bench.evalfile(EVALFILE.format(engine=url, shared=shared, image=image))
