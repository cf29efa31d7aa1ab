"""What models, data and names hold is shown as text, whatever it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.browser import Browser
from tests.web.conftest import make_row, write_page

OpenPage = Callable[..., Browser]
HOSTILE = {
    "script": "<script>document.title = 'taken'</script>",
    "end-of-script": "</script><script>document.title = 'taken'</script>",
    "comment": "<!--<script>",
    "image": "<img src=x onerror=\"document.title='taken'\">",
    "entity": "&lt;b&gt; &amp;amp;",
    "template": "{{script}} ${1 + 1} {{blocks}}",
    "separators": "one\u2028two\u2029three",
    "formula": '=HYPERLINK("http://example.com")',
    "surrogate": "half \ud83d of it",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_are_texts(name: str, tmp_path: Path, open_page: OpenPage) -> None:
    """A reply, prompt, name and title that look like HTML or script are shown as they are, and do nothing."""
    text = HOSTILE[name]
    row = make_row(text, 0.0, text, request={"messages": [{"role": "user", "content": text}]})
    write_page(tmp_path / "page.html", {("<i>model</i>" + text, "sums", 1): [row]}, title=text)
    browser = open_page(tmp_path / "page.html", "#/samples")
    browser.press("j")
    shown = browser.wait_for("document.querySelectorAll('pre.text').length >= 2") and browser.texts("pre.text")
    visible = re.sub("[\u2028\u2029\ud800-\udfff]", lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)
    assert shown[:2] == [visible, visible]
    assert browser.text("h1") == visible
    assert browser.run("return document.querySelectorAll('main img, main script, main b > i, h1 *').length") == 0
    assert "taken" not in browser.run("return document.title") or "taken" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("abc\u202edcba", "abc⟨U+202E⟩dcba"),
        ("a\u2066b\u2069c", "a⟨U+2066⟩b⟨U+2069⟩c"),
        ("a\u200bb\ufeffc", "a⟨U+200B⟩b⟨U+FEFF⟩c"),
        ("a\x00b\rc\td\ne", "a␀b␍c\td\ne"),
    ],
)
def test_controls_show_themselves(text: str, shown: str, tmp_path: Path, open_page: OpenPage) -> None:
    """Characters that colour a terminal or turn the direction of text are seen, and turn nothing."""
    write_page(tmp_path / "page.html", {("m", "sums", 1): [make_row("q1", 1.0, text)]})
    browser = open_page(tmp_path / "page.html", "#/sample/grid/m/sums/1/q1")
    assert browser.text(".turn.assistant pre.text") == shown


def test_a_line_of_five_megabytes(tmp_path: Path, open_page: OpenPage) -> None:
    """Of a reply of one line of 5 MB the beginning is shown, and more on demand; it does not widen the page."""
    rows = [make_row("q1", 1.0, "x" * 5_000_000), make_row("q2", 1.0, "y")]
    write_page(tmp_path / "page.html", {("m", "sums", 1): rows})
    browser = open_page(tmp_path / "page.html", "#/sample/grid/m/sums/1/q1")
    assert browser.text(".turn.assistant pre.text") == "x" * 50_000 + "4950000 more characters"
    browser.run("document.querySelector('.turn.assistant pre.text button').click()")
    assert browser.text(".turn.assistant pre.text") == "x" * 250_000 + "4750000 more characters"
    assert browser.run("return document.documentElement.scrollWidth") <= 1280


@pytest.mark.parametrize(
    "others",
    [
        {"tags": "one", "error": {"code": 503}, "judge": ["a", {"b": None}], "turns": [{"reply": None}, {}]},
        {
            "latency": float("nan"),
            "tokens_out": True,
            "tokens_in": "12",
            "scores": {"accuracy": 1.0, "f1": float("inf")},
        },
        {"input": {"deep": [{"x": float("-inf")}]}, "target": {"a": [1]}, "answer": 10**400, "repetition": None},
        {"reply": None, "finish_reason": 7, "scores": {}, "weight": "heavy", "cluster": 3, "tool_calls": [1]},
        {"reply": ["a", {"b": 1}], "answer": ["a"], "index": None, "item": None},
    ],
)
def test_odd_values_of_any_harness_are_shown(others: dict[str, object], tmp_path: Path, open_page: OpenPage) -> None:
    """Whatever a program writes into its samples, lists, filters and the sample's view have it, and go on."""
    rows = [make_row("odd", 1.0, "a reply", **others), make_row("plain", 0.0, "a plain reply")]
    write_page(tmp_path / "page.html", {("m", "sums", 1): rows, ("n", "sums", 1): rows})
    browser = open_page(tmp_path / "page.html", "#/samples")
    browser.press("j")
    browser.wait_for("document.querySelector('.side .verdict')")
    browser.press("j")
    browser.wait_for("document.querySelector('.side .assistant pre')?.textContent === 'a plain reply'")
    browser.press("/", *'len(reply) > 1 and "plain" in reply and not error and not tags')
    browser.wait_for("document.querySelector('.samples-list p').textContent.startsWith('2 samples of 4')")
    browser.press("Escape", "2")
    browser.wait_for("document.querySelector('.modes button')")
    browser.press("4")
    browser.wait_for("document.querySelector('#view-title').textContent === 'Cost'")
