"""A task whose scores are of any model, however little it knows: the share of digits in a reply."""

from inspect_ai import Task, task
from inspect_ai.dataset import FieldSpec, json_dataset
from inspect_ai.scorer import Score, mean, scorer, stderr
from inspect_ai.solver import generate


@scorer(metrics=[mean(), stderr()])
def share():
    """Digits among all characters."""

    async def score(state, target):
        text = state.output.completion
        return Score(value=sum(c in "0123456789" for c in text) / max(len(text), 1))

    return score


@task
def digits():
    """Questions that need no right answer."""
    return Task(
        dataset=json_dataset("arith.jsonl", FieldSpec(input="question")),
        solver=generate(),
        scorer=share(),
    )
