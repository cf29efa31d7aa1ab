"""Imports point one way: counted in every module, wherever they stand, for types or not."""

from __future__ import annotations

import ast
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import evalmake

PACKAGE = Path(evalmake.__file__).parent
LAYERS = (
    (
        "evalmake",
        "command_registry",
        "disk_database",
        "file_modes",
        "seal",
        "language",
        "lazy_pattern",
        "fastpath",
        "interrupts",
        "standard_streams",
        "explanations",
        "manual",
        "grammar",
        "catalog",
        "http_protocol",
        "upstream",
        "model_reply",
        "process_secrecy",
        "redaction",
        "secret_spellings",
        "value_files",
    ),
    ("pins", "signatures"),
    ("project",),
    ("scoring", "migration", "sample_filter"),
    ("plugin_api",),
    ("planner", "provenance", "evidence", "web"),
    ("store", "executors", "harnesses", "engines", "exporters", "gateway"),
    ("run", "servers", "preflight", "plugins"),
    (
        "workspace",
        "evidence_checks",
        "audit",
        "comparison",
        "evidence_material",
        "gate_plan",
        "gate_verdicts",
        "results",
        "stored_failures",
        "stored_results",
        "stored_table",
        "stored_samples",
        "sample_selection",
        "page_content",
        "report_content",
        "reports",
        "result_verification",
        "planning",
        "reply_sources",
        "execution",
        "notification",
        "null_build",
        "smoke",
        "session",
        "terminal",
    ),
    ("api", "cli", "command_line", "commands", "__main__", "testing"),
)
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}
LEAVES = LAYERS[6]

# A library stands at its address and nowhere else; those of no address are free (xxhash).
ADDRESSES = {
    "lark": ("language.parser", "language.tree_builder", "language.syntax_errors", "language.error_position"),
    "networkx": ("planner.graph",),
    "diskcache": ("store.database", "gateway.reply_cache", "value_files"),
    "click": ("cli", "command_line", "commands"),
    "docker": ("executors.docker",),
    "requests": ("executors.docker",),
    "urllib3": ("executors.docker",),
    "httpx": ("executors.lepton", "harnesses", "notification", "pins.registry_client", "pins.hub_client"),
    "httptools": ("http_protocol", "upstream"),
    "uvloop": ("harnesses.native", "http_protocol"),
    "orjson": ("harnesses.native", "engines.mock", "gateway"),
    "jsonschema": ("harnesses.native.json_schema",),
    "referencing": ("harnesses.native.json_schema",),
    "math_verify": ("harnesses.native.answers.mathematics",),
    "pyarrow": ("harnesses.native",),
    "duckdb": ("harnesses.native.sql_query",),
    "pandas": ("api",),
    "keyring": ("run.secrets",),
    "junitparser": ("exporters.junit",),
    "securesystemslib": ("signatures",),
    "cryptography": ("signatures",),
    "pydantic": (
        "project.schema",
        "project.settings_schema",
        "project.adapter",
        "project.key_types",
        "project.declarations",
        "project.loader",
        "project.validation",
        "project.references",
        "plugin_api",
        "store.records",
        "executors",
        "harnesses",
        "engines",
        "exporters",
        "gateway",
    ),
    "pydantic_core": (
        "project.schema",
        "project.key_types",
    ),
    "rich": ("terminal",),
    "rocrate": ("exporters.ro_crate",),
    "yaml": ("pins.hub_layout", "harnesses.nemo.results", "executors.lepton.login", "migration.yaml_file"),
}

FREE = {*sys.stdlib_module_names, "evalmake", "xxhash"}


@cache
def imports(path: Path) -> set[str]:
    """The full names of all that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _modules() -> dict[str, Path]:
    """Every module by its name without `evalmake.`; a package by its folder's."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name or "evalmake"] = path
    return found


MODULES = _modules()


def own(name: str) -> set[str]:
    """The modules of evalmake that a module imports."""
    found = set()
    for target in imports(MODULES[name]):
        if target.split(".")[0] != "evalmake":
            continue
        inner = target.removeprefix("evalmake").removeprefix(".")
        while inner and inner not in MODULES:
            inner = inner.rpartition(".")[0]
        found.add(inner or "evalmake")
    return found - {name}


def test_every_module_has_a_layer() -> None:
    """A new package or module at the top must be given its place."""
    assert {name.split(".")[0] for name in MODULES} <= set(LAYER)


def test_imports_point_downwards() -> None:
    """A module imports its own layer and those below; a leaf, of its layer, only itself."""
    wrong = []
    for name in MODULES:
        top = name.split(".")[0]
        for target in own(name):
            other = target.split(".")[0]
            if LAYER[other] > LAYER[top]:
                wrong.append(f"{name} imports {target}, which is above it")
            if top in LEAVES and other in LEAVES and other != top:
                wrong.append(f"{name} imports {target}, another leaf")
    assert wrong == []


def test_there_is_no_cycle() -> None:
    """No module imports itself, by however long a way."""
    graph = {name: own(name) for name in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_third_party_weight_has_its_address() -> None:
    """A library is imported where it belongs, so that what it costs is paid there alone."""
    wrong = []
    for name, path in MODULES.items():
        for library in {target.split(".")[0] for target in imports(path)} - FREE:
            addresses = ADDRESSES.get(library, ("exporters",))  # an exporter may need its own
            if not any(name == place or name.startswith(f"{place}.") for place in addresses):
                wrong.append(f"{name} imports {library}, which stands in {', '.join(addresses)}")
    assert wrong == []
