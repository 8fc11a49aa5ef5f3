"""Redaction: what must not survive, and what must."""

from __future__ import annotations

import base64
import json
import time

import pytest

from harness.decode.redaction import redact
from harness.decode.tokens import digest


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


SIGNED = f"{segment({'alg': 'RS256'})}.{segment({'sub': 'me'})}"
SIGNATURE = "c2lnbmF0dXJl-_x"
TOKEN = f"{SIGNED}.{SIGNATURE}"
SHOWN = f'<jwt sha256:{digest(TOKEN)[:16]} header={{"alg":"RS256"}} claims={{"sub":"me"}}>'
PEM = "-----BEGIN {0}PRIVATE KEY-----\nMIIabc\n-----END {0}PRIVATE KEY-----"


def test_a_token_is_shown_without_its_signature() -> None:
    assert redact(f"Authorization: Bearer {TOKEN}\r\nnext") == f"Authorization: Bearer {SHOWN}\r\nnext"


def test_every_token_is_found() -> None:
    assert redact(f"{TOKEN} {TOKEN},{TOKEN}").count(SHOWN) == 3


@pytest.mark.parametrize(
    "token",
    [
        f"{SIGNED}.{SIGNATURE}==",
        f"{SIGNED}.ab+c/{SIGNATURE}",
        f"{TOKEN}.{SIGNATURE}",
        TOKEN.replace(".", "%2E"),
        TOKEN.replace(".", "%2e"),
        f"{segment({'alg': 'dir', 'enc': 'A256GCM'})}..iv.{SIGNATURE}.tag",
    ],
)
def test_odd_tokens_lose_their_signature_too(token: str) -> None:
    text = redact(f"a {token} b")
    assert SIGNATURE not in text
    assert text.startswith("a <jwt sha256:") and text.endswith("> b")


def test_what_cannot_be_decoded_is_still_hidden() -> None:
    assert redact(f"eyJx.eyJy.{SIGNATURE}") == f"<jwt sha256:{digest(f'eyJx.eyJy.{SIGNATURE}')[:16]} header=? claims=?>"


def test_a_jws_in_json_form_loses_its_signature() -> None:
    text = json.dumps({"payload": "e30", "signature": SIGNATURE, "after": 1})
    assert redact(text) == text.replace(SIGNATURE, "<redacted>")
    assert SIGNATURE not in redact(json.dumps({"body": text}))


def test_a_token_inside_claims_is_described_and_its_signature_hidden() -> None:
    outer = f"{segment({'alg': 'RS256'})}.{segment({'act': TOKEN})}.{SIGNATURE}"
    shown = redact(outer)
    assert '"act":{"sha256":' in shown and TOKEN not in shown and SIGNATURE not in shown


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "ENCRYPTED "])
def test_private_keys_are_hidden(kind: str) -> None:
    assert redact(f"a\n{PEM.format(kind)}\nb") == "a\n<private key>\nb"
    assert redact(json.dumps({"key": PEM.format(kind)})) == '{"key": "<private key>"}'


def test_two_keys_leave_what_is_between() -> None:
    assert redact(f"{PEM.format('')} between {PEM.format('')}") == "<private key> between <private key>"


def test_a_key_cut_short_is_hidden() -> None:
    assert redact("a " + PEM.format("")[:40]) == "a <private key>"


def test_certificates_are_not_secret() -> None:
    text = "-----BEGIN CERTIFICATE-----\nMIIabc\n-----END CERTIFICATE-----"
    assert redact(text) == text


def test_observed_values_are_hidden_the_longest_first() -> None:
    assert redact("s3cret and s3cret-longer", ["s3cret", "s3cret-longer", ""]) == "<redacted> and <redacted>"


def test_an_observed_token_is_hidden_whole_whatever_it_contains() -> None:
    odd = f"{SIGNED}.abc!{SIGNATURE}"
    text = redact(f"Bearer {odd};", [odd])
    assert SIGNATURE not in text and "!" not in text
    assert text.startswith(f"Bearer <jwt sha256:{digest(odd)[:16]} header=")


@pytest.mark.parametrize("text", ["", "eyJ", "eyJ.x", "a.b.c", "https://host/eyJpath/x?y=1", SIGNED, "é \ud800"])
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("text", ["eyJ" * 100_000, "eyJ." * 100_000, "-----BEGIN " * 50_000, '"signature":"' * 50_000])
def test_no_text_takes_more_than_linear_time(text: str) -> None:
    start = time.process_time()
    redact(text)
    assert time.process_time() - start < 1  # measured: 0.05 at most
