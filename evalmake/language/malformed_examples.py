"""Malformed examples for each syntax error. The parser's state at their mistake identifies the same mistake elsewhere.

An example ends where the parser stops. The variants of one mistake cover each state in which it can happen.
"""

from __future__ import annotations

from evalmake.language.error_position import KINDS

_BLOCK = "model a { "
# What may stand in a bracket before a key, for each of the parser's states there.
_KEY_CONTEXTS = tuple(
    begin + more
    for begin in ("", "\n")
    for more in (
        "",
        *(key + sep for key in ("a = 5", "a = 5, b = 5") for sep in (",", "\n", ",\n")),
    )
)
EXAMPLES: dict[str, tuple[str, ...]] = {
    "kind-as-target": tuple(f"{kind}: a" for kind in KINDS),
    "variable-case": ("a = 5", "Aa = 5", "A-b = 5", "aA = 5", *(f"{kind} = 5" for kind in KINDS)),
    "unknown-kind": ("a b {", "a {", 'a "b"', "a B", "a 5", "Aa b {", "A b", "defaults a {", "defaults A {"),
    "one-assignment": (
        "A ?= 5",
        "A := 5",
        "A += 5",
        "A == 5",
        "A != 5",
        *(_BLOCK + text for text in ("a ?= 5", "a := 5", "a += 5", "a == 5", "a != 5")),
    ),
    "unquoted-key": (
        *(
            _BLOCK + "a = { " + word + end
            for word in ("a", "A")
            for end in ("-", "/", ":", "@", "?", "%", "*", "+", "_", ".", "$", "é", "A", "a")
        ),
        *(
            _BLOCK + "a = {" + before + key
            for before in _KEY_CONTEXTS
            for key in ("_", "-", "5", "5m", "é", "$", "@", ".", "/", "<")
        ),
    ),
    "use-equals": (
        "A: 5",
        *(
            f"{head} {value}"
            for head in (_BLOCK + "a", "A", _BLOCK + "a = { b")
            for value in (":", "5", '"x"', "b", "B", "[", "{", "5m", "true", "'x'")
        ),
    ),
    "missing-name": tuple(f"{kind} {{" for kind in KINDS),
    "missing-block": ("model a", "defaults model", "settings"),
    "bad-comparison": tuple(
        _BLOCK + text
        for text in (
            "require = 5",
            "require >= 5",
            "require: 5",
            "require a => 5",
            "require a =< 5",
            "require a = 5",
            "require a != 5",
            "require a ≥ 5",
            "require a ≤ 5",
            "skip a == 5",
            "skip a >= 5",
            "skip a != 5",
            "skip a => 5",
        )
    ),
    "no-or": (
        _BLOCK + "skip a = b or",
        _BLOCK + "skip a = 5 or",
        _BLOCK + "skip not a",
        _BLOCK + "skip a in [b] or",
        _BLOCK + 'skip a = "b" or',
    ),
    "missing-value": (
        "A =",
        *(
            _BLOCK + text + end
            for end in ("\n", "}", ",")
            for text in (
                "a = ",
                "a in ",
                "require a >= ",
                "require a >= 5 within ",
                "require a better than model ",
                "require a no worse than baseline b by ",
                "skip a = ",
                "skip a in ",
                "a = { b = ",
            )
        ),
    ),
    "unquoted-text": tuple(
        _BLOCK + "a = " + value + end
        for value in ("b", "5", "5m", "true", "sha256:9")
        for end in ("/x", ":x", "@x", "?x", "%x", "*x", "+x", "x-x", "-x", "_x", ".x", "=x", "Z")
    ),
    "bad-name": (
        *(f"{kind} {name}" for kind in KINDS for name in ("A", '"a"', "'a'", "5", "-", "é", "a-")),
        "model a from A",
        'model a from "b"',
        "all: A",
        "A-a: b",
        'all: "a"',
        "model a é",
        _BLOCK + "a = Aa",
        _BLOCK + "a = [Aa",
        *("model a {" + before + "Aa = 5" for before in _KEY_CONTEXTS),
    ),
    "missing-comma": tuple(
        f"{head} {value} {more}"
        for value in ("b", "5", "5m", '"x"', "1..2", "B", "[1]", "[b, b]", "{ a = 1 }", "{ a = 1, a = 1 }", "f(1)")
        for head in (_BLOCK + "a = ", _BLOCK + "a in ", _BLOCK + "a = [", _BLOCK + "a = f(", _BLOCK + "a = { b = ")
        for more in ("b", "5", '"x"', "B", "true", "5m", "when", "require", "[", "{")
    ),
}
