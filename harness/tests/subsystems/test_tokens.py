"""Tokens at a server that verifies them: every bad one gets 401, for the right reason, and has no effect."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.pki.deployment import public_jwk
from harness.tests.subsystems.support import Deployment, Server, encode, sign, sign_segments

NOW = int(time.time())
CLAIMS = {"iss": "IBM API Connect", "iat": NOW, "exp": NOW + 7200}


@pytest.fixture(scope="module")
def server(lab: Deployment) -> Server:
    return lab.start("portal", "jwt")


@pytest.fixture(scope="module")
def stranger() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _rejected(server: Server, token: str, reason: str) -> None:
    result = server.good(token=token)
    assert (result.status, result.reason, result.acted) == (401, reason, False)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": None}, "token-claims"),
        ({"exp": NOW - 1}, "token-expired"),
        ({"exp": 0}, "token-expired"),
        ({"exp": -1}, "token-expired"),
        ({"exp": str(NOW + 7200)}, "token-claims"),
        ({"exp": True}, "token-claims"),
        ({"exp": [NOW + 7200]}, "token-claims"),
        ({"exp": 10**100}, "token-malformed"),
        ({"nbf": NOW + 3_600}, "token-not-yet-valid"),
        ({"nbf": "x"}, "token-claims"),
        ({"iat": NOW + 3_600}, "token-not-yet-valid"),
        ({"iat": "x"}, "token-claims"),
        ({"sub": 1}, "token-claims"),
        ({"sub": ""}, "token-claims"),
        ({"jti": {}}, "token-claims"),
        ({"iss": ["x"]}, "token-claims"),
        ({"aud": ["x", 1]}, "token-claims"),
        ({"aud": {"x": 1}}, "token-claims"),
        ({"cnf": {"jkt": "x"}}, "token-claims"),
        ({"sub": "\ud800"}, "token-malformed"),
    ],
)
def test_bad_claims(lab: Deployment, server: Server, claims: dict[str, Any], reason: str) -> None:
    _rejected(server, lab.token(**claims), reason)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW + 7200.5},
        {"exp": 2**53 + 1},
        {"nbf": NOW - 1},
        {"iat": None},
        {"aud": ["a", "b"]},
        {"x": {"y": [1]}},
    ],
)
def test_good_claims(lab: Deployment, server: Server, claims: dict[str, Any]) -> None:
    assert server.good(token=lab.token(**claims)).served


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"alg": None}, "token-algorithm"),
        ({"alg": "rs256"}, "token-algorithm"),
        ({"alg": "RS512"}, "token-algorithm"),
        ({"alg": ["RS256"]}, "token-algorithm"),
        ({"alg": {"a": 1}}, "token-algorithm"),
        ({"kid": None}, "token-key"),
        ({"kid": 1}, "token-key"),
        ({"kid": ""}, "token-key"),
        ({"kid": "../../../dev/null"}, "token-key"),
        ({"crit": ["b64"], "b64": True}, "token-malformed"),
        ({"crit": ["x"], "x": 1}, "token-malformed"),
        ({"crit": []}, "token-malformed"),
        ({"b64": False}, "token-malformed"),
        ({"b64": "false"}, "token-malformed"),
        ({"typ": 7}, "token-malformed"),
    ],
)
def test_bad_headers(lab: Deployment, server: Server, header: dict[str, Any], reason: str) -> None:
    _rejected(server, lab.token(header), reason)


def test_bad_structure(lab: Deployment, server: Server) -> None:
    head, body, signature = lab.token().split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = signature[:-1] + alphabet[alphabet.index(signature[-1]) ^ 1]  # differs in bits that mean nothing
    assert base64.urlsafe_b64decode(twin + "==") == base64.urlsafe_b64decode(signature + "==")
    structures = [
        "abc", head, f"{head}.{body}", f"{head}..{signature}", f".{body}.{signature}", "...", "..",
        f"{head}.{body}.{signature}.", f"{head}.{body}.{signature}.x", "." * 5000, "a.b.c.d.e",
        f"{head}=.{body}.{signature}", f"{head}.{body}.{signature}==", f"{head}.{body}.{twin}",
        f"{head}.{body}.{signature}!", f"{head}.{body[:4]} {body[4:]}.{signature}", f"{head}%2E{body}.{signature}",
        f"{head}.{body}.\u00e9{signature}", json.dumps({"payload": body, "protected": head, "signature": signature}),
    ]  # fmt: skip
    for token in structures:
        _rejected(server, token, "token-malformed")
    _rejected(server, f"{head}.{body}.", "token-signature")
    assert server.good(token="a" * 100_000).status == 431


def test_bad_json(lab: Deployment, server: Server) -> None:
    key = lab.pki.signing_key
    head = json.dumps({"alg": "RS256", "kid": lab.pki.kid})
    body = json.dumps(CLAIMS)
    pairs = [
        (b"\xef\xbb\xbf" + head.encode(), body.encode()),
        (head.encode("utf-16"), body.encode()),
        (head.encode(), body.encode("utf-16")),
        (head.encode(), b"\xef\xbb\xbf" + body.encode()),
        (head.replace("{", '{"alg": "none", ', 1).encode(), body.encode()),
        (head.encode(), body.replace("{", '{"exp": 1, ', 1).encode()),
        (head.encode(), body.replace("{", '{"x": NaN, ', 1).encode()),
        (head.encode(), body.replace("{", '{"x": 1e1000000, ', 1).encode()),
        (head.encode(), body.replace("{", '{"x": ' + "9" * 5000 + ", ", 1).encode()),
        (head.encode(), body.replace("{", '{"x": ' + "[" * 3000 + "]" * 3000 + ", ", 1).encode()),
        (head.encode(), (body + "{}").encode()),
        (head.encode(), b"[]"),
        (b'"x"', body.encode()),
        (head.encode(), body.encode() + b"\xff"),
    ]
    for raw_head, raw_body in pairs:
        _rejected(server, sign_segments(encode(raw_head), encode(raw_body), key), "token-malformed")


def test_forgeries(lab: Deployment, server: Server, stranger: rsa.RSAPrivateKey) -> None:
    head, body, signature = lab.token().split(".")
    _rejected(server, lab.token(key=stranger), "token-signature")
    _rejected(server, f"{head}.{lab.token(sub='admin').split('.')[1]}.{signature}", "token-signature")
    _rejected(server, f"{head}.{body}.{('B' if signature[0] == 'A' else 'A') + signature[1:]}", "token-signature")
    _rejected(server, f"{head}.{body}.{encode(b'0' + base64.urlsafe_b64decode(signature + '=='))}", "token-signature")
    _rejected(server, unsigned(lab), "token-algorithm")
    _rejected(server, hmac_with_public_key(lab), "token-algorithm")
    for header in (embedded(lab, stranger), {"jku": "https://api.apic.test/x"}, {"x5u": "https://api.apic.test/x"}):
        _rejected(server, lab.token(header, key=stranger), "token-signature")
    _rejected(server, jwt.encode(CLAIMS, lab.pki.signing_key, "PS256", {"kid": lab.pki.kid}), "token-algorithm")


def test_the_server_survived_all_that(server: Server) -> None:
    assert server.good().served


def test_no_log_line_and_no_record_holds_a_token(lab: Deployment, server: Server) -> None:
    token = lab.token()
    result = server.good(token=token)
    _rejected(server, token[:-5] + "AAAAA", "token-signature")
    signature = token.split(".")[2]
    assert signature[:20] not in json.dumps(lab.process.connections) + "".join(lab.process.log)
    assert result.seen["requests"][0]["token"]["sha256"] == hashlib.sha256(token.encode()).hexdigest()
    assert result.seen["requests"][0]["authorization_sha256"] == hashlib.sha256(f"Bearer {token}".encode()).hexdigest()


def unsigned(lab: Deployment) -> str:
    """A good token, but unsigned."""
    body = lab.token().split(".")[1]
    return f"{encode(json.dumps({'alg': 'none', 'kid': lab.pki.kid}).encode())}.{body}."


def hmac_with_public_key(lab: Deployment) -> str:
    """HS256 with the published key's PEM as its secret."""
    secret = lab.pki.signing_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head, body = encode(json.dumps({"alg": "HS256", "kid": lab.pki.kid}).encode()), lab.token().split(".")[1]
    return f"{head}.{body}.{encode(hmac.digest(secret, f'{head}.{body}'.encode(), 'sha256'))}"


def embedded(lab: Deployment, key: rsa.RSAPrivateKey) -> dict[str, Any]:
    """A header that carries the key it is to be verified with."""
    return {"jwk": {**public_jwk(key.public_key()), "kid": lab.pki.kid}}


def test_sign_is_what_the_server_takes(lab: Deployment, server: Server) -> None:
    assert server.good(token=sign({"alg": "RS256", "kid": lab.pki.kid}, CLAIMS, lab.pki.signing_key)).served
