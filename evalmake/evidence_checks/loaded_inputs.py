"""`inputs.json` of an evidence folder: everything outside of the text that loading an Evalfile has read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evalmake.evidence_checks.path_names import is_inner_path, place_of
from evalmake.language.external_inputs import Question
from evalmake.language.file_content import Content
from evalmake.language.json_file import parse_json

VERSION = 1
NAME = "inputs.json"
MOST_BYTES = 64 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_QUESTIONS = {"exists": 2, "is_file": 2, "content": 2, "files": 3, "named": 3, "folders": 4}
"""The kinds of questions of `ExternalInputs`, and how many texts each has."""


class NewerVersion(ValueError):
    """The file is of a version that this evalmake does not know."""


@dataclass(frozen=True, slots=True)
class LoadedInputs:
    """What `inputs.json` says. Paths are names, see `PathNames`."""

    evalmake: str
    folder: str  # of the project, where it was loaded
    evalfile: str  # its name in that folder
    evaluations: tuple[str, ...]  # of the graph
    reports: tuple[str, ...]
    overrides: Mapping[str, str]
    variables: Mapping[str, str | None]
    files: Mapping[str, str]  # sha256 by name
    answers: Mapping[Question, object]  # as `ExternalInputs.answers`
    packages: Mapping[str, Mapping[str, str]]  # `benchmark NAME` -> package -> version
    additions: Mapping[str, Mapping[str, str]]  # benchmark -> texts that its harness added to its identity
    plugins: Mapping[str, Mapping[str, Mapping[str, str]]]  # group -> name -> {distribution, version}
    datasets: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Key of a selection of the hub -> its files: their names in the data set, and those of `files`."""

    def to_json(self) -> bytes:
        """The bytes of the file: the same for the same inputs."""
        value = {
            "version": VERSION,
            "evalmake": self.evalmake,
            "folder": self.folder,
            "evalfile": self.evalfile,
            "targets": {"evaluations": self.evaluations, "reports": self.reports},
            "overrides": dict(self.overrides),
            "variables": dict(self.variables),
            "files": dict(self.files),
            "answers": [
                {"question": question, "answer": _answer_to_json(answer)}
                for question, answer in sorted(self.answers.items())
            ],
            "packages": {name: dict(versions) for name, versions in self.packages.items()},
            "additions": {name: dict(texts) for name, texts in self.additions.items()},
            "plugins": self.plugins,
        }
        value |= {"datasets": dict(self.datasets)} if self.datasets else {}
        return json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"


def parse_inputs(data: bytes) -> LoadedInputs:
    """Read the file; ValueError says what is wrong with it."""
    value = parse_json(data, unique=True)
    if not isinstance(value, dict) or type(value.get("version")) is not int:
        raise ValueError("it has no version")
    if value["version"] != VERSION:
        raise NewerVersion(f"it has the version {value['version']}, and this evalmake reads {VERSION}")
    folder, evalfile = _text(value, "folder"), _text(value, "evalfile")
    if not folder.startswith("/") or os.path.normpath(folder) != folder or "\0" in folder:
        raise ValueError("`folder` is no absolute path")
    files = _texts(value, "files")
    for name, digest in files.items():
        place_of(name)
        if not _SHA256.fullmatch(digest):
            raise ValueError(f"the digest of {name!r} is none")
    if "/" in evalfile or evalfile not in files:
        raise ValueError("`evalfile` is none of its files")
    overrides = _texts(value, "overrides")
    if wrong := [name for name in overrides if not _VARIABLE.fullmatch(name)]:
        raise ValueError(f"no variable is called {wrong[0]!r}")
    targets = _object(value, "targets")
    return LoadedInputs(
        _text(value, "evalmake"),
        folder,
        evalfile,
        _list_of_texts(targets, "evaluations"),
        _list_of_texts(targets, "reports"),
        overrides,
        _texts_or_none(value, "variables"),
        files,
        dict(_parse_answer(entry) for entry in _list(value, "answers")),
        {name: _texts(_object(value, "packages"), name) for name in _object(value, "packages")},
        {name: _texts(_object(value, "additions"), name) for name in _object(value, "additions")},
        {group: _parse_plugins(value, group) for group in _object(value, "plugins")},
        {key: _parse_files(one, files) for key, one in _object(value, "datasets").items()}
        if "datasets" in value
        else {},
    )


