"""A command line of nemo-evaluator-launcher as an Evalfile: the file that it names, with its overrides and tasks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.language.source import COMMAND_LINE, Source
from evalmake.migration.arguments import POSITIONAL, read_arguments
from evalmake.migration.draft import Draft
from evalmake.migration.launcher import translate_launcher
from evalmake.migration.yaml_file import Document, Node, read_document

_ONE = ("config", "config-dir", "config-name", "config-mode", "config-output", "env-file")
_FLAGS: Mapping[str, str] = {
    **dict.fromkeys((spelt for name in _ONE for spelt in (name, name.replace("-", "_"))), "one"),
    **dict.fromkeys(("override", "tasks"), "each"),
    **dict.fromkeys(("dry-run", "dry_run", "verbose"), "flag"),
}
_SHORT = {"o": "override", "t": "tasks", "n": "dry-run", "v": "verbose"}
_NO_PLACE = {
    "env-file": "`evalmake --env-file FILE` reads the same file",
    "config-output": "the Evalfile is the configuration",
}


def translate_command(words: Sequence[str], wheels: bool = False) -> Draft:
    """The Evalfile for the words after `nemo-evaluator-launcher` or `nel`."""
    root = read_arguments(words, _FLAGS, _SHORT)
    given = {key.replace("_", "-"): node for key, node in root.value.items()}
    verbs = [str(node.value) for node in given[POSITIONAL].value] if POSITIONAL in given else []
    if verbs != ["run"]:
        message = f"`{verbs[1]}` belongs to no option" if verbs[:1] == ["run"] else "only `run` has a configuration"
        help = ["write overrides as `-o key=value`"] if verbs[:1] == ["run"] else []
        raise make_error("bad-config", message, root.span, help=help)
    path = _find_file(given, root)
    document = read_document(path)
    overrides = [str(node.value) for node in given["override"].value] if "override" in given else []
    if "config-mode" in given and given["config-mode"].value == "raw":
        document = _take_as_it_is(document)
    draft = translate_launcher(
        document, path, overrides, wheels, lambda whole: _choose_tasks(whole, given.get("tasks"))
    )
    for key, why in _NO_PLACE.items():
        if key in given:
            draft.note(f"--{key}", why, given[key])
    return draft


def is_override(word: str) -> bool:
    """Whether a word after `-o` is an override of the launcher's, and no file."""
    return re.match(r"(\+\+|\+|~)?[A-Za-z_][\w.@-]*=|~[A-Za-z_][\w.@-]*$", word) is not None


def _find_file(given: Mapping[str, Node], root: Node) -> Path:
    if "config" in given:
        return Path(str(given["config"].value))
    if "config-name" in given:
        name = str(given["config-name"].value)
        folder = Path(str(given["config-dir"].value)) if "config-dir" in given else Path()
        return folder / (name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    help = ["name the file of the run: `--config FILE`, or `--config-dir FOLDER --config-name NAME`"]
    raise make_error("bad-config", "no configuration is named", root.span, help=help)


def _take_as_it_is(document: Document) -> Document:
    """The file without its `defaults`, which `--config-mode raw` does not follow."""
    root = document.root
    if not isinstance(root.value, dict):
        return document
    return Document(Node({k: v for k, v in root.value.items() if k != "defaults"}, root.span), document.header)


def _choose_tasks(whole: Node, chosen: Node | None) -> None:
    """Leave only the tasks that `-t` names: all of a name, or that at a place, `mmlu.0`."""
    evaluation = whole.value.get("evaluation")
    listed = evaluation.value.get("tasks") if evaluation and isinstance(evaluation.value, dict) else None
    if chosen is None or listed is None or not isinstance(listed.value, list):
        return
    names = [str(task.plain().get("name", "")) if isinstance(task.value, dict) else "" for task in listed.value]
    kept: set[int] = set()
    for word in chosen.value:
        found = {
            at
            for at, name in enumerate(names)
            if str(word.value) in (name, name.rpartition(".")[2], f"{name}.{at}", f"{name.rpartition('.')[2]}.{at}")
        }
        if not found:
            raise _refuse(str(word.value), names)
        kept |= found
    listed.value[:] = [task for at, task in enumerate(listed.value) if at in kept]


def _refuse(word: str, names: Sequence[str]) -> EvalmakeError:
    source = Source(COMMAND_LINE, f"-t {word}")
    known = ", ".join(f"`{name}`" for name in names) or "none"
    message = f"no task of the configuration is called `{word}`"
    return make_error("bad-config", message, source.span(3, max(len(source.text), 4)), help=[f"there are {known}"])
