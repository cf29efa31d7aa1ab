"""The `native` harness: your own data, prompts from fields, a scorer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, WrapValidator

from evalmake.harnesses.native import checks
from evalmake.harnesses.native.__main__ import ASKS_AFTER_ALL, NONE_SCORED
from evalmake.harnesses.native.answers.mathematics import find_version
from evalmake.harnesses.native.asking_identity import leave_out_scoring
from evalmake.harnesses.native.behaviours import find_behaviours
from evalmake.harnesses.native.check_types import PASSED
from evalmake.harnesses.native.task_content import dump_task, make_task
from evalmake.harnesses.native.template import is_template
from evalmake.harnesses.scores_file import parse_scores, read_scores
from evalmake.language.values import File, Files
from evalmake.pins.hub_cache import Selection
from evalmake.plugin_api.harness import Command, DataError, DataNote, Outcome, SampleContradiction, find_seed_step
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import (
    Block,
    ModelName,
    Parameters,
    Texts,
    define_key,
    read_symbol,
    to_plain_value,
    to_tuple,
    to_word,
)
from evalmake.project.matrix import Evaluation
from evalmake.project.requirements import HEADLINE

if TYPE_CHECKING:
    from evalmake.harnesses.native.expected_samples import AskedTask

Scorer = Literal["exact", "number", "math", "choice", "choices", "contains", "regex", "f1", "python", "judge"]


Fold = Annotated[Literal["case", "space", "punctuation", "unicode", "articles"], BeforeValidator(to_word)]
Normalize = Annotated[tuple[Fold, ...], BeforeValidator(to_tuple)]
JudgeFormat = Annotated[Literal["text", "json"], BeforeValidator(to_word)]


def _read_scorer(value: object, check_name: Callable[[object], Any]) -> Any:
    """A name of a scorer or several, or a text that says in which field of a record the name is."""
    text = read_symbol(value)
    if isinstance(text, str) and is_template(text):
        return text
    if isinstance(value, list | tuple):
        return tuple(check_name(to_word(one)) for one in value)
    return check_name(value if value is None else to_word(value))


class NativeHarness:
    """Runs `evalmake.harnesses.native` on the benchmark's files."""

    class Settings(Block):
        """Your own data, asked and scored by evalmake itself."""

        prompt: str | None = define_key(
            None, "The prompt; `{field}` stands for a field of the record.", '"{question}\\nAnswer with a number."'
        )
        messages: str | None = define_key(
            None,
            "The field with a conversation, in place of `prompt`: a list of messages in OpenAI's chat format.",
            '"{messages}"',
        )
        answer: str | None = define_key(
            None,
            "The answer that is in the data, and is scored in place of a reply: no model is asked.",
            '"{reply}"',
            unset="a model is asked",
        )
        tools: str | tuple[Parameters, ...] | None = define_key(
            None,
            "The tools that the model may call, in OpenAI's form: a list, or the field of a record that has one.",
            '"{tools}"',
            type="a text or a list of maps",
        )
        image: str | None = define_key(
            None,
            "A picture beside the prompt, by a field: a file relative to the data file, a data URL or an address.",
            '"{picture}"',
        )
        audio: str | None = define_key(
            None, "A clip beside the prompt, by a field: a file relative to the data file, or a data URL.", '"{clip}"'
        )
        config: Annotated[str | None, BeforeValidator(read_symbol)] = define_key(
            None, "The configuration of `dataset`, of those that the data set has.", '"main"', unset="the only one"
        )
        split: Annotated[str | None, BeforeValidator(read_symbol)] = define_key(
            None,
            "The split of `dataset`, or the path or pattern of its files in the data set.",
            '"test"',
            unset="the only one",
        )
        fields: dict[str, str] = define_key(
            {},
            "New names of fields, each with the old one, as a map.",
            '{ question = "problem", answer = "solution.final" }',
            type="map of texts",
        )
        sql: str | None = define_key(
            None,
            "A query of the table `data`, which holds the records of the files: its rows are asked in their place.",
            '"select * from data where level >= 3"',
            unset="the records of the files",
        )
        where: str | None = define_key(
            None,
            "Which records of `files` and `examples` are used: fields compared with values, joined by `and`.",
            '"kind = numeric and level >= 3"',
            unset="all records",
        )
        system: str | None = define_key(
            None, "The system message; it may hold fields, too.", '"You are a careful student."'
        )
        target: str | None = define_key(None, "The expected answer of a record.", '"{answer}"')
        choices: str | Texts | None = define_key(
            None,
            "The options of a multiple-choice question: a field with a list, or one text for each.",
            '["{a}", "{b}", "{c}", "{d}"]',
        )
        scorer: Annotated[Scorer | tuple[Scorer, ...] | None, WrapValidator(_read_scorer)] = define_key(
            None,
            'How a reply is compared with the target: a name, a list, or `"{field}"` with the scorer of each record.',
            "number",
            unset="choice where there are `choices`, else exact",
        )
        pattern: str | None = define_key(None, "The regular expression that `scorer = regex` looks for.", "'yes|no'")
        extract: str | None = define_key(
            None, "A regular expression whose first group is the answer within a reply.", "'Answer: (.*)'"
        )
        scorer_file: Files | None = define_key(
            None, "The Python file of `scorer = python`.", 'file("score.py")', type="`file(...)`"
        )
        function: str | None = define_key(None, "The function in `scorer_file`.", '"score_steps"', unset="score")
        judge: ModelName | None = define_key(None, "The model that grades the replies.", "grader")
        embedder: ModelName | None = define_key(
            None,
            "The model whose embeddings say how near a reply is to a text: for checks of the type `similar`.",
            "vectors",
        )
        judge_format: JudgeFormat | None = define_key(
            None,
            "How the judge writes its verdict: a line of `text`, or `json`, by a schema where the endpoint has those.",
            "json",
            unset="text",
        )
        rubric: str | None = define_key(
            None,
            "The instructions for the judge, who also sees the question, the target and the reply; it may hold fields.",
            '"Right if the reply names {landmark}."',
        )
        examples: Files | None = define_key(
            None,
            "Records for the worked examples that `fewshot` counts; without it, all are shown.",
            'file("data/examples.jsonl")',
        )
        normalize: Normalize | None = define_key(
            None,
            "What is alike for the scorer: `case`, `space`, `punctuation`, `unicode` (NFKC) and `articles` (English).",
            "[case, space, punctuation]",
            type="a list of names",
            unset="case and space",
        )
        id: str | None = define_key(
            None, "The field that identifies a record in comparisons.", '"question_id"', unset="a digest of the record"
        )
        cluster: str | None = define_key(
            None, "The field that groups records that belong together, for honest intervals.", '"document"'
        )
        limit_by: str | None = define_key(
            None,
            "The groups of records of which a `limit` takes the same share.",
            '"{category}"',
            unset="a limit looks at no groups",
        )
        checks: Annotated[str | tuple[Any, ...] | None, BeforeValidator(to_plain_value)] = define_key(
            None,
            "What must be true of a reply: a field with a list of `{type, value}`, or a list for all records.",
            '"{assert}"',
            type="text, or a list of checks",
        )
        weight: str | None = define_key(
            None, "What a record counts in means: a number in a field.", '"{weight}"', unset="each counts the same"
        )
        tags: str | Texts | None = define_key(
            None,
            "Groups that a record belongs to, which reports can show: a field with a text or a list, or several.",
            '"{topic}"',
        )

    behaviour: ClassVar[int] = 1
    needs: ClassVar[str] = ""
    leaves_samples: ClassVar[bool] = True
    stops_early: ClassVar[bool] = True
    asks_after_all: ClassVar[int] = ASKS_AFTER_ALL
    leave_out_scoring = staticmethod(leave_out_scoring)
    asks_repeatedly: ClassVar[bool] = True
    check_benchmark = staticmethod(checks.check_benchmark)
    check_cell = staticmethod(checks.check_cell)
    why_no_model = staticmethod(checks.why_no_model)
    unused_keys = staticmethod(checks.unused_keys)

    @staticmethod
    def identity(benchmark: Declaration) -> dict[str, Any]:
        """The behaviour numbers of the parts that a benchmark uses, and what its keys do not say."""
        settings = benchmark.settings
        assert isinstance(settings, NativeHarness.Settings)
        found: dict[str, Any] = {"behaviours": find_behaviours(settings)}
        scorers = checks.scorers_of(settings)
        if "math" in scorers or checks.has_record_scorer(settings):
            found["math-verify"] = find_version()
        if settings.sql is not None:
            from evalmake.harnesses.native.sql_query import find_version as find_duckdb_version

            found["duckdb"] = find_duckdb_version()
        if settings.normalize == ():
            found["normalize"] = "nothing"  # an empty list counts as left out
        # The key that version 0.1.0 had; with its default, results of scorers that have not changed stay valid.
        return found | {"ignore_case": settings.normalize is None or "case" in settings.normalize}

    @staticmethod
    def claims_key(key: str, value: object) -> bool:
        """Whether `image` names a picture by a field of the record, and not a container image."""
        return key == "image" and isinstance(value, str) and is_template(value)

    @staticmethod
    def describe_named_files(benchmark: Declaration) -> str:
        """The keys by which records name pictures and clips, as JSON."""
        settings = benchmark.settings
        assert isinstance(settings, NativeHarness.Settings)
        keys = {key: getattr(settings, key) for key in ("messages", "image", "audio", "sql", "where", "fields")}
        given = {key: value for key, value in keys.items() if value}
        return json.dumps(given, ensure_ascii=False) if given.keys() - {"sql", "where", "fields"} else ""

    @staticmethod
    def find_named_files(benchmark: Declaration, file: Path) -> list[str]:
        """The pictures and clips that the records of a data file name."""
        from evalmake.harnesses.native.question_content import find_named_files

        return find_named_files(json.loads(NativeHarness.describe_named_files(benchmark)), file)

    @staticmethod
    def hub_selection(benchmark: Declaration) -> Selection | None:
        """The split of the hub's data set that a benchmark asks."""
        settings, dataset = benchmark.settings, benchmark.block.dataset
        assert isinstance(settings, NativeHarness.Settings)
        return Selection.of(dataset, settings.config, settings.split) if isinstance(dataset, str) else None

    @staticmethod
    def share_metrics(benchmark: Declaration) -> tuple[str, ...]:
        """Those of evalmake's own scorers; a Python scorer or a judge may use any scale."""
        assert isinstance(benchmark.settings, NativeHarness.Settings)
        scorer = benchmark.settings.scorer or ""
        checked = () if benchmark.settings.checks is None else (PASSED,)
        if isinstance(scorer, tuple):
            first = () if scorer[:1] in ((), ("python",), ("judge",)) else (HEADLINE,)
            return (*first, *checked, *(name for name in scorer if name not in ("python", "judge")))
        if scorer in ("python", "judge") or is_template(scorer):
            return checked
        return (HEADLINE, *checked, "accuracy", "f1")

    @staticmethod
    def judge_parameters(benchmark: Declaration, judge: Declaration) -> dict[str, Any]:
        """Those of the requests for a verdict."""
        from evalmake.harnesses.native.judge import find_parameters

        assert isinstance(benchmark.settings, NativeHarness.Settings)
        return find_parameters(benchmark.settings.judge_format or "text", judge.block.api)

    def command(self, evaluation: Evaluation) -> Command:
        """Build `python -m evalmake.harnesses.native task.json`, with the data files."""
        inputs: dict[str, Path] = {}

        def add_input(file: File, folder: str) -> str:
            name = f"{folder}/{file.name}"
            inputs[name] = file.path
            return name

        task = make_task(evaluation, add_input)
        files = {"task.json": dump_task(task)}
        return Command(("{python}", "-P", "-m", "evalmake.harnesses.native", "task.json"), files, inputs)

    @staticmethod
    def score_again(command: Command, samples: str) -> Command:
        """Name the stored samples in the task file."""
        task = {**json.loads(command.files["task.json"]), "samples": samples}
        return replace(command, files={**command.files, "task.json": dump_task(task)})

    @staticmethod
    def check_data(evaluation: Evaluation) -> list[DataError | DataNote]:
        """Read the data files as the evaluation would, and return what it would refuse, or what is worth a note."""
        from evalmake.harnesses.native.data_check import check_data

        task = make_task(evaluation, lambda file, folder: str(file.path))
        return check_data(json.loads(json.dumps(task)), evaluation.model.block.api, evaluation.limit)

    def outcome(self, evaluation: Evaluation, outputs: Path, status: int) -> Outcome:
        """Read `scores.json`; on failure, the first `error:` line of its log."""
        if status not in (0, NONE_SCORED):
            return Outcome(error=_read_error_line(outputs.parent / "log") or f"exit status {status}")
        return read_scores(outputs / "scores.json", evaluation.benchmark.block.metric)

    def contradict_data(
        self, evaluation: Evaluation, model: str, rows: Sequence[Mapping[str, Any]]
    ) -> Iterable[SampleContradiction]:
        """Compare samples with the records that the data, `where` and the limit ask for."""
        from evalmake.harnesses.native.expected_samples import contradict_data

        with self._place_task(evaluation, model) as asked:
            return list(contradict_data(asked, rows))

    def recount(self, evaluation: Evaluation, rows: Sequence[Mapping[str, Any]], metric: str) -> Outcome:
        """Aggregate samples as a run does."""
        from evalmake.harnesses.native.expected_samples import recount

        assert isinstance(evaluation.benchmark.settings, NativeHarness.Settings)
        with self._place_task(evaluation, "") as asked:
            found = recount(asked, rows, metric, evaluation.benchmark.settings.checks is not None)
        return parse_scores(found["scores"], found["metric"], found["usage"])

    @contextmanager
    def _place_task(self, evaluation: Evaluation, model: str) -> Iterator[AskedTask]:
        """The task as a job finds it, with links in place of copies of its files."""
        from evalmake.harnesses.native.expected_request import RequestSettings, to_plain
        from evalmake.harnesses.native.expected_samples import AskedTask

        command = self.command(evaluation)
        with TemporaryDirectory(prefix="evalmake-task-") as name:
            folder = Path(name)
            for place, source in command.inputs.items():
                (folder / place).parent.mkdir(parents=True, exist_ok=True)
                (folder / place).symlink_to(source.absolute())
            (folder / "task.json").write_text(command.files["task.json"], encoding="utf-8")
            api, limit = evaluation.model.block.api, evaluation.limit
            stops = evaluation.variant.stop_rule is not None
            params, step = to_plain(dict(evaluation.params)), find_seed_step(evaluation)
            how = RequestSettings(api, model, params, evaluation.seed, step)
            yield AskedTask(folder / "task.json", how, limit, stops)


def _read_error_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return errors[0] if errors else (lines[-1] if lines else "")
