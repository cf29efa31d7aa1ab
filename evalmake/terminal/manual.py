"""The manual: pages in `evalmake/manual`, found by topic."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

from evalmake.language.diagnostic import closest_name, make_error
from evalmake.plugins import InstalledPlugins
from evalmake.project.key_reference import find_sections, to_markdown

_ORDER = (
    *("tutorial", "migrating-from-nemo-evaluator", "language", "keys", "targets-and-overrides"),
    *("scores-and-intervals", "catalog", "pins", "secrets", "ci", "python-api"),
    *("executors", "process", "docker", "slurm", "lepton", "deployments"),
    *("harnesses", "native", "command", "lm-eval", "inspect", "nemo", "gateway-and-cache", "store"),
    *("what-works-where", "troubleshooting", "glossary", "writing-a-plugin"),
)
"""Topics in the order in which a newcomer needs them; others follow by name, then those in folders."""


def list_topics() -> list[str]:
    """Every topic: `tutorial`, `contributing/architecture`, ..."""
    topics = dict(_walk(files("evalmake.manual"), ""))
    ordered = [topic for topic in _ORDER if topic in topics]
    rest = sorted(topic for topic in topics if topic not in ordered)
    return [*ordered, *sorted(rest, key=lambda topic: "/" in topic)]


def find_page(topic: str) -> str:
    """The Markdown of a topic, a page or a part of the key reference; EvalmakeError with the closest topic if none."""
    pages = dict(_walk(files("evalmake.manual"), ""))
    name = topic.strip().removesuffix(".md").strip("/").replace(" ", "-").lower()
    if name not in pages and (sections := find_sections(topic.strip(), InstalledPlugins())):
        return to_markdown(sections)
    if name not in pages:
        short = {page.rpartition("/")[2]: page for page in pages}
        if name in short:
            return pages[short[name]].read_text(encoding="utf-8")
        beginning = next((page for page in list_topics() if page.startswith(name)), None)
        suggestion = beginning or closest_name(name, pages) or short.get(closest_name(name, short) or "")
        help = f"did you mean `{suggestion}`?" if suggestion else "`evalmake help` lists the topics"
        raise make_error("unknown-name", f"the manual has no topic `{topic}`", help=[help])
    return pages[name].read_text(encoding="utf-8")


def render_topics() -> str:
    """A line for each topic: its name and the title of its page."""
    pages = dict(_walk(files("evalmake.manual"), ""))
    topics = list_topics()
    width = max(map(len, topics), default=0)
    lines = [f"  {topic:<{width}}  {_title(pages[topic])}" for topic in topics]
    return "\n".join(
        [
            "Topics of the manual:",
            "",
            *lines,
            "",
            "evalmake help TOPIC      show a page",
            "evalmake explain CODE    explain the code that an error ends with",
            "evalmake --help          commands and flags",
        ]
    )


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    """The pages below a folder by topic."""
    for item in folder.iterdir():
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        elif item.name.endswith(".md"):
            yield f"{prefix}{item.name[:-3]}", item


def _title(page: Traversable) -> str:
    """The first line of a page, without the `#`."""
    with page.open(encoding="utf-8") as stream:
        return stream.readline().lstrip("#").strip()
