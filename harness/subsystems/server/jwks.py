"""Reads a JWK set into the keys that may verify an RS256 signature, and verifies one with PyJWT.  Fetches nothing."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.model.vocabulary import Reason
from harness.subsystems.server.jws import Token
from harness.subsystems.server.rejection import Rejected

ALGORITHM = "RS256"
MIN_BITS, MAX_BITS = 2048, 8192

_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_NOTHING_BUT_THE_SIGNATURE = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


@dataclass(frozen=True)
class VerificationKey:
    """A published key that may verify signatures."""

    kid: str
    key: rsa.RSAPublicKey


Keys = Mapping[str, VerificationKey]


class UnusableKeySet(Exception):
    """The answer of the key server is not a JWK set with at least one usable key."""


def parse_keys(body: bytes) -> Keys:
    """The usable keys in *body* by key id; raises UnusableKeySet.

    Unusable entries are skipped (RFC 7517 section 5).  Two keys under one id are both dropped: which of them a token
    meant cannot be known.
    """
    try:
        entries = json.loads(body.decode("utf-8"))["keys"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise UnusableKeySet(f"no JWK set ({type(error).__name__})") from error
    if not isinstance(entries, list):
        raise UnusableKeySet("keys is not an array")
    times = Counter(entry["kid"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("kid"), str))
    usable = [key for entry in entries if (key := _usable(entry)) is not None and times[key.kid] == 1]
    if not usable:
        raise UnusableKeySet("no usable RSA key in it")
    return {key.kid: key for key in usable}


def signed_by_published_key(token: Token, keys: Keys) -> None:
    """The reference's proof: the key that ``kid`` names, nothing else, verifies the signature.  Raises Rejected."""
    if token.kid is None:
        raise Rejected(Reason.TOKEN_KEY, "no key id")
    if token.kid not in keys:
        raise Rejected(Reason.TOKEN_KEY, "the key id is not published")
    check_signature(token, keys[token.kid].key)


def check_signature(token: Token, key: rsa.RSAPublicKey) -> None:
    """Let PyJWT verify the RS256 signature of *token*; raises Rejected.

    Whatever PyJWT raises is a rejection: it lets errors through that are no PyJWTError (a TypeError for an RS256
    token and an EC key).  Times are judged elsewhere, because PyJWT takes no time of its caller.
    """
    try:
        jwt.decode(token.compact, key=key, algorithms=[ALGORITHM], options=_OPTIONS)
    except jwt.InvalidSignatureError as error:
        raise Rejected(Reason.TOKEN_SIGNATURE, "the signature does not verify") from error
    except jwt.InvalidAlgorithmError as error:
        raise Rejected(Reason.TOKEN_ALGORITHM, "the algorithm is not allowed") from error
    except Exception as error:
        raise Rejected(Reason.TOKEN_MALFORMED, f"it cannot be verified ({type(error).__name__})") from error


_OPTIONS: Any = _NOTHING_BUT_THE_SIGNATURE


def _usable(entry: Any) -> VerificationKey | None:
    if not isinstance(entry, dict) or not _meant_for_signatures(entry):
        return None
    try:
        key = jwt.PyJWK(entry, algorithm=ALGORITHM).key
    except Exception:  # PyJWT lets through what it meets in a hostile key: ValueError, TypeError, AttributeError
        return None
    sound = isinstance(key, rsa.RSAPublicKey) and _sound(key) and _certificate_agrees(entry, key)
    return VerificationKey(entry["kid"], key) if sound else None


def _meant_for_signatures(entry: dict[str, Any]) -> bool:
    operations = entry.get("key_ops", ["verify"])
    return (
        entry.get("kty") == "RSA"
        and isinstance(entry.get("kid"), str)
        and entry["kid"] != ""
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", ALGORITHM) == ALGORITHM
        and isinstance(operations, list)
        and "verify" in operations
        and not _PRIVATE_MEMBERS & entry.keys()
    )


def _sound(key: rsa.RSAPublicKey) -> bool:
    exponent = key.public_numbers().e
    return MIN_BITS <= key.key_size <= MAX_BITS and exponent % 2 == 1 and 3 <= exponent < 2**32


def _certificate_agrees(entry: dict[str, Any], key: rsa.RSAPublicKey) -> bool:
    """RFC 7517 section 4.7: the key in x5c, where there is one, must be this key."""
    if "x5c" not in entry:
        return True
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode(entry["x5c"][0], validate=True))
        return certificate.public_key() == key
    except (ValueError, TypeError, IndexError, KeyError):
        return False
