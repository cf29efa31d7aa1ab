"""The key reference, generated from the schemas: what `evalmake help keys` shows.

`find_sections(topic, plugins)` gives the keys of a topic as data; `to_text` prints them.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from evalmake.language.values import Digest, Duration, Files, SecretRef, Size, format_value
from evalmake.project.adapter import Adapter
from evalmake.project.declarations import HasPlacement
from evalmake.project.key_types import Block, Reference
from evalmake.project.plugin_registry import PluginRegistry
from evalmake.project.schema import KINDS, PLUGIN_KINDS, Resources
from evalmake.project.settings_schema import Settings
from evalmake.project.validation import refusal

ALL = "keys"
_MAPS: dict[str, type[Block]] = {"adapter": Adapter, "resources": Resources}
_PLAIN = {
    bool: "`true` or `false`",
    int: "whole number",
    float: "number",
    str: "text",
    Duration: "duration",
    Size: "size",
    Digest: "digest",
    Files: "`file(...)`, `glob(...)` or a list of them",
    SecretRef: "`secret(...)`",
    Any: "any value",
}


class Key(NamedTuple):
    """One key: everything that help says of it, as texts; `example` is a value as an Evalfile writes it."""

    name: str
    type: str
    default: str
    identity: bool
    description: str
    example: str


class Section(NamedTuple):
    """The keys of one block; `topic` is the word that shows it, `refused` maps a key to why it is not yours to set."""

    topic: str
    title: str
    about: str
    keys: tuple[Key, ...]
    refused: tuple[tuple[str, str], ...] = ()


def list_topics(plugins: PluginRegistry) -> list[str]:
    """Every topic that `find_sections` knows, in the order of the whole reference."""
    kinds = ["settings", *KINDS]
    owners = [f"{kind}.{name}" for kind, block in KINDS.items() for name in _MAPS if name in block.model_fields]
    own = [f"{name} {kind}" for kind, (_, group, _) in PLUGIN_KINDS.items() for name in plugins.names(group)]
    return [ALL, *kinds, *_MAPS, *owners, *own]


def find_sections(topic: str, plugins: PluginRegistry) -> tuple[Section, ...]:
    """The sections of a topic, such as `eval`, `model.adapter` or `slurm executor`; empty for an unknown one."""
    words = topic.split()
    if topic == ALL:
        return tuple(_all_sections(plugins))
    if topic == "settings":
        return (_section("settings", Settings),)
    if topic in KINDS:
        return (_section(topic, KINDS[topic]),)
    if topic.rpartition(".")[2] in _MAPS:
        return _map_sections(topic)
    if len(words) == 2:
        name, kind = reversed(words) if words[0] in PLUGIN_KINDS else words
        return _find_plugin_sections(kind, name, plugins)
    return ()


def _find_plugin_sections(kind: str, name: str, plugins: PluginRegistry) -> tuple[Section, ...]:
    """A plugin's keys and those of its kind; with `kind` as `executor.autoscale`, one map of the plugin's."""
    kind, _, part = kind.partition(".")
    if kind not in PLUGIN_KINDS or name not in plugins.names(PLUGIN_KINDS[kind][1]):
        return ()
    own = tuple(_plugin_sections(kind, name, plugins))
    if part:
        return tuple(section for section in own if section.topic == f"{name} {kind}.{part}")
    return (*own, _section(kind, KINDS[kind]))


def to_text(sections: Iterable[Section]) -> str:
    """The sections as plain text, for a pipe."""
    blocks = []
    for section in sections:
        title = section.title.replace("`", "")
        lines = [title, "=" * len(title), section.about, ""]
        for key in section.keys:
            facts = f"{key.type}; {_default(key)}{'; part of the identity' if key.identity else ''}"
            lines += [key.name, f"    {key.description}", f"    {facts}", f"    {key.name} = {key.example}", ""]
        lines += [f"{name}: not yours to set: {why}" for name, why in section.refused]
        blocks.append("\n".join(lines).rstrip() + "\n")
    return "\n\n".join(blocks).replace("`", "")


def _default(key: Key) -> str:
    return "required" if key.default == "required" else f"default: {key.default}"


def _all_sections(plugins: PluginRegistry) -> Iterator[Section]:
    yield _section("settings", Settings)
    for kind, block in KINDS.items():
        yield _section(kind, block)
        for name in plugins.names(PLUGIN_KINDS[kind][1]) if kind in PLUGIN_KINDS else ():
            yield from _plugin_sections(kind, name, plugins)
    for name in _MAPS:
        yield from _map_sections(name)


def _map_sections(topic: str) -> tuple[Section, ...]:
    """`adapter`, or the same map of one kind: a deployment's resources are what a server needs."""
    owner, _, name = topic.rpartition(".")
    if owner and (owner not in KINDS or name not in KINDS[owner].model_fields):
        return ()
    return (_section(topic, _MAPS[name]),)


