"""Images: found or pulled, and then known by what they are, not by what a tag says today."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evalmake.executors.docker.engine import Engine


@dataclass(frozen=True, slots=True)
class Image:
    """An image that the engine has: its id, and its digest where a registry gave it one."""

    id: str
    digest: str
    folder: str
    """Where its programs expect to run."""


class Images:
    """The images of an engine, by `pull = missing | always | never`; each looked up once in a build."""

    def __init__(self, engine: Engine, policy: str) -> None:
        self._engine = engine
        self._policy = policy
        self._known: dict[str, Image] = {}
        self._lock = threading.Lock()

    def find(self, name: str) -> Image | None:
        """The image, or None where it must be pulled first; OSError where it may not be."""
        if name not in self._known and self._policy != "always":
            if found := self._look(name):
                self._known[name] = found
            elif self._policy == "never":
                raise OSError(self._engine.says(f"it has no image {name}, and `pull = never`"))
        return self._known.get(name)

    def pull(self, name: str, tell: Callable[[str], None]) -> Image:
        """The image, pulled unless another has just done that; `tell` hears how far it is."""
        with self._lock:
            if (found := self.find(name)) is None:
                self._pull(name, tell)
                if (found := self._look(name)) is None:
                    raise OSError(self._engine.says(f"{name} was pulled, and is not there"))
                self._known[name] = found
            return found

    def _look(self, name: str) -> Image | None:
        try:
            with self._engine.asked() as api:
                found = api.inspect_image(name)
        except LookupError:
            return None
        digests = found.get("RepoDigests") or []
        own = [text for text in digests if text.partition("@")[0] in name]
        folder = found["Config"].get("WorkingDir") or "/"
        return Image(found["Id"], (own or digests or [""])[0], folder)

    def _pull(self, name: str, tell: Callable[[str], None]) -> None:
        layers: dict[str, bool] = {}
        try:
            with self._engine.asked(f"cannot pull {name}") as api:
                for step in api.pull(name, stream=True, decode=True):
                    self._note(name, step, layers, tell)
        except LookupError as error:
            raise OSError(str(error)) from None

    def _note(self, name: str, step: dict[str, Any], layers: dict[str, bool], tell: Callable[[str], None]) -> None:
        if "error" in step:
            raise OSError(self._engine.says(f"cannot pull {name}", str(step["error"])))
        layer, status = step.get("id"), step.get("status", "")
        if layer and status in ("Pulling fs layer", "Pull complete", "Already exists"):
            layers[layer] = status != "Pulling fs layer"
            tell(f"pulling {name}: {sum(layers.values())} of {len(layers)} layers")
