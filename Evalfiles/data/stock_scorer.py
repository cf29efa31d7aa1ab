"""Scores for counts of screws: the right number, or one within a tenth of it."""

import re


def score(record: dict, reply: str, target: object) -> dict[str, float] | None:
    """A number for each metric; None would leave the sample unscored."""
    numbers = re.findall(r"\d+", reply.replace(",", ""))
    if not numbers:
        return {"exact": 0.0, "near": 0.0}
    said, right = int(numbers[-1]), int(record["screws"])
    return {"exact": float(said == right), "near": float(abs(said - right) <= 0.1 * right)}
