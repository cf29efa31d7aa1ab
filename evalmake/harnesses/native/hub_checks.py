"""Checks where the data of a native benchmark are: in files, or in a data set of the Hugging Face Hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from evalmake.language.values import Files

_NAME = r"[\w.-]+/[\w.-]+"
_ADDRESS = re.compile(rf"hf://(datasets/)?{_NAME}(@[^@\s]+)?")
_FORM = 'write `"hf://OWNER/NAME@REVISION"`'


class BadDataset(NamedTuple):
    """A key with a bad value, and the cure."""

    key: str
    message: str
    help: str = ""


def find_bad_dataset(block: Any, settings: Any) -> Iterator[BadDataset]:
    """What is wrong with `dataset` and the keys beside it."""
    dataset = block.dataset
    if isinstance(dataset, Files):
        yield BadDataset("dataset", "it is a data set of the hub, and these are files", "write `files = ...`")
    elif dataset is not None and not _ADDRESS.fullmatch(dataset):
        yield BadDataset("dataset", f"`{dataset}` is no data set of the hub", _suggest_address(dataset))
    elif dataset is not None and block.files is not None:
        yield BadDataset("dataset", "there are `files`, too, and the data are in one of them", "leave one of them out")
    for name, old in settings.fields.items():
        if braced := re.fullmatch(r"\{([^{}]+)\}", old):
            help_ = f'write `{name} = "{braced[1].strip()}"`'
            yield BadDataset("fields", f"a field is named without braces, and this is `{old}`", help_)
    if repeated := _find_repeated(settings.fields):
        yield BadDataset("fields", f"`{repeated}` has two new names", "leave one of them out")


def find_unused_dataset_keys(block: Any) -> dict[str, str]:
    """The keys that only a data set of the hub has, where there is none."""
    return {} if block.dataset is not None else dict.fromkeys(("config", "split"), "it is for `dataset`")


def _find_repeated(fields: Mapping[str, str]) -> str:
    olds = list(fields.values())
    return next((old for old in olds if olds.count(old) > 1), "")


def _suggest_address(written: str) -> str:
    """The address that was probably meant."""
    page = re.match(rf"(?:https?://[^/]+/)?(?:datasets/)?({_NAME})(?:/tree/([^/\s]+))?(@[^@\s]+)?/?$", written)
    if page is None:
        return _FORM if "://" in written else f'{_FORM}, or `files = file("{written}")` for a file'
    revision = page[3] or (f"@{page[2]}" if page[2] else "")
    return f'write `"hf://{page[1]}{revision}"`'
