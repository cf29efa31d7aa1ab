"""The kinds of an Evalfile and their keys, with what `evalmake help` says of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from evalmake.language.values import Digest, Duration, Files, SecretRef, Size, Template
from evalmake.project.adapter import Adapter
from evalmake.project.key_types import (
    Arguments,
    Block,
    Confidence,
    Count,
    Endpoint,
    Environment,
    ExecutorName,
    FolderName,
    MachinePrice,
    ModelName,
    ModelPrice,
    Natural,
    Parameters,
    Precision,
    Rate,
    Real,
    Reference,
    Repeats,
    Texts,
    Weights,
    Word,
    define_key,
    to_word,
)
from evalmake.project.report_schema import Report

Api = Literal["chat", "completions", "embeddings", "vlm"]
Scale = Literal["share", "percent", "points"]
Direction = Literal["higher", "lower"]

_NO_IMAGE = "no container"
_ENVIRONMENT = "map of texts, numbers and secrets"
_HEADERS = "map of texts and secrets"


class Resources(Block):
    """What one job asks of its executor."""

    cpus: Real | None = define_key(None, "How many processors the job gets.", "4", unset="the executor decides")
    memory: Size | None = define_key(None, "How much memory the job gets.", "16GiB", unset="the executor decides")
    gpus: Natural | None = define_key(None, "How many GPUs the job has to itself.", "1", unset="none")
    disk: Size | None = define_key(None, "How much disk the job gets.", "100GiB", unset="the executor decides")


class Executor(Block):
    """Where evaluations and model servers run."""

    backend: Word = define_key(..., "The plugin that runs the jobs.", "docker", type="name of an installed executor")
    slots: Count | None = define_key(None, "How many jobs of one build run at the same time.", "8", unset="no limit")
    env: Environment = define_key(
        {}, "Environment variables of every job.", '{ HF_TOKEN = secret("HF_TOKEN") }', type=_ENVIRONMENT
    )
    price: MachinePrice = define_key(
        {},
        "What its machines cost: an hour of one GPU, or of a machine of a shape. A change of it runs nothing again.",
        "{ gpu = $2.50/h }",
        type="map of prices",
        unset="unknown",
    )


class Deployment(Block):
    """A model server that evalmake starts, shares among evaluations, and stops."""

    engine: Word = define_key(
        ..., "The plugin that starts the server.", "vllm", identity=True, type="name of an installed engine"
    )
    image: str | None = define_key(
        None, "The container image of the server.", '"vllm/vllm-openai:v0.11.0"', identity=True, unset=_NO_IMAGE
    )
    weights: Weights = define_key(
        None,
        "The model's weights: files, a path, or an address that the engine can fetch.",
        '"hf://Qwen/Qwen2.5-7B-Instruct@a09a354"',
        identity=True,
    )
    digest: Digest | None = define_key(
        None, "The digest of weights that are not files here.", f"sha256:{'9b' * 32}", identity=True
    )
    args: Arguments = define_key(
        {}, "The server's own command-line arguments.", "{ max-model-len = 8192 }", identity=True, type="map"
    )
    env: Environment = define_key(
        {},
        "Environment variables of the server; secrets in it are not part of the identity.",
        '{ VLLM_LOGGING_LEVEL = "DEBUG" }',
        identity=True,
        type=_ENVIRONMENT,
    )
    run: str | None = define_key(
        None, "The shell command that starts the server, for `engine = command`.", "'python3 serve.py'", identity=True
    )
    served_name: str | None = define_key(
        None,
        "The model's id in requests to the server; harnesses see it, too.",
        '"meta/llama-3.1-8b-instruct"',
        identity=True,
        unset="the name of the deployment",
    )
    port: int | None = define_key(None, "The port that the server listens on.", "8000", unset="a free port")
    health: str | None = define_key(
        None, "The path that answers 200 once the server is ready.", '"/health"', unset="the engine's own"
    )
    executor: ExecutorName = define_key("local", "Where the server runs.", "gpu")
    resources: Resources = define_key(Resources(), "What the server needs.", "{ gpus = 1 }")
    ready: Duration = define_key(Duration(300.0, "5m"), "How long the server may take until it is ready.", "20m")
    replicas: Count = define_key(1, "How many servers share the requests.", "2")


class Model(Block):
    """What is evaluated: an endpoint, or a deployment of your own."""

    api: Annotated[Api, BeforeValidator(to_word)] = define_key(
        "chat", "The kind of API that the model answers.", "completions", identity=True
    )
    name: str | None = define_key(
        None,
        "The model's id in requests.",
        '"nvidia/nvidia-nemotron-nano-9b-v2"',
        identity=True,
        unset="the name of its deployment",
    )
    endpoint: Endpoint | None = define_key(
        None,
        "The base URL of the API, with its query if it has one; a model has this or `deployment`.",
        '"http://127.0.0.1:8000/v1"',
        identity=True,
    )
    deployment: Annotated[Word, Reference("deployment")] | None = define_key(
        None, "The deployment that serves the model; a model has this or `endpoint`.", "llama", identity=True
    )
    revision: str | None = define_key(
        None,
        "The version of a hosted model; when you change it, everything runs again.",
        '"2025-11-03"',
        identity=True,
    )
    params: Parameters = define_key(
        {},
        "Request parameters, for a benchmark or an eval that says nothing else.",
        "{ temperature = 0.6 }",
        identity=True,
        type="map",
    )
    adapter: Adapter = define_key(
        Adapter(), "What the gateway does to this model's requests.", "{ strip_reasoning = true }", identity=True
    )
    api_key: SecretRef | None = define_key(
        None, "The key of the endpoint; only the gateway sees it.", 'secret("NGC_API_KEY")', unset="no key"
    )
    headers: dict[str, str | SecretRef] = define_key(
        {},
        "HTTP headers of every request; secrets in it are not part of the identity.",
        '{ "X-Route" = "blue" }',
        identity=True,
        type=_HEADERS,
    )
    ca: str | Files | None = define_key(
        None,
        "A PEM file of certificates to trust beside the system's; a path is relative to the Evalfile.",
        'file("corporate-ca.pem")',
        unset="the system's certificates alone",
    )
    verify: bool = define_key(
        True, "Whether the gateway checks the certificate of the endpoint; `false` trusts anyone in between.", "false"
    )
    concurrency: Count | None = define_key(
        None, "How many requests the model gets at the same time.", "16", unset="the harness decides"
    )
    rate: Rate | None = define_key(
        None, "How many requests the model gets per second, minute, hour or day.", '"60/m"', unset="no limit"
    )
    price: ModelPrice = define_key(
        {},
        "What a million tokens cost: `in`, `out`, `cached` (else as `in`) and `reasoning` (else as `out`)."
        " A change of it runs nothing again.",
        "{ in = $0.15/Mtok, out = $0.60/Mtok }",
        type="map of prices",
        unset="unknown",
    )
    max_age: Duration | None = define_key(
        None, "How old a result may be before it is stale, for hosted models that change.", "30d", unset="any age"
    )


class Benchmark(Block):
    """What a model is measured by; the harness adds keys of its own."""

    harness: Word = define_key(
        ..., "The plugin that runs the benchmark.", "lm-eval", identity=True, type="name of an installed harness"
    )
    image: str | None = define_key(
        None, "The container image that has the harness.", '"acme/evals:1"', identity=True, unset=_NO_IMAGE
    )
    packages: Texts | None = define_key(
        None, "The Python packages that evalmake installs for it.", '["lm-eval[api]==0.4.13"]', identity=True
    )
    task: str | None = define_key(None, "The harness's own name of the task.", '"gsm8k"', identity=True)
    fewshot: Natural | None = define_key(
        None, "How many worked examples each prompt holds.", "5", identity=True, unset="the task decides"
    )
    dataset: str | Files | None = define_key(
        None, "The data that the task reads.", '"hf://TIGER-Lab/MMLU-Pro@3373e0b"', identity=True
    )
    digest: Digest | None = define_key(
        None, "The digest of a dataset that is not a file here.", f"sha256:{'0d' * 32}", identity=True
    )
    files: Files | None = define_key(
        None, "Your own data or programs; their contents are the identity.", 'glob("data/*.jsonl")', identity=True
    )
    env: Environment = define_key(
        {},
        "Environment variables of its jobs, beside those of the executor; secrets in it are not part of the identity.",
        '{ HF_TOKEN = secret("TOKEN_FOR_GPQA"), OMP_NUM_THREADS = 4 }',
        identity=True,
        type=_ENVIRONMENT,
    )
    params: Parameters = define_key(
        {},
        "Request parameters; they beat those of the model, and an eval's `params` beat them.",
        "{ temperature = 0.0 }",
        identity=True,
        type="map",
    )
    adapter: Adapter = define_key(
        Adapter(), "What the gateway does to this benchmark's requests.", '{ drop = ["stop"] }', identity=True
    )
    metric: str | None = define_key(
        None, "The metric that reports show first.", '"exact_match"', unset="the harness's only or main metric"
    )
    scale: Annotated[Scale, BeforeValidator(to_word)] | None = define_key(
        None,
        "The scale of that metric: `share` from 0 to 1, `percent` from 0 to 100, `points` for any other.",
        "percent",
        unset="the scores tell",
    )
    better: Annotated[Direction, BeforeValidator(to_word)] | None = define_key(
        None, "Which values of that metric are better, `higher` or `lower`, for readers of reports.", "lower"
    )
    coverage: Real = define_key(
        1.0,
        "The share of items that must have a score; a result with fewer is not valid.",
        "0.95",
        ge=0,
        le=1,
    )
    truncated: Real = define_key(
        0.5,
        "The share of replies that a token limit may cut off; a result with more is not valid.",
        "0.1",
        ge=0,
        le=1,
    )


class Eval(Block):
    """Models times benchmarks: one evaluation for each cell of the matrix."""

    model: ModelName | None = define_key(
        ...,
        "The model to evaluate, or `none` where no model is asked; `model in [a, b]` makes an axis.",
        "nemotron",
        identity=True,
    )
    benchmark: Annotated[Word, Reference("benchmark")] = define_key(
        ...,
        "The benchmark to run; `benchmark in [a, b]` makes an axis, and `fewshot in [0, 5]` one over a key of it.",
        "gsm8k",
        identity=True,
    )
    seed: Natural = define_key(0, "The seed of sampling; `seed in 1..3` makes three runs.", "1", identity=True)
    limit: Count | None = define_key(None, "How many items are asked.", "100", identity=True, unset="all items")
    repeats: Repeats = define_key(
        1,
        "How many samples of each item are taken, each with a seed of its own; metrics such as `pass@5` are of all.",
        "5",
        identity=True,
    )
    weights: FolderName = define_key(
        None,
        "The folders whose weights the model's deployment serves, one after the other: always an axis.",
        'glob("checkpoints/*/")',
        identity=True,
        type="axis over folders",
        unset="the weights of the deployment",
    )
    params: Parameters = define_key(
        {},
        "Request parameters; `params.NAME in [...]` makes an axis.",
        "{ temperature = 0.7 }",
        identity=True,
        type="map",
    )
    adapter: Adapter = define_key(
        Adapter(),
        "What the gateway does to requests; `adapter.KEY` can be an axis.",
        "{ reseed = true }",
        identity=True,
    )
    executor: ExecutorName = define_key("local", "Where the evaluations run.", "cluster")
    resources: Resources = define_key(Resources(), "What each evaluation needs.", "{ cpus = 2 }")
    timeout: Duration = define_key(Duration(3600.0, "1h"), "How long one attempt may take.", "2h")
    retries: Natural = define_key(0, "How often a failed evaluation is tried again.", "2")
    confidence: Confidence | None = define_key(
        None,
        "With this, a gate compares the one-sided bound of the score at this confidence, not the score.",
        "95%",
        type="percent",
        unset="that of `settings`",
    )
    until: Annotated[Literal["decided"], BeforeValidator(to_word)] | None = define_key(
        None,
        "With `decided`, items are asked in a random order until each gate is met, or not, at the confidence.",
        "decided",
        identity=True,
        type="`decided`",
        unset="all items are asked",
    )
    precision: Precision | None = define_key(
        None,
        "Items are asked in a random order until half the width of the interval is at most this.",
        "2%",
        identity=True,
        type="percent",
        unset="all items are asked",
    )


KINDS: Mapping[str, type[Block]] = {
    "model": Model,
    "deployment": Deployment,
    "benchmark": Benchmark,
    "eval": Eval,
    "executor": Executor,
    "report": Report,
}

# kind -> (the key that chooses the plugin, its entry point group, what a person calls it)
PLUGIN_KINDS: Mapping[str, tuple[str, str, str]] = {
    "executor": ("backend", "executors", "backend"),
    "deployment": ("engine", "engines", "engine"),
    "benchmark": ("harness", "harnesses", "harness"),
    "report": ("format", "exporters", "format"),
}

AXIS_KEYS = ("model", "benchmark", "seed", "limit", "weights")


def fill_templates(value: Any, axes: dict[str, object]) -> Any:
    """`value` with the axis values of one cell in its texts."""
    match value:
        case Template():
            return value.fill(axes)
        case dict():
            return {key: fill_templates(item, axes) for key, item in value.items()}
        case tuple() | list():
            return tuple(fill_templates(item, axes) for item in value)
    return value
