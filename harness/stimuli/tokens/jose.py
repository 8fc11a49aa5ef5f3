"""Builds JWS and JWE compact serialisations byte by byte, the ones no library would build included (RFC 7515, 7518)."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from harness.pki.jwk import Public, public_jwk
from harness.stimuli.unavailable import StimulusUnavailable

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


def unsigned(message: bytes) -> bytes:
    """The empty signature of ``alg: none`` (RFC 7518 section 3.6)."""
    return b""


def jwe(plaintext: bytes, key: Public, kid: str) -> str:
    """A JWE of *plaintext* for *key* with A256GCM: RSA-OAEP-256, or ECDH-ES (RFC 7516 section 5.1).

    Raises StimulusUnavailable for a key that cannot encrypt.
    """
    if isinstance(key, rsa.RSAPublicKey):
        cek = os.urandom(32)
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        header, sealed_key = _jwe_header("RSA-OAEP-256", kid), key.encrypt(cek, oaep)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        ephemeral = ec.generate_private_key(key.curve)
        header = _jwe_header("ECDH-ES", kid, epk=public_jwk(ephemeral.public_key()))
        cek, sealed_key = _agreed(ephemeral.exchange(ec.ECDH(), key)), b""
    else:
        raise StimulusUnavailable("EdDSA keys cannot be used for encryption")
    nonce = os.urandom(12)
    sealed = AESGCM(cek).encrypt(nonce, plaintext, header.encode())
    return ".".join((header, *map(encode, (sealed_key, nonce, sealed[:-16], sealed[-16:]))))


def _jwe_header(alg: str, kid: str, **more: Any) -> str:
    return encode(as_json({"alg": alg, "enc": "A256GCM", "kid": kid, "cty": "JWT", **more}))


def _agreed(secret: bytes) -> bytes:
    """The key that ECDH-ES derives for A256GCM (RFC 7518 section 4.6.2)."""
    name = b"A256GCM"
    info = len(name).to_bytes(4, "big") + name + bytes(4) + bytes(4) + (256).to_bytes(4, "big")
    return ConcatKDFHash(hashes.SHA256(), 32, info).derive(secret)
