"""Multiple choice: the options that a record calls right."""

from __future__ import annotations

from collections.abc import Sequence

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""The letters of options, in their order."""
_MOST_SHOWN = 5  # options in a message
_SHOWN = 40  # characters of each


def find_right_option(target: object, values: Sequence[object], options: Sequence[str]) -> int | None:
    """The index of the right option; None if the target names no option.

    A target equal to an option is that option. Otherwise a number is an index from 0, and text is a
    letter or the digits of an index. ValueError if it is one option's letter or index and another's text.
    """
    found = _find_equal(target, values)
    if isinstance(target, str):
        return _find_by_text(target.strip(), found, options)
    if found is not None:
        return found
    if isinstance(target, bool):  # options may be written "true", "True" or TRUE
        texts = [option.strip().casefold() for option in options]
        return texts.index(str(target).casefold()) if str(target).casefold() in texts else None
    if isinstance(target, int):
        index = options.index(str(target)) if str(target) in options else target
        if index != target and 0 <= target < len(options):
            raise ValueError(
                f"the target {target} is option {target} (from 0) and also the text of option {index}: "
                "write it as the options are written"
            )
        return index if 0 <= index < len(options) else None
    return _find_by_text(str(target).strip(), None, options)


def list_indices(target: object, options: Sequence[str]) -> list[int]:
    """The indices among the targets of a record: numbers that are not the text of an option."""
    several = target if isinstance(target, list) else [target]
    texts = [str(one).strip() for one in several if isinstance(one, int | str) and not isinstance(one, bool)]
    return [int(text) for text in texts if text.isdecimal() and text not in options]


def _find_equal(target: object, values: Sequence[object]) -> int | None:
    return next((index for index, one in enumerate(values) if type(target) is type(one) and target == one), None)


def _find_by_text(text: str, equal: int | None, options: Sequence[str]) -> int | None:
    found = options.index(text) if equal is None and text in options else equal
    is_letter = len(text) == 1 and text.upper() in LETTERS[: len(options)]
    letter = LETTERS.index(text.upper()) if is_letter else found
    if found is not None and letter != found:
        raise ValueError(
            f"the target '{text}' is the letter of option {letter} (from 0) and also the text of option {found}: "
            f"write {letter} or {found}"
        )
    if letter is not None:
        return letter
    return int(text) if text.isdecimal() and int(text) < len(options) else None


def find_right_options(target: object, values: Sequence[object], options: Sequence[str]) -> frozenset[int]:
    """The indices of the right options; a target that is a list, and no option itself, names several.

    ValueError for a target that names no option, or that could be either of two.
    """
    several = target if isinstance(target, list) and target not in values else [target]
    found = [find_right_option(one, values, options) for one in several]
    for one, index in zip(several, found, strict=True):
        if index is None:
            shown = ", ".join(repr(option[:_SHOWN]) for option in options[:_MOST_SHOWN])
            more = f" and {len(options) - _MOST_SHOWN} more" if len(options) > _MOST_SHOWN else ""
            raise ValueError(f"the target '{str(one)[:60]}' is none of the {len(options)} options: {shown}{more}")
    if not found:
        raise ValueError("the target is empty")
    return frozenset(index for index in found if index is not None)
