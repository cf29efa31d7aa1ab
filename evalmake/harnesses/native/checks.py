"""Checks a native benchmark before it runs: everything that the program would refuse.

The program parses its task itself; a test makes sure that both refuse the same tasks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from evalmake.harnesses.native.check_types import (
    PASSED,
    find_static_mistakes,
    find_static_types,
    has_kind,
    list_templates,
)
from evalmake.harnesses.native.conversation import CONFLICTS
from evalmake.harnesses.native.existing_answers import REASON, SENT_KEYS, explain_check, find_checks_of_replies
from evalmake.harnesses.native.hub_checks import find_bad_dataset, find_unused_dataset_keys
from evalmake.harnesses.native.repeat_metrics import check_repeats, find_repeat_metrics
from evalmake.harnesses.native.sql_checks import check_sql
from evalmake.harnesses.native.template import find_field_in_pattern, find_template_mistake, is_template
from evalmake.harnesses.native.tools import find_tools_mistake
from evalmake.language.diagnostic import Diagnostics
from evalmake.language.values import Files
from evalmake.project.declarations import Declaration
from evalmake.project.matrix import Evaluation
from evalmake.project.request_parameters import list_sent_parameters
from evalmake.project.requirements import suggest_metric
from evalmake.scoring.repeated_samples import is_repeat_metric

_DATA_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
_LIKELIHOOD_METRIC = "accuracy_norm"
_WITHOUT_TARGET = ("regex", "python", "judge")
_REQUIRED_KEYS = {
    "choice": ("choices", 'add the options, as `choices = "{options}"`'),
    "choices": ("choices", 'add the options, as `choices = "{options}"`'),
    "regex": ("pattern", "add the pattern, as `pattern = 'answer: (.*)'`"),
    "python": ("scorer_file", 'add the file with the function, as `scorer_file = file("scorer.py")`'),
    "judge": ("judge", "name the model that grades, as `judge = NAME`"),
}
_SCORERS_OF_KEY = {
    "pattern": ("regex",),
    "scorer_file": ("python",),
    "function": ("python",),
    "judge": ("judge",),
    "rubric": ("judge",),
    "judge_format": ("judge",),
    "normalize": ("exact", "contains", "regex"),
}
"""Keys that only some scorers use."""
_NO_USE = {
    "task": "the native harness has no tasks of its own; the questions are in `files`",
    "digest": "the native harness takes the digests of its data itself",
    "packages": "the native harness runs in evalmake's own Python; install them there",
}
_REFUSED_PARAMS = {
    "stream": "the native harness reads whole replies: `stream` cannot be set",
    "n": "the native harness scores one reply to each request: `n` would pay for replies that nothing looks at",
    "model": "`model` would ask another model than the one that the score is shown for",
    "messages": "`messages` is a key of the benchmark, not a request parameter",
    "prompt": "`prompt` is a key of the benchmark, not a request parameter",
}
_CHAT_ONLY = ("messages", "tools", "image", "audio")
"""Keys of what the completions API has no place for."""
_CURES = {"n": "to ask each question again, add seeds: `seed in 1..4`"}
_COMPARE = "compare what the pattern captures with a field by `target`; braces themselves are `\\{` and `\\}`"
_ADD_EMBEDDER = "name a model with `api = embeddings`, as `embedder = NAME`"
_ADD_TARGET = 'add the right answer, as `target = "{answer}"`'


class BadValue(NamedTuple):
    """A key with a bad value, and the cure."""

    key: str
    message: str
    help: str = ""


def check_benchmark(benchmark: Declaration, found: Diagnostics) -> None:
    """Add to `found` the errors of a benchmark that do not depend on the model."""
    block, settings = benchmark.block, benchmark.settings
    spans, about = benchmark.fields.spans, f"benchmark {benchmark.name}"
    name = benchmark.parsed.name_span if benchmark.parsed else benchmark.span
    for message, because, help_ in _find_missing_keys(block, settings):
        at = spans.get((because,))
        found.error(
            "missing-key",
            message,
            name,
            also=[(at.value, "because of this")] if at else [],
            about=about,
            help=[help_],
        )
    for key, message, help_ in _find_bad_values(block, settings):
        place = spans.get((key,))
        found.error(
            "bad-value",
            f"`{key}`: {message}",
            place.value if place else name,
            about=about,
            help=[help_] if help_ else [],
        )
    check_sql(benchmark, found)


def scorers_of(settings: Any) -> tuple[str, ...]:
    """The scorers; the default is `choice` with choices, else `exact`.

    None if each record has its own, or where there are only `checks`.
    """
    if has_record_scorer(settings):
        return ()
    if isinstance(settings.scorer, tuple):
        return settings.scorer
    if settings.scorer is None and settings.checks is not None:
        return ()
    return (settings.scorer or ("exact" if settings.choices is None else "choice"),)


def has_record_scorer(settings: Any) -> bool:
    """Whether a field of each record names its scorer."""
    return isinstance(settings.scorer, str) and is_template(settings.scorer)


def unused_keys(benchmark: Declaration) -> dict[str, str]:
    """The keys of a benchmark that its scorer, or this harness, has no use for, and why."""
    settings: Any = benchmark.settings
    chosen = scorers_of(settings)
    unused = {key: why for key, why in _NO_USE.items() if not (key == "packages" and benchmark.block.image)}
    unused |= find_unused_dataset_keys(benchmark.block)
    unused |= {"embedder": "it is for `checks`, and there are none"} if settings.checks is None else {}
    if settings.answer is not None:
        unused |= dict.fromkeys(SENT_KEYS, REASON)
        if settings.image is None:
            del unused["image"]  # that of a container has the same key
    if has_record_scorer(benchmark.settings):
        return unused
    for key, scorers in _SCORERS_OF_KEY.items():
        if key in ("judge", "judge_format") and settings.checks is not None:
            continue
        if not set(scorers) & set(chosen):
            theirs = f"this one is `{chosen[0]}`" if len(chosen) == 1 else f"these are `{'`, `'.join(chosen)}`"
            theirs = theirs if chosen else "there are only `checks`"
            unused[key] = f"it is for `scorer = {'` or `'.join(scorers)}`, and {theirs}"
    return unused


def why_no_model(benchmark: Declaration) -> str:
    """Why a benchmark asks no model; empty if it asks one."""
    settings: Any = benchmark.settings
    return REASON if settings.answer is not None else ""


def _find_missing_keys(block: Any, settings: Any) -> Iterator[tuple[str, str, str]]:
    """Yield a message for each missing key, the key that requires it, and what to add."""
    scorers = scorers_of(settings)
    if block.files is None and block.dataset is None:
        yield (
            "the native harness needs `files` or `dataset`",
            "harness",
            'add the data, as `files = file("questions.jsonl")`, or `dataset = "hf://OWNER/NAME@REVISION"`',
        )
    if settings.prompt is None and settings.messages is None and settings.answer is None:
        yield (
            "the native harness needs `prompt` or `messages`",
            "harness",
            'add the question, as `prompt = "{question}"`; a field with a conversation is `messages = "{messages}"`',
        )
    for scorer in scorers:
        given = f"`scorer = {scorer}`" if settings.scorer else f"the default scorer, `{scorer}`,"
        given = f"the scorer `{scorer}`" if len(scorers) > 1 else given
        if settings.target is None and scorer not in _WITHOUT_TARGET:
            scored = "`answer` is what is scored; " if settings.answer is not None else ""
            yield f"{given} needs `target`", "scorer", scored + _ADD_TARGET
        if scorer in _REQUIRED_KEYS and getattr(settings, _REQUIRED_KEYS[scorer][0]) is None:
            yield f"{given} needs `{_REQUIRED_KEYS[scorer][0]}`", "scorer", _REQUIRED_KEYS[scorer][1]
    if has_kind(settings.checks, "judge") and settings.judge is None:
        yield "checks of the type `judge` need `judge`", "checks", _REQUIRED_KEYS["judge"][1]
    if has_kind(settings.checks, "similar") and settings.embedder is None:
        yield "checks of the type `similar` need `embedder`", "checks", _ADD_EMBEDDER
    if block.fewshot and settings.examples is None and settings.messages is None:
        yield (
            f"`fewshot = {block.fewshot}` needs `examples`",
            "fewshot",
            'add the worked examples, as `examples = file("examples.jsonl")`',
        )
    if settings.examples is not None and settings.target is None and not set(scorers) - {*_WITHOUT_TARGET}:
        yield "`examples` need `target`, which is the answer that they show", "examples", _ADD_TARGET


def _find_bad_values(block: Any, settings: Any) -> Iterator[BadValue]:
    yield from (BadValue(*bad) for bad in find_bad_dataset(block, settings))
    if isinstance(settings.scorer, tuple) and (wrong := _find_list_mistake(settings.scorer)):
        yield BadValue("scorer", wrong)
    asked = ("prompt", "image", "audio", "system")
    for check in find_static_mistakes(settings.checks):
        yield BadValue("checks", check.message, check.help)
    for type in find_checks_of_replies(settings.checks) if settings.answer is not None else ():
        yield BadValue("checks", explain_check(type), "leave it out")
    for text in list_templates(settings.checks):
        if (mistake := find_template_mistake(text)) is not None:
            yield BadValue("checks", *mistake)
    if settings.checks == ():
        yield BadValue("checks", "the list is empty", "leave it out")
    for key in (*asked, "answer", "target", "choices", "rubric", "scorer", "weight", "tags", "limit_by"):
        texts = getattr(settings, key)
        for text in (texts,) if isinstance(texts, str) else texts or ():
            if (mistake := find_template_mistake(text)) is not None:
                yield BadValue(key, *mistake)
    yield from _find_conversation_mistakes(settings)
    if block.fewshot and settings.messages is not None and settings.examples is None:
        yield BadValue("fewshot", f"it cannot stand beside `messages`: {CONFLICTS['examples']}", "leave it out")
    for key in ("pattern", "extract"):
        try:
            re.compile(getattr(settings, key) or "")
        except (re.error, RecursionError, OverflowError) as error:
            yield BadValue(key, f"it is not a regular expression: {error}")
        if name := find_field_in_pattern(getattr(settings, key) or ""):
            yield BadValue(key, f"no field is filled into a regular expression, and it has `{name}`", _COMPARE)
    if settings.where is not None:
        yield from _find_filter_mistakes(settings.where)
    if isinstance(settings.choices, tuple) and not 2 <= len(settings.choices) <= 26:
        yield BadValue("choices", f"there can be 2 to 26 options, and there are {len(settings.choices)}")
    for key, files in (("files", block.files), ("examples", settings.examples)):
        for name in _file_names(files, lambda name: PurePath(name).suffix not in _DATA_SUFFIXES):
            yield BadValue(key, f"`{name}` is not a data file", f"data files end in {', '.join(_DATA_SUFFIXES)}")
            break
    names = _file_names(settings.scorer_file)
    if len(names) > 1:
        yield BadValue("scorer_file", f"it is one Python file, and these are {len(names)}", 'write `file("scorer.py")`')
    if "python" in scorers_of(settings) and names and not names[0].endswith(".py"):
        yield BadValue("scorer_file", f"`{names[0]}` is not a Python file", 'write `file("scorer.py")`')
    known = find_metrics(settings)
    if block.metric and known and block.metric not in known and not is_repeat_metric(block.metric):
        reported = " and ".join(f"`{metric}`" for metric in known)
        who, they = _name_scorers(settings)
        yield BadValue("metric", f"{who} no `{block.metric}`", f"{they} {reported}")
    for name, why in find_refused_params(block.params).items():
        yield BadValue("params", why, _CURES.get(name, "leave it out"))


def _find_conversation_mistakes(settings: Any) -> Iterator[BadValue]:
    """What is wrong with `messages` and `tools`, or with what stands beside them."""
    for key in ("messages", "tools"):
        text = getattr(settings, key)
        if isinstance(text, str) and not re.fullmatch(r"\{[^{}\s]([^{}]*[^{}\s])?\}", text):
            wanted = ", or the list itself" if key == "tools" else "; a text around a field is for `prompt`"
            yield BadValue(key, "it is not one field with a list", f'write `{key} = "{{{key}}}"`{wanted}')
    if isinstance(settings.tools, tuple) and (mistake := find_tools_mistake(settings.tools)):
        yield BadValue("tools", mistake)
    for key, why in CONFLICTS.items() if settings.messages is not None else ():
        if getattr(settings, key) is not None:
            yield BadValue(key, f"it cannot stand beside `messages`: {why}", "leave out one of them")


def _find_filter_mistakes(where: str) -> Iterator[BadValue]:
    """What is wrong with `where`."""
    from evalmake.harnesses.native.record_filter import FilterError, parse_filter  # loads readers seldom needed

    try:
        parse_filter(where)
    except FilterError as error:
        yield BadValue("where", str(error), error.help)


def _find_list_mistake(names: tuple[str, ...]) -> str:
    from evalmake.harnesses.native.task_file import find_list_mistake  # loads readers that a plan seldom needs

    return find_list_mistake(names)


def _name_scorers(settings: Any) -> tuple[str, str]:
    """The beginnings of two sentences on what the scorers report."""
    names = scorers_of(settings)
    if settings.checks is not None:
        return "the checks report" if not names else "scorers and checks report", "they report"
    if len(names) == 1:
        return f"the scorer `{names[0]}` reports", "it reports"
    return f"the scorers `{'`, `'.join(names)}` report", "they report"


def find_metrics(settings: Any) -> tuple[str, ...]:
    """The metrics that the scorers can report; empty if only the user's code or data knows."""
    scorers = scorers_of(settings)
    types = () if settings.checks is None else find_static_types(settings.checks)
    if types is None or has_record_scorer(settings):
        return ()
    checked = (PASSED, *types) if settings.checks is not None else ()
    if isinstance(settings.scorer, tuple):
        return () if "python" in scorers else (*scorers, *checked)
    own = _metrics_of_scorer(scorers[0]) if scorers else ()
    return () if scorers and not own else (*own, *checked)


