"""Finds or pulls images. A build then uses their ids, so a tag that moves meanwhile changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evalmake.executors.docker.engine import Engine


@dataclass(frozen=True, slots=True)
class Image:
    """An image that the engine has: its id, and its digest if it comes from a registry."""

    id: str
    digest: str
    folder: str
    """The working directory that its programs expect."""


class Images:
    """The images of an engine, according to `pull = missing | always | never`; looks up each once in a build."""

    def __init__(self, engine: Engine, policy: str) -> None:
        self._engine = engine
        self._policy = policy
        self._known: dict[str, Image] = {}
        self._lock = threading.Lock()

    def find(self, name: str) -> Image | None:
        """Return an image; None if it must be pulled first, OSError if it may not be pulled."""
        if name not in self._known and self._policy != "always":
            if found := self._inspect(name):
                self._known[name] = found
            elif self._policy == "never":
                raise OSError(self._engine.message(f"it has no image {name}, and `pull = never`"))
        return self._known.get(name)

    def pull(self, name: str, report: Callable[[str], None]) -> Image:
        """Return an image, and pull it unless another thread just did; `report` is called with the progress."""
        with self._lock:
            if (found := self.find(name)) is None:
                self._pull(name, report)
                if (found := self._inspect(name)) is None:
                    raise OSError(self._engine.message(f"{name} was pulled, but the engine does not have it"))
                self._known[name] = found
            return found

    def _inspect(self, name: str) -> Image | None:
        try:
            with self._engine.call() as api:
                found = api.inspect_image(name)
        except LookupError:
            return None
        digests = found.get("RepoDigests") or []
        own = [text for text in digests if text.partition("@")[0] in name]
        folder = found["Config"].get("WorkingDir") or "/"
        return Image(found["Id"], (own or digests or [""])[0], folder)

    def _pull(self, name: str, report: Callable[[str], None]) -> None:
        layers: dict[str, bool] = {}
        try:
            with self._engine.call(f"cannot pull {name}") as api:
                for step in api.pull(name, stream=True, decode=True):
                    self._report_step(name, step, layers, report)
        except LookupError as error:
            raise OSError(str(error)) from None

    def _report_step(
        self, name: str, step: dict[str, Any], layers: dict[str, bool], report: Callable[[str], None]
    ) -> None:
        if "error" in step:
            raise OSError(self._engine.message(f"cannot pull {name}", str(step["error"])))
        layer, status = step.get("id"), step.get("status", "")
        if layer and status in ("Pulling fs layer", "Pull complete", "Already exists"):
            layers[layer] = status != "Pulling fs layer"
            report(f"pulling {name}: {sum(layers.values())} of {len(layers)} layers")