def _plugin_sections(kind: str, name: str, plugins: PluginRegistry) -> Iterator[Section]:
    """A plugin's own keys, its maps, and the arguments that its engine checks."""
    chooser, group, _ = PLUGIN_KINDS[kind]
    plugin = plugins.get(group, name)
    topic, title = f"{name} {kind}", f"{kind} with `{chooser} = {name}`"
    outside = plugin.placement if isinstance(plugin, HasPlacement) else ()
    identity = kind in ("benchmark", "deployment")
    yield _section(topic, plugin.Settings, title, identity, outside)
    for field, info in plugin.Settings.model_fields.items():
        if inner := _inner_block(info.annotation):
            yield _section(f"{topic}.{field}", inner, f"{title}: {field}", identity)
    if kind == "deployment" and plugin.Args is not None:
        yield _section(f"{topic}.args", plugin.Args, f"{title}: args", identity)


def _section(
    topic: str, block: type[Any], title: str = "", identity: bool | None = None, outside: Iterable[str] = ()
) -> Section:
    """The section of one block; `identity` is what holds for all keys but `outside`, else each key's own mark."""
    keys, refused = [], []
    for name, info in block.model_fields.items():
        name = info.alias or name
        if info.annotation is NoneType:
            refused.append((name, refusal(block, name)))
            continue
        extra = info.json_schema_extra or {}
        part = bool(extra.get("identity")) if identity is None else identity and name not in outside
        kind = str(extra.get("type") or describe_annotation(info.annotation, info.metadata))
        example = (info.examples or [""])[0]
        about = info.description or ""
        if name in _MAPS and topic in KINDS:
            about += f" `evalmake help {topic}.{name}` lists its keys."
        keys.append(Key(name, kind, _describe_default(info, extra), part, about, example))
    about = inspect.cleandoc(block.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
    return Section(topic, title or topic, about, tuple(keys), tuple(refused))


def _describe_default(info: Any, extra: Any) -> str:
    """What holds where the key is left out, in words or as an Evalfile writes it."""
    if info.is_required():
        return "required"
    if extra.get("unset"):
        return str(extra["unset"])
    value = info.get_default(call_default_factory=True)
    if isinstance(value, Block):
        return "{}"
    if isinstance(value, str) and (_is_word(info.annotation, info.metadata)):
        return value
    return format_value(value)


def _is_word(annotation: Any, metadata: Iterable[Any]) -> bool:
    """Whether an Evalfile writes the value without quotes: a name, or a word of a fixed set."""
    names = (getattr(getattr(mark, "func", None), "__name__", "") for mark in metadata)
    return get_origin(annotation) is Literal or any(name in ("to_word", "_word") for name in names)


def describe_annotation(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """The type of a field in words: `whole number, at least 1`."""
    marks = tuple(metadata)
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return describe_annotation(inner, (*marks, *more))
    reference = next((mark for mark in marks if isinstance(mark, Reference)), None)
    if reference:
        return f"name of {'an' if reference.kind[0] in 'aeiou' else 'a'} {reference.kind}"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is tuple:
        return f"list of {_plural(describe_annotation(arguments[0]))}"
    if origin is dict:
        return f"map of {_plural(describe_annotation(arguments[1]))}"
    if arguments:
        kinds = dict.fromkeys(describe_annotation(one, marks) for one in arguments if one is not NoneType)
        return " or ".join(kinds)
    if inspect.isclass(annotation) and issubclass(annotation, Block):
        return "map"
    if annotation is str and _is_word(annotation, marks):
        return "name"
    return _PLAIN.get(annotation, str(annotation)) + _bounds(marks)


def _inner_block(annotation: Any) -> type[Block] | None:
    """The block that a plugin's key holds, as `autoscale` of Lepton does."""
    for one in (annotation, *get_args(annotation)):
        if inspect.isclass(one) and issubclass(one, Block):
            return one
    return None


def _plural(words: str) -> str:
    """`whole number, at least 1` in a list: `whole numbers, at least 1`."""
    if words.startswith(("map of ", "list of ")):
        return words.replace(" of ", "s of ", 1)
    noun, comma, bounds = words.partition(",")
    return f"{noun if '`' in noun or noun.startswith('one of') else noun + 's'}{comma}{bounds}".replace(
        "any values", "values"
    )


def _bounds(marks: Iterable[Any]) -> str:
    """The bounds of a number, as `annotated-types` or pydantic hold them."""
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    flat = [inner for mark in marks for inner in (getattr(mark, "metadata", None) or [mark])]
    found = [
        f"{text} {value}"
        for mark in flat
        for name, text in words.items()
        if (value := getattr(mark, name, None)) is not None
    ]
    return "".join(f", {text}" for text in dict.fromkeys(found))
