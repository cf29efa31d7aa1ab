"""Builds requests from records: items with filled templates, few-shot turns, request bodies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalmake.harnesses.native.constant_templates import refuse_constant_templates
from evalmake.harnesses.native.conversation import Message, Turn, render_text, split_turns
from evalmake.harnesses.native.dataset import Record, read_files
from evalmake.harnesses.native.errors import Mistake, RecordError, TaskError
from evalmake.harnesses.native.existing_answers import explain_check, looks_at_reply
from evalmake.harnesses.native.json_io import fingerprint
from evalmake.harnesses.native.question_content import (
    describe_question,
    list_own_demands,
    read_conversation,
    read_media,
    read_offered_tools,
    user_content,
)
from evalmake.harnesses.native.record_checks import Check, list_checks, read_checks
from evalmake.harnesses.native.record_filter import filter_records
from evalmake.harnesses.native.record_weight import read_tags, read_weight
from evalmake.harnesses.native.records import rename_fields
from evalmake.harnesses.native.right_options import LETTERS, find_right_options, list_indices
from evalmake.harnesses.native.same_question import QuestionDigests, digest_content
from evalmake.harnesses.native.settings import Endpoint
from evalmake.harnesses.native.target_check import check_target
from evalmake.harnesses.native.task_file import LETTERED, TARGETLESS, Task
from evalmake.harnesses.native.template import Template, as_text, blame_key, has_field, lookup


@dataclass(frozen=True, slots=True)
class Item:
    """One question, ready to be sent.

    `right` are the indices of the right options; `marks` are the texts by which a model chooses an option.
    """

    record: Record
    id: str
    scorers: tuple[str, ...]
    prompt: str
    system: str | None
    rubric: str | None
    target: Any
    options: tuple[str, ...]
    marks: tuple[str, ...]
    right: frozenset[int]
    cluster: str | None
    weight: float
    tags: tuple[str, ...]
    checks: tuple[Check, ...]
    digests: QuestionDigests
    conversation: tuple[Turn, ...]
    """The record's own messages, turn by turn, if it has any; `prompt` is then all of them as one text."""
    media: tuple[Mapping[str, Any], ...]
    """The parts of the picture and the clip that stand before the prompt."""
    tools: tuple[Mapping[str, Any], ...]
    answer: str | None = None
    """The answer in the data, where no model is asked; None if it is null."""
    repetition: int | None = None
    """Which of several samples of it this is, from 1; None if there is one."""

    def repeats(self, other: Item | Example) -> bool:
        """Whether another item or example is the same question."""
        digests = other.digests if isinstance(other, Item) else other
        return self.digests.question == digests.question or self.digests.content == digests.content

    @property
    def question_key(self) -> str | None:
        """A digest of what it asks and expects; None where the end of its request and the target say it."""
        if self.digests.demands:
            return fingerprint([self.digests.question, self.target, self.digests.demands])
        return self.digests.question if self.conversation else None

    @property
    def targets(self) -> list[str]:
        """Every accepted answer as text; a target that is a list accepts any of its members."""
        many = self.target if isinstance(self.target, list) else [self.target]
        return [as_text(one) for one in many]


@dataclass(frozen=True, slots=True)
class Example:
    """A worked example: the question as it is shown, its answer, and what tells whether it repeats an item."""

    prompt: str
    answer: str
    question: str
    content: str
    media: tuple[Mapping[str, Any], ...]


def measures_likelihood(scorers: Sequence[str], api: str) -> bool:
    """Whether options are compared by log-probabilities instead of by a reply."""
    return api == "completions" and tuple(scorers) == ("choice",)


def build_items(task: Task, api: str, records: Sequence[Record]) -> list[Item]:
    """Build an item for each record; TaskError with a line for each that does not fit the task."""
    if task.where:
        records = filter_records(records, task.where)
    refuse_constant_templates(task, records[:1])
    if task.checks and measures_likelihood(task.scorer, api):
        message = "`choice` compares log-probabilities with this model, and gives no reply that checks could look at"
        raise TaskError(Mistake(message, "checks", "use two benchmarks"))
    items: list[Item] = []
    mistakes: list[Mistake] = []
    seen: dict[str, str] = {}
    for record in records:
        try:
            item = _build_item(task, api, record)
        except RecordError as error:
            mistakes.append(error.at(record.where))
            continue
        if item.id in seen:
            same = RecordError("id", f"the id '{item.id}' is also that of {seen[item.id]}")
            mistakes.append(same.at(record.where))
        seen[item.id] = record.where
        items.append(item)
    if mistakes or (mistakes := list(_find_mixed_metrics(task, items))):
        raise TaskError(*mistakes)
    return items


