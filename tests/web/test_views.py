"""Every view, by keyboard, in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evalmake.exporters.html import HtmlSettings
from tests.exporters.test_html import read_data
from tests.support.browser import Browser
from tests.web.conftest import make_row, write_page

OpenPage = Callable[..., Browser]
TITLES = ["Scores", "Compare", "Samples", "Cost", "Provenance"]


def write_two_models(path: Path, count: int = 40, settings: HtmlSettings | None = None) -> None:
    """A page of two models and seeds on one benchmark: of every third item the second model lost."""
    rows = {}
    for model in ("base", "better"):
        for seed in (1, 2):
            right = [float(n % 3 != 0 if model == "better" else n % 2) for n in range(count)]
            reply = "The answer is {} because of <em>reasons</em>."
            rows[model, "sums", seed] = [
                make_row(f"q{n}", score, reply.format(n), answer=str(n), reasoning="I think. " * n)
                for n, score in enumerate(right)
            ]
    rows["better", "sums", 2][5] |= {"scores": {}, "error": "HTTP 503", "reply": None, "finish_reason": None}
    rows["better", "sums", 1][6]["finish_reason"] = "length"
    write_page(path, rows, settings=settings)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """The page of two models."""
    write_two_models(tmp_path / "page.html")
    return tmp_path / "page.html"


def test_a_walk_through_all_views_by_keyboard(page: Path, open_page: OpenPage) -> None:
    """Keys open every view, samples and items, the filter, the list of keys, and lead back."""
    browser = open_page(page)
    for number, title in enumerate(TITLES, 1):
        browser.press(str(number))
        browser.wait_for(f"document.querySelector('#view-title')?.textContent === '{title}'")
    browser.press("?")
    assert browser.run("return document.querySelector('#help').open")
    browser.press("Escape")
    assert not browser.run("return document.querySelector('#help').open")
    browser.press("3")
    browser.wait_for("document.querySelector('.samples-list .row')")
    browser.press("j", "j", "k")
    browser.wait_for("document.querySelector('.side article')?.dataset.sample === '0'")
    browser.press("/", *"score < 1", "Escape", "j")
    browser.wait_for(
        "location.hash.includes('where=score') && document.querySelectorAll('.samples-list .row.failed').length"
    )
    browser.press("Escape", "Escape")
    browser.wait_for("document.querySelector('#view-title').textContent === 'Scores'")
    browser.press("2")
    browser.wait_for("document.querySelector('.items-list .row')")
    browser.press("j", "d")
    browser.wait_for("document.querySelector('.two del, .two ins, .two pre')")


def test_a_comparison_has_the_items_that_python_counted(page: Path, open_page: OpenPage) -> None:
    """The items of the mode `Different` are as many as wins and losses in the report; losses come first."""
    [one] = read_data(page)["pairs"][0]["columns"]
    browser = open_page(page, "#/compare/better/base")
    shown = browser.wait_for("document.querySelector('.modes [aria-pressed=true]')?.textContent")
    assert shown == f"Different {one['higher'] + one['lower']}"
    marks = browser.run("return [...document.querySelectorAll('.items-list .row:not(.head)')].map(e => e.className)")
    assert marks == sorted(marks)  # `row lost` before `row won`
    assert len([mark for mark in marks if "lost" in mark]) == one["lower"]
    texts = browser.texts(".differences td")
    assert f"{one['higher']} / {one['lower']} / {one['same']}" in texts
    browser.open(f"file://{page}#/compare/base/better")
    browser.wait_for(f"document.body.textContent.includes('{one['lower']} / {one['higher']} / {one['same']}')")


def test_a_sample_shows_all_of_it(page: Path, open_page: OpenPage) -> None:
    """Prompt, reply with the marked answer, folded reasoning, target, score, tokens, latency and other samples."""
    browser = open_page(page, "#/sample/grid/better/sums/1/q7")
    assert browser.text(".turn.user pre") == "What is q7?"
    assert browser.text(".turn.assistant pre") == "The answer is 7 because of <em>reasons</em>."
    assert browser.text(".turn.assistant mark") == "7"
    assert browser.text(".sample summary") == "Reasoning, 63 characters"
    facts = " ".join(browser.texts(".facts div, .verdict div"))
    for fact in ("score1", "tokens in12", "latency0.25 s", "finish reasonstop", "target42", "answer that was scored7"):
        assert fact in facts
    assert len(browser.texts(".others li")) == 3


def test_another_reply_stands_beside(page: Path, open_page: OpenPage) -> None:
    """The same sample of another model can be put beside a reply, with the words that differ."""
    browser = open_page(page, "#/sample/grid/better/sums/1/q7")
    browser.wait_for("document.querySelector('.others button')")
    browser.run("document.querySelector('.others button').click()")
    browser.wait_for("document.querySelectorAll('.two pre').length === 2")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("#/sample/no/such/one", "There is no sample"),
        ("#/compare/%E0%A4%A/other", "These two rows have no column in common"),
        ("#/cell/grid/base/sums/2", "grid/base/sums/2"),
        ("#/provenance?one=gone&other=grid/better/sums/1", "In what the two differ"),
        ("#/samples?row=gone&mode=none&sample=gone&where=(", "the expression ends"),
        ("#/nowhere", "Gates, and what decided them"),
    ],
)
def test_addresses_that_lead_nowhere(address: str, shown: str, page: Path, open_page: OpenPage) -> None:
    """Whatever address somebody writes, a view is shown that says what there is."""
    browser = open_page(page, address)
    browser.wait_for(f"document.querySelector('main').textContent.includes('{shown}')")


def test_the_theme_can_be_changed(page: Path, open_page: OpenPage) -> None:
    """A button turns light into dark, and back."""
    browser = open_page(page)
    ground = "getComputedStyle(document.body).backgroundColor"
    colours = [browser.run(f"return {ground}")]
    for _ in range(2):
        browser.run("document.querySelector('.right button').click()")
        colours.append(browser.run(f"return {ground}"))
    assert colours[0] == colours[2] != colours[1]


@pytest.mark.parametrize(("mode", "count"), [("failed", 68), ("unscored", 1), ("truncated", 1)])
def test_modes_choose_samples(mode: str, count: int, page: Path, open_page: OpenPage) -> None:
    """Each mode has its samples, and says how many."""
    browser = open_page(page, f"#/samples?mode={mode}")
    shown = browser.text(".samples-list p")
    failed = browser.run("return [...document.querySelectorAll('.modes button')].map(e => e.textContent)")
    assert shown.startswith(f"{count} sample"), failed


def test_gates_say_what_decided_them(page: Path, open_page: OpenPage) -> None:
    """A gate has its verdict in words, what it asks, and the value; what is not met is said in the head."""
    browser = open_page(page)
    gates = browser.texts(".gate")
    assert [gate.split()[1] for gate in gates] == ["met", "not"]
    assert "accuracy >= 0.99" in gates[1]
    assert "below" in gates[1]
    assert browser.text(".problems") == "1 gate not met 1 evaluation without a result 1 unscored sample "


def test_a_list_has_only_rows_that_can_be_seen(tmp_path: Path, open_page: OpenPage) -> None:
    """Of 4 000 samples fewer than 100 rows are elements, and `End` leads to the last."""
    write_two_models(tmp_path / "page.html", 1000)
    browser = open_page(tmp_path / "page.html")
    browser.press("3")
    browser.wait_for("document.querySelector('.samples-list .rows .row')")
    assert len(browser.texts(".samples-list .row")) < 100
    browser.press("End")
    browser.wait_for("document.querySelector('#row-3999[aria-selected=true]')")
    assert len(browser.texts(".samples-list .row")) < 100


def test_the_list_is_as_wide_as_the_page_until_a_sample_is_open(page: Path, open_page: OpenPage) -> None:
    """Nothing is empty beside the list: it gives half of its width to a sample once one is chosen."""
    browser = open_page(page, "#/samples")
    width = "return document.querySelector('.samples-list').clientWidth / document.querySelector('.split').clientWidth"
    assert browser.run(width) > 0.9
    browser.press("j")
    browser.wait_for("document.querySelector('.side article')")
    assert browser.run(width) < 0.55


def test_a_page_without_texts_says_so(tmp_path: Path, open_page: OpenPage) -> None:
    """With `samples = false`, lists have scores, and views that show texts say why there are none."""
    write_two_models(tmp_path / "page.html", settings=HtmlSettings(samples=False))
    browser = open_page(tmp_path / "page.html", "#/samples")
    assert "samples = false" in browser.text(".note")
    browser.press("j")
    browser.wait_for("document.querySelector('.side article')")
    browser.press("/", *'"x" in reply')
    browser.wait_for("document.querySelector('#filter-error').textContent.includes('no texts')")
    browser.press("Escape", "2")
    browser.wait_for("document.querySelector('.items-list .row')")
    browser.press("j", "d")
    browser.wait_for("document.querySelector('.side .note')")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_view_fits_a_phone(theme: str, page: Path, open_page: OpenPage) -> None:
    """At 390 pixels no view is wider than the screen; text is legible in both themes."""
    for address in (
        "#/",
        "#/?as=heat-map",
        "#/compare",
        "#/samples",
        "#/cost",
        "#/provenance",
        "#/sample/grid/base/sums/1/q3",
    ):
        browser = open_page(page, address)
        browser.resize(390, 844)
        browser.set_theme(theme)
        browser.wait_for("document.querySelector('#view-title')")
        assert browser.run("return document.documentElement.scrollWidth") <= 390, address
        assert browser.run(CONTRAST) == [], address


CONTRAST = """
const light = (text) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  canvas.fillStyle = text;
  canvas.fillRect(0, 0, 1, 1);
  const linear = (one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
  const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((one) => linear(one / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (node) => {
  for (let one = node; one; one = one.parentElement) {
    const color = getComputedStyle(one).backgroundColor;
    if (!/rgba\\(.*, 0\\)|transparent/.test(color)) return color;
  }
};
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), wrong = [];
while (texts.nextNode()) {
  const node = texts.currentNode.parentElement;
  if (!node.checkVisibility() || !texts.currentNode.data.trim() || node.closest("script, select")) continue;
  const [one, other] = [light(getComputedStyle(node).color), light(ground(node))].sort((a, b) => b - a);
  if ((one + 0.05) / (other + 0.05) < 4.5) wrong.push(node.outerHTML.slice(0, 200));
}
return wrong;
"""
"""The elements whose text has a contrast below 4.5, which is what WCAG AA asks."""
