"""Images that are files: `.sqsh`, `.sif`, or the root folder of a container. Their content counts, not their path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from evalmake.language.external_inputs import ExternalInputs
from evalmake.language.values import File, Files


def is_image_file(image: str) -> bool:
    """Whether an image is named by a path."""
    return image.startswith(("/", "./"))


def identify_image(image: str | None, root: Path, external: ExternalInputs) -> str | Files | None:
    """What an image contributes to an identity: its files, if they can be seen from here; else its name.

    Hashes are remembered by size and times, as those of other files are. `root` is the project's folder.
    """
    if image is None or not is_image_file(image):
        return image
    path = root / image
    external.watched.add(str(path))  # it may appear, or become something else
    try:
        if os.path.isfile(path):
            found: tuple[File, ...] = (File("", external.hashes.of(path), path),)
        elif os.path.isdir(path):
            files = _walk(path, external.watched)
            found = tuple(File(str(one.relative_to(path)), _digest(one, external), one) for one in files)
        else:
            return image
    except OSError:
        return image
    external.hashes.save()
    return Files(found, single=os.path.isfile(path))


def _walk(folder: Path, watched: set[str]) -> Iterator[Path]:
    """The files and links of a folder, in the order of their names; devices and the like have no content.

    Adds each folder to `watched`.
    """
    for parent, folders, names in os.walk(folder):
        watched.add(parent)
        folders.sort()
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in sorted([*names, *links]):
            path = Path(parent) / name
            if path.is_symlink() or path.is_file():
                yield path


def _digest(path: Path, external: ExternalInputs) -> str:
    return f"link:{os.readlink(path)}" if path.is_symlink() else external.hashes.of(path)
