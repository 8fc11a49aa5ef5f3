"""Builds JWS and JWE compact serialisations byte by byte, the ones no library would build included (RFC 7515, 7518)."""

from __future__ import annotations

import base64
import functools
import hmac
import json
import os
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

Signer = Callable[[bytes], bytes]
Part = dict[str, Any] | bytes


def encode(raw: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(segment: str) -> bytes:
    """The octets of a well-formed base64url *segment*."""
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def compact(header: Part, payload: Part, sign: Signer) -> str:
    """A JWS in compact form; bytes are taken as they are, dicts as compact JSON."""
    signed = f"{encode(as_json(header))}.{encode(as_json(payload))}"
    return f"{signed}.{encode(sign(signed.encode()))}"


def as_json(part: Part) -> bytes:
    """*part* as compact JSON in UTF-8, bytes unchanged."""
    return part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()


def rs256(key: rsa.RSAPrivateKey) -> Signer:
    """RSASSA-PKCS1-v1_5 with SHA-256."""
    return lambda message: key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def rs512(key: rsa.RSAPrivateKey) -> Signer:
    """RSASSA-PKCS1-v1_5 with SHA-512."""
    return lambda message: key.sign(message, padding.PKCS1v15(), hashes.SHA512())


def ps256(key: rsa.RSAPrivateKey) -> Signer:
    """RSASSA-PSS with SHA-256, MGF1 and a salt as long as the hash (RFC 7518 section 3.5)."""
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    return lambda message: key.sign(message, pss, hashes.SHA256())


def hs256(secret: bytes) -> Signer:
    """HMAC with SHA-256."""
    return lambda message: hmac.digest(secret, message, "sha256")


def unsigned(message: bytes) -> bytes:
    """The empty signature of ``alg: none`` (RFC 7518 section 3.6)."""
    return b""


def jwe(plaintext: bytes, key: rsa.RSAPublicKey, kid: str) -> str:
    """A JWE of *plaintext* for *key*: RSA-OAEP-256 and A256GCM (RFC 7516 section 5.1)."""
    header = encode(as_json({"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": kid, "cty": "JWT"}))
    cek, nonce = os.urandom(32), os.urandom(12)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    sealed = AESGCM(cek).encrypt(nonce, plaintext, header.encode())
    parts = (key.encrypt(cek, oaep), nonce, sealed[:-16], sealed[-16:])
    return ".".join((header, *map(encode, parts)))


@functools.cache
def attacker_key() -> rsa.RSAPrivateKey:
    """An RSA-2048 key that nobody trusts, made once per process."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@functools.cache
def retired_key() -> rsa.RSAPrivateKey:
    """An RSA-2048 key that is no longer in the JWK set, made once per process."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
