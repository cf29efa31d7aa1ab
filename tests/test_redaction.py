"""Which secrets are hidden, and where."""

from __future__ import annotations

import json
import random
import string

import pytest

from evalmake.redaction import holds_secret, is_guessable, mask_secret, redact_header, redact_secret, unmask_secret

WORDS = ["none", "test", "EMPTY", "x", "key", "sk", "dummy", "local", "not-needed", "no-key-required", "placeholder"]
NUMBERS = ["1", "1234", "12345678", "0000000000000000", "aaaaaaaaaaaaaaaaaaaa", "test1234"]
STRONG = [
    "sk-very-secret",
    "sk-0123456789-the-key",
    "hf_AbCdEfGhIj",
    "3f9a1c77b2",
    "correct horse battery staple",
    'a"b\\c-19?xyz',
]


@pytest.mark.parametrize("secret", [*WORDS, *NUMBERS])
def test_everyday_words_stay_in_texts(secret: str) -> None:
    """A key that may stand in a text by chance is hidden only where a secret stands."""
    assert is_guessable(secret)
    text = f'{{"content": "{secret} of these, {secret}"}}'.encode()
    assert redact_secret(text, secret, b"***") is text
    for place in ("Authorization: Bearer {}", 'bearer {}"', "'X-Api-Key': '{}'", '"authorization": "{}"', "api_key={}"):
        assert redact_secret(place.format(secret).encode(), secret, b"***") == place.format("***").encode()
    assert redact_header(secret.encode(), secret, b"***") == b"***"


_random = random.Random(7)
RANDOM = ["".join(_random.choices(string.ascii_letters + string.digits, k=16)) for _ in range(20)]


@pytest.mark.parametrize("secret", [*STRONG, *RANDOM])
def test_strong_secrets_are_hidden_everywhere(secret: str) -> None:
    """A secret with enough entropy is hidden wherever it stands, and as JSON writes it."""
    assert not is_guessable(secret)
    escaped = secret.replace("\\", "\\\\").replace('"', '\\"')
    assert redact_secret(f"x{secret}y {escaped}".encode(), secret, b"***") == b"x***y ***"
    assert redact_header(f"id={secret}".encode(), secret, b"***") == b"id=***"


@pytest.mark.parametrize("secret", [*STRONG, *RANDOM, "abc/DEF+123/xyz=="])
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_escaped_secrets_are_hidden(secret: str, share: float) -> None:
    """A secret whose characters JSON escapes, some or all, once or twice, is hidden, and the JSON stays valid."""
    chance = random.Random(secret)
    plain = [json.dumps(one)[1:-1] for one in secret]
    codes = [chance.choice((f"\\u{ord(one):04x}", f"\\u{ord(one):04X}")) for one in secret]
    some = [code if chance.random() < share else one for one, code in zip(plain, codes, strict=True)]
    text = "".join([*some[:-1], codes[-1]])
    for before in ("", "é \\n ", "\\\\", "\\\\\\\\"):
        data = f'{{"a": "{before}{text} \\u00e9"}}'.encode()
        redacted = redact_secret(data, secret, b"***")
        masked = mask_secret(data, secret, "KEY")
        assert len(masked) == len(data)
        assert unmask_secret(masked, secret, "KEY", b"***") == redacted
        assert holds_secret(data, secret)
        assert secret not in json.loads(redacted)["a"]
        assert "***" in json.loads(redacted)["a"]
    twice = json.dumps(json.dumps({"a": f"X{text}"[1:]}).replace("\\\\", "\\")).encode()
    assert secret not in json.loads(json.loads(redact_secret(twice, secret, b"***")))["a"]


@pytest.mark.parametrize("secret", [*STRONG, *RANDOM])
def test_a_masked_secret_is_known_again(secret: str) -> None:
    """A mask has the secret's length, in each of its spellings and many in a row, and none of its letters."""
    forms = [secret, json.dumps(secret)[1:-1], "".join(f"\\u{ord(one):04x}" for one in secret)]
    data = " ".join([*forms, "[1a2b3c]", secret + secret]).encode()
    masked = mask_secret(data, secret, "KEY")
    assert len(masked) == len(data)
    assert not holds_secret(masked, secret)
    assert unmask_secret(masked, secret, "KEY", b"KEY") == b"KEY KEY KEY [1a2b3c] KEYKEY"


def test_escaped_slashes_are_hidden() -> None:
    """Some servers write each `/` as `\\/`."""
    assert redact_secret(b'"abc\\/DEF+123\\/xyz=="', "abc/DEF+123/xyz==", b"***") == b'"***"'


def test_other_escapes_stay() -> None:
    """A text in another language, with escapes, is returned as the same object."""
    text = json.dumps({"content": "Привет, мир: sk-very " * 50}).encode()
    assert redact_secret(text, "sk-very-secret", b"***") is text


def test_nothing_is_no_secret() -> None:
    """An empty secret hides nothing."""
    assert redact_secret(b"abc", "", b"***") == b"abc"
