"""The rows: NVIDIA's harnesses, what runs of each from its wheel, and the manual's table of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalmake.project.catalog import WHEELS, catalog_folder, read_entries

HEAD = "| harness | image | wheel | ran, from the wheel | on | what did not, or why |"


@dataclass(frozen=True)
class Row:
    """One of NVIDIA's harnesses; `rows.toml` says what its fields mean."""

    harness: str
    benchmark: str = ""
    more_packages: tuple[str, ...] = ()
    model: str = "chat"
    name: str = "m"
    limit: str = "2"
    data: str = ""
    put: str = ""
    keys: str = ""
    answer: str = "4"
    verdict: str = ""
    score: float = 0.0
    lacks: str = ""
    light: bool = False

    def __str__(self) -> str:
        return self.harness

    @property
    def packages(self) -> tuple[str, ...]:
        """The requirements of its environment: those of the catalog, and more; none where it has no wheel."""
        path = catalog_folder() / WHEELS / f"{self.harness}.evalfile"
        found = re.search(r"packages +=\s+\[(.*?)\]\n", path.read_text(), re.DOTALL) if path.exists() else None
        return (*re.findall(r'"([^"]+)"', found[1]), *self.more_packages) if found else ()

    @property
    def line(self) -> str:
        """Its line of the manual's table."""
        image = next(str(entry.keys["image"]) for entry in read_entries().values() if entry.harness == self.harness)
        name = re.split("[@:]", image.rpartition("/")[2])[0]
        wheel = f"`{self.packages[1]}`" if self.packages else ""
        ran = f"`{self.benchmark}`" if self.benchmark else ""
        return f"| {self.harness} | `{name}` | {wheel} | {ran} | {self.data} | {self.lacks} |".replace("|  ", "| ")


def read_rows() -> Iterator[Row]:
    """The rows of `rows.toml`."""
    for harness, told in tomllib.loads((Path(__file__).parent / "rows.toml").read_text()).items():
        more = tuple(told.pop("with", ()))
        yield Row(harness, more_packages=more, **told)


ROWS = tuple(read_rows())


def table() -> str:
    """The manual's table."""
    return "".join(
        f"{line}\n" for line in (HEAD, "| --- " * HEAD.count(" | ") + "| --- |", *(row.line for row in ROWS))
    )