def _metrics_of_scorer(scorer: str) -> tuple[str, ...]:
    """The metrics that a scorer can report; empty if only the user's code knows."""
    named = {"python": (), "f1": ("f1",), "choice": ("accuracy", _LIKELIHOOD_METRIC)}
    return named.get(scorer, ("accuracy",))


def _file_names(files: Files | None, wanted: Callable[[str], bool] = lambda name: True) -> list[str]:
    return [file.name for file in files.files if wanted(file.name)] if files else []


def check_cell(cell: Evaluation, models: Mapping[str, Declaration], found: Diagnostics) -> None:
    """Add to `found` the errors of a benchmark with this model and these parameters."""
    about, settings = f"eval {cell.eval}", cell.benchmark.settings
    judge = getattr(settings, "judge", None)
    for model in (cell.model, *([models[judge]] if judge else [])):
        if model.block.api == "embeddings":
            found.error(
                "bad-value",
                f"the native harness scores text, and model `{model.name}` returns vectors",
                model.fields.spans["api",].value,
                about=about,
                also=[(cell.benchmark.span, "this benchmark runs in the native harness")],
            )
    embedder = getattr(settings, "embedder", None)
    if embedder and (given := models[embedder]).block.api != "embeddings":
        found.error(
            "bad-value",
            f"`embedder` compares vectors, and model `{given.name}` has `api = {given.block.api}`",
            cell.benchmark.fields.spans["embedder",].value,
            about=f"benchmark {cell.benchmark.name}",
            also=[(given.span, "the model")],
            help=["name a model with `api = embeddings`"],
        )
    for key in _CHAT_ONLY if cell.model.block.api == "completions" else ():
        if getattr(settings, key, None) is not None:
            found.error(
                "bad-value",
                f"`{key}` is for the chat API, and model `{cell.model.name}` has `api = completions`",
                cell.model.fields.spans["api",].value,
                about=about,
                also=[(cell.benchmark.fields.spans[key,].value, "the benchmark has it here")],
                help=["write `api = chat` if the endpoint has that API, or ask a text by `prompt`"],
            )
    for sent in list_sent_parameters(cell):
        winner = sent.winner
        why = find_refused_params({sent.name: sent.value}).get(sent.name)
        is_told = winner.key == "params" and winner.owner.startswith("benchmark")  # by `check_benchmark`
        if sent.name == "tools" and sent.value is not None and getattr(settings, "tools", None) is not None:
            why, is_told = "`tools` is a key of this benchmark, too, and a request has one list of them", False
        if why and not is_told:
            help_ = [_CURES.get(sent.name, "leave it out")]
            found.error("bad-value", f"`{winner.key}`: {why}", winner.span or cell.span, about=about, help=help_)
    check_repeats(cell, scorers_of(settings), found)
    _check_metrics(cell, found)


