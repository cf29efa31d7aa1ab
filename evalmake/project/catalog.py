"""The catalog of public benchmarks that comes with evalmake: Evalfiles, and an index of them.

`include "catalog:NAME"` reads an Evalfile of it, and `include "catalog:wheels/NAME"` another one for the same
benchmarks, which installs NVIDIA's wheels in place of running their images. Some are not NVIDIA's, and have no image.
The index tells the same benchmarks with all their values, and what each needs, so that nothing need be parsed to look
one up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from evalmake.language.diagnostic import closest_name
from evalmake.language.values import Symbol, format_value

PREFIX = "catalog:"
INDEX = "index.jsonl"
WHEELS = "wheels"
TOKEN = "HF_TOKEN"
REQUIRES = {
    "judge": "another model grades the replies; most harnesses take one of yours, as `judge = MODEL`",
    "user": "another model plays the user",
    "key": "a key besides that of the model, in the `env` of the executor",
    "token": f"{TOKEN} of somebody who may read the data, in the `env` of the executor",
    "code": "what the model writes is run, inside the container",
    "logprobs": "the endpoint gives the log-probabilities of a prompt's tokens",
    "tokenizer": "the model's tokenizer must be named, in `extra`",
    "tools": "the endpoint takes descriptions of functions to be called",
    "data": "it brings no data: name yours, as `files`",
}
_PASS_AT_1 = re.compile(r"_pass_at_1(_avg-of-\d+)?")
_UNQUOTED_KEYS = ("harness", "endpoint", "scale", "better")  # their values have no quotes


class Entry(NamedTuple):
    """A benchmark of the catalog, with all keys of its declaration."""

    name: str
    about: str
    hint: str
    requires: tuple[str, ...]
    variables: tuple[str, ...]
    keys: Mapping[str, Any]
    lacks: tuple[str, ...] = ()  # of `judge` and `limit`, what its command has no place for
    asks: tuple[str, ...] = ()  # whom else than the model and `judge` it asks, whatever you declare
    asked: str = ""  # the kind of endpoint that it needs, where no key says it
    wheel_lacks: str = ""  # why its wheel does not run from PyPI alone

    @property
    def harness(self) -> str:
        """The name of its harness, by which you include it."""
        return self.name.partition(".")[0]

    @property
    def include(self) -> str:
        """The line that includes it in an Evalfile."""
        return f'include "{PREFIX}{self.harness}"'

    @property
    def include_wheels(self) -> str:
        """The line that includes it without a container; empty where there is no wheel."""
        return f'include "{PREFIX}{WHEELS}/{self.harness}"' if self.harness in wheel_names() else ""

    @property
    def endpoint(self) -> str:
        """The kind of endpoint that it needs."""
        return str(self.keys.get("endpoint") or self.asked)

    @property
    def is_nvidias(self) -> bool:
        """Whether its harness is one of NVIDIA's."""
        return bool(self.keys["harness"] == "nemo")

    @property
    def needs(self) -> str:
        """What it requires, with the variables that it reads; empty if it requires nothing."""
        keys = ", ".join(name for name in self.variables if name != TOKEN)
        told = {"key": f"key ({keys})", "token": f"token ({TOKEN})"}
        return ", ".join(told.get(word, word) for word in self.requires)


def spell_name(text: str) -> str:
    """The name of a harness or task as an Evalfile spells it: `AIME_2025` becomes `aime-2025`."""
    return text.lower().replace("_", "-")


def format_declaration(head: str, keys: Mapping[str, Any]) -> list[str]:
    """The lines of a declaration, unformatted; a single line if it has one key."""
    values = {key: Symbol(value) if key in _UNQUOTED_KEYS else value for key, value in keys.items()}
    lines = [f"{key} = {format_value(value)}" for key, value in values.items()]
    return [f"{head} {{", *lines, "}"] if len(lines) > 1 else [f"{head} {{ {lines[0]} }}"]


@cache
def catalog_folder() -> Path:
    """The folder of the catalog."""
    from importlib.resources import files

    return Path(str(files("evalmake.catalog")))


@cache
def read_entries() -> Mapping[str, Entry]:
    """Every benchmark of the catalog, by name, in the order of the harnesses' names."""
    found = {}
    for line in (catalog_folder() / INDEX).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        lists = {key: tuple(row.get(key, ())) for key in ("requires", "variables", "lacks", "asks")}
        found[row["name"]] = Entry(**row | lists)
    return found


def harness_names() -> list[str]:
    """The names of the catalog's harnesses."""
    return list(dict.fromkeys(entry.harness for entry in read_entries().values()))


def imageless_names() -> set[str]:
    """The names of the harnesses that run without an image, as they are not NVIDIA's."""
    return {entry.harness for entry in read_entries().values() if not entry.is_nvidias}


@cache
def wheel_names() -> list[str]:
    """The names of the harnesses that have a wheel."""
    return sorted(path.stem for path in (catalog_folder() / WHEELS).glob("*.evalfile"))


def catalog_path(text: str) -> Path:
    """The path for `catalog:NAME` or `catalog:wheels/NAME`, whether or not the file exists; NAME may be a pattern."""
    name = text.removeprefix(PREFIX)
    folder = catalog_folder() / WHEELS if name.startswith(f"{WHEELS}/") else catalog_folder()
    name = name.removeprefix(f"{WHEELS}/").replace("/", "-")  # no path leads out of the folder
    return folder / f"{name}.evalfile"


def catalog_name(path: Path) -> str:
    """What `catalog_path` makes a path of."""
    return f"{PREFIX}{path.relative_to(catalog_folder()).with_suffix('').as_posix()}"


