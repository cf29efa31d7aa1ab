"""Finds before a run that a scorer file has no such function; it is read, and not run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

from evalmake.harnesses.native.task_file import Task
from evalmake.language.diagnostic import closest_name
from evalmake.plugin_api.harness import DataError


def find_scorer_mistakes(task: Task) -> Iterator[DataError]:
    """The syntax error of a scorer file, or its lack of the function; a name made at run time counts as there."""
    if task.scorer_file is None:
        return
    name = task.paths.get(task.scorer_file, task.scorer_file)
    try:
        with open(task.folder / task.scorer_file, "rb") as file, warnings.catch_warnings(action="ignore"):
            module = ast.parse(file.read())
    except SyntaxError as error:
        yield DataError("scorer_file", f"{name}:{error.lineno or 1}: {error.msg}")
        return
    except (OSError, ValueError, RecursionError):
        return  # the job says what is wrong with it
    names = _list_names(module)
    if names is None or task.function in names:
        return
    functions = sorted(node.name for node in module.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_")
    message = f"{name}: there is no function '{task.function}'; there is {', '.join(functions) or 'none'}"
    meant = closest_name(task.function, functions) or (functions[0] if len(functions) == 1 else "")
    yield DataError("function" if task.function != "score" else "scorer_file", message, _suggest(meant))


def _suggest(meant: str) -> str:
    return f'write `function = "{meant}"`' if meant else ""


def _list_names(module: ast.Module) -> set[str] | None:
    """The names that a module may have, wherever in it they are made; None if that cannot be known."""
    names: set[str] = set()
    for node in ast.walk(module):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.Import() | ast.ImportFrom():
                names |= {one.asname or one.name.partition(".")[0] for one in node.names}
            case ast.Name(ctx=ast.Store()):
                names.add(node.id)
            case ast.Call(func=ast.Name(id="globals" | "exec" | "setattr" | "vars")):
                return None
    return None if names & {"*", "__getattr__"} else names
