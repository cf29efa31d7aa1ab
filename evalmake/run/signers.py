"""The keys that sign: those that a report declares, and those of the command line."""

from __future__ import annotations

from pathlib import Path

from evalmake.language.diagnostic import EvalmakeError, make_error
from evalmake.language.values import Files, SecretRef
from evalmake.project.declarations import Declaration
from evalmake.run.secrets import Secrets
from evalmake.signatures.keys import Signer, read_private_key, read_private_key_file

SECRET_PREFIX = "secret:"


def find_signers(report: Declaration, secrets: Secrets) -> list[Signer]:
    """The keys of a report's `sign`, in its order; EvalmakeError with the code `bad-key` for what is none."""
    return [find_signer_of_key(key, secrets) for key in report.block.sign]


def describe_key(key: SecretRef | Files) -> str:
    """A key by its name, or by the id of the key in its file: another key in the file is another one."""
    if isinstance(key, SecretRef):
        return f"secret {key.name}"
    try:
        return f"key {read_private_key_file(key.files[0].path).key_id}"
    except EvalmakeError:  # which is told before the report is written
        return f"file {key.files[0].name}"


def find_signer_of_key(key: SecretRef | Files, secrets: Secrets) -> Signer:
    """The key that a `secret()` or a `file()` holds."""
    if isinstance(key, SecretRef):
        return _find_signer_of_secret(key.name, secrets)
    return read_private_key_file(key.files[0].path)


def find_signer_of_word(word: str, secrets: Secrets) -> Signer:
    """The key that the command line names: the file of a private key, or `secret:NAME`."""
    if word.startswith(SECRET_PREFIX):
        return _find_signer_of_secret(word.removeprefix(SECRET_PREFIX), secrets)
    return read_private_key_file(Path(word))


def _find_signer_of_secret(name: str, secrets: Secrets) -> Signer:
    if secrets.missing_names([name]):
        raise make_error(
            "missing-secret",
            f"the secret `{name}` is neither in the environment nor in the keyring",
            notes=[secrets.keyring_error] if secrets.keyring_error else [],
            help=[f'set it for this command: export {name}="$(cat FILE.key)"'],
        )
    return read_private_key(secrets.value_of(name), f"the secret `{name}`")
