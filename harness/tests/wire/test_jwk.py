"""Key sets as people have them: read, or refused with one sentence."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness.pki.deployment import Pki
from harness.pki.jwk import key_id, public_jwk, read_keys
from harness.pki.keys import Key
from harness.stimuli.partial import ExternallySignedTokens, ServiceTokenIssuer
from harness.stimuli.tokens import TOKEN_CLASSES, jwa


@pytest.fixture(scope="module")
def key(pki: Pki) -> rsa.RSAPrivateKey:
    return pki.signing_key


def text(document: Any) -> bytes:
    return json.dumps(document).encode()


def test_every_shape_of_one_key(pki: Pki, key: rsa.RSAPrivateKey) -> None:
    public = key.public_key()
    jwk: Mapping[str, Any] = {**public_jwk(public), "kid": 7}
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    certificate = pki.secrets["ingress-ca"].certificate
    x5c = [base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()]
    private = {**jwk, "d": "AQAB", "p": "AQAB", "q": "AQAB"}
    shapes = {
        "a set": text({"keys": [jwk]}),
        "a byte order mark": b"\xef\xbb\xbf" + text({"keys": [jwk]}),
        "an array": text([jwk]),
        "one JWK": text(jwk),
        "the private members too": text({"keys": [private]}),
        "two sets, of which the last counts": b'{"keys":[],"keys":' + text([jwk]) + b"}",
        "PEM by key id": text({"7": pem.decode()}),
        "PEM": pem,
    }
    for shape, content in shapes.items():
        (found,) = read_keys(content)
        assert isinstance(found.key, rsa.RSAPublicKey), shape
        assert found.key == public, shape
        assert found.kid == ("" if shape == "PEM" else "7"), shape
        assert "d" not in found.document
    (by_certificate,) = read_keys(text({"keys": [{"kty": "EC", "x5c": x5c}]}))
    assert by_certificate.key == certificate.public_key()
    assert by_certificate.certificate == certificate


def test_every_kind_of_key_is_written_and_read() -> None:
    curves = (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1())
    keys: list[Key] = [ec.generate_private_key(curve) for curve in curves]
    keys += [ed25519.Ed25519PrivateKey.generate(), ed448.Ed448PrivateKey.generate()]
    for key in keys:
        public = key.public_key()
        (found,) = read_keys(text({"keys": [public_jwk(public)]}))
        assert key_id(found.key) == key_id(public)
        assert jwa.fits(jwa.usual(public), found.key)


def test_what_is_unknown_is_passed_over(key: rsa.RSAPrivateKey) -> None:
    strange = [None, 1, "x", {}, {"kty": "AKP", "pub": "AAAA"}, {"kty": "oct", "k": "AAAA"}, {"kty": "RSA", "n": 5},
               {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, {"kty": "RSA", "x5c": ["MIIB"]}]  # fmt: skip
    assert len(read_keys(text({"keys": [*strange, public_jwk(key.public_key())]}))) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "neither UTF-8 JSON nor PEM"),
        (b"\x00\xff", "neither UTF-8 JSON"),
        (b"[" * 100_000, "neither UTF-8 JSON"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "PEM is not a public key"),
        (b'{"keys": []}', "holds no key"),
        (b"7", "holds no key"),
        (b'{"keys": [{"kty": "AKP"}]}', r"kty AKP"),
    ],
)
def test_what_holds_no_key(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_keys(content)


@pytest.mark.parametrize("kid", ["k1", None])
def test_the_order_of_a_file_decides_nothing(key: rsa.RSAPrivateKey, kid: str | None) -> None:
    """Two keys under one id, or none: the forgery is made from the one that verifies the good token."""
    named = {} if kid is None else {"kid": kid}
    right = {**public_jwk(key.public_key()), **named}
    other = {**public_jwk(jwa.stranger("RS256").public_key()), **named}
    token = ServiceTokenIssuer(key, {}, "k1", 300).token()
    spki = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for both in ([right, other], [other, right]):
        token_issuer = ExternallySignedTokens(lambda: token, {}, read_keys(text({"keys": both})))
        forged = [form.headers[0][1][7:] for form in TOKEN_CLASSES["alg-hs-rsa-pem"].forms(token_issuer)]
        signed, _, signature = forged[0].rpartition(b".")
        made = jwa.signer("HS256", spki)(signed)
        assert base64.urlsafe_b64encode(made).rstrip(b"=") == signature
        assert len(forged) == 4


def test_without_a_good_token_every_key_that_fits_is_tried(key: rsa.RSAPrivateKey) -> None:
    keys = [{**public_jwk(each), "kid": name} for name, each in
            (("a", key.public_key()), ("b", jwa.stranger("RS256").public_key()))]  # fmt: skip
    token_issuer = ExternallySignedTokens(None, {}, read_keys(text({"keys": keys})))
    forms = TOKEN_CLASSES["alg-hs-rsa-pem"].forms(token_issuer)
    kids = [jwt.get_unverified_header(form.headers[0][1][7:])["kid"] for form in forms]
    assert kids == ["a"] * 4 + ["b"] * 4
