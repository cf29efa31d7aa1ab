"""The script of pages reads expressions as `evalmake results --where` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from evalmake.language.diagnostic import EvalmakeError
from evalmake.sample_filter.parser import parse_filter
from evalmake.web.page import wrap_module
from tests.sample_filter import test_evaluation as python
from tests.support.browser import Browser
from tests.web.conftest import make_row, write_page

OpenPage = Callable[..., Browser]
FOLDER = Path(python.__file__).parent
SCRIPT = "".join(map(wrap_module, ("filter_parser", "filter_patterns", "filter_evaluation")))
RUN = """
const { parseFilter } = filter_parser_module, { makeFilter } = filter_evaluation_module;
const follow = (value, path) => path.reduce((one, name) => one?.[name] ?? null, value);
const read = ({ path: [first, ...rest] }) => (row) => {
  if (first === "scores") return row.scores[rest[0]] ?? null;
  if (first === "record") return row.input[rest.join(".")] ?? follow(row.input, rest);
  if (["accuracy", "f1"].includes(first)) return row.scores[first] ?? null;
  return { ...row, seed: 2, score: row.scores.accuracy }[first] ?? null;
};
return arguments[0].map((text) => {
  try {
    return makeFilter(parseFilter(text), read)(arguments[1]);
  } catch (error) {
    return error.start === undefined ? String(error) : { start: error.start, message: error.message };
  }
});
"""


def evaluate(browser: Browser, expressions: list[str], sample: dict[str, Any]) -> list[Any]:
    """What each expression is of a sample in the browser; of a mistake, its place."""
    browser.open("about:blank")
    found: list[Any] = browser.run(SCRIPT + RUN, expressions, sample)
    return found


def test_the_examples_hold_in_the_browser(browser: Browser) -> None:
    """Each example of the manual, and of the file that Python runs, is the same in the browser."""
    for examples, sample in ((python.ROWS, python.SAMPLE), (python.EXAMPLES["examples"], python.EXAMPLES["sample"])):
        found = evaluate(browser, [expression for expression, _ in examples], sample)
        wrong = [(one, got) for (one, wanted), got in zip(examples, found, strict=True) if got is not wanted]
        assert wrong == []


def test_mistakes_are_mistakes_in_the_browser(browser: Browser) -> None:
    """Whatever Python's parser refuses, the browser's refuses, too, at a place."""
    refused = []
    for text in (FOLDER / "mistakes.txt").read_text().splitlines():
        try:
            parse_filter(text)
        except EvalmakeError:
            refused.append(text)
    found = evaluate(browser, refused, python.SAMPLE)
    assert len(refused) > 20
    assert [text for text, got in zip(refused, found, strict=True) if not isinstance(got, dict)] == []


def test_a_filter_finds_samples(tmp_path: Path, open_page: OpenPage) -> None:
    """A filter in the address is applied, by columns and by texts; a mistake is told with its place."""
    rows = [make_row(f"q{n}", float(n % 2), f"reply {n}") for n in range(40)]
    write_page(tmp_path / "page.html", {("m", "sums", 1): rows})
    cases = {
        "score < 1": 20,
        'reply matches "reply 1[0-9]$"': 10,
        'score = 1 and "5" in reply and record.level == 3': 4,
        'prompt == "What is q7?" or tokens_in > 100': 1,
        "accuracy < 1 and model == 'm' and seed in [1]": 20,
    }
    for expression, count in cases.items():
        browser = open_page(tmp_path / "page.html", "#/samples")
        browser.press("/")
        browser.press(*expression)
        browser.wait_for(f"document.querySelector('.samples-list p')?.textContent.startsWith('{count} sample')")
    browser.press("Escape", "/")
    browser.run("document.querySelector('#filter').value = ''")
    browser.press(*"scoer < 1")
    assert "did you mean `score`?" in browser.text("#filter-error")
