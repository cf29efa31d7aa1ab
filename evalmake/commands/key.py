"""`evalmake key`: make a key pair, show a key, sign a saved plan; needs no Evalfile."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click

from evalmake.command_line.completion import complete_key
from evalmake.command_line.options import declare

_USAGE = "write `evalmake key new [NAME]`, `key show FILE` or `key sign PLAN --key FILE`"
_DEFAULT_NAME = "signing"


@declare("key")
@click.argument("words", nargs=-1, metavar="[new [NAME] | show FILE | sign PLAN]", shell_complete=complete_key)
@click.option(
    "--key", "keys", multiple=True, metavar="KEY", help="Sign with this private key: a file, or `secret:NAME`."
)
def command(file: Path | None, words: Sequence[str], keys: Sequence[str]) -> int:
    """Do what the first word says."""
    match words:
        case ("new", *names) if len(names) < 2 and not keys:
            _make(names[0] if names else _DEFAULT_NAME)
        case ("show", path) if not keys:
            _show(Path(path))
        case ("sign", path) if keys:
            _sign(Path(path), keys)
        case _:
            raise click.UsageError(_USAGE)
    return 0


def _make(name: str) -> None:
    """Write a key pair, and say what to do with it."""
    from evalmake.signatures.new_keys import PRIVATE_ENDING, write_key_pair

    stem = Path(name.removesuffix(PRIVATE_ENDING))
    if not stem.name:
        raise click.UsageError("a key has a name")
    pair, private, public = write_key_pair(stem)
    secret = re.sub(r"[^A-Z0-9]+", "_", f"{stem.name}_key".upper()).lstrip("_0123456789")
    click.echo(f"{private}: private key, for you alone; keep it out of version control")
    click.echo(f"{public}: public key, for those who verify")
    click.echo(f"id: {pair.key_id}\n")
    click.echo(f'sign a report by the file:    sign = file("{private}")')
    click.echo(f'sign a report by a secret:    sign = secret("{secret}")')
    click.echo(f'                              export {secret}="$(cat {private})"')
    click.echo(f"sign a plan:                  evalmake -n -o plan.json --sign {private}")
    click.echo(f"run only what is signed:      evalmake --plan plan.json --require-signature --key {public}")


def _show(path: Path) -> None:
    """Print a key's algorithm, kind and id."""
    from evalmake.signatures.keys import ALGORITHM, parse_key
    from evalmake.signatures.pem import read_key_text

    kind, key_id = parse_key(read_key_text(path), str(path))
    click.echo(f"{ALGORITHM} {kind} key {key_id}")


def _sign(path: Path, keys: Sequence[str]) -> None:
    """Add signatures to a saved plan."""
    from evalmake.planner.saved_plan import parse_saved_plan, read_plan_bytes, refuse_without_executors
    from evalmake.planner.signed_plan import find_signature_file, sign_plan
    from evalmake.run.secrets import Secrets
    from evalmake.run.signers import find_signer_of_word

    secrets = Secrets()
    signers = [find_signer_of_word(key, secrets) for key in keys]
    data = read_plan_bytes(path)
    plan = parse_saved_plan(path, data)
    refuse_without_executors(plan)
    signed = sign_plan(path, data, signers)
    click.echo(f"{find_signature_file(path)}: plan {plan.digest}")
    for key_id in signed:
        click.echo(f"signed by {key_id}")
