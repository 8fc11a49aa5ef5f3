"""More faults about tokens and keys: fetched where a token says, a memory, a long leeway, keys of other kinds."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from harness.subsystems.faults.registry import fault
from harness.subsystems.faults.tokens import VERIFIERS
from harness.subsystems.server.jwks import ALGORITHM, Keys, UnusableKeySet, check_signature
from harness.subsystems.server.jws import Token
from harness.subsystems.server.policy import ServerPolicy
from harness.subsystems.server.rejection import Rejected

_SECONDS = 2.0
_QUARTER = 900.0


@fault("follows-token-urls", on=VERIFIERS)
def follows_token_urls(rules: ServerPolicy) -> ServerPolicy:
    """fetches the key from the URL in the token's own header"""

    def proof(token: Token, keys: Keys) -> None:
        for url in _urls(token):
            for key in _fetched(url):
                try:
                    check_signature(token, key)
                except Rejected:
                    continue
                return
        rules.proof(token, keys)

    return replace(rules, proof=proof)


def _urls(token: Token) -> Iterator[str]:
    for name in ("jku", "x5u", "kid"):
        value = token.header.get(name)
        if isinstance(value, str) and value.startswith("http://127.0.0.1:"):
            yield value


def _fetched(url: str) -> Iterator[rsa.RSAPublicKey]:
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310 - that it fetches is the fault
            found = list(_keys(answer.read()))
    except (OSError, ValueError, jwt.PyJWTError):
        return
    yield from (key for key in found if isinstance(key, rsa.RSAPublicKey))


def _keys(text: bytes) -> Iterator[Any]:
    if text.startswith(b"-----BEGIN CERTIFICATE"):
        yield x509.load_pem_x509_certificate(text).public_key()
    elif text.startswith(b"-----BEGIN"):
        yield load_pem_public_key(text)
    else:
        document = json.loads(text)
        yield from (jwt.PyJWK(entry, algorithm=ALGORITHM).key for entry in document.get("keys", [document]))


@fault("remembers-tokens-without-signature", on=VERIFIERS)
def remembers_tokens_without_signature(rules: ServerPolicy) -> ServerPolicy:
    """caches verified header and claims, and accepts them again with any signature"""
    observed: set[bytes] = set()

    def proof(token: Token, keys: Keys) -> None:
        if token.signed not in observed:
            rules.proof(token, keys)
            observed.add(token.signed)

    return replace(rules, proof=proof)


@fault("remembers-tokens-for-ever", on=VERIFIERS)
def remembers_tokens_for_ever(rules: ServerPolicy) -> ServerPolicy:
    """caches every token that it has accepted, and accepts it again whatever the time"""
    accepted: set[str] = set()
    return replace(rules, remembered=accepted.__contains__, remember=accepted.add)


@fault("allows-a-quarter-of-an-hour", on=VERIFIERS)
def allows_a_quarter_of_an_hour(rules: ServerPolicy) -> ServerPolicy:
    """allows a leeway of a quarter of an hour for exp and nbf"""
    return replace(rules, leeway=_QUARTER)


@fault("drops-key-sets-with-other-kinds", on=VERIFIERS)
def drops_key_sets_with_other_kinds(rules: ServerPolicy) -> ServerPolicy:
    """drops a whole JWK set because of one key of an unknown type"""

    def read(body: bytes) -> Keys:
        if any(entry.get("kty") != "RSA" for entry in json.loads(body)["keys"]):
            raise UnusableKeySet("a key of an unknown kind")
        return rules.reads_keys(body)

    return replace(rules, reads_keys=read)
