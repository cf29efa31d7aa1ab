"""`adapter = { ... }` on a model, a benchmark and an eval: its effects, and which changes make a result stale."""

from __future__ import annotations

from pathlib import Path

from tests.run.request_evalfiles import ASKED, model
from tests.support.http_replies import numbered_replies
from tests.support.mock_servers import mock_server, read_stats
from tests.support.scripted_upstream import Upstream
from tests.support.workspaces import SUMS, Bench


def test_interceptors_from_model_benchmark_and_eval(bench: Bench) -> None:
    """Adapters merge in this order, maps included: model, benchmark, eval."""
    upstream = Upstream(numbered_replies(lambda at: "<think>hm</think>7"))
    bench.evalfile(
        model(
            upstream.url,
            'adapter = { system = "of the model", params = { a = 1, b = 1 }, strip_reasoning = true }',
        ),
        SUMS.replace("harness =", "adapter = { params = { b = 2, c = 2 } }\n harness ="),
        ASKED.replace("model ", 'adapter = { system = "of the eval", params = { c = 3 } }\n model '),
    )
    bench.sums(1)
    assert bench.run().status == 0

    (body,) = upstream.bodies
    assert {key: body[key] for key in "abc"} == {"a": 1, "b": 2, "c": 3}
    assert body["messages"][0] == {"role": "system", "content": "of the eval"}
    (attempt,) = bench.attempts()
    assert "gateway/reasoning.jsonl" in {output.name for output in attempt.outputs}
    assert attempt.usage["reasoned"] == 1


def test_params_of_an_eval_beat_the_adapter_of_a_model(bench: Bench) -> None:
    """What is sent is the eval's value, though the gateway has another from the model; a result before is stale."""
    upstream = Upstream(numbered_replies(lambda at: "7"))
    bench.evalfile(
        model(upstream.url, "adapter = { params = { max_tokens = 10, top_k = 5 } }"),
        SUMS,
        ASKED.replace("model ", "params = { max_tokens = 30 }\n model "),
    )
    bench.sums(1)
    assert bench.run().status == 0
    (body,) = upstream.bodies
    assert (body["max_tokens"], body["top_k"]) == (30, 5)


def test_a_changed_adapter(bench: Bench, tmp_path: Path) -> None:
    """A change that affects requests or scores makes an evaluation stale; timeouts, logs and the cache do not."""
    with mock_server({"skill": 1.0}, tmp_path / "mock-port") as mock:
        bench.evalfile(model(f"{mock}/v1", "adapter = { retry = 2 }"), SUMS, ASKED)
        bench.sums(5)
        assert bench.run().status == 0
        before = read_stats(mock)["requests"]

        bench.edit("retry = 2", "retry = 3, log = 4, timeout = 9s, cache = false, client_errors = true")
        assert "nothing to do" in bench.run().out
        bench.edit("retry = 3", "strip_reasoning = true")
        bench.edit("cache = false, ", "")
        said = bench.run("-n", "-v").out
        assert "model.adapter.strip_reasoning" in said
        assert "model.adapter.behaviour" in said  # results are stale when reasoning is read in another way
        assert bench.run().status == 0
        # the requests are the same: their replies were had
        assert read_stats(mock)["requests"] == before
