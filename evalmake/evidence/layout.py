"""Where things lie in a folder of evidence, version 1."""

from __future__ import annotations

import re

VERSION = 1
BUILD = "build.json"
INPUTS = "inputs.json"
SOURCES = "sources"
REPORT_TEXT, REPORT_JSON = "report.md", "report.json"
REPORTS = (REPORT_TEXT, REPORT_JSON)
EVALUATIONS = "evaluations"

EVALUATION = "evaluation.json"
RECORDS, EARLIER, IDENTITY = "records.jsonl", "earlier.jsonl", "identity.json"
OUTPUTS = "outputs"
ATTEMPTS = "attempts"
"""The folder with the provenance of attempts that do not count."""
PROVENANCE = ("provenance/build.json", "provenance/attempt.json")
"""Outputs that say how an attempt was made."""
REDACTED_SAMPLES = "samples.redacted.jsonl"
CRATE = "ro-crate-metadata.json"
"""The one file more of an RO-Crate."""
_WITHOUT_TEXTS = ("gateway/usage.json", "gateway-judge/usage.json", "gateway-embedder/usage.json", *PROVENANCE)
"""Outputs that no text of the data gets into."""

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
BUILD_TYPE, EVALUATION_TYPE = "urn:evalmake:build:v1", "urn:evalmake:evaluation:v1"
"""Predicate types, and build types of the predicates."""
BUILDER = "urn:evalmake"

_LONGEST_SLUG = 80


def folder_of(number: int, name: str) -> str:
    """Return the folder of an evaluation, by its number in the report and, for people, its name."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:_LONGEST_SLUG]
    return f"{EVALUATIONS}/{number:04d}-{slug}"


def output_path(folder: str, name: str) -> str:
    """Return the path of an output: by its name, where that is a plain relative path, else by its digest."""
    return f"{folder}/{OUTPUTS}/{name}"


def attempt_path(folder: str, action: str, attempt: int, name: str) -> str:
    """Return the path of an output of an attempt that does not count."""
    return f"{folder}/{ATTEMPTS}/{action.rpartition(':')[2]}-{attempt}/{name}"


def is_shown(name: str, is_redacted: bool) -> bool:
    """Whether evidence holds an output of the attempt that counts; with texts left out, few of them."""
    return name in _WITHOUT_TEXTS if is_redacted else is_plain_path(name)


def is_plain_path(path: str) -> bool:
    """Whether a path stays within the folder that it is relative to, on every system."""
    parts = path.split("/")
    return all(part not in ("", ".", "..") and not re.search(r"[\x00-\x1f\\:]", part) for part in parts)
