"""The parser: trees with exact places, hostile texts, and the cache of parsed files."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalmake.language import parser, tree
from evalmake.language.diagnostic import EvalmakeError
from evalmake.language.parser import load_tree, parse, parse_override
from evalmake.language.source import Source
from tests.support import repository

EXAMPLES = sorted(repository.EXAMPLES.rglob("*.evalfile"))
TEXTS = [path.read_text() for path in EXAMPLES]
TOKEN = re.compile(r'#[^\n]*|"(?:[^"\\\n]|\\.)*"|[A-Za-z_][\w.-]*|\d+|\n+|[^\s\w]')


def only(text: str) -> tree.Item:
    """The single item of `text`."""
    (item,) = parse(Source("t", text)).items
    return item


def code_of(text: str) -> str:
    """The code of the one diagnostic that `text` gives."""
    with pytest.raises(EvalmakeError) as raised:
        parse(Source("t", text))
    (diagnostic,) = raised.value.diagnostics
    return diagnostic.code


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_parse(path: Path) -> None:
    """Every shipped Evalfile is one, and its comments are found where they stand."""
    text = path.read_text()
    parsed = parse(Source(path.name, text))
    assert parsed.items
    assert all(text[start] == "#" for start, _ in parsed.comments)
    assert len(parsed.comments) == len(re.findall(r"^[ ]*#", text, re.MULTILINE))


def test_places_are_exact() -> None:
    """Every node of a declaration covers just its own text, brackets included."""
    text = 'eval e from p , q {\n  m in [a, "b" ,]\n  x = { K = f( 1 ), }\n  require "q" >= 1..2 \n}\n'
    item = only(text)
    assert isinstance(item, tree.Declaration)
    axis, assign, require = item.body
    assert isinstance(axis, tree.Axis)
    assert isinstance(assign, tree.Assign)
    assert isinstance(require, tree.Require)
    assert isinstance(assign.value, tree.MapOf)
    (pair,) = assign.value.pairs
    nodes: list[Any] = [
        item.kind,
        item.name,
        *item.parents,
        axis,
        axis.value,
        assign.value,
        pair,
        pair.value,
    ]
    nodes += [require.metric, require.value]
    assert [text[node.start : node.end] for node in nodes] == [
        *("eval", "e", "p", "q", 'm in [a, "b" ,]', '[a, "b" ,]', "{ K = f( 1 ), }", "K = f( 1 )"),
        *("f( 1 )", '"q"', "1..2"),
    ]
    assert text[item.start : item.end] == text.strip()


def test_every_statement_and_item() -> None:
    """Each form of the grammar becomes its own node, with its optional parts told apart."""
    text = (
        'include? "a" sha256:ab\ninclude "b"\nV = none\nall: a/* b\nempty:\n'
        "settings { store = raw }\ndefaults eval { limit = 5 }\n"
        "eval e { when a = b and c in [d] { x = 1 }, skip a = b }"
    )
    maybe, plain, variable, alias, empty, block, defaults, declared = parse(Source("t", text)).items
    assert isinstance(maybe, tree.Include)
    assert isinstance(plain, tree.Include)
    assert (maybe.maybe, plain.maybe, plain.digest) == (True, False, None)
    assert maybe.digest is not None
    assert maybe.digest.text == "sha256:ab"
    assert isinstance(variable, tree.Variable)
    assert isinstance(alias, tree.Alias)
    assert [target.text for target in alias.targets] == ["a/*", "b"]
    assert isinstance(empty, tree.Alias)
    assert empty.targets == ()
    assert isinstance(block, tree.SettingsBlock)
    assert isinstance(defaults, tree.Defaults)
    assert isinstance(declared, tree.Declaration)
    when, skip = declared.body
    assert isinstance(when, tree.When)
    assert [(test.key.text, test.among) for test in when.tests] == [("a", False), ("c", True)]
    assert isinstance(skip, tree.Skip)


def test_nodes_hold_plain_text() -> None:
    """No token of lark's is left in a tree, which would drag the parser into every pickle."""
    pickled = pickle.dumps(parse(Source("t", TEXTS[0])))
    assert b"lark" not in pickled


@pytest.mark.parametrize("text", ["", "\n", "# only\n", "# only", "\n\n  # a\n\n# b"])
def test_nothing_is_an_evalfile(text: str) -> None:
    """An empty file, or one of comments, parses to no items."""
    assert parse(Source("t", text)).items == ()


def test_comments_are_not_found_in_texts() -> None:
    """A `#` within a text of any kind begins no comment."""
    text = 'A = "#" # 1\nB = \'#\'\nC = """#\n"#\\"""" # 2\nD = \'\'\'#\'\n#\'\'\'\n'
    assert [text[a:b] for a, b in parse(Source("t", text)).comments] == ["# 1", "# 2"]


