"""Facts about public benchmarks, and our words for them, to the Evalfiles and the index of the catalog.

    python -m tests.catalog.making           rewrites evalmake/catalog
    python -m tests.catalog.making FOLDER    writes there instead

What a benchmark is asked by (temperature, tokens, the harness's own parameters) becomes its keys.
How fast it is asked does not: that is the model's `concurrency`, and repeats are the gateway's.
`headlines.toml` adds which metric stands for a benchmark, with its scale and direction. `wheels.toml` says which
harnesses are on PyPI: each of them has a second file, in `wheels`, with packages in place of an image. `upstream.toml`
declares the harnesses that are not NVIDIA's.
"""

from __future__ import annotations

import json
import sys
import textwrap
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from evalmake.language.formatter import format_source
from evalmake.language.source import Source
from evalmake.project.catalog import INDEX, REQUIRES, TOKEN, WHEELS, Entry, format_declaration, spell_name

HERE = Path(__file__).parent
WIDTH = 98
PARAMS = {"temperature": "temperature", "top_p": "top_p", "max_new_tokens": "max_tokens"}
IGNORED = ("genai_perf_eval",)  # harnesses whose command takes no `inner`
MAPS = ("params", "extra")
EVALUATOR = "nemo-evaluator==0.2.8"
RARE = ("asks", "asked", "wheel_lacks")  # fields that the index leaves out where they are empty
CODE = "what the model writes is run, as a process of the executor"


def main(folder: Path) -> None:
    """Write every file of the catalog."""
    facts = json.loads((HERE / "benchmarks.json").read_text(encoding="utf-8"))
    words, headlines, wheels, upstream = (
        tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))
        for name in ("descriptions", "headlines", "wheels", "upstream")
    )
    (folder / WHEELS).mkdir(exist_ok=True)
    tasks = [*facts["tasks"], *facts["seed_extra_tasks"]]
    index: list[Entry] = []
    for harness in sorted(facts["harnesses"], key=lambda row: spell_name(row["name"])):
        own = [task for task in tasks if task["harness"] == harness["name"]]
        known = headlines.get(harness["name"], {}).get("headlines")
        entries = list(in_families(own, harness, words[harness["name"]], known))
        own_words, name = words[harness["name"]], f"{spell_name(harness['name'])}.evalfile"
        write(folder / name, evalfile(head(harness, own_words, entries), entries))
        if wheel := wheels.get(harness["name"]):
            entries = [entry._replace(wheel_lacks=wheel.get("lacks", "")) for entry in entries]
            others = [entry._replace(keys=keys_of_wheel(entry, harness["name"], wheel)) for entry in entries]
            write(folder / WHEELS / name, evalfile(head_of_wheel(harness, own_words, wheel, others), others))
        index += entries
    for name, told_of in upstream.items():
        entries = [entry_of_upstream(name, one, told_of) for one in told_of["benchmarks"]]
        write(folder / f"{name}.evalfile", evalfile(head_of_upstream(told_of, entries), entries))
        index += entries
    index.sort(key=lambda entry: entry.harness)  # a stable sort: the order within a harness is that of its file
    assert len({entry.name for entry in index}) == len(index)
    told = [{key: value for key, value in entry._asdict().items() if value or key not in RARE} for entry in index]
    rows = [json.dumps(row, ensure_ascii=False) + "\n" for row in told]
    (folder / INDEX).write_text("".join(rows), encoding="utf-8")


def write(path: Path, text: str) -> None:
    """Write a file of the catalog, formatted."""
    path.write_text(format_source(Source(path.name, text)), encoding="utf-8")


def in_families(
    tasks: Sequence[Mapping[str, Any]],
    harness: Mapping[str, Any],
    words: Mapping[str, Any],
    headlines: Sequence[Mapping[str, Any]] | None,
) -> Iterator[Entry]:
    """The entries of a harness, those of a family together."""
    left = list(tasks)
    for family in words["families"]:
        mine = [task for task in left if any(fnmatchcase(task["name"], p) for p in family["tasks"])]
        assert mine, f"no task of {harness['name']} is in {family['tasks']}"
        left = [task for task in left if task not in mine]
        found = [entry_of(task, harness, words, family, headlines) for task in mine]
        needs = list(dict.fromkeys(entry.needs for entry in found))
        yield from sorted(found, key=lambda entry: needs.index(entry.needs))
    assert not left, f"no family of {harness['name']} has {[task['name'] for task in left]}"


