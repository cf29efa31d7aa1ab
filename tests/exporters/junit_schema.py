"""The rules of Jenkins's `junit-10.xsd`, which pytest and Maven Surefire write: what may stand where, in what form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

_OUTPUT: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
_OUTCOME = (frozenset({"message", "type"}), frozenset[str]())
_IN_CASE = frozenset({"skipped", "error", "failure", "properties", "system-out", "system-err"})
_COUNTS = {"tests", "failures", "errors"}
RULES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "testsuites": (frozenset({"name", "time", *_COUNTS}), frozenset({"testsuite"})),
    "testsuite": (
        frozenset({"name", "time", "timestamp", "skipped", "hostname", "id", "package", "file", *_COUNTS}),
        frozenset({"properties", "testcase", "system-out", "system-err"}),
    ),
    "testcase": (frozenset({"name", "classname", "time", "group"}), _IN_CASE),
    "properties": (frozenset(), frozenset({"property"})),
    "property": (frozenset({"name", "value"}), frozenset()),
    "failure": _OUTCOME,
    "error": _OUTCOME,
    "skipped": _OUTCOME,
    "system-out": _OUTPUT,
    "system-err": _OUTPUT,
}
"""By element: the attributes and the elements that it may have."""
REQUIRED = {"testsuite": {"name", *_COUNTS}, "testcase": {"name", "classname"}, "property": {"name", "value"}}
FORMS = {"time": r"[0-9]+(\.[0-9]{0,3})?", "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"} | dict.fromkeys(
    [*_COUNTS, "skipped"], r"[0-9]+"
)
TEXTS = {"failure", "error", "skipped", "system-out", "system-err"}


def find_faults(document: bytes) -> list[str]:
    """What in a document breaks the rules."""
    root = ElementTree.fromstring(document)
    start = [] if root.tag == "testsuites" else [f"the root is {root.tag}"]
    return [*start, *(fault for element in root.iter() for fault in _check(element))]


def _check(element: ElementTree.Element) -> Iterator[str]:
    attributes, children = RULES[element.tag]
    yield from (f"{element.tag} has {name}" for name in set(element.attrib) - attributes)
    yield from (f"{element.tag} lacks {name}" for name in REQUIRED.get(element.tag, set()) - set(element.attrib))
    yield from (f"{child.tag} in {element.tag}" for child in element if child.tag not in children)
    for name, value in element.attrib.items():
        if name in FORMS and not re.fullmatch(FORMS[name], value):
            yield f"{element.tag} has {name}={value}"
    if element.tag not in TEXTS and (element.text or "").strip():
        yield f"{element.tag} has text"
    if element.tag == "testsuite":
        cases = element.findall("testcase")
        if len({(case.get("classname"), case.get("name")) for case in cases}) != len(cases):
            yield "two test cases have one name"
        for count, found in (("tests", cases), ("failures", element.findall("*/failure"))):
            if int(element.get(count, "-1")) != len(found):
                yield f"{count} is {element.get(count)}, and there are {len(found)}"