def _check_metrics(cell: Evaluation, found: Diagnostics) -> None:
    """Add to `found` the gates of metrics, and the headline, that cannot be reported of this cell."""
    settings, headline = cell.benchmark.settings, cell.benchmark.block.metric
    known, repeated = find_metrics(settings), find_repeat_metrics(cell, scorers_of(settings))
    who, they = _name_scorers(settings) if known else ("", "")
    if cell.model.block.api != "completions":
        known = tuple(metric for metric in known if metric != _LIKELIHOOD_METRIC)
    asked = [(gate.metric, gate.span) for gate in cell.gates if not gate.word]
    if headline == _LIKELIHOOD_METRIC or (headline and is_repeat_metric(headline)):
        asked.append((headline, cell.benchmark.fields.spans["metric",].value))
    for metric, span in asked if known else ():
        if metric in known or metric in repeated:
            continue
        notes, help_ = [f"{they} {' and '.join((*known, *repeated))}"], suggest_metric(metric, (*known, *repeated))
        if metric == _LIKELIHOOD_METRIC:
            needs = "that needs log-probabilities, and so a model with `api = completions`"
            notes, help_ = [needs] if scorers_of(settings) == ("choice",) else notes, []
        elif is_repeat_metric(metric) and not repeated:
            help_ = ["take several samples of each item: `repeats = 5` in the eval"]
        found.error("bad-value", f"{who} no `{metric}`", span, about=f"eval {cell.eval}", notes=notes, help=help_)


def find_refused_params(params: Mapping[str, Any]) -> dict[str, str]:
    """The request parameters that would have no effect or a wrong one, each with the reason."""
    given = {name for name, value in params.items() if value is not None and value is not False}
    given -= {"n"} if params.get("n") == 1 else set()
    return {name: why for name, why in _REFUSED_PARAMS.items() if name in given}
