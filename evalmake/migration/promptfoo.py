"""A configuration of promptfoo as an Evalfile, and its tests as records of a data file.

Each provider becomes a model, each prompt a benchmark, and each test a record: its variables, and under `assert` what
is checked of the reply. A list of values of a variable stands for a test of each, as in promptfoo.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evalmake.language.diagnostic import make_error
from evalmake.language.values import SecretRef, Symbol
from evalmake.migration.draft import Draft, Expression, Item
from evalmake.migration.inspect_blocks import set_axis
from evalmake.migration.promptfoo_asserts import AssertReader
from evalmake.migration.promptfoo_prompts import Prompt, read_prompts
from evalmake.migration.promptfoo_providers import read_provider
from evalmake.migration.promptfoo_tests import CHECKS, MESSAGES, TestReader
from evalmake.migration.yaml_file import Document, Node

KEYS = ("providers", "prompts", "targets", "defaultTest", "scenarios")
"""Keys by which a configuration is known."""
_RUN = "evalmake runs what is out of date, and keeps replies"
_NO_PLACE = {
    "outputPath": "a `report` block writes files",
    "sharing": "results are in the store",
    "writeLatestResults": "results are in the store",
    "tags": "a comment above a declaration is shown by `evalmake list`",
    "env": "the environment is read by `env(...)` and `secret(...)`",
    "scenarios": "write their tests out",
    "derivedMetrics": "evalmake computes none",
    "commandLineOptions": "options are given on the command line",
    "extensions": "evalmake runs no code of a configuration",
    "nunjucksFilters": "templates have fields only",
    "redteam": 'evalmake makes no attacks; `include "catalog:garak"` has some',
}
_EVALUATE = {"cache": _RUN, "delay": "`rate` of a model limits its requests", "showProgressBar": _RUN}
_READ = (
    "description",
    "providers",
    "targets",
    "prompts",
    "tests",
    "defaultTest",
    "evaluateOptions",
    "assertionTemplates",
)


def translate_file(document: Document, path: Path) -> Draft:
    """The Evalfile for a configuration, whose tests are in `files` of the draft."""
    if not isinstance(document.root.value, dict):
        raise make_error("bad-config", "a configuration is a map", document.root.span)
    title = "promptfoo" if path.stem.startswith("promptfoo") else path.stem
    draft = Draft(path.name, list(document.header))
    _Promptfoo(document.root, draft, path, draft.name("eval", title)).translate()
    return draft


@dataclass(slots=True)
class _Promptfoo:
    root: Node
    draft: Draft
    path: Path
    title: str
    _models: list[str] = field(default_factory=list)
    _only: dict[str, Node] = field(default_factory=dict)
    """Model -> the only prompts that it is asked."""
    _completions: dict[str, Node] = field(default_factory=dict)
    """Models that have no chat API."""

    def translate(self) -> None:
        items = self.root.value
        if description := items.get("description"):
            self.draft.header += str(description.value).splitlines()
        for key, node in items.items():
            if key not in (*_READ, "$schema"):
                self.draft.note(key, _NO_PLACE.get(key, "evalmake has no key for it"), node)
        prompts = read_prompts(items.get("prompts"), self.path.parent, self.draft, self.root)
        options = dict(items["evaluateOptions"].value or {}) if "evaluateOptions" in items else {}
        self._write_models(options.pop("maxConcurrency", None))
        repeats = options.pop("repeat", None)
        for key, node in options.items():
            self.draft.note(f"evaluateOptions.{key}", _EVALUATE.get(key, _RUN), node)
        templates = items["assertionTemplates"].value if "assertionTemplates" in items else None
        asserts = AssertReader(self.draft, self.path.parent, templates if isinstance(templates, dict) else {})
        reader = TestReader(self.draft, self.path.parent, items.get("defaultTest"), asserts)
        records = reader.read(items.get("tests"), prompts, self.root)
        judge = self._write_judge(asserts)
        asked = {"judge": judge, "embedder": self._write_embedder(asserts)}
        benchmarks = [self._write_benchmark(prompt, prompts[0], asked, reader) for prompt in prompts]
        self.draft.files[f"{self.title}.jsonl"] = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records)
        block = self.draft.block("eval", self.title)
        set_axis(block, "model", self._models)
        skipped = self._find_skipped(dict(zip(benchmarks, prompts, strict=True)))
        if len(self._models) == 1:
            benchmarks = [name for name in benchmarks if name not in skipped.get(self._models[0], ())]
        set_axis(block, "benchmark", benchmarks)
        for model, names in skipped.items() if len(self._models) > 1 else ():
            block.lines.append(f"skip model = {model} and benchmark in [{', '.join(names)}]")
        if repeats is not None and isinstance(repeats.value, int) and repeats.value > 1:
            block.set("seed", Item(Expression(f"1..{repeats.value}"), repeats), "in")

    def _write_models(self, concurrency: Node | None) -> None:
        """Write a model for each provider that speaks OpenAI's API."""
        items, before = self.root.value, len(self.draft.notes)
        node = items.get("providers") or items.get("targets")
        given = [] if node is None else node.value if isinstance(node.value, list) else [node]
        for at, one in enumerate(given):
            provider = read_provider(one, f"providers.{at}", self.draft, self.path.parent)
            if provider is not None:
                self._models.append(provider.write(self.draft, concurrency))
                if provider.api == "completions":
                    self._completions[self._models[-1]] = one
                if provider.prompts is not None:
                    self._only[self._models[-1]] = provider.prompts
        if not self._models:
            message = "no provider of it speaks OpenAI's chat or completions API" if given else "it names no provider"
            hint = "put its endpoint behind OpenAI's API, or write a `harness = command` (`evalmake help command`)"
            raise self.draft.refuse(message, node or self.root, before, [hint])

    def _find_skipped(self, prompts: Mapping[str, Prompt]) -> dict[str, list[str]]:
        """The benchmarks of prompts that a provider is not asked, by its model."""
        skipped: dict[str, list[str]] = {}
        for model, node in self._only.items():
            names = [str(one.value) for one in node.value]
            others = [benchmark for benchmark, prompt in prompts.items() if not prompt.has_name(names)]
            if len(others) == len(prompts):
                self.draft.note(f"{model}.prompts", "none of these prompts is here, so it is asked all", node)
            elif others:
                skipped[model] = others
        before = len(self.draft.notes)
        chats = [benchmark for benchmark, prompt in prompts.items() if prompt.messages]
        for model, node in self._completions.items():
            for benchmark in [one for one in chats if one not in skipped.get(model, ())]:
                skipped.setdefault(model, []).append(benchmark)
                why = f"model `{model}` has no chat API, so benchmark `{benchmark}`, a conversation, skips it"
                self.draft.note(model, why, node)
        if all(len(skipped.get(model, ())) == len(prompts) for model in self._models):
            message = "no prompt is left for a provider of it: a conversation takes the chat API"
            raise self.draft.refuse(message, self.root.value["prompts"], before)
        return skipped

    def _write_judge(self, asserts: AssertReader) -> str:
        """Write the model that grades, if a test needs one; its name."""
        if not asserts.needs_judge:
            return ""
        if asserts.grader is not None:
            provider = read_provider(asserts.grader, "provider", self.draft, self.path.parent)
            if provider is not None:
                return provider.write(self.draft, None)
        name = self.draft.name("model", "grader")
        block = self.draft.block("model", name)
        block.comments.append("promptfoo chooses a grader by itself: name yours here.")
        block.set("endpoint", "https://api.openai.com/v1")
        block.set("name", "gpt-4o")
        block.set("api_key", SecretRef("OPENAI_API_KEY"))
        return name

    def _write_embedder(self, asserts: AssertReader) -> str:
        """Write the model whose embeddings say what is similar, if a test needs one; its name."""
        if not asserts.needs_embedder:
            return ""
        if asserts.embedder is not None:
            provider = read_provider(asserts.embedder, "provider", self.draft, self.path.parent, embeds=True)
            if provider is not None:
                return provider.write(self.draft, None)
        name = self.draft.name("model", "embedder")
        block = self.draft.block("model", name)
        block.comments.append("promptfoo compares by this model where a test names none.")
        block.set("api", Symbol("embeddings"))
        block.set("endpoint", "https://api.openai.com/v1")
        block.set("name", "text-embedding-3-large")
        block.set("api_key", SecretRef("OPENAI_API_KEY"))
        return name

    def _write_benchmark(self, prompt: Prompt, first: Prompt, asked: Mapping[str, str], reader: TestReader) -> str:
        name = self.draft.name("benchmark", prompt.label or self.title)
        listed = self.root.value["prompts"] if prompt is first else None
        block = self.draft.block("benchmark", name, "", listed, prompt.node)
        block.set("harness", Symbol("native"))
        block.set("files", Expression(f'file("{self.title}.jsonl")'))
        if prompt.system:
            block.set("system", prompt.system)
        if prompt.messages:
            block.set("messages", f"{{{MESSAGES}{prompt.suffix}}}")
        else:
            block.set("prompt", prompt.text)
        block.set("checks", f"{{{CHECKS}}}")
        for key, model in asked.items():
            if model:
                block.set(key, Symbol(model))
        if reader.has_tags:
            block.set("tags", "{tags}")
        return name