def _parse_plugins(value: dict[str, Any], group: str) -> dict[str, dict[str, str]]:
    found = _object(_object(value, "plugins"), group)
    plugins = {name: _texts(found, name) for name in found}
    if any(set(one) != {"distribution", "version"} for one in plugins.values()):
        raise ValueError("`plugins` has one without distribution or version")
    return plugins


def _parse_files(value: object, files: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The files of a data set: what it calls them, and their names here."""
    pairs = [_list_of_texts({"datasets": pair}, "datasets") for pair in _as_list(value, "datasets")]
    if not all(len(pair) == 2 and is_inner_path(pair[0]) and pair[1] in files for pair in pairs):
        raise ValueError("`datasets` has what is no file of a data set")
    return tuple((name, known) for name, known in pairs)


def _answer_to_json(answer: object) -> object:
    if isinstance(answer, Content):
        return {"single": answer.single, "digests": answer.digests}
    return answer


def _parse_answer(entry: object) -> tuple[Question, object]:
    question = _list_of_texts(entry, "question")
    if not question or len(question) != _QUESTIONS.get(question[0]):
        raise ValueError(f"an answer is to no question: {question!r}")
    assert isinstance(entry, dict)
    answer = entry.get("answer")
    match question[0]:
        case "exists" | "is_file":
            if not isinstance(answer, bool):
                raise ValueError("`answer` is not `true` or `false`")
            return question, answer
        case "files":
            return question, _names(answer)
        case "named":
            return question, [*_list_of_texts({"answer": answer}, "answer")]
        case "folders":
            return question, [_parse_folder(one) for one in _as_list(answer, "answer")]
    return question, None if answer is None else _parse_content(answer)


def _parse_folder(value: object) -> tuple[str, list[str]]:
    pair = _as_list(value, "answer")
    if len(pair) != 2:
        raise ValueError("a folder is not a name and its files")
    return _names([pair[0]])[0], _names(pair[1])


def _parse_content(value: object) -> Content:
    pairs = []
    for pair in _list(value, "digests"):
        texts = _list_of_texts({"digests": pair}, "digests")
        if len(texts) != 2:
            raise ValueError("an image's file is not a name and its digest")
        pairs.append((texts[0], texts[1]))
    assert isinstance(value, dict)
    single = value.get("single")
    names = [name for name, _ in pairs]
    if not isinstance(single, bool) or (names != [""] if single else not all(map(is_inner_path, names))):
        raise ValueError("an image is damaged")
    return Content(tuple(pairs), single)


def _names(value: object) -> list[str]:
    """The names of files that a search found."""
    names = [*_list_of_texts({"answer": value}, "answer")]
    for name in names:
        if not is_inner_path(name):
            raise ValueError(f"no search finds {name!r}")
    return names


def _object(value: object, key: str) -> dict[str, Any]:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, dict):
        raise ValueError(f"`{key}` is no object")
    return found


def _list(value: object, key: str) -> list[Any]:
    return _as_list(value.get(key) if isinstance(value, dict) else None, key)


def _as_list(value: object, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"`{key}` is no list")
    return value


def _text(value: dict[str, Any], key: str) -> str:
    found = value.get(key)
    if not isinstance(found, str):
        raise ValueError(f"`{key}` is no text")
    return found


def _list_of_texts(value: object, key: str) -> tuple[str, ...]:
    found = _list(value, key)
    if not all(isinstance(one, str) for one in found):
        raise ValueError(f"`{key}` is no list of texts")
    return tuple(found)


def _texts(value: object, key: str) -> dict[str, str]:
    found = _object(value, key)
    return {name: _text(found, name) for name in found}


def _texts_or_none(value: object, key: str) -> dict[str, str | None]:
    found = _object(value, key)
    return {name: None if found[name] is None else _text(found, name) for name in found}
