"""Public keys as JWKs (RFC 7517, 7518 section 6, 8037): written, named, read as people have them.  Fetches nothing."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from harness.pki.keys import Key as Private

__all__ = ["PUBLIC", "Private", "Public", "Published", "curve", "family", "key_id", "public_jwk", "read_keys"]

Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
PUBLIC = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)

_PEM = b"-----BEGIN"
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1"}
_READERS: Mapping[str, Any] = {"RSA": RSAAlgorithm, "EC": ECAlgorithm, "OKP": OKPAlgorithm}
_PUBLIC_MEMBERS = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}


@dataclass(frozen=True)
class Published:
    """A key that verifies tokens, as it is published: ``kid`` '' where it has none, ``document`` its JWK as it stands
    there, ``text`` the whole set, ``certificate`` the first of its x5c."""

    key: Public
    kid: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)
    text: bytes = b""
    certificate: x509.Certificate | None = None

    @property
    def label(self) -> str:
        """How a message names it."""
        return f"the key {self.kid}" if self.kid else "the key without a key id"


def family(key: Public) -> str:
    """The kty of *key* (RFC 7518 section 6.1, RFC 8037 section 2)."""
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA"
    return "EC" if isinstance(key, ec.EllipticCurvePublicKey) else "OKP"


def curve(key: Public) -> str:
    """The crv of *key*, '' where its kty has none."""
    if isinstance(key, rsa.RSAPublicKey):
        return ""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name, key.curve.name)
    return "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else "Ed448"


def key_id(key: Public) -> str:
    """A key id for *key* in the form API Connect uses, a UUID; the same key always has the same."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return str(uuid.UUID(bytes=hashlib.sha256(der).digest()[:16], version=4))


def public_jwk(key: Public) -> dict[str, str]:
    """The bare public JWK of *key*: its kty and what makes the key, nothing else."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "n": _uint(numbers.n), "e": _uint(numbers.e)}
    if isinstance(key, ec.EllipticCurvePublicKey):
        point, size = key.public_numbers(), (key.key_size + 7) // 8
        return {"kty": "EC", "crv": curve(key), "x": _uint(point.x, size), "y": _uint(point.y, size)}
    return {"kty": "OKP", "crv": curve(key), "x": _text(key.public_bytes(Encoding.Raw, PublicFormat.Raw))}


def read_keys(data: bytes) -> Sequence[Published]:
    """The keys in *data* that are known here: a JWK set, an array of JWKs, one JWK, PEM, or PEM by key id.

    Raises ValueError, which says in one sentence why there is none.
    """
    if data.lstrip().startswith(_PEM):
        return (_from_pem(data, "", data),)
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError("it is neither UTF-8 JSON nor PEM") from error
    entries = list(_entries(document))
    found = [key for name, entry in entries if (key := _read(name, entry, data)) is not None]
    if not found:
        kinds = sorted({str(entry.get("kty")) for _, entry in entries if isinstance(entry, dict)})
        message = f"no key of a supported type (kty {', '.join(kinds)})" if kinds else "it holds no key"
        raise ValueError(message)
    return tuple(found)


def _entries(document: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(document, dict) and "keys" in document:
        document = document["keys"]
    if isinstance(document, list):
        yield from (("", entry) for entry in document)
    elif isinstance(document, dict) and "kty" in document:
        yield "", document
    elif isinstance(document, dict):  # certificates or keys in PEM by key id
        yield from ((str(name), entry) for name, entry in document.items() if isinstance(entry, str))


def _read(name: str, entry: Any, text: bytes) -> Published | None:
    """The key of one *entry*; None for what is none, or of an unknown kind."""
    try:
        if isinstance(entry, str):
            return _from_pem(entry.encode(), name, text)
        return _from_jwk(entry, text) if isinstance(entry, dict) else None
    except Exception:  # a hostile or broken entry: PyJWT and cryptography let through whatever they meet in it
        return None


def _from_pem(pem: bytes, kid: str, text: bytes) -> Published:
    pem = pem.strip() + b"\n"
    certificate = x509.load_pem_x509_certificate(pem) if b"CERTIFICATE" in pem.partition(b"\n")[0] else None
    try:
        key = certificate.public_key() if certificate else load_pem_public_key(pem)
    except ValueError as error:
        raise ValueError("its PEM is not a public key") from error
    if not isinstance(key, PUBLIC):
        raise ValueError("its PEM is not a key that can sign tokens")
    return Published(key, kid, {}, text, certificate)


def _from_jwk(entry: Mapping[str, Any], text: bytes) -> Published | None:
    kty = str(entry.get("kty"))
    certificate = _certificate(entry)
    # The private half that some files carry is not read: nothing here may sign with it.
    document = {name: value for name, value in entry.items() if name not in {"d", "p", "q", "dp", "dq", "qi", "oth"}}
    members = [name for name in _PUBLIC_MEMBERS.get(kty, ()) if name in entry]
    if kty in _READERS and len(members) == len(_PUBLIC_MEMBERS[kty]):
        key = _READERS[kty].from_jwk({name: entry[name] for name in members})
    else:
        key = certificate.public_key() if certificate else None
    kid = entry.get("kid")
    named = "" if kid is None else str(kid)
    return Published(key, named, document, text, certificate) if isinstance(key, PUBLIC) else None


def _certificate(entry: Mapping[str, Any]) -> x509.Certificate | None:
    chain = entry.get("x5c")
    if not isinstance(chain, list) or not chain or not isinstance(chain[0], str):
        return None
    try:
        return x509.load_der_x509_certificate(base64.b64decode(chain[0]))
    except (ValueError, binascii.Error):
        return None


def _uint(number: int, size: int = 0) -> str:
    return _text(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
