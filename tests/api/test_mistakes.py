"""Mistakes in the arguments are an Evalfile's diagnostics, and name the argument."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import evalmake
from tests.support.workspaces import Bench

Ask = Callable[..., evalmake.Result]


def model(**keys: Any) -> evalmake.Model:
    """A model at an address that nobody asks."""
    return evalmake.Model(**({"endpoint": "http://127.0.0.1:9/v1", "name": "m"} | keys))


def native(**keys: Any) -> evalmake.Benchmark:
    """A benchmark of sums."""
    usual = {"harness": "native", "files": "sums.jsonl", "prompt": "{question}"}
    return evalmake.Benchmark(**(usual | {"target": "{answer}", "scorer": "number"} | keys))


def mock(**args: Any) -> evalmake.Model:
    """A stand-in."""
    return evalmake.Model(deployment=evalmake.Deployment(engine="mock", args=args))


MISTAKES: dict[str, tuple[dict[str, Any], str, str]] = {
    "a key of the eval": ({"timeot": "1h"}, "unknown-key", "timeot"),
    "a key of the model": ({"model": model(concurency=2)}, "unknown-key", "model.concurency"),
    "a key of the harness": ({"benchmark": native(promt="x")}, "unknown-key", "benchmark.promt"),
    "a key of the engine": ({"model": mock(skil=1)}, "unknown-key", "model.deployment.args"),
    "a key that is none": ({"benchmark": native(Prompt="x")}, "unknown-key", ""),
    "a key that is a statement": ({"benchmark": native(skip="x")}, "unknown-key", ""),
    "a missing key": ({"benchmark": native(prompt=None)}, "missing-key", "benchmark"),
    "a missing name": ({"model": model(name=None)}, "missing-key", "model"),
    "a type": ({"benchmark": native(fewshot="five")}, "wrong-type", "benchmark.fewshot"),
    "a duration": ({"timeout": "soon"}, "wrong-type", "timeout"),
    "a size": ({"resources": {"memory": "much"}}, "wrong-type", "resources"),
    "a word": ({"model": model(api="chatt")}, "unknown-word", "model.api"),
    "a range": ({"retries": -1}, "bad-value", "retries"),
    "a rate": ({"model": model(rate="often")}, "bad-value", "model.rate"),
    "a harness": ({"benchmark": native(harness="nativ")}, "unknown-plugin", "benchmark.harness"),
    "a harness's words": ({"benchmark": native(harness="LM Eval")}, "quoted-name", "benchmark.harness"),
    "an executor": ({"executor": "slurm"}, "unknown-name", "executor"),
    "a file": ({"benchmark": native(files="sum.jsonl")}, "missing-file", "benchmark.files"),
    "files": ({"benchmark": native(files="*.csv")}, "missing-file", "benchmark.files"),
    "an api": ({"model": model(api="embeddings")}, "bad-value", "model.api"),
    "a scorer": ({"benchmark": native(scorer="bleu")}, "unknown-word", "benchmark.scorer"),
    "a requirement": ({"require": "accuracy => 1"}, "bad-comparison", "require"),
    "requirements": ({"require": {"accuracy": 1}}, "wrong-type", ""),
    "a metric": ({"require": "acuracy >= 1"}, "bad-value", "require"),
    "a secret": ({"params": {"user": evalmake.secret("X")}}, "secret-place", "params"),
    "no number": ({"params": {"temperature": float("nan")}}, "wrong-type", ""),
    "an object": ({"params": {"stop": {"a", "b"}}}, "wrong-type", ""),
    "a key of a map": ({"params": {3: 1}}, "wrong-type", ""),
    "both": ({"model": model(deployment=mock().keys["deployment"])}, "bad-value", "model.deployment"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_names_its_argument(what: str, bench: Bench) -> None:
    """A mistake has a code, shows the line and names the argument; nothing is written."""
    keys, code, argument = MISTAKES[what]
    bench.sums()
    with pytest.raises(evalmake.EvalmakeError) as caught:
        evalmake.evaluate(**({"model": mock(skill=1.0), "benchmark": native()} | keys))
    said = str(caught.value)
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {code}, said
    assert re.search(rf"^error: .* \[{code}\]$", said, re.M)
    assert re.findall("the argument is `(.*)`", said) == ([argument] if argument else []), said
    assert argument == "" or " --> evaluate(...):" in said
    assert bench.attempts() == []


def test_all_mistakes_are_reported_together(bench: Bench) -> None:
    """Two mistakes are two diagnostics, as on the command line."""
    bench.sums()
    with pytest.raises(evalmake.EvalmakeError) as caught:
        evalmake.evaluate(mock(skill=1.0), native(fewshots=5, promt="x"))
    assert len(caught.value.diagnostics) == 2
    assert "2 errors; for more about one: evalmake explain unknown-key" in str(caught.value)


def test_the_traceback_shows_the_call(bench: Bench) -> None:
    """The traceback ends at the call, without frames of evalmake."""
    with pytest.raises(evalmake.EvalmakeError) as caught:
        evalmake.evaluate(mock(), native(files="none.jsonl"))
    assert len(caught.traceback) < 5
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_key_given_as_text_is_not_printed(bench: Bench) -> None:
    """The message for an API key given as text does not contain the text."""
    with pytest.raises(evalmake.EvalmakeError) as caught:
        evalmake.evaluate(model(api_key="sesame-open-9"), native())
    said = str(caught.value)
    assert "`model.api_key` takes a secret, but this is a text [secret-place]" in said
    assert "sesame" not in said
    assert not (bench.root / ".evalmake").exists()