def build_examples(task: Task, api: str) -> list[Example]:
    """The worked examples of a task, all of them: `shots` picks those that one item is shown."""
    records: list[Record] = []
    for place, one in enumerate(task.examples, 1):
        if isinstance(one, str):
            records += rename_fields(read_files(task.folder, [one], task.paths), task.fields, strict=False)
        else:
            records.append(Record(0, f"examples: item {place}", dict(one), fingerprint(one)))
    # Examples may lack the fields of these keys, and nothing uses them.
    plain = replace(task, id=None, cluster=None, rubric=None, weight=None, limit_by=None, tags=(), checks=())
    items = build_items(plain, api, _number_records(records)) if records else []
    if task.fewshot is not None and task.fewshot > len(items):
        raise TaskError(Mistake(f"fewshot is {task.fewshot}, but there are only {len(items)} examples", "fewshot"))
    return [
        Example(
            item.prompt,
            _answer_text(item),
            item.digests.question,
            digest_content(item.record.data, task.id),
            item.media,
        )
        for item in items
    ]


def select_examples(task: Task, examples: Sequence[Example], item: Item) -> list[Example]:
    """Select the examples for an item; never the same question, which would show its answer."""
    others = [example for example in examples if not item.repeats(example)]
    return others[: len(others) if task.fewshot is None else task.fewshot]


def build_turns(item: Item, shown: Sequence[Example]) -> tuple[Turn, ...]:
    """The turns of a chat: those of the item's own conversation, or one of system message, examples and prompt."""
    if item.conversation:
        return item.conversation
    messages: list[Message] = [{"role": "system", "content": item.system}] if item.system else []
    for example in shown:
        messages.append({"role": "user", "content": user_content(example.prompt, example.media)})
        messages.append({"role": "assistant", "content": example.answer})
    return ((*messages, {"role": "user", "content": user_content(item.prompt, item.media)}),)


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
    if not item.right:
        return item.targets[0]
    right = sorted(item.right) if "choices" in item.scorers else [min(item.right)]
    return ", ".join(item.marks[index] for index in right)


def _find_mixed_metrics(task: Task, items: Sequence[Item]) -> Iterator[Mistake]:
    """A mistake for the first record whose scorer reports another metric than those of other records."""
    if task.record_scorer is None or all(item.scorers == ("f1",) for item in items):
        return
    for item in items:
        if item.scorers == ("f1",):
            message = "the scorer 'f1' reports f1, and that of other records accuracy: use `where` and two benchmarks"
            yield RecordError("scorer", message).at(item.record.where)
            return


def _build_item(task: Task, api: str, record: Record) -> Item:
    """Fill the templates; RecordError if the record does not fit."""
    data = record.data
    if task.limit_by is not None:
        with blame_key("limit_by"):
            task.limit_by.text(data)
    scorers = task.scorers_of(data)
    lettered = any(scorer in LETTERED for scorer in scorers)
    raw, options = _read_options(task, lettered, record)
    checks = _read_checks(task, scorers, data, options)
    target = _read_target(task, scorers, record)
    right = _find_right_options(target, raw, options) if lettered else frozenset()
    for scorer in scorers:
        check_target(task, scorer, target)
    # A likelihood task whose prompt does not list the options compares their texts (a cloze).
    cloze = measures_likelihood(scorers, api) and not task.prompt.names("choices")
    system = _fill_text("system", task.system, data) if task.system else None
    messages = read_conversation(task, system, record)
    media = read_media(task, record)
    rubric = _fill_text("rubric", task.rubric, data) if task.rubric and "judge" in scorers else None
    asks = bool(messages or task.prompt.parts)
    asked = describe_question(_fill_prompt(task, data, ""), messages, media) if asks else None
    own = list_own_demands(task, data, system, rubric)
    return Item(
        record=record,
        id=str(record.index) if task.id is None else _read_name("id", task.id, record),
        scorers=scorers,
        prompt=render_text(messages)
        if messages
        else _build_prompt(task, lettered or bool(checks), data, () if cloze else options),
        system=system,
        rubric=rubric,
        target=target,
        options=options,
        marks=options if cloze else tuple(LETTERS[: len(options)]),
        right=right,
        cluster=None if task.cluster is None else _read_name("cluster", task.cluster, record),
        weight=read_weight(task, data),
        tags=read_tags(task, data),
        checks=checks,
        digests=QuestionDigests(data, task.id, asked, options, own),
        conversation=split_turns(messages) if messages else (),
        media=media,
        tools=read_offered_tools(task, record),
        answer=_read_answer(task, data),
    )


def _read_answer(task: Task, data: dict[str, Any]) -> str | None:
    """The answer in the data; None if its field is null, or if a model is asked."""
    if task.answer is None:
        return None
    if task.answer.path is not None:
        with blame_key("answer"):
            if lookup(data, task.answer.path) is None:
                return None
    return _fill_text("answer", task.answer, data)


