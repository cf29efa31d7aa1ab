"""Declarations from Python: the Evalfile's kinds, with the Evalfile's keys.

A text means what its key takes: a text, a name (`api="completions"`), a duration ("90s"),
a size ("16GiB"), a share ("95%"), or the path of a file ("data/*.jsonl" for several), which is
relative to Python's working folder. A declaration can stand where the Evalfile has a name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Never, Union

from evalmake.language.values import SecretRef

Api = Literal["chat", "completions", "embeddings", "vlm"]
Value = Union[None, bool, int, float, str, Path, SecretRef, "Declaration", Sequence["Value"], Mapping[str, "Value"]]
Map = Mapping[str, Value]


def secret(name: str) -> SecretRef:
    """A secret by name. It is read from the environment or the keyring when a job starts, and stored nowhere."""
    return SecretRef(name)


@dataclass(frozen=True, init=False, repr=False)
class Declaration:
    """Keys and values of one of the Evalfile's kinds; a key with the value `None` is left out."""

    kind: ClassVar[str]
    keys: Mapping[str, Value]

    def __init__(self, **keys: Value) -> None:
        given = {key: value for key, value in keys.items() if value is not None}
        object.__setattr__(self, "keys", given)

    def __repr__(self) -> str:
        given = ", ".join(f"{key}={value!r}" for key, value in self.keys.items())
        return f"{type(self).__name__}({given})"


class Deployment(Declaration):
    """A model server that evalmake starts, shares among evaluations and stops; `settings` are the engine's keys."""

    kind = "deployment"

    def __init__(
        self,
        *,
        engine: str,
        image: str | None = None,
        weights: str | Path | None = None,
        digest: str | None = None,
        args: Map | None = None,
        env: Map | None = None,
        run: str | None = None,
        port: int | None = None,
        served_name: str | None = None,
        health: str | None = None,
        executor: Executor | str | None = None,
        resources: Map | None = None,
        ready: str | None = None,
        replicas: int | None = None,
        **settings: Value,
    ) -> None:
        super().__init__(
            engine=engine,
            image=image,
            weights=weights,
            digest=digest,
            args=args,
            env=env,
            run=run,
            port=port,
            served_name=served_name,
            health=health,
            executor=executor,
            resources=resources,
            ready=ready,
            replicas=replicas,
            **settings,
        )


class Model(Declaration):
    """The model to evaluate: an endpoint and the model's name there, or a deployment."""

    kind = "model"

    def __init__(
        self,
        *,
        endpoint: str | None = None,
        name: str | None = None,
        api: Api | None = None,
        deployment: Deployment | None = None,
        revision: str | None = None,
        params: Map | None = None,
        adapter: Map | None = None,
        api_key: SecretRef | None = None,
        headers: Map | None = None,
        ca: str | Path | None = None,
        verify: bool | None = None,
        concurrency: int | None = None,
        rate: str | None = None,
        price: Map | None = None,
        max_age: str | None = None,
        **unknown: Never,
    ) -> None:
        super().__init__(
            endpoint=endpoint,
            name=name,
            api=api,
            deployment=deployment,
            revision=revision,
            params=params,
            adapter=adapter,
            api_key=api_key,
            headers=headers,
            ca=str(Path(ca).absolute()) if ca is not None else None,
            verify=verify,
            concurrency=concurrency,
            rate=rate,
            price=price,
            max_age=max_age,
            **unknown,
        )


class Benchmark(Declaration):
    """The benchmark to run; `settings` are the harness's keys, such as `prompt` and `scorer`."""

    kind = "benchmark"

    def __init__(
        self,
        *,
        harness: str,
        image: str | None = None,
        packages: Sequence[str] | None = None,
        task: str | None = None,
        fewshot: int | None = None,
        dataset: str | Path | None = None,
        digest: str | None = None,
        files: str | Path | None = None,
        env: Map | None = None,
        params: Map | None = None,
        adapter: Map | None = None,
        metric: str | None = None,
        scale: str | None = None,
        better: str | None = None,
        coverage: float | None = None,
        truncated: float | None = None,
        **settings: Value,
    ) -> None:
        super().__init__(
            harness=harness,
            image=image,
            packages=packages,
            task=task,
            fewshot=fewshot,
            dataset=dataset,
            digest=digest,
            files=files,
            env=env,
            params=params,
            adapter=adapter,
            metric=metric,
            scale=scale,
            better=better,
            coverage=coverage,
            truncated=truncated,
            **settings,
        )


class Executor(Declaration):
    """Where evaluations run; `settings` are the backend's keys."""

    kind = "executor"

    def __init__(
        self,
        *,
        backend: str,
        slots: int | None = None,
        env: Map | None = None,
        price: Map | None = None,
        **settings: Value,
    ) -> None:
        super().__init__(backend=backend, slots=slots, env=env, price=price, **settings)


class Eval(Declaration):
    """One evaluation: the arguments of `evaluate`. Without a model, none is asked."""

    kind = "eval"

    def __init__(self, *, model: Model | None, **keys: Value) -> None:
        super().__init__(**keys)
        object.__setattr__(self, "keys", {"model": model, **self.keys})
