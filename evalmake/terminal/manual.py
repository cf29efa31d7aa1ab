"""The manual: pages in `evalmake/manual` and the key reference, found by topic."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from evalmake.language.diagnostic import EvalmakeError, closest_name, make_error
from evalmake.plugins import InstalledPlugins
from evalmake.project import key_reference

_ORDER = (
    *("tutorial", "migrating-from-nemo-evaluator", "language", "keys", "targets-and-overrides"),
    *("results", "scores-and-intervals", "comparing", "costs", "catalog", "pins", "secrets", "ci", "python-api"),
    *("executors", "process", "docker", "slurm", "lepton", "deployments", "watch"),
    *("harnesses", "native", "data", "command", "lm-eval", "inspect", "nemo", "ragas", "retrieval"),
    *("gateway-and-cache", "store"),
    *("what-works-where", "troubleshooting", "glossary", "writing-a-plugin"),
)
"""Topics in the order in which a newcomer needs them; others follow by name, then those in folders."""
_FOOTER = (
    "evalmake help TOPIC               show a page",
    "evalmake help keys                every key of every kind",
    "evalmake help eval                the keys of one kind; also of `settings`, `model.adapter`, ...",
    "evalmake help 'slurm executor'    the keys of a plugin",
    "evalmake explain CODE             explain the code that an error ends with",
    "evalmake --help                   commands and flags",
)


class Page(NamedTuple):
    """What a topic shows: Markdown, or plain text such as the key reference."""

    text: str
    is_markdown: bool


def list_topics() -> list[str]:
    """Every page: `tutorial`, `contributing/architecture`, ..."""
    topics = _find_files()
    ordered = [topic for topic in _ORDER if topic in topics]
    rest = sorted(topic for topic in topics if topic not in ordered)
    return [*ordered, *sorted(rest, key=lambda topic: "/" in topic)]


def list_key_topics() -> list[str]:
    """The topics of the key reference: `keys`, `eval`, `model.adapter`, `slurm executor`, ..."""
    return key_reference.list_topics(InstalledPlugins())


def find_page(topic: str) -> Page:
    """The page of a topic, else its keys; EvalmakeError with the closest topic if there is neither."""
    pages = _find_files()
    name = topic.strip().removesuffix(".md").strip("/").replace(" ", "-").lower()
    if name in pages:
        return Page(pages[name].read_text(encoding="utf-8"), is_markdown=True)
    if sections := key_reference.find_sections(topic.strip(), InstalledPlugins()):
        return Page(key_reference.to_text(sections), is_markdown=False)
    in_folders = {page.rpartition("/")[2]: page for page in pages}
    if name in in_folders:
        return Page(pages[in_folders[name]].read_text(encoding="utf-8"), is_markdown=True)
    raise _unknown_topic(topic, name)


def _unknown_topic(topic: str, name: str) -> EvalmakeError:
    topics = [*list_topics(), *list_key_topics()]
    beginning = next((each for each in topics if each.startswith(name)), None)
    in_folders = {each.rpartition("/")[2]: each for each in topics}
    suggestion = beginning or closest_name(topic, topics) or in_folders.get(closest_name(name, in_folders) or "")
    help = f"did you mean `{suggestion}`?" if suggestion else "`evalmake help` lists the topics"
    return make_error("unknown-name", f"the manual has no topic `{topic}`", help=[help])


def render_topics() -> str:
    """A line for each topic: its name and the title of its page."""
    pages = _find_files()
    topics = list_topics()
    width = max(map(len, topics), default=0)
    lines = [f"  {topic:<{width}}  {_read_title(pages[topic])}" for topic in topics]
    return "\n".join(["Topics of the manual:", "", *lines, "", *_FOOTER])


def _find_files() -> dict[str, Traversable]:
    return dict(_walk(files("evalmake.manual"), ""))


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    """The pages below a folder by topic."""
    for item in folder.iterdir():
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        elif item.name.endswith(".md"):
            yield f"{prefix}{item.name[:-3]}", item


def _read_title(page: Traversable) -> str:
    """The first line of a page, without the `#`."""
    with page.open(encoding="utf-8") as stream:
        return stream.readline().lstrip("#").strip()
