"""Reads the task file: data, prompt, and how a reply is scored."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from evalmake.harnesses.native.check_types import find_static_mistakes, list_templates
from evalmake.harnesses.native.conversation import CONFLICTS
from evalmake.harnesses.native.errors import RecordError, TaskError
from evalmake.harnesses.native.existing_answers import REASON, SENT_KEYS, explain_check, find_checks_of_replies
from evalmake.harnesses.native.json_io import strict_loads
from evalmake.harnesses.native.record_filter import Comparison, parse_filter
from evalmake.harnesses.native.template import Template, as_text, blame_key, is_template
from evalmake.harnesses.native.text_folding import DEFAULT, NORMALIZATIONS
from evalmake.harnesses.native.tools import find_tools_mistake
from evalmake.harnesses.native.value_reader import ValueReader
from evalmake.project.stop_rule import StopRule

SCORERS = ("exact", "number", "math", "choice", "choices", "contains", "regex", "f1", "python", "judge")
LETTERED = ("choice", "choices")
"""The scorers of questions whose options have letters."""
TARGETLESS = ("regex", "python", "judge")
FOLDING = ("exact", "contains", "regex")
"""The scorers that compare texts after `normalize`."""


CheckSource = Template | Mapping[str, Any]
"""Where checks come from: a field of the record, or a check of the Evalfile."""


@dataclass(frozen=True, slots=True)
class Task:
    """A checked task. File names are relative to `folder`, the task file's folder."""

    folder: Path
    files: tuple[str, ...]
    fields: Mapping[str, str]
    """New names of fields, each with the path of the old one."""
    sql: str | None
    """The query that makes the records of those of the files."""
    where: tuple[Comparison, ...]
    prompt: Template
    """Without parts where the records have `messages`."""
    messages: str | None
    """The path of the field with a conversation."""
    tools: str | tuple[Mapping[str, Any], ...]
    """The tools that are offered, or the path of a field with them."""
    image: Template | None
    audio: Template | None
    media: Mapping[str, Mapping[str, str]]
    """Data file -> a file as its records name it -> its name; without it, such a file lies beside the data file."""
    answer: Template | None
    """The answer in the data that is scored in place of a model's reply."""
    system: Template | None
    target: Template | None
    choices: Template | tuple[Template, ...] | None
    scorer: tuple[str, ...]
    """The scorers of all records; none if `record_scorer` says the scorer of each."""
    named: bool
    """Whether metrics have the names of their scorers, as `scorer` is a list."""
    record_scorer: Template | None
    pattern: re.Pattern[str] | None
    extract: re.Pattern[str] | None
    scorer_file: str | None
    function: str
    rubric: Template | None
    examples: tuple[str | Mapping[str, object], ...]
    fewshot: int | None
    normalize: tuple[str, ...]
    judge_format: str
    id: str | None
    cluster: str | None
    checks: tuple[CheckSource, ...]
    judge: bool
    """Whether there is a judge for checks."""
    embedder: bool
    weight: Template | None
    limit_by: Template | None
    """What stratum a record is in: a limit takes the same share of each."""
    tags: tuple[Template, ...]
    until: StopRule | None
    """When enough is asked; None asks everything."""
    samples: str | None
    """The file of samples whose replies are scored again, in place of asking."""
    repeats: int
    """How many samples of each item are asked for."""
    seed_step: int
    """What each repetition of an item adds to the seed."""
    paths: Mapping[str, str]
    """File name -> the path by which the user knows the file, for messages."""

    def scorers_of(self, record: Mapping[str, object]) -> tuple[str, ...]:
        """The scorers of a record; RecordError if there is no such, or if the task lacks a key that it needs."""
        if self.record_scorer is None:
            return self.scorer
        with blame_key("scorer"):
            name = as_text(self.record_scorer.value(record))
        if name not in SCORERS:
            raise RecordError("scorer", f"there is no scorer '{name}'; there are {', '.join(SCORERS)}")
        if missing := find_missing_keys(self, name):
            raise RecordError("scorer", missing[0])
        return (name,)


KEYS = frozenset(one.name for one in fields(Task)) - {"folder", "named", "record_scorer"}


