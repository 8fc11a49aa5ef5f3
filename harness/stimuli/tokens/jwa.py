"""The signature algorithms of tokens (RFC 7518 section 3, 8037, 8812): which key fits which, and how each signs."""

from __future__ import annotations

import functools
import hmac
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from harness.pki.jwk import Private, Public, curve, family
from harness.stimuli.tokens.jose import Signer
from harness.stimuli.unavailable import StimulusUnavailable

_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_EC = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "secp256k1": "ES256K"}
_OKP = ("EdDSA", "Ed25519", "Ed448")
RSA = tuple(f"{kind}{size}" for kind in ("RS", "PS") for size in _HASHES)
EC = tuple(_EC.values())
MAC = tuple(f"HS{size}" for size in _HASHES)
ALGORITHMS = (*RSA, *EC, *_OKP)
"""The names of all that sign with a private key."""


def usual(key: Public) -> str:
    """The algorithm that *key* is usually used with."""
    if family(key) == "RSA":
        return "RS256"
    return "EdDSA" if family(key) == "OKP" else _EC.get(curve(key), "")


def fits(alg: str, key: Public) -> bool:
    """Whether *key* is of the kind that *alg* signs with."""
    if alg in RSA:
        return family(key) == "RSA"
    if alg in EC:
        return family(key) == "EC" and _EC.get(curve(key)) == alg
    return alg in _OKP and family(key) == "OKP" and alg in ("EdDSA", curve(key))


def macs(alg: str) -> tuple[str, ...]:
    """The HMAC algorithms that a verifier of *alg* may be talked into: HS256, and the one of the same hash."""
    same = f"HS{alg[2:5]}"
    return ("HS256",) if same not in MAC[1:] else ("HS256", same)


def signer(alg: str, key: Any) -> Signer:
    """Signs with *key* as *alg* says; a secret (bytes) for an HMAC.  A curve need not be the one *alg* names."""
    if alg in MAC:
        return lambda message: hmac.digest(key, message, f"sha{alg[2:]}")
    if alg in _OKP:
        return lambda message: bytes(key.sign(message))
    digest = _HASHES[alg[2:5]]
    if alg in EC:
        return lambda message: raw(key.sign(message, ec.ECDSA(digest)), key.key_size)
    scheme = _padding(alg, digest)
    return lambda message: bytes(key.sign(message, scheme, digest))


def verifies(alg: str, key: Public, message: bytes, signature: bytes) -> bool:
    """Whether *signature* is *key*'s over *message*."""
    if not fits(alg, key):
        return False
    try:
        _verify(alg, key, message, signature)
    except (InvalidSignature, ValueError):
        return False
    return True


def _verify(alg: str, key: Any, message: bytes, signature: bytes) -> None:
    if alg in _OKP:
        key.verify(signature, message)
        return
    digest = _HASHES[alg[2:5]]
    if alg in EC:
        half = len(signature) // 2
        r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(digest))
        return
    key.verify(signature, message, _padding(alg, digest), digest)


def _padding(alg: str, digest: hashes.HashAlgorithm) -> padding.AsymmetricPadding:
    # RFC 7518 section 3.5: a salt as long as the hash.
    return padding.PKCS1v15() if alg.startswith("RS") else padding.PSS(padding.MGF1(digest), digest.digest_size)


def raw(der: bytes, bits: int) -> bytes:
    """An ECDSA signature as a JWS has it: R and S, each as long as the order (RFC 7518 section 3.4)."""
    size = (bits + 7) // 8
    return b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(der))


def der(signature: bytes) -> bytes:
    """An ECDSA signature of a JWS as ASN.1 has it."""
    half = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))


@functools.cache
def stranger(alg: str, name: str = "attacker") -> Any:
    """An untrusted key for *alg*, made once per process; bytes for an HMAC.  Raises StimulusUnavailable."""
    if alg in MAC:
        return os.urandom(64)
    if alg not in ALGORITHMS:
        raise StimulusUnavailable(f"no token can be forged for the algorithm {alg or '(none)'} of the good one")
    # One key for all that it can sign with, as an attacker would publish one.
    return _stranger("RSA" if alg in RSA else alg, name)


@functools.cache
def _stranger(kind: str, name: str) -> Private:
    if kind == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if kind == "Ed448":
        return ed448.Ed448PrivateKey.generate()
    if kind in _OKP:
        return ed25519.Ed25519PrivateKey.generate()
    curves: Mapping[str, ec.EllipticCurve] = {
        "ES256": ec.SECP256R1(),
        "ES384": ec.SECP384R1(),
        "ES512": ec.SECP521R1(),
        "ES256K": ec.SECP256K1(),
    }
    return ec.generate_private_key(curves[kind])
