"""Pictures and clips: which files records name, what such a file must be, and how it is sent.

A record names a file relative to its data file. In a request that is recorded, the name is that of the file in the
job's folder; what is sent has the content in its place.
"""

from __future__ import annotations

import base64
import binascii
import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from evalmake.harnesses.native.errors import RecordError
from evalmake.language.regular_file import check_regular, read_regular

MOST_BYTES = 20 << 20
"""Of one picture or clip."""
_DATA_URL = re.compile(r"data:(image|audio)/[\w.+-]+;base64,")
_HTTP = ("http://", "https://")
_PICTURES = "PNG, JPEG, GIF or WebP"
_KINDS = {"image_url": "image", "input_audio": "audio"}
_HEAD = 16


@dataclass(frozen=True, slots=True)
class MediaFolder:
    """Finds the files that records name: by `media` where a file of data has such a map, else beside that file."""

    folder: Path
    media: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)

    def place(self, part: Mapping[str, Any], data_file: str, key: str) -> dict[str, Any]:
        """A part as it is recorded: a file under the name that it has in the folder; RecordError if it is none.

        `key` is the key of the task that is to blame.
        """
        kind = str(part["type"])
        if kind not in _KINDS:
            return dict(part)
        inner = dict(part[kind])
        what = _KINDS[kind]
        slot = "url" if kind == "image_url" else "data"
        text = inner[slot]
        try:
            if names_file(kind, text):
                inner[slot], found = self._find(what, text, data_file)
            else:
                found = _check_inline(what, text, inner.get("format"))
                inner[slot] = text.partition(",")[2] if kind == "input_audio" and text.startswith("data:") else text
        except _Unfit as error:
            raise RecordError(key, str(error)) from None
        return {**part, kind: inner | ({"format": found} if kind == "input_audio" else {})}

    def _find(self, what: str, text: str, data_file: str) -> tuple[str, str]:
        """The name of a file in the folder, and its kind."""
        if PurePosixPath(text).is_absolute() or "://" in text:
            raise _Unfit(f"the {what} '{_shorten(text)}' is not named relative to the data file")
        beside = str(PurePosixPath(data_file).parent / text)
        name = self.media.get(data_file, {}).get(text, beside)
        shown = str(PurePosixPath(self.paths.get(data_file, data_file)).parent / text)
        try:
            size = check_regular(self.folder / name).st_size
            with open(self.folder / name, "rb") as stream:
                head = stream.read(_HEAD)
        except OSError as error:
            raise _Unfit(f"the {what} '{_shorten(shown)}' cannot be read: {error.strerror}") from None
        return name, _check_content(f"the {what} '{_shorten(shown)}'", what, head, size)


def names_file(kind: str, text: str) -> bool:
    """Whether the text of a part names a file, and is neither an address nor the content itself."""
    if kind == "image_url":
        return not text.startswith((*_HTTP, "data:"))
    return "." in text and not text.startswith((*_HTTP, "data:"))


def make_part(kind: str, text: str) -> dict[str, Any]:
    """The part for a picture or a clip."""
    if kind == "image":
        return {"type": "image_url", "image_url": {"url": text}}
    return {"type": "input_audio", "input_audio": {"data": text}}


def list_named_files(messages: object) -> Iterator[str]:
    """The texts by which messages name files, whatever else is wrong with them."""
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            kind = part.get("type") if isinstance(part, dict) else None
            inner = part.get(kind) if isinstance(kind, str) and kind in _KINDS else None
            text = inner.get("url" if kind == "image_url" else "data") if isinstance(inner, dict) else None
            if isinstance(text, str) and text and names_file(str(kind), text):
                yield text


def attach_files(body: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A request with the content of its pictures and clips in place of their names."""
    if not any(_find_slots(body)):
        return body
    filled = copy.deepcopy(body)
    for kind, inner in _find_slots(filled):
        slot = "url" if kind == "image_url" else "data"
        data = read_regular(folder / inner[slot], MOST_BYTES)
        encoded = base64.b64encode(data).decode()
        inner[slot] = encoded if kind == "input_audio" else f"data:image/{_find_kind('image', data)};base64,{encoded}"
    return filled


class _Unfit(ValueError):
    """A picture or clip cannot be sent."""


def _find_slots(body: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The kind and the inner object of each part that names a file."""
    for message in body.get("messages", ()):
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            kind = part["type"]
            if kind in _KINDS and names_file(kind, part[kind]["url" if kind == "image_url" else "data"]):
                yield kind, part[kind]


def _check_inline(what: str, text: str, declared: object) -> str:
    """The kind of what is sent as it is: an address, a data URL, or the base64 of a clip."""
    if text.startswith(_HTTP):
        if what == "image":
            return ""
        raise _Unfit("the audio is an address, and the chat format has only files and data URLs for it")
    found = _DATA_URL.match(text)
    if text.startswith("data:") and (found is None or found[1] != what):
        raise _Unfit(f"the {what} is no data URL: data:{what}/...;base64,...")
    try:
        data = base64.b64decode(text[found.end() :] if found else text, validate=True)
    except (binascii.Error, ValueError):
        raise _Unfit(f"the {what} is neither the name of a file nor base64: '{_shorten(text)}'") from None
    kind = _check_content(f"the {what}", what, data[:_HEAD], len(data))
    if declared is not None and declared != kind:
        raise _Unfit(f"the audio has the format '{declared}' by its record, and '{kind}' by its content")
    return kind


def _check_content(subject: str, what: str, head: bytes, size: int) -> str:
    """The kind of a picture or clip by its first bytes."""
    if size > MOST_BYTES:
        raise _Unfit(f"{subject} has {size / (1 << 20):.1f} MiB, and can have {MOST_BYTES >> 20}")
    kind = _find_kind(what, head)
    if not kind:
        raise _Unfit(f"{subject} is not {f'a picture: {_PICTURES}' if what == 'image' else 'a clip: WAV or MP3'}")
    return kind


def _find_kind(what: str, head: bytes) -> str:
    """The kind of a file; empty if it is none that is sent."""
    if what == "audio":
        if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
            return "wav"
        is_frame = head[:1] == b"\xff" and head[1:2] > b"\xdf" and bool(head[1] & 0x06)  # without a layer, it is AAC
        return "mp3" if head[:3] == b"ID3" or is_frame else ""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    starts = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}
    return next((kind for start, kind in starts.items() if head.startswith(start)), "")


def _shorten(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}..."