def entry_of(
    task: Mapping[str, Any],
    harness: Mapping[str, Any],
    words: Mapping[str, Any],
    family: Mapping[str, Any],
    headlines: Sequence[Mapping[str, Any]] | None,
) -> Entry:
    """One benchmark with all its values."""
    extra = task["params"].get("extra", {})
    variables = sorted({*secrets_in(extra), *family.get("variables", ())})
    needs = {*requires_of(task, extra), *family.get("requires", ())}
    needs |= {"key"} if variables else set()
    variables += [TOKEN] if "token" in needs else []
    tokenizer = words.get("tokenizer") if "tokenizer" in needs else None
    hint = family.get("hint", f"the tokenizer: {tokenizer}" if tokenizer else "")
    name = f"{spell_name(task['harness'])}.{spell_name(task['name'])}"
    ordered = tuple(word for word in REQUIRES if word in needs)
    own = {key: words[key] for key in ("adapter", "judge_name") if key in words}
    own |= {"azure_judge": True} if words.get("azure_judge") and "judge" in needs else {}
    headline = headline_of(task, headlines)
    keys = keys_of(task, harness) | own | headline
    hint = hint or ("" if headline else words.get("no_headline", ""))
    lacks = tuple(words.get("lacks", ("judge",) if words.get("azure_judge") and "judge" not in needs else ()))
    asks = tuple(family.get("asks", ()))
    return Entry(name, family["about"], hint, ordered, tuple(variables), keys, lacks, asks)


def headline_of(task: Mapping[str, Any], headlines: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    """The keys that name the metric which stands for a task; empty for one whose results nobody describes."""
    found = next((one for one in headlines or () if any(fnmatchcase(task["name"], p) for p in one["tasks"])), None)
    if found is None:
        return {}
    name = task["params"].get("task") or task["type"]
    repeats = task["params"].get("extra", {}).get("num_repeats") or 1
    avg = f"_avg-of-{repeats}" if repeats > 1 else ""
    means = {
        mean: [metric.replace("{task}", name) for metric in metrics] for mean, metrics in found.get("means", {}).items()
    }
    keys = {"metric": found["metric"].replace("{task}", name).replace("{avg}", avg), "means": means}
    whole: dict[str, Any] = given(keys | {"scale": found["scale"], "better": found.get("better", "higher")})
    return whole


def requires_of(task: Mapping[str, Any], extra: Mapping[str, Any]) -> Iterator[str]:
    """What the data itself says that a task needs."""
    yield from task["required_capabilities"]
    judge = extra.get("judge", {})
    if judge.get("enabled", True) and any(
        judge.get(key) for key in ("url", "model", "model_id", "api_key", "api_key_name")
    ):
        yield "judge"
    if extra.get("use_sandbox"):
        yield "code"
    if extra.get("native_calling"):
        yield "tools"
    by_text = extra.get("tokenizer_backend") == "None"  # asks by text unless it must count tokens
    if extra.get("tokenizer", "") is None and (not by_text or "logprobs" in task["required_capabilities"]):
        yield "tokenizer"


def secrets_in(values: Mapping[str, Any]) -> Iterator[str]:
    """The environment variables that hold the keys of other models than the one evaluated and `judge`."""
    for key, value in values.items():
        if key == "judge":
            continue
        if isinstance(value, dict) and value.get("enabled", True):
            yield from secrets_in(value)
        elif key.endswith(("api_key", "api_key_name")) and value:
            yield value


def keys_of(task: Mapping[str, Any], harness: Mapping[str, Any]) -> dict[str, Any]:
    """The declaration's keys and values, in order."""
    params, extra = task["params"], given(task["params"].get("extra", {}))
    inner = params.get("task")
    judge = params.get("extra", {}).get("judge", {})
    judge = judge if judge.get("enabled", True) else {}
    image = harness["image"]
    keys = {
        "harness": "nemo",
        "image": f"{image}@{harness['digest']}" if harness["digest"] else f"{image}:{harness['tag']}",
        "task": task["type"],
        "inner": inner if inner != task["type"] and task["harness"] not in IGNORED else None,
        "endpoint": task["endpoints"][0],
        "params": {ours: params[theirs] for theirs, ours in PARAMS.items() if theirs in params},
        "extra": extra,
        "judge_key": "api_key_name" if "api_key_name" in judge else None,
        "judge_route": "/chat/completions" if "/chat/completions" in (judge.get("url") or "") else None,
        "request_timeout": params.get("request_timeout"),
    }
    assert len(task["endpoints"]) == 1
    found: dict[str, Any] = given(keys)
    return found


def keys_of_wheel(entry: Entry, framework: str, wheel: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of the same benchmark without a container, its task by the name of NVIDIA's package."""
    packages = [wheel.get("evaluator", EVALUATOR), *wheel["packages"]]
    ours = {"packages": packages} | {key: wheel[key] for key in ("setup", "proxy") if key in wheel}
    keys: dict[str, Any] = {}
    for key, value in entry.keys.items():
        keys |= ours if key == "image" else {key: f"{framework}.{value}" if key == "task" else value}
    for key, _, inner in (dropped.partition(".") for dropped in wheel.get("drops", ())):
        keys[key] = {name: value for name, value in keys.get(key, {}).items() if inner not in ("", name)}
    found: dict[str, Any] = given(keys)
    return found


def entry_of_upstream(harness: str, told: Mapping[str, Any], words: Mapping[str, Any]) -> Entry:
    """A benchmark that is not NVIDIA's."""
    keys = {"harness": harness, **words["keys"], **told["keys"], "scale": "share", "better": "higher"}
    needs = tuple(word for word in REQUIRES if word in told["requires"])
    return Entry(f"{harness}.{told['name']}", told["about"], told["hint"], needs, (), keys, asked=words["endpoint"])


def head_of_upstream(words: Mapping[str, Any], entries: Sequence[Entry]) -> Iterator[str]:
    """The comment at the top of a file of theirs."""
    yield from comment(words["about"])
    yield from comment(words["url"])
    yield "#"
    yield from comment("It runs without a container, from PyPI, and is no harness of NVIDIA's.")
    yield from foot(entries, REQUIRES)


def given(value: Any) -> Any:
    """Without what says nothing: null, and maps of it."""
    if isinstance(value, list):
        return [given(item) for item in value]
    if not isinstance(value, dict):
        return value
    inner = {key: given(item) for key, item in value.items()}
    return {key: item for key, item in inner.items() if item is not None and item != {}}


def evalfile(head: Iterator[str], entries: Sequence[Entry]) -> str:
    """The file of a harness, not yet formatted."""
    shared = common([entry.keys for entry in entries])
    lines = [*head, ""]
    lines += [*format_declaration("defaults benchmark", shared), ""] if shared else []
    before: Any = None
    for entry in entries:
        body = format_declaration(f"benchmark {entry.name}", beyond(entry.keys, shared))
        said = [*comment(entry.about), *comment(requires(entry)), *comment(entry.hint)]
        lines += ["", *said] if said != before else [""] if len(body) > 1 else []
        lines += body
        before = said
    return "\n".join([*lines, ""])


def requires(entry: Entry) -> str:
    """What it requires, in the index's words."""
    return f"requires {entry.needs}" if entry.needs else ""


def head(harness: Mapping[str, Any], words: Mapping[str, Any], entries: Sequence[Entry]) -> Iterator[str]:
    """The comment at the top of a file."""
    machines = " and ".join(harness["arch"])
    yield from comment(words["about"])
    yield from comment(harness["url"] or "")
    yield "#"
    yield from comment(f"The image is NVIDIA's, release {harness['tag']}, for {machines}.")
    if not harness["digest"]:
        yield from comment("It is named by its tag: pin it before an audit.")
    yield from foot(entries, REQUIRES)


def head_of_wheel(
    harness: Mapping[str, Any], words: Mapping[str, Any], wheel: Mapping[str, Any], entries: Sequence[Entry]
) -> Iterator[str]:
    """The same of a file without containers."""
    yield from comment(words["about"])
    yield from comment(harness["url"] or "")
    yield "#"
    release = wheel["packages"][0].partition("==")[2]
    yield from comment(f"It runs without a container, from NVIDIA's wheel, release {release}.")
    yield from comment(wheel.get("about", ""))
    yield from comment(f"It does not run from PyPI alone: {wheel['lacks']}." if "lacks" in wheel else "")
    yield from foot(entries, REQUIRES | {"code": CODE})


def foot(entries: Sequence[Entry], meanings: Mapping[str, str]) -> Iterator[str]:
    """What the words of needs mean, and where the file is from."""
    for word, meaning in meanings.items():
        if any(word in entry.requires for entry in entries):
            yield from comment(f"{word}: {meaning}")
    yield "#"
    yield "# Written by tests/catalog/making of evalmake's repository; changes belong there."


def comment(text: str) -> list[str]:
    """`text` as lines of comment; none where it is empty."""
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH, break_on_hyphens=False)]


