"""The token view: what it shows, and that nothing a peer sends can break it."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from typing import Any

import pytest

from harness.decode.tokens import MAX_DEPTH, bearer, describe


def segment(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


HEADER, CLAIMS = {"alg": "RS256"}, {"sub": "me", "n": [1, {"a": None}]}
GOOD = f"{segment(HEADER)}.{segment(CLAIMS)}.c2ln"


def test_a_jws_shows_header_claims_and_digest() -> None:
    observed = describe(GOOD)
    assert (observed.header, observed.claims) == (HEADER, CLAIMS)
    assert observed.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()


def test_the_signature_is_not_in_the_view() -> None:
    assert "c2ln" not in repr(describe(GOOD))


def test_a_jwe_shows_its_header_only() -> None:
    observed = describe(f"{segment(HEADER)}.{segment(CLAIMS)}.a.b.c")
    assert (observed.header, observed.claims) == (HEADER, None)


@pytest.mark.parametrize("tail", ["", ".c2ln.x", ".", ".."])
def test_missing_and_surplus_segments_are_shown_all_the_same(tail: str) -> None:
    observed = describe(f"{segment(HEADER)}.{segment(CLAIMS)}{tail}")
    assert (observed.header, observed.claims) == (HEADER, CLAIMS)


def test_a_token_in_a_claim_is_described_and_never_shown_as_it_is() -> None:
    outer = f"{segment(HEADER)}.{segment({'user_token': GOOD, 'list': [GOOD], 'text': f'see {GOOD}!'})}.b3V0"
    observed = describe(outer)
    digest = hashlib.sha256(GOOD.encode()).hexdigest()
    inner = {"sha256": digest, "header": HEADER, "claims": CLAIMS}
    assert observed.claims == {"user_token": inner, "list": [inner], "text": f"see <jwt sha256:{digest[:16]}>!"}
    assert "c2ln" not in repr(observed)


def test_a_token_that_is_the_payload_is_described() -> None:
    observed = describe(f"{segment({'alg': 'ES256', 'cty': 'JWT'})}.{segment(GOOD.encode())}.b3V0")
    assert observed.claims is not None
    assert observed.claims["payload"]["claims"] == CLAIMS
    assert "c2ln" not in repr(observed)
    assert describe(f"{segment(HEADER)}.{segment(GOOD.encode())}.b3V0").claims is None
    assert describe(f"{segment({'cty': 'JWT'})}.{segment(b'no token')}.b3V0").claims is None


def test_tokens_in_tokens_end_somewhere() -> None:
    token = GOOD
    for _ in range(12):
        token = f"{segment(HEADER)}.{segment({'t': token})}.b3V0"
    text = json.dumps(describe(token).claims)
    assert "c2ln" not in text and "b3V0" not in text
    assert text.count('"sha256"') == 2 and "<jwt sha256:" in text


def test_what_would_be_too_deep_with_the_inner_token_is_named_by_its_digest() -> None:
    deep: Any = "x"
    for _ in range(MAX_DEPTH - 2):
        deep = [deep]
    inner = f"{segment(HEADER)}.{segment({'a': deep})}.c2ln"
    for _ in range(3):
        inner = f"{segment(HEADER)}.{segment({'t': inner})}.c2ln"
    assert "<jwt sha256:" in json.dumps(describe(inner).claims)


def test_padding_is_tolerated() -> None:
    padded = base64.urlsafe_b64encode(b'{"a":1}').decode()
    assert padded.endswith("=")
    assert describe(f"{padded}.{padded}.x").claims == {"a": 1}


@pytest.mark.parametrize(
    "payload",
    [
        b"[1]",
        b'"text"',
        b"",
        b"{",
        b'{"a":1,}',
        b'{"a":1}{}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":"\xff"}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e400}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' + b"[" * 100_000,
        b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
    ],
    ids=lambda payload: repr(payload[:16]),
)
def test_what_cannot_be_decoded_is_none(payload: bytes) -> None:
    observed = describe(f"{segment(HEADER)}.{segment(payload)}.x")
    assert (observed.header, observed.claims) == (HEADER, None)
    assert describe(f"{segment(payload)}.{segment(CLAIMS)}.x").header is None


def test_what_is_nested_less_is_shown() -> None:
    depth = MAX_DEPTH - 1
    payload = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    assert describe(f"{segment(HEADER)}.{segment(payload)}.x").claims is not None


def test_every_view_can_be_written_as_utf8_json() -> None:
    surrogate = segment(rb'{"a":"x\ud800y"}')
    observed = describe(f"{segment(HEADER)}.{surrogate}.x")
    assert observed.claims == {"a": "x?y"}
    json.dumps(observed.claims, ensure_ascii=False, allow_nan=False).encode("utf-8")


@pytest.mark.parametrize(
    "text", ["", ".", "..", "." * 100_000, "abc", "é.é.é", "\ud800.x.y", "\udcff", "\0.\0.\0", " " * 9]
)
def test_anything_at_all_gives_a_view(text: str) -> None:
    observed = describe(text)
    assert len(observed.sha256) == 64
    assert observed.header is None and observed.claims is None


def test_random_bytes_never_raise() -> None:
    source = random.Random(1)
    for _ in range(2000):
        raw = bytes(source.randrange(256) for _ in range(source.randrange(60)))
        text = raw.decode("utf-8", "surrogateescape")
        assert describe(text).sha256 == hashlib.sha256(raw).hexdigest()
        describe(f"{segment(raw)}.{segment(raw)}.")


@pytest.mark.parametrize(
    ("value", "token"),
    [
        (None, None),
        ("", None),
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER   abc ", "abc"),
        (" Bearer abc", "abc"),
        ("Bearer", ""),
        ("Bearer ", ""),
        ("Bearer a b", "a b"),
        ("Bearerabc", None),
        ("Bearer\tabc", None),
        ("Basic abc", None),
        ("abc", None),
    ],
)
def test_bearer(value: str | None, token: str | None) -> None:
    assert bearer(value) == token
