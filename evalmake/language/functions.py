"""The functions of the language, which read what is outside of an Evalfile: `env`, `file`, `glob`, `secret`, `text`."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from evalmake.language import tree
from evalmake.language.diagnostic import EvalmakeError, closest_name, make_error
from evalmake.language.external_inputs import ExternalInputs
from evalmake.language.file_search import is_pattern, split_pattern
from evalmake.language.source import Source, Span, normalize_text
from evalmake.language.text_files import decode_text, shorten_path
from evalmake.language.value_limits import read_like
from evalmake.language.values import File, Files, Folder, SecretRef, Value, describe_type

MOST_TEXT = 16 << 20
"""Of the bytes of a file whose text is a value."""
_LARGER = f"is larger than {MOST_TEXT >> 20} MB, which is too much for one text"


class Functions:
    """Calls functions in one file; `evaluate` evaluates their arguments."""

    def __init__(self, source: Source, external: ExternalInputs, evaluate: Callable[[tree.Expr], Value]) -> None:
        self.source = source
        self.external = external
        self.evaluate = evaluate

    def call(self, node: tree.Call) -> Value:
        """The value of a call; EvalmakeError where it has none."""
        name = node.name.text
        functions: dict[str, Callable[..., Value]] = {
            "env": self._read_variable,
            "file": self._read_file,
            "glob": self._find_files,
            "secret": self._name_secret,
            "text": self._read_text,
        }
        if name not in functions:
            meant = closest_name(name, functions)
            raise make_error(
                "unknown-function",
                f"there is no function `{name}`",
                self._span(node.name),
                help=[f"did you mean `{meant}`?"] if meant else ["the functions are env, file, glob, secret and text"],
            )
        arguments = [self.evaluate(argument) for argument in node.arguments]
        more = {"env": ", and optionally a default after it", "glob": ", and one that ends in `/` a marker after it"}
        most = 2 if name in more else 1
        if not 1 <= len(arguments) <= most or not isinstance(arguments[0], str):
            takes = "the path of one file, in quotes" if name == "text" else f"a text{more.get(name, '')}"
            raise make_error("bad-call", f"`{name}` takes {takes}", self._span(node))
        return functions[name](node, *arguments)

    def _span(self, node: tree.Expr | tree.Name) -> Span:
        return Span(self.source, node.start, node.end)

    def _read_variable(self, node: tree.Call, name: Value, *default: Value) -> Value:
        value = self.external.variable(str(name))
        if value is not None:
            return self._read_typed(node, str(name), value, default[0]) if default else value
        if default:
            return default[0]
        raise make_error(
            "missing-env",
            f"the environment has no `{name}`",
            self._span(node),
            help=[f'set it, or give a default: env("{name}", "...")'],
        )

    def _read_typed(self, node: tree.Call, name: str, text: str, default: Value) -> Value:
        """The text of a variable as a value of the type of its default."""
        try:
            return read_like(default, text, self._span(node))
        except ValueError:
            raise make_error(
                "wrong-type",
                f"the environment's `{name}` is `{text[:40]}`, and its default is {describe_type(default)}",
                self._span(node),
                help=[f"set it to {describe_type(default)}, or give a text as the default"],
            ) from None

    def _name_secret(self, node: tree.Call, name: Value) -> Value:
        return SecretRef(str(name))

    def _read_file(self, node: tree.Call, name: Value) -> Value:
        path = self._resolve_path(str(name))
        try:
            return Files((self._file(path.name, path),), single=True)
        except OSError as error:
            raise self._unreadable_error(node, str(name), path, error) from None

    def _read_text(self, node: tree.Call, name: Value) -> Value:
        """The text of a file as it is: `${NAME}` and escapes in it stand for themselves."""
        path, at = self._resolve_path(str(name)), self._span(node)
        self.external.check_text(path, at)
        try:
            data = self.external.read(path, MOST_TEXT)
        except OSError as error:
            if error.errno == errno.EFBIG:
                help_ = [f'a text is sent with every request; for data: `files = file("{name}")`']
                raise make_error("too-large", f"`{name}` {_LARGER}", at, help=help_) from None
            raise self._unreadable_error(node, str(name), path, error) from None
        text = normalize_text(decode_text(data, path, at, "read here"))
        if "\0" in text:
            place = Source(shorten_path(path), text).span(text.index("\0"))
            raise make_error("bad-escape", "a text cannot contain the character NUL", place, also=[(at, "read here")])
        return text

    def _find_files(self, node: tree.Call, pattern: Value, *marker: Value) -> Value:
        if str(pattern).endswith("/"):
            return self._find_folders(node, str(pattern), *marker)
        if marker:
            raise make_error(
                "bad-call",
                "only a `glob` over folders takes a marker",
                self._span(node),
                help=[f'end its pattern in `/`: glob("{pattern}/", ...)'],
            )
        root, inner = split_pattern(str(pattern), self.source.folder)
        try:
            names = self.external.find_files(root, inner, self._span(node))
            files = tuple(self._file(name, root / name) for name in names)
        except OSError as error:
            raise self._unreadable_error(node, str(pattern), root, error) from None
        if not names:
            raise make_error(
                "missing-file",
                f"no file matches `{pattern}`",
                self._span(node),
                notes=[f"evalmake looked in {root}"],
            )
        return Files(files)

    def _find_folders(self, node: tree.Call, pattern: str, marker: Value = "") -> Value:
        """The folders that are complete: they hold a file, and the marker if one is given, and have settled."""
        if not isinstance(marker, str) or "/" in marker:
            raise make_error("bad-call", "the marker is the name of a file in the folder", self._span(node))
        root, inner = split_pattern(pattern, self.source.folder)
        try:
            found = self.external.find_folders(root, inner, marker, self._span(node))
            folders = tuple(self._folder(name, root / name, files) for name, files in found)
        except OSError as error:
            raise self._unreadable_error(node, pattern, root, error) from None
        if not folders:
            wanted = f" and holds `{marker}`" if marker else " and holds a file"
            notes = [f"evalmake looked in {root}"]
            if self.external.next_settled is not None:
                notes.append("at least one matches, but has not been quiet for long enough")
            raise make_error("missing-file", f"no folder matches `{pattern}`{wanted}", self._span(node), notes=notes)
        return folders

    def _folder(self, name: str, path: Path, files: list[str]) -> Folder:
        return Folder(name.replace("/", "."), Files(tuple(self._file(one, path / one) for one in files)))

    def _file(self, name: str, path: Path) -> File:
        return File(name, self.external.digest(path), self.external.place(path))

    def _resolve_path(self, name: str) -> Path:
        return Path(os.path.normpath(os.path.join(self.source.folder, name)))

    def _unreadable_error(self, node: tree.Call, name: str, path: Path, error: OSError) -> EvalmakeError:
        if isinstance(error, FileNotFoundError):
            return make_error(
                "missing-file",
                f"there is no file `{name}`",
                self._span(node),
                notes=[f"evalmake looked for it at {path}"],
                help=_suggest_name(node.name.text, name, path),
            )
        if isinstance(error, IsADirectoryError):
            cure = f'glob("{name.rstrip("/")}/*")'
            cure = "name one file in it" if node.name.text == "text" else f"name the files in it: {cure}"
            return make_error("missing-file", f"`{name}` is a folder", self._span(node), help=[cure])
        return make_error("missing-file", f"`{name}` cannot be read: {error.strerror}", self._span(node))


def _suggest_name(function: str, name: str, path: Path) -> list[str]:
    """Help for a file that is not there."""
    if is_pattern(name) and function == "text":
        return ["`text` gives the text of one file: name it"]
    if is_pattern(name):
        return [f'`file` names one file; for all that match: glob("{name}")']
    siblings = [p.name for p in path.parent.iterdir()] if os.path.isdir(path.parent) else []
    meant = closest_name(path.name, siblings)
    return [f"did you mean `{meant}`?"] if meant else []
