"""What an evaluation is declared with from Python: the Evalfile's kinds, with the Evalfile's keys.

A text stands for whatever its key takes: a text, a name (`api="completions"`), a duration ("90s"),
a size ("16GiB"), a share ("95%"), or the path of a file ("data/*.jsonl" for several), which is
relative to the folder that Python works in. A declaration may stand where a name does.
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
    """A secret by name: taken from the environment or the keyring when a job starts, kept nowhere."""
    return SecretRef(name)


@dataclass(frozen=True, init=False, repr=False)
class Declaration:
    """Keys and values of one of the Evalfile's kinds; `None` is a key that is left out."""

    kind: ClassVar[str]
    keys: Mapping[str, Value]

    def __init__(self, **keys: Value) -> None:
        given = {key: value for key, value in keys.items() if value is not None}
        object.__setattr__(self, "keys", given)

    def __repr__(self) -> str:
        given = ", ".join(f"{key}={value!r}" for key, value in self.keys.items())
        return f"{type(self).__name__}({given})"


class Deployment(Declaration):
    """A model server that is started, shared and stopped; `settings` are the engine's own."""

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
            health=health,
            executor=executor,
            resources=resources,
            ready=ready,
            replicas=replicas,
            **settings,
        )


class Model(Declaration):
    """What is evaluated: an endpoint and the model's name there, or a deployment of our own."""

    kind = "model"

    def __init__(
        self,
        *,
        endpoint: str | None = None,
        name: str | None = None,
        api: Api | None = None,
        deployment: Deployment | None = None,
        revision: str | None = None,
        adapter: Map | None = None,
        api_key: SecretRef | None = None,
        headers: Map | None = None,
        concurrency: int | None = None,
        rate: str | None = None,
        max_age: str | None = None,
        **unknown: Never,
    ) -> None:
        super().__init__(
            endpoint=endpoint,
            name=name,
            api=api,
            deployment=deployment,
            revision=revision,
            adapter=adapter,
            api_key=api_key,
            headers=headers,
            concurrency=concurrency,
            rate=rate,
            max_age=max_age,
            **unknown,
        )


class Benchmark(Declaration):
    """What it is measured by; `settings` are the harness's own, as `prompt` and `scorer`."""

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
        params: Map | None = None,
        adapter: Map | None = None,
        metric: str | None = None,
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
            params=params,
            adapter=adapter,
            metric=metric,
            **settings,
        )


class Executor(Declaration):
    """Where evaluations run; `settings` are the backend's own."""

    kind = "executor"

    def __init__(self, *, backend: str, slots: int | None = None, env: Map | None = None, **settings: Value) -> None:
        super().__init__(backend=backend, slots=slots, env=env, **settings)


class Eval(Declaration):
    """One evaluation: what `evaluate` is given."""

    kind = "eval"
