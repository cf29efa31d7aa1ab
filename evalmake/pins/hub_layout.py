"""Which files of a data set on the hub are its configuration and split.

The data set's card may say it (`configs:` at the top of README.md); else the names of files and folders do, as
`data/test-00000-of-00001.parquet`, `main/test.jsonl` or `test.csv`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import yaml

from evalmake.pins.hub_client import HubFile
from evalmake.pins.registry_client import UnresolvedName

CARD = "README.md"
SUFFIXES = (".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv")
_ABOUT = ("dataset_infos.json", "dataset_dict.json", "dataset_info.json", "state.json")
"""Files of JSON that are no data."""
_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SHARD = re.compile(r"(?P<split>\w+(?:[.-]\w+)*?)-\d{4,6}(?:-of-\d{4,6})?")
_DEFAULT = ""


class _Part(NamedTuple):
    """A file with its configuration and split; empty where nothing names them."""

    config: str
    split: str
    file: HubFile


def is_pattern_of_files(split: str) -> bool:
    """Whether a split is written as the path or pattern of its files."""
    return "/" in split or "*" in split or PurePosixPath(split).suffix in SUFFIXES


def select_files(files: Sequence[HubFile], card: str, config: str, split: str) -> list[HubFile]:
    """The files of a split, sorted by their paths; UnresolvedName says which there are if it is not one of them."""
    data = sorted((one for one in files if _is_data(one.path)), key=lambda one: one.path)
    if not data:
        raise UnresolvedName(f"it has no data files: those end in {', '.join(SUFFIXES)}")
    if is_pattern_of_files(split):
        found = [one for one in data if fnmatchcase(one.path, split)]
        if not found:
            raise UnresolvedName(f"it has no file `{split}`", f"its data files are {_list(one.path for one in data)}")
        return _of_one_kind(found)
    parts = _read_card(card, data) or _read_names(data, config)
    configs = _distinct(part.config for part in parts)
    if config and config not in configs:
        raise UnresolvedName(f"it has no configuration `{config}`", _describe("configurations", configs))
    if not config and len(configs) > 1:
        raise UnresolvedName("it has several configurations", f"write `config = NAME`: {_list(configs)}")
    parts = [part for part in parts if not config or part.config == config]
    splits = _distinct(part.split for part in parts)
    if split and split not in splits:
        raise UnresolvedName(f"it has no split `{split}`", _describe("splits", splits))
    if not split and len(splits) > 1:
        raise UnresolvedName("it has several splits", f'write `split = "NAME"`: {_list(splits)}')
    return _of_one_kind(_distinct(part.file for part in parts if not split or part.split == split))


def _is_data(path: str) -> bool:
    pure = PurePosixPath(path)
    return pure.suffix in SUFFIXES and pure.name not in _ABOUT and not any(part.startswith(".") for part in pure.parts)


def _of_one_kind(files: list[HubFile]) -> list[HubFile]:
    kinds = _distinct(PurePosixPath(one.path).suffix for one in files)
    if len(kinds) > 1:
        raise UnresolvedName(
            f"its files are of several kinds, {_list(kinds)}", f'write the path: `split = "{files[0].path}"`'
        )
    return files


# By the card ----------------------------------------------------------------------------------------


def _read_card(card: str, data: Sequence[HubFile]) -> list[_Part]:
    """What `configs` of the card says; nothing where it says nothing, or not in this form."""
    head = re.match(r"---\n(.*?)\n---", card, re.DOTALL)
    try:
        configs = yaml.safe_load(head[1])["configs"] if head else []
        return [part for one in configs for part in _read_config(one, data)]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def _read_config(one: dict[str, Any], data: Sequence[HubFile]) -> list[_Part]:
    name, folder = str(one.get("config_name", "default")), str(one.get("data_dir") or "")
    entries = one.get("data_files", [])
    if isinstance(entries, str | dict):
        entries = [entries]
    parts = []
    for entry in entries:
        split, patterns = ("train", entry) if isinstance(entry, str) else (str(entry["split"]), entry["path"])
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            whole = str(PurePosixPath(folder, pattern))
            parts += [_Part(name, split, file) for file in data if fnmatchcase(file.path, whole)]
    if not entries and folder:
        inner = [file for file in data if file.path.startswith(f"{folder.rstrip('/')}/")]
        parts = [_Part(name, split, file) for file in inner for split in [_find_split(file.path)]]
    return parts


# By the names ---------------------------------------------------------------------------------------


def _read_names(data: Sequence[HubFile], config: str) -> list[_Part]:
    """What folders and names of files say. A configuration is a folder, or the beginning of a name."""
    folders = {PurePosixPath(file.path).parts[0] for file in data if "/" in file.path and not _is_plain(file.path)}
    if len(folders) > 1 or config in folders:
        return [_Part(_find_folder(file.path), _find_split(file.path), file) for file in data]
    named = [file for file in data if config and re.match(rf"{re.escape(config)}[-_.]", PurePosixPath(file.path).name)]
    if named:
        return [_Part(config, _find_split(file.path), file) for file in named]
    return [_Part("default" if config in ("", "default") else _DEFAULT, _find_split(file.path), file) for file in data]


def _is_plain(path: str) -> bool:
    """Whether the first folder of a path is named for all data or for a split, so for no configuration."""
    first = PurePosixPath(path).parts[0]
    return first in ("data", "dataset") or bool(_find_word(first))


def _find_folder(path: str) -> str:
    return "default" if "/" not in path or _is_plain(path) else PurePosixPath(path).parts[0]


def _find_split(path: str) -> str:
    """The split that a path names: by its file, else by the nearest folder that names one."""
    stem = PurePosixPath(path).stem
    if word := _find_word(stem):
        return word
    if shard := _SHARD.fullmatch(stem):
        return shard["split"]
    return next(filter(None, map(_find_word, reversed(PurePosixPath(path).parts[:-1]))), _DEFAULT)


def _find_word(text: str) -> str:
    words = re.split(r"[^a-zA-Z]+", text.lower())
    return next((split for split, known in _WORDS.items() for word in known if word in words), "")


def _distinct(items: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(items))


def _describe(what: str, names: Sequence[str]) -> str:
    known = [name for name in names if name]
    return f"its {what} are {_list(known)}" if known else f"it names no {what}: leave the key out"


def _list(names: Iterable[str], most: int = 12) -> str:
    known = sorted(filter(None, names))
    return ", ".join(known[:most]) + (f" and {len(known) - most} more" if len(known) > most else "")
