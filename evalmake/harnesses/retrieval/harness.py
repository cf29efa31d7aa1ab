"""The `retrieval` harness: nDCG, recall, MRR and more of a model of embeddings, on data in BEIR's layout."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar

from evalmake.harnesses.own_jobs import read_modules, read_scores_of_samples
from evalmake.harnesses.retrieval.data_set import DataSetError, Parts, find_parts, read_judgements, read_queries
from evalmake.harnesses.task_keys import refuse_dataset, refuse_fewshot
from evalmake.language.diagnostic import Diagnostics
from evalmake.plugin_api.harness import Command, DataError, Outcome, Program
from evalmake.project.declarations import Declaration
from evalmake.project.key_types import Block, Count, Parameters, define_key
from evalmake.project.matrix import Evaluation
from evalmake.project.requirements import HEADLINE as THE_HEADLINE

_JOB = "evalmake.harnesses.retrieval.job"
HEADLINE = "ndcg@10"


class RetrievalHarness:
    """Ranks by embeddings, and judges by trec_eval."""

    class Settings(Block):
        """Retrieval by embeddings, on data in BEIR's layout, judged by trec_eval."""

        split: str = define_key("test", "Whose judgements count: those of `qrels/SPLIT.tsv`.", '"dev"')
        query_prefix: str = define_key("", "A text before each query, where the model wants one.", '"query: "')
        passage_prefix: str = define_key("", "A text before each document.", '"passage: "')
        query_params: Parameters | None = define_key(
            None, "Parameters of requests for queries.", '{ input_type = "query" }'
        )
        passage_params: Parameters | None = define_key(
            None, "Parameters of requests for documents.", '{ input_type = "passage", truncate = "END" }'
        )
        batch: Count = define_key(32, "How many texts a request has.", "8")

    behaviour: ClassVar[int] = 1
    leaves_samples: ClassVar[bool] = True
    needs: ClassVar[str] = ""
    program: ClassVar[Program] = Program("pytrec_eval", "pytrec-eval-terrier==0.5.10")

    @staticmethod
    def share_metrics(benchmark: Declaration) -> tuple[str, ...]:
        """All of them; the headline is the one that is asked for most."""
        return (THE_HEADLINE, HEADLINE)

    def command(self, evaluation: Evaluation) -> Command:
        """Build the job's command; the data set is below `data/`."""
        block, settings = evaluation.benchmark.block, _settings_of(evaluation.benchmark)
        given = {f"data/{file.name}": file.path for file in block.files.files} if block.files else {}
        parts = find_parts(given, settings.split)
        names = asdict(parts) if isinstance(parts, Parts) else {}
        inputs = {name: given[name] for name in names.values()}
        task = {
            "parts": names,
            "query_prefix": settings.query_prefix,
            "passage_prefix": settings.passage_prefix,
            "query_params": settings.query_params or {},
            "passage_params": settings.passage_params or {},
            "batch": settings.batch,
        }
        files = read_modules("evalmake.harnesses.job_requests", "evalmake.harnesses.retrieval.data_set", _JOB)
        files["task.json"] = json.dumps(task, ensure_ascii=False)
        python = "python3" if block.image else "{python}"
        return Command((python, "-m", _JOB), files, inputs)

    def outcome(self, evaluation: Evaluation, outputs: Path, status: int) -> Outcome:
        """Score the samples."""
        return read_scores_of_samples(outputs, status, HEADLINE, evaluation.benchmark.block.metric)

    @staticmethod
    def unused_keys(benchmark: Declaration) -> dict[str, str]:
        """Those of tasks and of texts."""
        return {"task": "the data set is that of `files`", "truncated": "no token limit cuts off a vector"}

    @staticmethod
    def check_benchmark(benchmark: Declaration, diagnostics: Diagnostics) -> None:
        """Check that there are no examples, and no other data."""
        refuse_dataset(benchmark, "the data set is that of `files`", "give its files as `files`", diagnostics)
        refuse_fewshot(benchmark, "retrieval has no examples", "leave it out", diagnostics)

    @staticmethod
    def check_cell(cell: Evaluation, models: Mapping[str, Declaration], diagnostics: Diagnostics) -> None:
        """Check that there is a data set, and that the model serves embeddings."""
        benchmark, about = cell.benchmark, f"eval {cell.eval}"
        names = [file.name for file in benchmark.block.files.files] if benchmark.block.files else []
        parts = find_parts(names, _settings_of(benchmark).split)
        if isinstance(parts, str):
            diagnostics.error(
                "bad-value" if names else "missing-key",
                f"`files` of benchmark `{benchmark.name}`: {parts}" if names else f"`{benchmark.name}` needs `files`",
                benchmark.fields.spans["files",].value if names else cell.span,
                about=about,
                notes=[f"they are {', '.join(names[:5])}"] if names else [],
                help=[f'name the data set: benchmark mine from {benchmark.name} {{ files = glob("scifact/**") }}'],
            )
        if cell.model.block.api != "embeddings":
            diagnostics.error(
                "bad-value",
                f"the retrieval harness asks for embeddings, and model `{cell.model.name}` does not serve them",
                cell.model.fields.spans["api",].value,
                about=about,
                also=[(benchmark.span, "this benchmark runs in the retrieval harness")],
            )

    @staticmethod
    def check_data(evaluation: Evaluation) -> Sequence[DataError]:
        """Read queries and judgements; the corpus may be too long to be read twice."""
        files = {file.name: file.path for file in evaluation.benchmark.block.files.files}
        parts = find_parts(files, _settings_of(evaluation.benchmark).split)
        assert isinstance(parts, Parts)
        try:
            judgements = read_judgements(parts.judgements, files[parts.judgements])
            read_queries(parts.queries, files[parts.queries], judgements)
        except DataSetError as error:
            return [DataError("files", f"{error}")]
        return []


def _settings_of(benchmark: Declaration) -> RetrievalHarness.Settings:
    assert isinstance(benchmark.settings, RetrievalHarness.Settings)
    return benchmark.settings
