"""Pictures and sounds in a message: the mock does not look at them, but refuses what a server could not read."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from evalmake.engines.mock.request_fields import ApiError

_BASE64 = re.compile(r"data:[^,]*;base64,")


def check_part(part: dict[str, Any]) -> None:
    """Raise ApiError 400 for a part whose picture or sound is none."""
    match part.get("type"):
        case "image_url":
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, dict) else None
            if not isinstance(url, str) or not (url.startswith(("http://", "https://")) or _is_picture(url)):
                raise ApiError(400, "image_url must have a url of a picture: http, https or data", "messages")
        case "input_audio":
            audio = part.get("input_audio")
            data = audio.get("data") if isinstance(audio, dict) else None
            if not isinstance(audio, dict) or audio.get("format") not in ("wav", "mp3") or not _is_base64(data):
                raise ApiError(400, "input_audio must have base64 data and the format wav or mp3", "messages")


def _is_picture(url: str) -> bool:
    found = _BASE64.match(url)
    return url.startswith("data:") if found is None else _is_base64(url[found.end() :])


def _is_base64(data: object) -> bool:
    try:
        return isinstance(data, str) and bool(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return False
