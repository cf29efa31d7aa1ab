"""Images that are files: `.sqsh`, `.sif`, or the root folder of a container. Their content counts, not their path."""

from __future__ import annotations

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
    content = external.content(path)
    if content is None:
        return image
    return Files(tuple(File(name, digest, path / name) for name, digest in content.digests), content.single)
