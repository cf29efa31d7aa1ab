"""`evalmake verify`: check every record and blob of the store, environments, and the reply cache; or evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from evalmake.command_line.evalfile import exclusive, open_workspace
from evalmake.command_line.options import PATH, declare
from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.store.store import Store
from evalmake.workspace import Workspace


@declare("verify")
@click.argument("evidence", required=False, type=PATH)
@click.option("--key", "keys", multiple=True, type=PATH, metavar="PUB", help="A public key that must have signed.")
@click.option("--plan", type=PATH, help="A saved plan that was agreed on before it ran, to compare evidence with.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def command(file: Path | None, evidence: Path | None, keys: Sequence[Path], plan: Path | None, as_json: bool) -> int:
    """Hash everything again; status 2 when something does not match.

    With EVIDENCE, a folder that a report of the format `in-toto` wrote or a sample that `disclose` wrote, check that
    instead: no store and no Evalfile is needed. The status is then 0 if all holds, 1 if nothing is wrong and something
    could not be checked, and 2 if something does not hold.
    """
    if evidence is not None:
        return _verify_evidence(evidence, keys, plan, as_json)
    if keys or as_json or plan:
        raise click.UsageError("`--key`, `--plan` and `--json` are for evidence: evalmake verify EVIDENCE --key PUB")
    return _verify_store(file)


def _verify_evidence(evidence: Path, keys: Sequence[Path], plan: Path | None, as_json: bool) -> int:
    from evalmake.evidence_checks.verify import verify_evidence, verify_sample
    from evalmake.planner.saved_plan import read_saved_plan
    from evalmake.signatures.keys import read_public_key
    from evalmake.terminal.verification import render_verification, verification_to_json

    public = [read_public_key(key) for key in keys]
    agreed = read_saved_plan(plan) if plan else None
    try:
        if evidence.is_file():
            found = verify_sample(evidence, public)
        else:
            found = verify_evidence(evidence, public, agreed=agreed)
    except OSError as error:
        raise make_error("bad-evidence", f"cannot read {evidence}: {error.strerror}") from None
    click.echo(json.dumps(verification_to_json(found), indent=2) if as_json else render_verification(found))
    return found.findings.status


def _verify_store(file: Path | None) -> int:
    from evalmake.gateway.reply_cache import maintenance
    from evalmake.store.verification import check_table, verify_store

    workspace = open_workspace(file)
    with exclusive(workspace.store_folder):
        with workspace.read_store() as store:
            check_table(store)
        with workspace.store() as store:
            found = verify_store(store)
            problems = found.wrong + _judge_results_again(workspace, store)
            store.mark_changed()
    project = workspace.project
    installed = [*project.benchmarks.values(), *project.deployments.values()]
    problems += workspace.environments().verify(installed)
    if damage := maintenance.check_integrity(workspace.reply_cache_folder):
        problems.append(f"the reply cache, which evaluations do without: {damage}")
    for problem in problems:
        click.echo(problem)
    if found.unsealed:
        click.echo(_describe_unsealed(found.unsealed))
    click.echo(f"{found.count} entries verified, " + (f"{len(problems)} do not match" if problems else "all match"))
    return 2 if problems else 0


def _judge_results_again(workspace: Workspace, store: Store) -> list[str]:
    """The results that count whose scores their stored outputs contradict."""
    from evalmake.result_verification import find_contradictions

    try:
        graph = workspace.graph(())
    except EvalmakeError as error:
        click.echo(f"results were not judged again, as the Evalfile does not plan: {error.diagnostics[0].message}")
        return []
    return list(find_contradictions(workspace, list(graph.nodes.values()), store))


def _describe_unsealed(count: int) -> str:
    records = "1 record was" if count == 1 else f"{count} records were"
    return f"{records} written by evalmake 0.1, which kept no digest of them: an earlier change of them is not noticed"