def common(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What most of the benchmarks of a file say, of the keys that all of them have."""
    if len(each) == 1:
        return {}
    found: dict[str, Any] = {}
    for key in each[0]:
        values = [keys.get(key) for keys in each]
        if any(value is None for value in values) or key in ("task", "inner", "means"):
            continue
        if key == "metric" and len(set(values)) > 1:
            continue
        value = common_map(values) if key in MAPS else most(values)
        found |= {key: value} if value else {}
    return found


def common_map(maps: Sequence[Any]) -> dict[str, Any]:
    """The same of a map's entries."""
    everywhere = [key for key in maps[0] if all(key in each for each in maps)]
    return {key: most([each[key] for each in maps]) for key in everywhere}


def most(values: Sequence[Any]) -> Any:
    """The commonest of some values, the first of those where there are several."""
    counted = Counter(json.dumps(value) for value in values)
    return json.loads(counted.most_common(1)[0][0])


def beyond(keys: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """What a benchmark says beyond what its file's defaults do."""
    found: dict[str, Any] = {}
    for key, value in keys.items():
        other = shared.get(key)
        if key in MAPS and other:
            value = {k: v for k, v in value.items() if json.dumps(other.get(k)) != json.dumps(v)}
        if value != other and value != {}:
            found[key] = value
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else HERE.parents[2] / "evalmake" / "catalog")