def read_task(path: Path) -> Task:
    """Read and check a task file; TaskError with a line for each error in it."""
    try:
        data = strict_loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TaskError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise TaskError(f"{path}: not JSON: {error}") from None
    if not isinstance(data, dict):
        raise TaskError(f"{path}: a task is a JSON object")
    return make_task(str(path), path.parent, data)


def make_task(name: str, folder: Path, data: dict[str, Any]) -> Task:
    """Check the values of a task file; TaskError with a line for each error."""
    return _Reader(name, data).task(folder)


def find_missing_keys(task: Task, scorer: str) -> list[str]:
    """A message for each key that a scorer needs and the task lacks."""
    found = []
    if task.target is None and scorer and scorer not in TARGETLESS:
        found.append(f"the scorer '{scorer}' needs a target")
    if scorer in LETTERED and task.choices is None:
        found.append(f"the scorer '{scorer}' needs choices")
    if scorer == "regex" and task.pattern is None:
        found.append("the scorer 'regex' needs a pattern")
    if scorer == "python" and task.scorer_file is None:
        found.append("the scorer 'python' needs a scorer_file")
    return found


def find_list_mistake(names: Sequence[object]) -> str:
    """What is wrong with a list of scorers; empty if nothing is."""
    if len(names) < 2:
        return "a list has two scorers or more; a single one is written without brackets"
    twice = next((name for name, times in Counter(map(str, names)).items() if times > 1), None)
    return "" if twice is None else f"{twice} is in the list twice"


