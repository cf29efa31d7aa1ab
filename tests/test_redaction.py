"""Which secrets are hidden, and where."""

from __future__ import annotations

import base64
import html
import itertools
import json
import random
import string
from urllib.parse import quote

import pytest

from evalmake.redaction import (
    holds_secret,
    is_guessable,
    length_of_beginning,
    mask_secret,
    redact_header,
    redact_secret,
    unmask_secret,
)

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


LONG = ["sk-proj-aB3xY9_-0123456789abcdefGHIJ", "hf_>>>???~~~abc/DEF+ghi", "a\"b<c>&d'e-19?xyz", *RANDOM[:3]]


@pytest.mark.parametrize("secret", LONG)
def test_encoded_secrets_are_hidden(secret: str) -> None:
    """A secret in base64 at any place of a longer text, or in hexadecimal digits, is hidden."""
    for before, after in itertools.product(range(4), range(4)):
        text = b"u" * before + secret.encode() + b":" * after
        for code in (base64.b64encode(text), base64.urlsafe_b64encode(text), base64.b64encode(text).rstrip(b"=")):
            variants = (code, code.replace(b"/", b"\\/"), code.replace(b"+", b"\\u002B"), quote(code, safe="").encode())
            for data in (b'{"a": "%b"}' % variant for variant in variants):
                redacted = redact_secret(data, secret, b"*")
                assert holds_secret(data, secret)
                assert len(redacted) <= len(b'{"a": "*"}') + 10 + 4 * (before + after)
                assert len(mask_secret(data, secret, "KEY")) == len(data)
    for code in (secret.encode().hex(), secret.encode().hex().upper()):
        assert redact_header(f"x={code};".encode(), secret, b"***") == b"x=***;"


def escape_for_web(chance: random.Random, one: str) -> str:
    """A character as a URL or HTML may escape it."""
    code = ord(one)
    forms = [f"%{code:02x}", f"%{code:02X}", f"%25{code:02X}", f"&#{code};", f"&#x{code:x};", f"&#X{code:04X};"]
    return chance.choice([*forms, html.escape(one), quote(one)])


@pytest.mark.parametrize("secret", LONG)
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_secrets_in_urls_and_html_are_hidden(secret: str, share: float) -> None:
    """A secret some of whose characters are escaped as in a URL or in HTML is hidden, whole and in pieces."""
    chance = random.Random(secret)
    for _ in range(20):
        escaped = "".join(escape_for_web(chance, one) if chance.random() < share else one for one in secret)
        data = f"50% & {escaped} %20&amp;".encode()
        assert redact_secret(data, secret, b"***") == b"50% & *** %20&amp;"
        masked = mask_secret(data, secret, "KEY")
        assert len(masked) == len(data)
        assert unmask_secret(masked, secret, "KEY", b"***") == b"50% & *** %20&amp;"
        start = len(b"50% & ")
        for cut in range(start + 1, start + len(escaped)):
            assert length_of_beginning(data[:cut], secret) >= cut - start


def test_web_escapes_of_other_texts_stay() -> None:
    """A text with a URL and with HTML is returned as the same object."""
    text = b"https://x.org/?q=a%20b%2Fc%2Dsk &lt;b&gt; &#115;k-very 100%" * 9
    assert redact_secret(text, "sk-very-secret", b"***") is text


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