def closest_harness(name: str) -> str | None:
    """The harness that `name` probably means; the name of its image will do, too."""
    images = {_image_name(entry): entry.harness for entry in read_entries().values() if "image" in entry.keys}
    meant = closest_name(name, [*harness_names(), *images])
    return images.get(meant, meant) if meant else None


def _image_name(entry: Entry) -> str:
    return str(entry.keys["image"]).rpartition("/")[2].partition("@")[0].partition(":")[0]


def suggest_wheels(file: str) -> list[str]:
    """Return help for who cannot run the images of a file of the catalog; none where it has no wheel that runs."""
    harness = file.removeprefix(PREFIX)
    lacking = {entry.harness for entry in read_entries().values() if entry.wheel_lacks}
    found = file != harness and harness in wheel_names() and harness not in lacking
    return [f'or do without images: include "{PREFIX}{WHEELS}/{harness}"'] if found else []


def suggest_benchmarks(name: str) -> list[str]:
    """Return help if the catalog has an undeclared benchmark, or one with a similar name."""
    known = read_entries()
    if name in known:
        return [f"the catalog has it: {known[name].include}"]
    found = [known[n] for n in known if n.partition(".")[2] == name]
    if not found and "." in name and (meant := closest_name(name, known)):
        found = [known[meant]]
    return [f"did you mean the catalog's `{entry.name}`? {entry.include}" for entry in found]


def missing_requirements(values: Mapping[str, Any], env: Collection[str]) -> list[str]:
    """The variables that the catalog says a benchmark requires and `env` does not have.

    What a declaration says otherwise than the catalog is its own affair.
    """
    entry = _find_entry(values)
    if entry is None:
        return []
    theirs, ours = entry.keys.get("extra", {}), values.get("extra") or {}
    replaced = set(_find_texts(theirs).values()) - set(_find_texts(ours).values())
    return [name for name in entry.variables if name not in env and name not in replaced]


def requires_judge(values: Mapping[str, Any]) -> bool:
    """Whether a benchmark is graded by a judge that you can name by `judge = MODEL`."""
    entry = _find_entry(values)
    if entry is None or "judge" not in entry.requires or "judge" in entry.lacks:
        return False
    return "azure_judge" in entry.keys or "judge" in entry.keys.get("extra", {})


def asks_no_judge(values: Mapping[str, Any]) -> bool:
    """Whether a benchmark of the catalog is graded without a judge, and has no switch for one."""
    entry = _find_entry(values)
    if entry is None or "judge" in (*entry.requires, *entry.lacks) or "azure_judge" in entry.keys:
        return False
    extra = entry.keys.get("extra", {})
    own = extra.get("judge")
    named = isinstance(own, Mapping) and not {"enabled", "url", "base_url", "model_id", "api_key"}.isdisjoint(own)
    return not named and "judge_support" not in extra


def find_other_endpoints(values: Mapping[str, Any]) -> list[str]:
    """Whom a benchmark asks past the gateway, as the catalog knows it and as its `extra` says; not its judge.

    What `extra` does not say is as in the harness's own configuration, which the catalog repeats.
    """
    entry = _find_entry(values)
    theirs = _find_texts(entry.keys.get("extra", {})) if entry else {}
    found = theirs | _find_texts(values.get("extra") or {})
    asked = [text for path, text in found.items() if path[0] != "judge" and text.startswith(("http://", "https://"))]
    return list(dict.fromkeys([*(entry.asks if entry else ()), *asked]))


def _find_texts(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    """The texts in a value by their paths."""
    if isinstance(value, str):
        return {path: value}
    found: dict[tuple[str, ...], str] = {}
    entries = (
        value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    )
    for key, item in entries:
        found |= _find_texts(item, (*path, str(key)))
    return found


def fit_to_repeats(metric: str, repeats: int) -> str:
    """The name that NeMo Skills gives a mean over samples: of the number of them, if there are several."""
    return _PASS_AT_1.sub("_pass_at_1" + (f"_avg-of-{repeats}" if repeats > 1 else ""), metric)


def find_lacks(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Which of `judge` and `limit` a task has no place for; empty for one that the catalog does not have."""
    entry = _find_entry(values)
    return entry.lacks if entry else ()


def find_keys(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The keys that the catalog gives a task; none for one that it does not have."""
    entry = _find_entry(values)
    return entry.keys if entry else {}


def _find_entry(values: Mapping[str, Any]) -> Entry | None:
    """The task of a benchmark's keys; that of a wheel, as `garak.garak`, is that of the container."""
    task = str(values.get("task"))
    framework, _, name = task.rpartition(".")
    entry = _index_by_task().get((str(values.get("image")), task))
    return entry or read_entries().get(f"{spell_name(framework)}.{spell_name(name)}")


@cache
def _index_by_task() -> Mapping[tuple[str, str], Entry]:
    known = [entry for entry in read_entries().values() if "image" in entry.keys]
    return {(entry.keys["image"], entry.keys["task"]): entry for entry in known}


def find_counterparts(name: str, kinds: tuple[str, ...]) -> list[str]:
    """The benchmarks with the same task for another kind of endpoint, one of `kinds`."""
    entry = read_entries().get(name)
    if entry is None:
        return []
    return [
        other.name
        for other in read_entries().values()
        if other.endpoint in kinds and other.harness == entry.harness and _task_stem(other) == _task_stem(entry)
    ]


def _task_stem(entry: Entry) -> str:
    """The harness's own name of the task, or its name without the kind of endpoint."""
    stem = str(entry.keys.get("task", entry.name)).lower()
    for end in ("chat", "completions", "instruct"):
        stem = stem.removesuffix(f"-{end}").removesuffix(f"_{end}")
    return str(entry.keys.get("inner", stem))