class _Reader(ValueReader):
    """Reads the keys of a task and collects the errors."""

    def task(self, folder: Path) -> Task:
        """Return the task; TaskError with every error found."""
        for key in sorted(self.data.keys() - KEYS):
            self.wrong(f"unknown key '{key}'")
        task = Task(
            folder=folder,
            files=self.files(),
            fields=self.texts("fields"),
            sql=self.text("sql"),
            where=self.where(),
            prompt=self.template("prompt", required=not (self.data.get("messages") or self.data.get("answer")))
            or Template(()),
            messages=self.field("messages"),
            tools=self.tools(),
            image=self.template("image"),
            audio=self.template("audio"),
            media=self.media(),
            answer=self.template("answer"),
            system=self.template("system"),
            target=self.template("target"),
            choices=self.choices(),
            scorer=self.scorers(),
            named=isinstance(self.data.get("scorer"), list),
            record_scorer=self.record_scorer(),
            pattern=self.regex("pattern"),
            extract=self.regex("extract"),
            scorer_file=self.text("scorer_file"),
            function=self.text("function") or "score",
            rubric=self.template("rubric"),
            examples=self.examples(),
            fewshot=self.whole("fewshot"),
            normalize=self.names("normalize", NORMALIZATIONS, DEFAULT),
            judge_format=self.one_of("judge_format", ("text", "json")),
            id=self.text("id"),
            cluster=self.text("cluster"),
            checks=self.checks(),
            judge=self.data.get("judge") is True,
            embedder=self.data.get("embedder") is True,
            weight=self.template("weight"),
            limit_by=self.template("limit_by"),
            tags=self.templates("tags"),
            until=self.stop_rule(),
            samples=self.text("samples"),
            repeats=self.whole("repeats") or 1,
            seed_step=self.whole("seed_step") or 0,
            paths=self.texts("paths"),
        )
        self.check_together(task)
        if self.mistakes:
            raise TaskError(*self.mistakes)
        return task

    def check_together(self, task: Task) -> None:
        """Check what one key requires of another."""
        for scorer in task.scorer:
            is_wrong_already = scorer == "regex" and task.pattern is None and self.data.get("pattern") is not None
            for message in () if is_wrong_already else find_missing_keys(task, scorer):
                self.wrong(message)
        for key in CONFLICTS if task.messages is not None else ():
            if self.data.get(key) is not None:
                self.wrong(f"{key} and messages cannot stand together: {CONFLICTS[key]}")
        for key in SENT_KEYS if task.answer is not None else ():
            if self.data.get(key) is not None:
                self.wrong(f"{key} and answer cannot stand together: {REASON}")
        for type in find_checks_of_replies(self.data.get("checks")) if task.answer is not None else ():
            self.wrong(f"checks: {explain_check(type)}")
        if task.fewshot and not task.examples:
            self.wrong(f"fewshot is {task.fewshot}, but there are no examples")
        if task.examples and task.target is None:
            self.wrong("examples need a target: it is the answer they show")

    def tools(self) -> str | tuple[Mapping[str, Any], ...]:
        """Read the tools: a list, or the field that has one."""
        value = self.data.get("tools")
        if value is None or isinstance(value, str):
            return (self.field("tools") if value is not None else None) or ()
        if mistake := find_tools_mistake(value):
            self.wrong(f"tools: {mistake}")
            return ()
        return tuple(value)

    def files(self) -> tuple[str, ...]:
        """Read the names of the data files: one text or a list."""
        value = self.data.get("files")
        names = [value] if isinstance(value, str) else value
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            return tuple(names)
        self.wrong("files: expected a list of file names")
        return ()

    def where(self) -> tuple[Comparison, ...]:
        """Read the filter of records."""
        value = self.text("where")
        try:
            return () if value is None else parse_filter(value)
        except ValueError as error:
            self.wrong(f"where: {error}")
            return ()

    def media(self) -> Mapping[str, Mapping[str, str]]:
        """The files that records name: an object of objects of texts."""
        value = self.data.get("media")
        maps = value.values() if isinstance(value, dict) else ()
        if value is None or (
            isinstance(value, dict)
            and all(isinstance(one, dict) and all(isinstance(name, str) for name in one.values()) for one in maps)
        ):
            return value or {}
        self.wrong("media: expected an object of objects of texts")
        return {}

    def choices(self) -> Template | tuple[Template, ...] | None:
        """Read the options: a field that holds a list, or a template for each."""
        value = self.data.get("choices")
        if value is None:
            return None
        if isinstance(value, str):
            return self.parsed(value, "choices")
        if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
            return tuple(self.parsed(one, "choices") for one in value)
        self.wrong("choices: expected a template or a list of templates")
        return None

    def checks(self) -> tuple[CheckSource, ...]:
        """Read the checks: a field of the record that holds them, or a list of checks and such fields."""
        value = self.data.get("checks")
        listed = [value] if isinstance(value, str) else value
        if value is None:
            return ()
        if not isinstance(listed, list) or not listed or not all(isinstance(one, str | dict) for one in listed):
            self.wrong("checks: expected a template or a list of checks")
            return ()
        for mistake in find_static_mistakes(listed):
            self.wrong(f"checks: {mistake.message}")
        for text in list_templates(listed):
            self.parsed(text, "checks")
        return tuple(self.parsed(one, "checks") if isinstance(one, str) else one for one in listed)

    def scorers(self) -> tuple[str, ...]:
        """Read the names of the scorers; the default is `choice` with choices, else `exact`; none beside checks."""
        value = self.data.get("scorer")
        if value is None and self.data.get("checks") is not None:
            return ()
        default = "exact" if self.data.get("choices") is None else "choice"
        names = value if isinstance(value, list) else [self.text("scorer") or default]
        if isinstance(value, str) and is_template(value):
            return ()
        if isinstance(value, list) and (mistake := find_list_mistake(names)):
            self.wrong(f"scorer: {mistake}")
        for name in names:
            if name not in SCORERS:
                self.wrong(f"scorer: there is no '{name}'; there are {', '.join(SCORERS)}")
        return tuple(name for name in names if name in SCORERS)

    def record_scorer(self) -> Template | None:
        """Read the template of the records' own scorers, if `scorer` is one."""
        name = self.data.get("scorer")
        return self.parsed(name, "scorer") if isinstance(name, str) and is_template(name) else None

    def examples(self) -> tuple[str | Mapping[str, object], ...]:
        """Read few-shot examples: records, or names of files of records."""
        value = self.data.get("examples")
        found = [value] if isinstance(value, str) else value or []
        if isinstance(found, list) and all(isinstance(one, str | dict) for one in found):
            return tuple(found)
        self.wrong("examples: expected a list of records or file names")
        return ()

    def stop_rule(self) -> StopRule | None:
        """Read when enough is asked."""
        value = self.data.get("until")
        try:
            return None if value is None else StopRule.of(value)
        except (AttributeError, KeyError, TypeError, ValueError):
            self.wrong("until: expected an object with a confidence")
            return None
