"""Builds requests from records: items with filled templates, few-shot turns, request bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalmake.harnesses.native.answer_letter import LETTERS, find_right_option
from evalmake.harnesses.native.answer_number import find_last_number
from evalmake.harnesses.native.dataset import Record, read_files
from evalmake.harnesses.native.errors import TaskError
from evalmake.harnesses.native.json_io import fingerprint
from evalmake.harnesses.native.settings import Endpoint
from evalmake.harnesses.native.task_file import Task
from evalmake.harnesses.native.template import MissingFieldError, as_text, lookup


@dataclass(frozen=True, slots=True)
class Item:
    """One question, ready to be sent.

    `right` is the index of the right option; `marks` are the texts by which a model chooses an option.
    """

    record: Record
    id: str
    prompt: str
    system: str | None
    target: Any
    options: tuple[str, ...]
    marks: tuple[str, ...]
    right: int | None
    cluster: str | None

    @property
    def targets(self) -> list[str]:
        """Every accepted answer as text; a target that is a list accepts any of its members."""
        many = self.target if isinstance(self.target, list) else [self.target]
        return [as_text(one) for one in many]


@dataclass(frozen=True, slots=True)
class Example:
    """A worked example: the question, its answer, and the fingerprint of the record behind it."""

    item: str
    prompt: str
    answer: str


def measures_likelihood(task: Task, api: str) -> bool:
    """Whether options are compared by log-probabilities instead of by a reply."""
    return api == "completions" and task.scorer == "choice"


def build_items(task: Task, api: str, records: Sequence[Record]) -> list[Item]:
    """Build an item for each record; TaskError with a line for each that does not fit the task."""
    items: list[Item] = []
    mistakes: list[str] = []
    seen: dict[str, str] = {}
    for record in records:
        try:
            item = _build_item(task, api, record)
        except (MissingFieldError, ValueError) as error:
            mistakes.append(f"{record.where}: {error}")
            continue
        if item.id in seen:
            mistakes.append(f"{record.where}: the id '{item.id}' is also that of {seen[item.id]}")
        seen[item.id] = record.where
        items.append(item)
    if mistakes:
        raise TaskError(*mistakes)
    return items


def build_examples(task: Task, api: str) -> list[Example]:
    """The worked examples of a task, all of them: `shots` picks those that one item is shown."""
    records: list[Record] = []
    for place, one in enumerate(task.examples, 1):
        if isinstance(one, str):
            records += read_files(task.folder, [one], task.paths)
        else:
            records.append(Record(0, f"examples: item {place}", dict(one), fingerprint(one)))
    if task.fewshot is not None and task.fewshot > len(records):
        raise TaskError(f"fewshot is {task.fewshot}, but there are only {len(records)} examples")
    # Examples may lack the fields of `id` and `cluster`, and nothing uses these.
    plain = replace(task, id=None, cluster=None)
    return [
        Example(item.record.item, item.prompt, _answer_text(item))
        for item in build_items(plain, api, _number_records(records))
    ]


def select_examples(task: Task, examples: Sequence[Example], item: Item) -> list[Example]:
    """Select the examples for an item; never the item itself, which would show its answer."""
    others = [example for example in examples if example.item != item.record.item]
    return others[: len(others) if task.fewshot is None else task.fewshot]


def build_chat_body(endpoint: Endpoint, seed: int | None, item: Item, shown: Sequence[Example]) -> Body:
    """Build a chat request: system message, examples as turns, the prompt."""
    messages = [{"role": "system", "content": item.system}] if item.system else []
    for example in shown:
        messages.append({"role": "user", "content": example.prompt})
        messages.append({"role": "assistant", "content": example.answer})
    messages.append({"role": "user", "content": item.prompt})
    return build_base_body(endpoint, seed) | {"messages": messages}


def build_completion_body(endpoint: Endpoint, seed: int | None, item: Item, shown: Sequence[Example]) -> Body:
    """Build a completions request: the same content as blocks of text."""
    return build_base_body(endpoint, seed) | {"prompt": build_completion_prompt(item, shown)}


def build_completion_prompt(item: Item, shown: Sequence[Example]) -> str:
    """Join system message, examples and prompt, with an empty line between them."""
    blocks = [item.system] if item.system else []
    blocks += [join_texts(example.prompt, example.answer) for example in shown]
    return "\n\n".join([*blocks, item.prompt])


def join_texts(prompt: str, text: str) -> str:
    """Join a prompt and its continuation with white space."""
    return prompt + text if prompt[-1:].isspace() else f"{prompt} {text}"


def build_base_body(endpoint: Endpoint, seed: int | None) -> Body:
    """Build the common fields: model, parameters, seed. A null parameter, also `seed`, is left out."""
    sent = {"model": endpoint.name, **endpoint.params}
    if seed is not None and sent.get("seed", seed) is not None:
        sent["seed"] = seed
    return {name: value for name, value in sent.items() if value is not None}


Body = dict[str, Any]
"""The JSON body of a request."""


def _number_records(records: Sequence[Record]) -> list[Record]:
    return [replace(record, index=index) for index, record in enumerate(records)]


def _answer_text(item: Item) -> str:
    """The right answer as the model should write it."""
    return item.targets[0] if item.right is None else item.marks[item.right]


def _build_item(task: Task, api: str, record: Record) -> Item:
    """Fill the templates; ValueError or MissingFieldError if the record does not fit."""
    data = record.data
    raw, options = _read_options(task, record)
    target = task.target.value(data) if task.target else None
    right = find_right_option(target, raw, options) if task.scorer == "choice" else None
    _check_target(task, target, right, options)
    # A likelihood task whose prompt does not list the options compares their texts (a cloze).
    cloze = measures_likelihood(task, api) and not task.prompt.names("choices")
    return Item(
        record=record,
        id=str(record.index) if task.id is None else as_text(lookup(data, task.id)),
        prompt=task.prompt.text(data) if cloze else _build_prompt(task, record, options),
        system=task.system.text(data) if task.system else None,
        target=target,
        options=options,
        marks=options if cloze else tuple(LETTERS[: len(options)]),
        right=right,
        cluster=None if task.cluster is None else as_text(lookup(data, task.cluster)),
    )


def _read_options(task: Task, record: Record) -> tuple[list[object], tuple[str, ...]]:
    """Read the options: their values in the data, and their texts."""
    if task.choices is None:
        return [], ()
    if isinstance(task.choices, tuple):
        raw = [choice.value(record.data) for choice in task.choices]
    else:
        value = task.choices.value(record.data)
        if not isinstance(value, list):
            raise ValueError(f"choices: expected a list, and it is {as_text(value)[:40]!r}")
        raw = value
    if not 2 <= len(raw) <= len(LETTERS):
        raise ValueError(f"choices: {len(raw)} options; there can be 2 to {len(LETTERS)}")
    return raw, tuple(as_text(one) for one in raw)


def _check_target(task: Task, target: object, right: int | None, options: tuple[str, ...]) -> None:
    if task.target is None or task.scorer in ("python", "judge"):
        return
    shown = as_text(target)[:60]
    if task.scorer == "choice":
        if right is None:
            raise ValueError(f"the target '{shown}' is none of the {len(options)} options")
        return
    many = [as_text(one) for one in (target if isinstance(target, list) else [target])]
    if not many or not all(one.strip() for one in many):
        raise ValueError("the target is empty")
    if task.scorer == "number" and not all(find_last_number(one) for one in many):
        raise ValueError(f"the target '{shown}' holds no number")


def _build_prompt(task: Task, record: Record, options: tuple[str, ...]) -> str:
    """Build the prompt; options replace `{choices}`, or follow the prompt.

    They have letters for the scorer `choice`, and are a plain list if the answer is a text.
    """
    if not options:
        return task.prompt.text(record.data)
    bullets = [f"{letter})" for letter in LETTERS] if task.scorer == "choice" else ["-"] * 26
    listed = "\n".join(f"{bullet} {one}" for bullet, one in zip(bullets, options, strict=False))
    text = task.prompt.text({**record.data, "choices": listed})
    return text if task.prompt.names("choices") else f"{text}\n{listed}"
