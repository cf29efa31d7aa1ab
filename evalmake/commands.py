"""What each command does: the bodies behind `cli.py`, imported when one is called."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from evalmake import fastpath
from evalmake.lang.diagnostic import fail
from evalmake.lang.source import Source
from evalmake.planner.graph import Node
from evalmake.session import Outcome
from evalmake.session import build as build_session
from evalmake.store.journal import Journal
from evalmake.ui import drawing, explaining, showing
from evalmake.ui.outcome import nothing_to_do, render_outcome
from evalmake.ui.output import print_diagnostics
from evalmake.ui.plan import render_plan
from evalmake.workspace import Request, Workspace, find_evalfile


def request_of(words: Sequence[str], flags: Mapping[str, Any], argv: Sequence[str] = ()) -> Request:
    """Words and flags as one request; NAME=VALUE words are overrides."""
    overrides = tuple(word for word in words if _is_override(word))
    targets = tuple(word for word in words if not _is_override(word))
    return Request(
        locate(flags.get("file")), targets, overrides, flags.get("dry_run", False) or bool(flags.get("output")),
        flags.get("output"), flags.get("plan"), flags.get("jobs"), flags.get("keep_going", False),
        flags.get("always", False), flags.get("question", False), json=flags.get("as_json", False), argv=tuple(argv),
    )  # fmt: skip


def _is_override(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()


def locate(file: Path | None) -> Path:
    """The Evalfile that was named, or the nearest one; says so when it lies above."""
    if file is not None:
        return file
    found = find_evalfile(Path.cwd())
    if found is None:
        raise fail(
            "missing-file", "there is no `Evalfile` here or in a folder above",
            help=["name one with -f, or begin with `evalmake init`"],
        )  # fmt: skip
    if found.parent != Path.cwd():
        click.echo(f"using {found}", err=True)
        return found
    return Path("Evalfile")


def build(words: Sequence[str], flags: Mapping[str, Any], argv: Sequence[str]) -> int:
    """Plan and run; the exit status."""
    began = time.time_ns()
    request = request_of(words, flags, argv)
    from evalmake.ui.progress import progress

    quiet = flags["silent"] or request.question
    view = progress(quiet, flags["verbose"])

    def planned(outcome: Outcome) -> None:
        if request.dry_run and not request.question:
            _print_plan(outcome, request.json)
        elif not outcome.plan.is_empty:
            fastpath.forget(str(outcome.workspace.root))
            if flags["verbose"]:
                click.echo(render_plan(outcome.plan), err=True)

    try:
        outcome = build_session(request, view, planned)
    finally:
        view.close()
    if request.dry_run or request.question:
        return outcome.status
    problems = [*outcome.problems, *(v.diagnostic for v in outcome.verdicts if not v.result.met)]
    if problems and (not outcome.plan.is_empty or flags["verbose"]):
        print_diagnostics(problems, argv)
    if request.json:
        click.echo(json.dumps(showing.outcome_json(outcome), ensure_ascii=False))
    elif not quiet:
        click.echo(render_outcome(outcome), nl=False)
    if (
        outcome.plan.is_empty
        and not outcome.ran
        and not request.json
        and not request.plan
        and not quiet
    ):
        _remember(outcome, argv, began)
    return outcome.status


def _print_plan(outcome: Outcome, as_json: bool) -> None:
    from evalmake import __version__
    from evalmake.planner.plan import to_json

    if as_json:
        evalfile = str(outcome.workspace.project.path)
        click.echo(json.dumps(to_json(outcome.plan, evalfile, __version__)))
    else:
        click.echo(render_plan(outcome.plan, outcome.estimate))


def _remember(outcome: Outcome, argv: Sequence[str], began: int) -> None:
    """Give the fast path all that this verdict rested on."""
    workspace = outcome.workspace
    project = workspace.project
    if any(True for _ in Journal(workspace.root / "journal").entries()):
        return
    if any(model.block.max_age for model in project.models.values()):
        return  # tomorrow's verdict may differ without a change
    files = {str(path) for path in project.world.hashes.seen}
    files |= {str(Path(file.source.name).absolute()) for file in project.files.files}
    files |= project.files.absent | {
        str(workspace.report_path(r)) for r in project.reports.values()
    }
    for root, pattern in project.world.globs | project.files.globs:
        deep = "/" in pattern or "**" in pattern
        inner = Path(root).rglob("*") if deep else ()
        files |= {str(p) for p in inner if p.is_dir() and not p.is_relative_to(workspace.root)}
        files.add(root)
    files |= {str(workspace.store_folder / "generation"), str(workspace.root / "journal")}
    files.add(str(project.path.with_suffix(".lock").absolute()))
    store = str(workspace.store_folder / "cache.db")
    text = nothing_to_do(outcome)
    fastpath.remember(argv, outcome.status, text, files, store, project.world.asked, began)


def list_command(file: Path | None, directory: Path | None, as_json: bool) -> int:
    """The targets with their comments."""
    workspace = Workspace.open(locate(file))
    click.echo(showing.targets(workspace, as_json))
    return 0


def show_command(
    file: Path | None, directory: Path | None, target: str, overrides: Sequence[str], as_json: bool
) -> int:
    """A declaration or a cell, each value with its origin."""
    workspace = Workspace.open(locate(file), overrides)
    click.echo(showing.show_target(workspace, target, as_json))
    return 0


def why_command(file: Path | None, directory: Path | None, words: Sequence[str]) -> int:
    """Every reason, with before and after; or when the result was made."""
    request = request_of(words, {"file": file})
    workspace = Workspace.open(request.file, request.overrides)
    graph = workspace.graph(request.targets)
    with workspace.store() as store:
        plan = workspace.decide(graph, store)
        texts = [showing.why(workspace, plan.decision(name), store) for name in graph.nodes]
    click.echo("\n".join(texts))
    return 0


def accept_command(file: Path | None, directory: Path | None, target: str, because: str) -> int:
    """Record the old result under the new identity, with the differences and the reason."""
    workspace = Workspace.open(locate(file))
    graph = workspace.graph([target])
    with workspace.store() as store:
        plan = workspace.decide(graph, store)
        stale = [d for d in plan.decisions.values() if d.stale]
        if not stale:
            raise fail("nothing-to-accept", f"{target} is up to date")
        olds = {d.name: showing.previous(store, d.name) for d in stale}
        lost = [name for name, head in olds.items() if head is None]
        if lost:
            raise fail("nothing-to-accept", f"{lost[0]} has no earlier result that could count")
        for decision in stale:
            old = olds[decision.name]
            assert old is not None
            store.accept(decision.name, decision.action, old, because)
            click.echo(
                f"{decision.name}: the result of {old.finished[:16].replace('T', ' ')} counts, because {because}"
            )
    fastpath.forget(str(workspace.root))
    return 0


def explain_command(file: Path | None, directory: Path | None, code: str) -> int:
    """The page of a diagnostic code."""
    click.echo(explaining.page(code), nl=False)
    return 0


def fmt_command(
    file: Path | None, directory: Path | None, files: Sequence[str], check: bool
) -> int:
    """Rewrite files in the one way to print them, or say how they differ from it."""
    from difflib import unified_diff

    from evalmake.lang.files import write_atomic
    from evalmake.lang.format import format_source

    if list(files) == ["-"]:
        click.echo(format_source(Source("standard input", sys.stdin.read())), nl=False)
        return 0
    status = 0
    for path in [Path(name) for name in files] or [locate(file)]:
        text = _read(path)
        new = format_source(Source(str(path), text))
        if new == text:
            continue
        if check:
            status = 1
            lines = unified_diff(
                text.splitlines(True), new.splitlines(True), str(path), f"{path} formatted"
            )
            click.echo("".join(lines), nl=False)
        else:
            write_atomic(path, new.encode())
            click.echo(f"formatted {path}")
    return status


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise fail("not-utf8", f"`{path}` is not UTF-8 text") from None
    except OSError as error:
        raise fail("missing-file", f"cannot read `{path}`: {error.strerror}") from None


def graph_command(
    file: Path | None, directory: Path | None, words: Sequence[str], kind: str
) -> int:
    """Graphviz dot or Mermaid."""
    request = request_of(words, {"file": file})
    workspace = Workspace.open(request.file, request.overrides)
    click.echo(drawing.draw(workspace.graph(request.targets), kind))
    return 0


def verify_command(file: Path | None, directory: Path | None) -> int:
    """Re-hash everything; status 2 when something does not match."""
    from evalmake.store.collect import verify

    workspace = Workspace.open(locate(file))
    with workspace.store() as store:
        count, wrong = verify(store)
    for line in wrong:
        click.echo(line)
    click.echo(
        f"{count} entries verified" + (f", {len(wrong)} do not match" if wrong else ", all match")
    )
    return 2 if wrong else 0


def gc_command(file: Path | None, directory: Path | None, dry_run: bool) -> int:
    """Free, or only name, what no record reaches."""
    from evalmake.store.collect import collect, garbage
    from evalmake.store.lock import building

    workspace = Workspace.open(locate(file))
    with (
        building(workspace.store_folder, lambda who: click.echo(f"waiting for {who}", err=True)),
        workspace.store() as store,
    ):
        found = garbage(store) if dry_run else collect(store)
    for item in found if dry_run else ():
        click.echo(f"{item.key}  {item.size} bytes")
    verb = "would be freed" if dry_run else "freed"
    click.echo(f"{len(found)} entries, {sum(item.size for item in found)} bytes {verb}")
    return 0


def logs_command(file: Path | None, directory: Path | None, target: str, follow: bool) -> int:
    """The log of a target: of the job that runs, else of its last attempt."""
    workspace = Workspace.open(locate(file))
    path = _running_log(workspace, target)
    if path is not None:
        _follow(workspace, target, path, follow)
        return 0
    if target in workspace.project.deployments:
        kept = workspace.root / "logs" / f"{target}.log"
        click.echo(
            kept.read_text(errors="replace") if kept.exists() else f"{target} has no log",
            nl=not kept.exists(),
        )
        return 0
    graph = workspace.graph([target])
    with workspace.store() as store:
        for node in graph.nodes.values():
            _stored_log(store, node, len(graph.nodes) > 1)
    return 0


def _running_log(workspace: Workspace, target: str) -> Path | None:
    for entry in Journal(workspace.root / "journal").entries():
        path = Path(entry.workdir) / "log"
        if entry.name == target and path.exists():
            return path
    return None


def _follow(workspace: Workspace, target: str, path: Path, follow: bool) -> None:
    from evalmake.run.secrets import Secrets

    secrets = Secrets()
    secrets.resolve(
        {
            name: name
            for name in showing.secret_names(workspace.project)
            if not secrets.missing([name])
        }
    )
    with path.open("rb") as stream:
        while True:
            for line in stream:
                click.echo(secrets.hide(line), nl=False)
            if not follow or _running_log(workspace, target) != path:
                return
            time.sleep(0.2)


def _stored_log(store: Any, node: Node, several: bool) -> None:
    last = None
    for attempt in store.attempts(node.action.digest):
        last = attempt
    if last is None:
        previous = showing.previous(store, node.name)
        last = store.attempt(previous.action, previous.attempts) if previous else None
    if several:
        click.echo(f"==> {node.name}")
    if last is None:
        click.echo(f"{node.name} has not run")
        return
    data = store.blob(last.log) if last.log else b""
    click.echo((data or b"").decode(errors="replace"), nl=False)
    click.echo(
        f"-- attempt {last.attempt}, {last.status} {last.finished[:19].replace('T', ' ')} {last.detail}".rstrip()
    )


_FIRST = """# Evaluations of our models.
#
#   evalmake        run everything that is out of date
#   evalmake -n     show what would run, and why

