"""A wheel of a distribution `thing`, and variables that let installers find nothing else."""

from __future__ import annotations

import zipfile
from pathlib import Path


def write_wheel(folder: Path, version: str, value: float) -> None:
    """Write a wheel of the distribution `thing`, whose module has a VALUE."""
    info = f"thing-{version}.dist-info"
    with zipfile.ZipFile(folder / f"thing-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr("thing.py", f"VALUE = {value}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: thing\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


def offline_variables(wheels: Path) -> dict[str, str]:
    """The variables with which pip and uv install from a folder of wheels alone."""
    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(wheels),
        "UV_CACHE_DIR": str(wheels.parent / "uv-cache"),
    }
