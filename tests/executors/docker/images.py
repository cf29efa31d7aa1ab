"""Images for tests: a Debian with Python, an environment's packages, and whatever else is asked for.

What is asked for is in the tag, so that an image is made once for all workers, and found again as long
as the engine has it. An environment's packages are copied from where evalmake has installed them.
"""

from __future__ import annotations

import fcntl
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from evalmake.run.environments.environment import Environment
from tests.support.daemons import needed
from tests.support.debian import HOME, IMAGE_RELEASE, PYTHONS
from tests.support.docker_engine import BASE, Dockerd

PYTHON = "/usr/bin/python3"
_VERSION = PYTHONS[IMAGE_RELEASE]
PACKAGES = f"/usr/local/lib/python{_VERSION}/dist-packages"
INSTALLED = f"lib/python{_VERSION}/site-packages"
PROGRAMS = "/usr/local/bin"
Files = Mapping[str, Path | str]


def image(
    engine: Dockerd,
    name: str,
    environment: Environment | None = None,
    *,
    base: str = BASE,
    files: Files | None = None,
    env: Mapping[str, str] | None = None,
    user: str = "",
    workdir: str = "",
    entrypoint: Sequence[str] = (),
) -> str:
    """An image that has what `base` has, and the packages and programs of an environment.

    `files` are a file or folder of this host, or a text, by their place in the image, `env` its
    variables; programs run as `user` in `workdir`, by its `entrypoint`.
    """
    if environment and not (environment.folder / INSTALLED).exists():
        needed(f"Python {_VERSION}", "images have it, and what is installed here is for another")
    api = engine.api()
    variables = [f"{key}={value}" for key, value in (env or {}).items()]
    said = {"Env": variables, "User": user, "WorkingDir": workdir, "Entrypoint": list(entrypoint)}
    given = sorted((files or {}).items())
    asked = [
        api.inspect_image(base)["Id"],
        environment.listing_text if environment else "",
        [(place, _digest(what)) for place, what in given],
        said,
    ]
    repository, tag = f"evalmake-test/{name}", sha256(json.dumps(asked).encode()).hexdigest()[:16]
    with (HOME / "images").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not api.images(f"{repository}:{tag}"):
            made = api.create_container(base, ["true"])
            if environment:
                _install(api, made, environment)
            for place, what in given:
                _put(api, made, place, what)
            api.commit(made, repository, tag, conf={key: v for key, v in said.items() if v})
            api.remove_container(made)
    return f"{repository}:{tag}"


def _install(api: Any, container: Any, environment: Environment) -> None:
    """Copy an environment's packages, and its programs, which are told of the image's Python."""
    _put(api, container, PACKAGES, environment.folder / INSTALLED)
    for program in (environment.folder / "bin").iterdir():
        shebang, end, rest = program.read_bytes().partition(b"\n")
        if shebang.startswith(b"#!") and b"python" in shebang:
            text = f"#!{PYTHON}\n{(rest if end else b'').decode()}"
            _put(api, container, f"{PROGRAMS}/{program.name}", text)


def _put(api: Any, container: Any, place: str, what: Path | str) -> None:
    """Put a file, a folder or a text into a container that has not been started."""
    if isinstance(what, Path) and what.is_dir():
        rename = f"s,^\\.,{place.strip('/')},S"  # but not what symbolic links point to
        argv = ["tar", "-C", str(what), "--owner=0", "--group=0", "--transform", rename, "-c", "."]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as tar:
            assert tar.stdout
            api.put_archive(container, "/", iter(lambda: tar.stdout.read(1 << 20), b""))
        assert tar.returncode == 0
        return
    data = what.read_bytes() if isinstance(what, Path) else what.encode()
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        entry = tarfile.TarInfo(str(PurePosixPath(place)).strip("/"))
        entry.size, entry.mode = len(data), 0o755
        archive.addfile(entry, io.BytesIO(data))
    api.put_archive(container, "/", whole.getvalue())


def _digest(what: Path | str) -> str:
    """Of a text, of a file, or of all files of a folder by their names."""
    if isinstance(what, str):
        return sha256(what.encode()).hexdigest()
    parts = [(str(path.relative_to(what)), path.read_bytes()) for path in _files(what)]
    return sha256(repr(parts).encode()).hexdigest()


def _files(what: Path) -> Iterator[Path]:
    yield from sorted(p for p in what.rglob("*") if p.is_file()) if what.is_dir() else [what]