def test_override_keeps_places() -> None:
    """An override's expression has the offsets of the whole command line."""
    line = "evalmake all SEEDS=[1, 22]"
    value = parse_override(Source("command line", line), line.index("=") + 1)
    assert isinstance(value, tree.ListOf)
    assert [line[item.start : item.end] for item in value.items] == ["1", "22"]


@pytest.mark.parametrize("text", ["", "1 2", "[1", "a = 1", "\0", "'x"])
def test_bad_override(text: str) -> None:
    """What is no expression is refused with one diagnostic."""
    with pytest.raises(EvalmakeError) as raised:
        parse_override(Source("command line", text))
    assert len(raised.value.diagnostics) == 1


def test_hostile_texts_are_refused() -> None:
    """Millions of brackets, control characters and huge texts give a message and nothing else."""
    assert code_of("[" * 10_000_000) == "too-deep"
    assert code_of("A = " + "{ a = " * 101) == "too-deep"
    assert code_of("A = '" + "x" * 300_000 + "'") == "too-large"
    assert code_of(" " * (parser.MAX_CHARACTERS + 1)) == "too-large"
    assert code_of("A = 1\0\n") == "syntax"
    assert code_of("\x1b[31m") == "syntax"


def test_depth_counts_only_brackets_of_the_language() -> None:
    """A hundred levels parse and pickle; brackets in texts and comments do not count."""
    deep = "[" * 100 + "]" * 100
    text = f"A = {deep}\nB = '{deep * 2}' # {deep}\nC = \"{deep * 2}\"\n"
    parsed = parse(Source("t", text))
    assert pickle.loads(pickle.dumps(parsed)) == parsed


def test_cache_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second load of the same text under any name does not parse again."""
    first = load_tree(Source("a", TEXTS[0]), tmp_path / "trees")
    monkeypatch.setattr(parser, "parse", None)
    assert load_tree(Source("b", TEXTS[0]), tmp_path / "trees") == first


class _Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit",)


@pytest.mark.parametrize(
    "damage",
    [b"", b"\x80", pickle.dumps(("no", "tree")), pickle.dumps(_Harmful())],
    ids=["empty", "cut", "other", "harmful"],
)
def test_damaged_cache_is_rewritten(tmp_path: Path, damage: bytes) -> None:
    """A damaged or planted cache file runs nothing, is ignored, and is made anew."""
    source = Source("a", TEXTS[0])
    first = load_tree(source, tmp_path)
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(damage)
    assert load_tree(source, tmp_path) == first
    assert kept.read_bytes() == whole


def test_unwritable_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no folder can be made, neither for trees nor for lark's tables, parsing still works."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr("tempfile.tempdir", str(blocked))
    monkeypatch.setattr(parser, "load_parser", parser.load_parser.__wrapped__)
    assert parser._find_cache_file() is None
    assert load_tree(Source("a", "A = 1"), blocked).items


def test_tables_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lark's tables are written to the user's cache folder, and a damaged file is survived."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    parser.load_parser.__wrapped__()
    (kept,) = (tmp_path / "evalmake").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    assert parser.load_parser.__wrapped__().parse("A = 1\n", "start")


def test_grammar_is_strict() -> None:
    """The grammar has no conflict and no two terminals that match the same text."""
    pytest.importorskip("interegular")
    from lark import Lark

    assert Lark(parser._read_grammar(), parser="lalr", strict=True, start=["start", "override"])


def _mutated(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(TEXTS))
    spots = [match.span() for match in TOKEN.finditer(text)]
    (a, b), (c, d) = sorted(draw(st.lists(st.sampled_from(spots), min_size=2, max_size=2)))
    how = draw(st.sampled_from(["delete", "swap", "misspell", "insert", "cut"]))
    if how == "swap" and b <= c:
        return text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:]
    if how == "cut":
        return text[:a]
    word = text[a:b]
    changed = {"delete": "", "misspell": word[1:2] + word[:1] + word[2:]}.get(how)
    if changed is None:
        changed = draw(st.sampled_from(list("{}[]()=,:\"'\\#%é\0\r\t?"))) + word
    return text[:a] + changed + text[b:]


@given(st.composite(_mutated)())
@settings(max_examples=300, deadline=None)
def test_mutated_examples(text: str) -> None:
    """A mutated example parses, or gives exactly one error with a label inside the file."""
    try:
        parse(Source("t", text))
    except EvalmakeError as error:
        (diagnostic,) = error.diagnostics
        spans = [label.span for label in diagnostic.labels]
        assert diagnostic.span is not None
        assert any(0 <= span.start < span.end <= len(text) for span in spans)
