"""The programs whose configurations and command lines can be translated, and which of them some words are of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.language.source import COMMAND_LINE, Source
from evalmake.migration import inspect, inspect_flow, launcher_command, lm_eval, promptfoo, run_config
from evalmake.migration.draft import Draft
from evalmake.migration.launcher import translate_launcher
from evalmake.migration.yaml_file import Document, read_document

PROGRAMS = ("launcher", "nemo-evaluator", "lm-eval", "inspect", "inspect-flow", "promptfoo")
_COMMANDS = {
    "lm_eval": "lm-eval",
    "lm-eval": "lm-eval",
    "inspect": "inspect",
    "eval-factory": "nemo-evaluator",
    "eval_factory": "nemo-evaluator",
    "nemo-evaluator": "nemo-evaluator",
    "nemo-evaluator-launcher": "launcher",
    "nel": "launcher",
    "nv-eval": "launcher",
}


def translate(words: Sequence[str], program: str | None = None, wheels: bool = False) -> Draft:
    """The Evalfile for a file with overrides, or for a command line; `program` says whose it is."""
    words = list(words)
    if words[0].startswith("python") and words[1:2] == ["-m"]:
        words = words[2:]
    named = _COMMANDS.get(PurePath(words[0]).name) if words else None
    if named and not Path(words[0]).is_file():
        _check_wheels(named, wheels, words)
        return _translate_command(named, words[1:], wheels)
    path, overrides = Path(words[0]), words[1:]
    if path.suffix == ".py":
        raise _refuse(
            f"`{path}` is a program: import the YAML that `flow config {path}` prints",
            words,
        )
    document = read_document(path)
    program = program or _recognize(document, path)
    _check_wheels(program, wheels, words)
    if program == "inspect":
        raise _refuse("Inspect is known by its command line: `evalmake import -- inspect eval ...`", words)
    if program == "nemo-evaluator":
        return run_config.translate_file(document, path, overrides, wheels)
    if program == "inspect-flow":
        if overrides:
            raise _refuse("a specification of Inspect Flow takes no overrides: change the file", words)
        return inspect_flow.translate_file(document, path)
    if program == "promptfoo":
        if overrides:
            raise _refuse("a configuration of promptfoo takes no overrides: change the file", words)
        return promptfoo.translate_file(document, path)
    if program == "lm-eval":
        if overrides:
            raise _refuse("a file of lm-eval takes no overrides: `evalmake import -- lm_eval --config FILE ...`", words)
        return lm_eval.translate_file(document, path)
    return translate_launcher(document, path, overrides, wheels)


def _check_wheels(program: str, wheels: bool, words: Sequence[str]) -> None:
    if wheels and program not in ("launcher", "nemo-evaluator"):
        raise _refuse(f"`--wheels` chooses among benchmarks of NVIDIA's, and this is of {program}", words)


def _translate_command(program: str, words: Sequence[str], wheels: bool) -> Draft:
    if program == "lm-eval":
        return lm_eval.translate_command(words)
    if program == "inspect":
        return inspect.translate_command(words)
    if program == "launcher":
        return launcher_command.translate_command(words, wheels)
    return run_config.translate_command(words, wheels)


def _recognize(document: Document, path: Path) -> str:
    """The program that a file is of, by its keys."""
    keys = set(document.root.value) if isinstance(document.root.value, dict) else set()
    if _is_flow(document):
        return "inspect-flow"
    if len(keys & set(promptfoo.KEYS)) >= 2 or {"prompts", "tests"} <= keys:
        return "promptfoo"
    if keys & {"evaluation", "execution", "defaults", "deployment"}:
        return "launcher"
    if "config" in keys or ("target" in keys and "tasks" not in keys):
        return "nemo-evaluator"
    if keys & {"model_args", "num_fewshot", "gen_kwargs"} or {"model", "tasks"} <= keys:
        return "lm-eval"
    raise make_error(
        "bad-config",
        f"`{path}` is of none of the programs that evalmake knows",
        document.root.span,
        notes=[f"known are {', '.join(PROGRAMS)}"],
        help=["say whose it is: --from PROGRAM"],
    )


def _is_flow(document: Document) -> bool:
    """Whether a file is a specification of Inspect Flow: it lists tasks, some with settings of their own."""
    items = document.root.value if isinstance(document.root.value, dict) else {}
    tasks = items["tasks"].value if "tasks" in items else None
    has_settings = isinstance(tasks, list) and any(isinstance(one.value, dict) for one in tasks)
    return isinstance(tasks, list) and "model" not in items and (has_settings or bool(items.keys() & inspect_flow.KEYS))


def _refuse(message: str, words: Sequence[str]) -> EvalmakeError:
    source = Source(COMMAND_LINE, " ".join(words))
    return make_error("bad-config", message, source.span(0, max(len(source.text), 1)))