def _read_checks(task: Task, scorers: Sequence[str], data: dict[str, Any], options: Sequence[str]) -> tuple[Check, ...]:
    """The checks of a record; RecordError for those that nothing can judge, or that a scorer has the metric of."""
    if not task.checks:
        return ()
    checks = read_checks(task.checks, data, options)
    if not task.judge and any(check.kind == "judge" for check in list_checks(checks)):
        raise RecordError(
            "checks", "a check asks a judge, and there is none", "name the model that grades: `judge = NAME`"
        )
    if not task.embedder and any(check.kind == "similar" for check in list_checks(checks)):
        raise RecordError(
            "checks",
            "a check compares meanings, and no model gives embeddings",
            "name one that has `api = embeddings`: `embedder = NAME`",
        )
    for check in list_checks(checks) if task.answer is not None else ():
        if looks_at_reply(check.kind):
            raise RecordError("checks", explain_check(check.type), "leave it out")
    for check in checks if task.named else ():
        if check.type in scorers:
            message = f"the scorer `{check.type}` and the checks `{check.type}` would report one metric"
            raise RecordError("checks", message, "score them in two benchmarks")
    return checks


def _read_name(key: str, path: str, record: Record) -> str:
    """The value of a field that `id` or `cluster` names."""
    with blame_key(key):
        return as_text(lookup(record.data, path))


def _fill_text(key: str, template: Template, data: dict[str, Any]) -> str:
    """Fill a template of text; RecordError if it would send a conversation as JSON."""
    with blame_key(key):
        for path in template.fields:
            value = lookup(data, path)
            alone = len(template.parts) == 1 and isinstance(value, list | dict)
            if alone or _is_conversation(value):
                kind = "a list" if isinstance(value, list) else "an object"
                help = f"name the text in it, as `{{{path}.0.content}}`" if _is_conversation(value) else ""
                if key == "prompt" and help and isinstance(value, list) and any("role" in one for one in value):
                    help = f'write `messages = "{{{path}}}"`' if len(template.parts) == 1 else help
                raise RecordError(key, f"the field '{path}' is {kind}, and the {key} is one text", help)
        return template.text(data)


def _is_conversation(value: object) -> bool:
    """Whether a value is a list of messages, or of the parts of a message."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and ("role" in one or "type" in one) for one in value)
    )


def _read_options(task: Task, lettered: bool, record: Record) -> tuple[list[object], tuple[str, ...]]:
    """Read the options: their values in the data, and their texts.

    Where records have scorers of their own, those of other scorers than `choice` may have no options.
    """
    if task.choices is None or _is_absent(task, task.choices, lettered, record):
        return [], ()
    with blame_key("choices"):
        if isinstance(task.choices, tuple):
            raw = [choice.value(record.data) for choice in task.choices]
        else:
            value = task.choices.value(record.data)
            if not isinstance(value, list):
                raise RecordError("choices", f"choices: expected a list, and it is {as_text(value)[:40]!r}")
            raw = value
    if not 2 <= len(raw) <= len(LETTERS):
        raise RecordError("choices", f"choices: {len(raw)} options; there can be 2 to {len(LETTERS)}")
    options = tuple(as_text(one) for one in raw)
    for letter, option in zip(LETTERS, options, strict=False):
        if not option.strip():
            raise RecordError("choices", f"choices: option {letter} is empty")
    return raw, options


def _read_target(task: Task, scorers: Sequence[str], record: Record) -> object:
    """Read the target; where records have scorers of their own, some need none."""
    needed = any(scorer not in TARGETLESS for scorer in scorers)
    if task.target is None or _is_absent(task, task.target, needed, record):
        return None
    with blame_key("target"):
        return task.target.value(record.data)


def _is_absent(task: Task, templates: Template | tuple[Template, ...], needed: bool, record: Record) -> bool:
    """Whether a record of a task with several scorers lacks a field that its own scorer does not need."""
    if needed or task.record_scorer is None:
        return False
    every = (templates,) if isinstance(templates, Template) else templates
    return any(not has_field(record.data, path) for template in every for path in template.fields)


def _find_right_options(target: object, raw: Sequence[object], options: tuple[str, ...]) -> frozenset[int]:
    try:
        return find_right_options(target, raw, options)
    except ValueError as error:
        outside = any(index >= len(options) for index in list_indices(target, options))
        help = "an index counts from 0; if these count from 1, write letters or the options' texts" if outside else ""
        raise RecordError("target", str(error), help) from None


def _build_prompt(task: Task, lettered: bool, data: dict[str, Any], options: tuple[str, ...]) -> str:
    """Build the prompt; options replace `{choices}`, or follow the prompt.

    They have letters for scorers that read those, and are a plain list if the answer is a text.
    """
    bullets = [f"{letter})" for letter in LETTERS] if lettered else ["-"] * 26
    listed = "\n".join(f"{bullet} {one}" for bullet, one in zip(bullets, options, strict=False))
    text = _fill_prompt(task, data, listed)
    if task.answer is not None and not task.prompt.parts:
        return ""
    if not text.strip():
        raise RecordError("prompt", "the prompt is empty")
    return f"{text}\n{listed}" if options and not task.prompt.names("choices") else text


def _fill_prompt(task: Task, data: dict[str, Any], listed: str) -> str:
    return _fill_text("prompt", task.prompt, data if task.choices is None else {**data, "choices": listed})
