"""Identity: one walk, pinned digests, differences that explain."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalmake.language.values import Digest, Duration, File, Files, SecretRef, Size, Symbol
from evalmake.planner.action import Action
from evalmake.planner.digest import Part, describe_text, digest, find_changes, walk

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@pytest.mark.parametrize(
    ("value", "pinned"),
    [
        ({}, "xxh128:0b21d0035ce8c06cad5da24703d81789"),
        ({"seed": 1, "params": {"temperature": 0.7}}, "xxh128:51e8eb344e1bd2795775510e73bab65d"),
        (
            {"files": Files((File("a", "00" * 32, Path("/x/a")),)), "limit": None},
            "xxh128:9580f98409570e89957c7afa4b52e7cb",
        ),
    ],
)
def test_digests_are_pinned(value: dict[str, object], pinned: str) -> None:
    """A change of the walk, which would rerun the world, is a visible act."""
    assert digest(walk(value)) == pinned


@given(TREES, TREES)
def test_equal_digests_are_equal_walks(a: object, b: object) -> None:
    """Two values have one digest just when their walks are the same."""
    walks = list(walk(a)), list(walk(b))
    assert (digest(walks[0]) == digest(walks[1])) == (walks[0] == walks[1])


@given(st.dictionaries(st.text(), SCALARS))
def test_order_of_keys_does_not_matter(value: dict[str, object]) -> None:
    """A map written in another order is the same map."""
    turned = dict(reversed(value.items()))
    assert digest(walk(value)) == digest(walk(turned))


@pytest.mark.parametrize("pair", [(1, 1.0), (1, "1"), (1, True), (None, "None"), ([], {}), ("", None)])
def test_look_alikes_differ(pair: tuple[object, object]) -> None:
    """Values of different types never share a digest."""
    assert digest(walk(pair[0])) != digest(walk(pair[1]))


@pytest.mark.parametrize("value", [SecretRef("KEY"), {"a": [SecretRef("KEY")]}, object(), Symbol("x")])
def test_what_has_no_identity_raises(value: object) -> None:
    """A secret anywhere in a value ends the walk."""
    with pytest.raises(TypeError, match="has no digest"):
        list(walk(value))


def test_paths_and_spellings_are_no_identity() -> None:
    """A file's place and a duration's spelling do not count, its content and length do."""
    here, there = (Files((File(name, "ab" * 32, Path(name)),), single=True) for name in ("/a/x", "/b/y"))
    assert list(walk(here)) == list(walk(there))
    assert list(walk(Duration.parse("90s"))) == list(walk(Duration.parse("1m30s")))
    assert list(walk(Size.parse("1KiB"))) == list(walk(Size.parse("1024B")))
    assert list(walk(Digest("sha256:00"))) != list(walk("sha256:00"))


def test_differences_name_the_path_and_both_values() -> None:
    """The explanation is the difference of two walks; counts of containers only when alone."""
    before, now = ({"params": {"temperature": t}, "stop": s} for t, s in ((0.7, ["a"]), (0.6, ["a", "b"])))
    found = [
        (d.path, describe_text(d.before), describe_text(d.now))
        for d in find_changes(dict(walk(before)), dict(walk(now)))
    ]
    assert found == [("params.temperature", "0.7", "0.6"), ("stop[1]", "(none)", "b")]


def test_a_moved_image_is_told_from_the_old() -> None:
    """Digests are shortened within a text; of a long one both ends are shown."""
    name = "registry.example/evals@sha256:"
    assert describe_text(f"str:{name}{'a1' * 32}") == f"{name}a1a1a1a1a1a1"
    long = [describe_text(f"str:{'group/' * 20}{name}{digit * 64}") for digit in "ab"]
    assert [text.endswith(f"sha256:{digit * 12}'") for text, digit in zip(long, "ab", strict=True)] == [
        True,
        True,
    ]


def test_an_action_is_its_parts() -> None:
    """Actions of equal parts are equal, whoever made them; another need is another action."""
    part = Part.of({"seed": 1})
    one, two = Action.of("evaluate", {"": part}), Action.of("evaluate", {"": Part.of({"seed": 1})})
    assert one.digest == two.digest
    assert Action.of("evaluate", {"": part}, ("xxh128:00",)).digest != one.digest
