"""From records to requests: items with filled templates, few-shot turns, and request bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalmake.harnesses.native.answer_letter import LETTERS, right_option
from evalmake.harnesses.native.answer_number import last_number
from evalmake.harnesses.native.dataset import Record, read_files
from evalmake.harnesses.native.errors import TaskError
from evalmake.harnesses.native.json_io import fingerprint
from evalmake.harnesses.native.settings import Endpoint
from evalmake.harnesses.native.task_file import Task
from evalmake.harnesses.native.template import MissingFieldError, as_text, lookup


@dataclass(frozen=True, slots=True)
class Item:
    """One question ready to be asked.

    `right` is the index of the right option; `marks` are what a model writes to choose each one.
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
        """Every accepted answer as text: a target that is a list accepts any of its members."""
        many = self.target if isinstance(self.target, list) else [self.target]
        return [as_text(one) for one in many]


@dataclass(frozen=True, slots=True)
class Example:
    """A worked example: the question, its answer, and the fingerprint of the record behind it."""

    item: str
    prompt: str
    answer: str


def measures_likelihood(task: Task, api: str) -> bool:
    """Whether options are compared by their log-probabilities instead of asked for."""
    return api == "completions" and task.scorer == "choice"


def build_items(task: Task, api: str, records: Sequence[Record]) -> list[Item]:
    """An item for each record; TaskError with a line for each record that does not fit the task."""
    items: list[Item] = []
    mistakes: list[str] = []
    seen: dict[str, str] = {}
    for record in records:
        try:
            item = _item(task, api, record)
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
            records += read_files(task.folder, [one])
        else:
            records.append(Record(0, f"examples: item {place}", dict(one), fingerprint(one)))
    if task.fewshot is not None and task.fewshot > len(records):
        raise TaskError(f"fewshot is {task.fewshot}, but there are only {len(records)} examples")
    # An example's own id and cluster are of no use, and it may lack those fields.
    plain = replace(task, id=None, cluster=None)
    return [
        Example(item.record.item, item.prompt, _answer(item)) for item in build_items(plain, api, _numbered(records))
    ]


def shots(task: Task, examples: Sequence[Example], item: Item) -> list[Example]:
    """The examples shown before an item: never the item itself, or its answer would be shown."""
    others = [example for example in examples if example.item != item.record.item]
    return others[: len(others) if task.fewshot is None else task.fewshot]


def chat_body(endpoint: Endpoint, seed: int | None, item: Item, shown: Sequence[Example]) -> Body:
    """The body of a chat request: system, examples as turns of user and assistant, the prompt."""
    messages = [{"role": "system", "content": item.system}] if item.system else []
    for example in shown:
        messages.append({"role": "user", "content": example.prompt})
        messages.append({"role": "assistant", "content": example.answer})
    messages.append({"role": "user", "content": item.prompt})
    return base_body(endpoint, seed) | {"messages": messages}


def completion_body(endpoint: Endpoint, seed: int | None, item: Item, shown: Sequence[Example]) -> Body:
    """The body of a completions request: the same as blocks of text."""
    return base_body(endpoint, seed) | {"prompt": completion_prompt(item, shown)}


def completion_prompt(item: Item, shown: Sequence[Example]) -> str:
    """System, examples and prompt as blocks of text with an empty line between them."""
    blocks = [item.system] if item.system else []
    blocks += [continued(example.prompt, example.answer) for example in shown]
    return "\n\n".join([*blocks, item.prompt])


def continued(prompt: str, text: str) -> str:
    """A prompt and what follows it, with white space between them."""
    return prompt + text if prompt[-1:].isspace() else f"{prompt} {text}"


def base_body(endpoint: Endpoint, seed: int | None) -> Body:
    """Model, parameters and seed. A parameter that is null is left out, be it the seed itself."""
    sent = {"model": endpoint.name, **endpoint.params}
    if seed is not None and sent.get("seed", seed) is not None:
        sent["seed"] = seed
    return {name: value for name, value in sent.items() if value is not None}


Body = dict[str, Any]
"""The JSON object that is posted."""


def _numbered(records: Sequence[Record]) -> list[Record]:
    return [replace(record, index=index) for index, record in enumerate(records)]


def _answer(item: Item) -> str:
    """The right answer as the model is to write it."""
    return item.targets[0] if item.right is None else item.marks[item.right]


def _item(task: Task, api: str, record: Record) -> Item:
    """Fill the templates; ValueError or MissingFieldError says what does not fit."""
    data = record.data
    raw, options = _options(task, record)
    target = task.target.value(data) if task.target else None
    right = right_option(target, raw, options) if task.scorer == "choice" else None
    _check_target(task, target, right, options)
    # A likelihood task whose prompt does not list the options compares their texts.
    cloze = measures_likelihood(task, api) and not task.prompt.names("choices")
    return Item(
        record=record,
        id=str(record.index) if task.id is None else as_text(lookup(data, task.id)),
        prompt=task.prompt.text(data) if cloze else _prompt(task, record, options),
        system=task.system.text(data) if task.system else None,
        target=target,
        options=options,
        marks=options if cloze else tuple(LETTERS[: len(options)]),
        right=right,
        cluster=None if task.cluster is None else as_text(lookup(data, task.cluster)),
    )


def _options(task: Task, record: Record) -> tuple[list[object], tuple[str, ...]]:
    """The options as they are in the data, and as text."""
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
    if task.scorer == "number" and not all(last_number(one) for one in many):
        raise ValueError(f"the target '{shown}' holds no number")


def _prompt(task: Task, record: Record, options: tuple[str, ...]) -> str:
    """The prompt; options stand where it says `{choices}`, else below it.

    They are lettered for the scorer `choice`, and a plain list where the text is the answer.
    """
    if not options:
        return task.prompt.text(record.data)
    bullets = [f"{letter})" for letter in LETTERS] if task.scorer == "choice" else ["-"] * 26
    listed = "\n".join(f"{bullet} {one}" for bullet, one in zip(bullets, options, strict=False))
    text = task.prompt.text({**record.data, "choices": listed})
    return text if task.prompt.names("choices") else f"{text}\n{listed}"