deployment stand-in {
    engine = mock
    args   = { skill = 0.8 }
}

model stand-in { deployment = stand-in }

# Our own questions: one JSON object a line.
benchmark sums {
    harness = native
    files   = file("sums.jsonl")
    prompt  = "{question}\\nAnswer with a number."
    target  = "{answer}"
    scorer  = number
}

eval first {
    model     = stand-in
    benchmark = sums
    seed      in 1..3
}

report scorecard {
    of   = [first]
    path = "reports/scorecard.md"
}
"""


def init_command(file: Path | None, directory: Path | None) -> int:
    """Write an Evalfile that runs, with a few questions beside it."""
    path = file or Path("Evalfile")
    data = path.parent / "sums.jsonl"
    for wanted in (path, data):
        if wanted.exists():
            raise fail("exists", f"`{wanted}` exists already", help=["nothing was written"])
    rows = [
        {"question": f"What is {a} + {b}?", "answer": a + b} for a in range(3, 13) for b in (4, 17)
    ]
    path.write_text(_FIRST)
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    click.echo(f"wrote {path} and {data}; now: evalmake")
    return 0


def complete(params: Mapping[str, Any], incomplete: str) -> list[str]:
    """Targets that begin with what was typed."""
    try:
        workspace = Workspace.open(locate(params.get("file")))
    except Exception:
        return []
    project = workspace.project
    names = [*project.evals, *project.reports, *project.aliases]
    names += [cell.name for group in workspace.cells.values() for cell in group]
    return [name for name in names if name.startswith(incomplete)][:200]
