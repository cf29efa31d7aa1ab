"""Numbers with their nouns."""

from __future__ import annotations


def count_of(number: int, noun: str, several: str = "") -> str:
    """`1 reply`, `2 replies`."""
    return f"{number} {noun if number == 1 else several or noun + 's'}"
