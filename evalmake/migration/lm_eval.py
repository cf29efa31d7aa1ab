"""A command line of lm-eval, or a file of its `--config`, as an Evalfile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalmake.language.diagnostic import closest_name, make_error
from evalmake.language.values import SecretRef, Symbol, format_value
from evalmake.migration.arguments import read_arguments, read_pairs
from evalmake.migration.configuration import Configuration
from evalmake.migration.draft import Block, Draft, Expression, Item, guard_secret, to_name, write_seconds
from evalmake.migration.hydra import merge
from evalmake.migration.run_settings import strip_route
from evalmake.migration.yaml_file import Document, Node, read_document

PACKAGES = ["lm-eval[api]==0.4.13"]
_SERVER = ["vllm==0.11.0"]
_ON = "the record holds it"
_CACHE = "replies are cached in the workspace; evalmake reuses them by itself"
_NO_PLACE = {
    "batch_size": "a server batches by itself; `concurrency` is the number of requests at a time",
    "max_batch_size": "a server batches by itself",
    "device": "a server chooses its device; `resources = { gpus = N }` reserves GPUs",
    "output_path": "results are in the store; a `report` block writes files",
    "log_samples": "samples are always kept",
    "use_cache": _CACHE,
    "cache_requests": _CACHE,
    "samples": "evalmake asks all items, or the first of them: `limit`",
    "check_integrity": "lm-eval's own tests are not run",
    "write_out": "`log = 2` in an adapter keeps requests in the record",
    "predict_only": "every evaluation is scored",
    "show_config": _ON,
    "verbosity": "`evalmake logs` shows the harness's log",
    "wandb_args": "reports are files: markdown, json, in-toto",
    "wandb_config_args": "reports are files: markdown, json, in-toto",
    "trackio_args": "reports are files: markdown, json, in-toto",
    "hf_hub_log_args": "reports are files: markdown, json, in-toto",
    "trust_remote_code": "data sets with code of their own are not run",
    "apply_chat_template": "the server applies its template where the API is chat",
}
_MAPS = ("model_args", "gen_kwargs", "metadata", "wandb_args", "wandb_config_args", "hf_hub_log_args", "trackio_args")
_FLAGS: Mapping[str, str] = {
    "config": "one",
    "tasks": "many",
    "model": "one",
    **dict.fromkeys(_MAPS, "many"),
    "apply_chat_template": "maybe",
    **dict.fromkeys(("limit", "use_cache", "num_fewshot", "batch_size", "max_batch_size", "device"), "one"),
    **dict.fromkeys(("output_path", "samples", "system_instruction", "include_path", "verbosity", "seed"), "one"),
    **dict.fromkeys(("log_samples", "check_integrity", "write_out", "show_config", "predict_only"), "flag"),
    **dict.fromkeys(("trust_remote_code", "confirm_run_unsafe_code"), "flag"),
    "cache_requests": "maybe",
    "fewshot_as_multiturn": "maybe",
}
_SHORT = {
    "C": "config",
    "t": "tasks",
    "M": "model",
    "a": "model_args",
    "L": "limit",
    "c": "use_cache",
    "f": "num_fewshot",
    "b": "batch_size",
    "o": "output_path",
    "s": "log_samples",
    "E": "samples",
    "v": "verbosity",
    "w": "write_out",
    "x": "predict_only",
}
_APIS = {
    "local-chat-completions": "chat",
    "openai-chat-completions": "chat",
    "local-completions": "completions",
    "openai-completions": "completions",
}
_SERVED = ("hf", "hf-auto", "huggingface", "vllm", "sglang")
_OF_BENCHMARKS = ("tokenizer", "tokenizer_backend", "tokenized_requests", "max_length", "think_end_token")
_SAMPLING = {"max_gen_toks": "max_tokens", "max_new_tokens": "max_tokens", "until": "stop"}


def translate_command(words: Sequence[str]) -> Draft:
    """The Evalfile for the words after `lm_eval`, with or without `run`."""
    root = read_arguments([word for at, word in enumerate(words) if at or word != "run"], _FLAGS, _SHORT)
    values: dict[str, Node] = root.value
    for name in _MAPS:
        if name in values:
            values[name] = Node(read_pairs(values[name].plain(), values[name]), values[name].span)
    document = Document(Node({}))
    if "config" in values:
        document = read_document(Path(str(values.pop("config").value)))
    return _translate(Document(merge(document.root, root), document.header), "the command line")


def translate_file(document: Document, path: Path) -> Draft:
    """The Evalfile for a file of `--config`."""
    return _translate(document, path.name)


def _translate(document: Document, origin: str) -> Draft:
    configuration, draft = Configuration(document.root), Draft(origin, list(document.header))
    for key, node in document.root.value.items():
        if key not in _FLAGS:
            meant = closest_name(key, _FLAGS)
            message = f"lm-eval has no argument `{key}`"
            raise make_error("bad-config", message, node.span, help=[f"did you mean `{meant}`?"] if meant else [])
        if key in _MAPS and isinstance(node.value, str):
            document.root.value[key] = Node(read_pairs([node.value], node), node.span)
    _LmEval(configuration, draft).translate()
    return draft


@dataclass(slots=True)
class _LmEval:
    configuration: Configuration
    draft: Draft
    adapter: dict[str, Any] = field(default_factory=dict)
    benchmark: dict[str, Any] = field(default_factory=dict)

    def translate(self) -> None:
        tasks = self._list_tasks()
        model = self._write_model()
        names = self._write_benchmarks(tasks)
        block = self.draft.block("eval", self.draft.name("eval", f"{model}-scores"))
        block.set("model", Symbol(model))
        block.set("benchmark", names if len(names) > 1 else names[0], "in" if len(names) > 1 else "=")
        self._write_seed(block)
        self._write_limit(block)
        block.set("params", self._read_params())
        if system := self._item("system_instruction"):
            self.adapter["system"] = system
        block.set("adapter", self.adapter)
        block.set("timeout", Expression("7d"))
        for path, node in self.configuration.unread():
            key = path.partition(".")[0]
            self.draft.note(
                path if key not in _NO_PLACE else key, _NO_PLACE.get(key, "evalmake has no key for it"), node
            )

    def _item(self, path: str) -> Item | None:
        node = self.configuration.find(path)
        return Item(self.draft.resolve(self.configuration.read(node, path)), node) if node else None

    def _list_tasks(self) -> list[tuple[str, Node]]:
        node = self.configuration.find("tasks")
        if node is None:
            raise make_error("bad-config", "no task is named", self.configuration.root.span, help=["add --tasks TASK"])
        node.use()
        nodes = node.value if isinstance(node.value, list) else [node]
        found = [(task.strip(), one) for one in nodes for task in str(one.value).split(",") if task.strip()]
        if not found:
            raise make_error("bad-config", "no task is named", node.span)
        return found

    def _write_model(self) -> str:
        kind = str(self.configuration.get("model", "hf"))
        if kind in _SERVED:
            return self._write_served_model(kind)
        if kind not in _APIS:
            node = self.configuration.find("model")
            known = ", ".join([*_APIS, *_SERVED])
            help = ["declare the model by hand: `evalmake help tutorial`"]
            message = f"a model of kind `{kind}` has no counterpart"
            raise make_error(
                "bad-config", message, node.span if node else None, notes=[f"known are {known}"], help=help
            )
        name = self._item("model_args.model") or self._item("model_args.pretrained")
        if name is None:
            raise make_error("bad-config", "`model_args` names no `model`", self.configuration.root.span)
        declared = self.draft.name("model", str(name.value))
        block = self.draft.block("model", declared)
        url = self._item("model_args.base_url")
        hosted = kind.startswith("openai")
        if url is None and not hosted:
            raise make_error("bad-config", "`model_args` has no `base_url`", self.configuration.root.span)
        block.set("endpoint", Item(strip_route(str(url.value)), url.node) if url else "https://api.openai.com/v1")
        block.set("name", name)
        key = self.configuration.find("model_args.api_key")
        if hosted or key:
            block.set("api_key", SecretRef("OPENAI_API_KEY"))
        if key:
            self.draft.note(
                "model_args.api_key", "a key is not copied: set OPENAI_API_KEY before you run evalmake", key.use()
            )
        if _APIS[kind] != "chat":
            block.set("api", Symbol(_APIS[kind]))
        self._write_requests(block)
        return declared

    def _write_requests(self, block: Block) -> None:
        block.set("concurrency", self._item("model_args.num_concurrent"))
        if (verify := self._item("model_args.verify_certificate")) and verify.value is False:
            block.set("verify", verify)
        if tries := self._item("model_args.max_retries"):
            self.adapter["retry"] = tries
        if timeout := self._item("model_args.timeout"):
            self.benchmark["request_timeout"] = timeout
            self.adapter["timeout"] = write_seconds(float(timeout.value))
        self._read_benchmark_arguments()

    def _write_served_model(self, kind: str) -> str:
        """lm-eval loads the model into its own process; here a server loads it, and is asked."""
        weights = self._item("model_args.pretrained") or self._item("model_args.model")
        if weights is None:
            raise make_error("bad-config", "`model_args` names no `pretrained` model", self.configuration.root.span)
        name, revision = str(weights.value), self._item("model_args.revision")
        served = self.draft.name("deployment", name)
        block = self.draft.block("deployment", served)
        block.set("engine", Symbol("sglang" if kind == "sglang" else "vllm"))
        block.set("packages", ["sglang[all]==0.5.3"] if kind == "sglang" else _SERVER)
        local = name.startswith(("/", "./", "../"))
        block.set("weights", name if local else f"hf://{name}" + (f"@{revision.value}" if revision else ""))
        args: dict[str, Any] = {}
        for theirs, ours in (
            ("dtype", "dtype"),
            ("tensor_parallel_size", "tensor-parallel-size"),
            ("gpu_memory_utilization", "gpu-memory-utilization"),
            ("max_model_len", "max-model-len"),
            ("max_length", "max-model-len"),
            ("trust_remote_code", "trust-remote-code"),
        ):
            item = self._item(f"model_args.{theirs}")
            if item and item.value != "auto":
                args[ours] = item
        block.set("args", args)
        block.set("served_name", name)
        block.set(
            "resources", {"gpus": int(args["tensor-parallel-size"].value) if "tensor-parallel-size" in args else 1}
        )
        chat = bool(self.configuration.get("apply_chat_template"))
        model = self.draft.name("model", name)
        declared = self.draft.block("model", model)
        declared.set("deployment", Symbol(served))
        declared.set("api", None if chat else Symbol("completions"))
        why = f"`{kind}` loads the model in lm-eval's process; here a server loads it, and lm-eval asks the server"
        self.draft.note("model", why, self.configuration.find("model"))
        self._read_benchmark_arguments()
        return model

    def _read_benchmark_arguments(self) -> None:
        for key in _OF_BENCHMARKS:
            if item := self._item(f"model_args.{key}"):
                word = key == "tokenizer_backend"
                self.benchmark[key] = Item(Symbol(str(item.value).lower()) if word else item.value, item.node)
        rest: dict[str, Any] = {}
        for key, node in self.configuration.items("model_args"):
            if node.used or node.value is None:
                continue
            if secret := guard_secret(key, str(node.value)):
                self.draft.note(
                    f"model_args.{key}", f'not copied: `api_key = secret("{secret.name}")` in the model', node
                )
            else:
                rest[key] = Item(self.draft.resolve(self.configuration.read(node, key)), node)
            node.used = True
        if rest:
            self.benchmark["model_args"] = rest

    def _write_benchmarks(self, tasks: Sequence[tuple[str, Node]]) -> list[Symbol]:
        """One benchmark for each task; what they share stands in a template."""
        common: dict[str, Any] = {"harness": Symbol("lm-eval"), "packages": PACKAGES}
        common["fewshot"] = self._item("num_fewshot")
        multiturn = self._item("fewshot_as_multiturn")
        common["fewshot_as_multiturn"] = (
            Item(str(multiturn.value).lower() in ("true", "1", "yes")) if multiturn else None
        )
        if unsafe := self._item("confirm_run_unsafe_code"):
            common["unsafe_code"] = unsafe
        common["metadata"] = self._item("metadata")
        common |= self.benchmark
        if folder := self._item("include_path"):
            pattern = format_value(f"{str(folder.value).rstrip('/')}/**")
            common["files"] = Item(Expression(f"glob({pattern})"), folder.node)
        template = ""
        if len(tasks) > 1:
            template = "_lm-eval"
            block = self.draft.block("benchmark", template)
            for key, value in common.items():
                block.set(key, value)
        names = []
        for task, node in tasks:
            name = self.draft.name("benchmark", to_name(task))
            block = self.draft.block("benchmark", name, template).comment(node if template else None)
            for key, value in () if template else common.items():
                block.set(key, value)
            block.set("task", task)
            names.append(Symbol(name))
        return names

    def _write_seed(self, block: Block) -> None:
        item = self._item("seed")
        if item is None:
            return
        values = item.value if isinstance(item.value, list) else str(item.value).split(",")
        numbers = [int(value) for value in values if str(value).strip().isdigit()]
        if numbers:
            block.set("seed", numbers[0])
        if len(set(numbers)) > 1 or len(numbers) < len(values):
            self.draft.note("seed", "an eval has one seed, for all that is random", item.node)

    def _write_limit(self, block: Block) -> None:
        item = self._item("limit")
        if item is None:
            return
        if isinstance(item.value, float) and not item.value.is_integer():
            self.draft.note("limit", "a limit is a number of items, not a share of them", item.node)
        else:
            block.set("limit", Item(int(item.value), item.node))

    def _read_params(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, node in self.configuration.items("gen_kwargs"):
            value = self.draft.resolve(self.configuration.read(node, f"gen_kwargs.{key}"))
            if key == "do_sample":
                self.draft.note("gen_kwargs.do_sample", "`temperature = 0` is greedy, any other samples", node)
            else:
                found[_SAMPLING.get(key, key)] = Item(value, node)
        return found
