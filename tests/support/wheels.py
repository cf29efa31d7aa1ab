"""A wheel of a distribution `thing`, and variables that let installers find nothing else."""

from __future__ import annotations

import zipfile
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path


def write_wheel(folder: Path, version: str, value: float) -> None:
    """Write a wheel of the distribution `thing`, whose module has a VALUE."""
    info = f"thing-{version}.dist-info"
    files = {
        "thing.py": f"VALUE = {value}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: thing\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{name},sha256={_hash(text)},{len(text)}" for name, text in files.items()]
    with zipfile.ZipFile(folder / f"thing-{version}-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,", ""]))


def _hash(text: str) -> str:
    """The sha256 of a text as RECORD writes it."""
    return urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()


def offline_variables(wheels: Path) -> dict[str, str]:
    """The variables with which pip and uv install from a folder of wheels alone."""
    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(wheels),
        "UV_CACHE_DIR": str(wheels.parent / "uv-cache"),
    }
