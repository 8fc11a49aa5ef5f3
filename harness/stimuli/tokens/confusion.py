"""A published key in every form in which it may have been configured as text, and then used as an HMAC secret."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness.pki.jwk import Published, public_jwk
from harness.stimuli.tokens.jose import as_json, decode

Form = tuple[str, bytes]

_SPKI = PublicFormat.SubjectPublicKeyInfo


def as_pem(published: Published) -> Iterator[Form]:
    """PEM: SPKI, PKCS#1 of an RSA key, the certificate; each with the line break at its end and without."""
    key = published.key
    texts = {"SPKI PEM": key.public_bytes(Encoding.PEM, _SPKI)}
    if isinstance(key, rsa.RSAPublicKey):
        texts["PKCS#1 PEM"] = key.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    if published.certificate is not None:
        texts["certificate PEM"] = published.certificate.public_bytes(Encoding.PEM)
    for name, text in texts.items():
        yield name, text
        yield f"{name} without its last line break", text.rstrip()


def as_der(published: Published) -> Iterator[Form]:
    """DER: SPKI, PKCS#1 of an RSA key, the certificate; and each in base64, which is a PEM file's middle."""
    key = published.key
    texts = {"SPKI DER": key.public_bytes(Encoding.DER, _SPKI)}
    if isinstance(key, rsa.RSAPublicKey):
        texts["PKCS#1 DER"] = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    if published.certificate is not None:
        texts["certificate DER"] = published.certificate.public_bytes(Encoding.DER)
    for name, text in texts.items():
        yield name, text
        yield f"{name} in base64", base64.b64encode(text)


def as_jwk(published: Published) -> Iterator[Form]:
    """JSON: the JWK as it is published, its required members alone (RFC 7638), the whole key set as it was read."""
    if published.document:
        yield "JWK", as_json(dict(published.document))
    bare = public_jwk(published.key)
    yield "JWK of the required members", as_json({name: bare[name] for name in sorted(bare)})
    if published.text:
        yield "whole key set", published.text
        yield "whole key set without its last line break", published.text.rstrip()


def as_number(published: Published) -> Iterator[Form]:
    """The bare numbers: an RSA key's modulus, a point on a curve, an EdDSA key's octets; and as base64url text."""
    yield from _numbers(published.key, public_jwk(published.key))
    for member in ("n", "x"):
        if member in public_jwk(published.key):
            yield f"{member} in base64url", public_jwk(published.key)[member].encode()


def _numbers(key: Any, jwk: Mapping[str, str]) -> Iterator[Form]:
    if isinstance(key, rsa.RSAPublicKey):
        yield "modulus", decode(jwk["n"])
    elif isinstance(key, ec.EllipticCurvePublicKey):
        yield "point, uncompressed", key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        yield "point, compressed", key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        yield "x and y", decode(jwk["x"]) + decode(jwk["y"])
    else:
        yield "octets", decode(jwk["x"])
