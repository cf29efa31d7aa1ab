"""The page is one file, small, and asks for nothing."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from evalmake.exporters.html_data import make_page_data
from evalmake.project.requirements import Tier
from evalmake.scoring.result_set import GateResult, ResultSet
from evalmake.web import page
from tests.web.conftest import make_row, write_page

MOST = 120_000
FOLDER = Path(page.__file__).parent


def test_script_and_style_are_small() -> None:
    """Script and style take 120 kB at most, and no source has more than 400 lines."""
    assert len(page.join_script()) + len(page.read_source("style.css")) <= MOST
    long = {path.name for path in FOLDER.iterdir() if path.is_file() and len(path.read_bytes().split(b"\n")) > 400}
    assert long == set()


def test_every_module_is_joined_after_what_it_uses() -> None:
    """Each source of the script is in the page, behind those that it imports."""
    assert {path.stem for path in FOLDER.glob("*.js")} == set(page.MODULES)
    for place, name in enumerate(page.MODULES):
        used = re.findall(r'^import .* from "\./(\w+)\.js";$', page.read_source(f"{name}.js"), re.MULTILINE)
        assert set(used) <= set(page.MODULES[:place]), name
    assert re.findall(r"^\s*(?:import|export) ", page.join_script(), re.MULTILINE) == []


def test_no_source_makes_html_of_text() -> None:
    """Nothing that turns text into HTML or code stands in the script."""
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc"
    assert re.findall(forbidden, page.join_script()) == []


def test_the_policy_allows_this_script_alone(tmp_path: Path) -> None:
    """The content-security policy forbids all but the script and style of the page, by their hashes."""
    write_page(tmp_path / "page.html", {("m", "sums", 1): [make_row("q1", 1.0, "42")]})
    text = (tmp_path / "page.html").read_text()
    [policy] = re.findall('http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    hashes = [
        f"sha256-{b64encode(sha256(body.encode()).digest()).decode()}"
        for body in (page.join_script(), page.read_source("style.css"))
    ]
    assert policy.startswith(f"default-src 'none'; script-src '{hashes[0]}'; style-src '{hashes[1]}';")
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", text)


def test_problems_say_how_much_a_gate_matters() -> None:
    """The head tells critical gates from supporting ones, and leaves out those that are advisory."""
    gate = GateResult("grid/m", "accuracy", ">=", 0.9, False, 0.5, None, None, None, (), (), "")
    tiers: tuple[Tier, ...] = ("critical", "supporting", "supporting", "advisory")
    gates = tuple(replace(gate, tier=tier) for tier in tiers)
    data = make_page_data(ResultSet("r", (), gates, (), "sha256:00"), (), "")
    assert [text for text, _ in data["problems"]] == ["1 gate not met", "2 supporting gates not met"]


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    """A page has nothing volatile in it."""
    for name in ("one.html", "other.html"):
        write_page(tmp_path / name, {("m", "sums", 1): [make_row("q1", 1.0, "42")]})
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "other.html").read_bytes()
