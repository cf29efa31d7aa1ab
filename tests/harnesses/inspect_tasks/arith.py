"""Tasks for the tests: sums that the mock server can answer."""

from inspect_ai import Task, task
from inspect_ai.dataset import FieldSpec, json_dataset
from inspect_ai.scorer import accuracy, match, model_graded_qa, stderr
from inspect_ai.solver import generate, system_message


def _questions():
    fields = FieldSpec(input="question", target="answer", metadata=["passage"])
    return json_dataset("arith.jsonl", fields)


@task
def arith(hint="Answer."):
    """Every four questions belong to one passage."""
    return Task(
        dataset=_questions(),
        solver=[system_message(hint), generate()],
        scorer=match(numeric=True),
        metrics=[accuracy(), stderr(cluster="passage"), stderr()],
    )


@task
def graded():
    """The same, graded by a model; the solver has parameters of its own."""
    return Task(dataset=_questions(), solver=generate(temperature=0.6, top_p=0.5, seed=5), scorer=model_graded_qa())
