"""The token that the client of a target file holds, and bad ones derived from it without the issuer's key."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from harness.model.token_script import Flaw, Take
from harness.pki.jwk import public_jwk
from harness.probes.token_endpoint import TokenClient
from harness.stimuli.partial.tokens import parts_of
from harness.stimuli.tokens import jose
from harness.stimuli.tokens.jwa import RSA, fits, signer
from harness.stimuli.unavailable import StimulusUnavailable

_SOMEBODY_ELSE, _USUAL = "hopproof-somebody-else", "RS256"
_KINDS: tuple[Callable[[], Any], ...] = (
    *(partial(ec.generate_private_key, curve()) for curve in (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1, ec.SECP256K1)),
    *(ed25519.Ed25519PrivateKey.generate, ed448.Ed448PrivateKey.generate),
)


def taken(step: Take, target: TokenClient) -> str:
    """The token of *step*; raises StimulusUnavailable where the file gives none."""
    if step.flaw is Flaw.EXPIRED:
        if not target.expired:
            raise StimulusUnavailable("needs a token that has expired (sts.expired_subject_token)")
        return target.expired
    good = target.actor_token if step.actor else target.subject_token()
    match step.flaw:
        case Flaw.NONE:
            return good
        case Flaw.ALTERED:
            return altered(good)
        case Flaw.UNSIGNED:
            return unsigned(good)
        case Flaw.OWN_KEY:
            return signed_with_unknown_key(good, shown=True)
        case _:
            return signed_with_unknown_key(good)


def altered(good: str) -> str:
    """*good* for another user, under the signature that it had; of what is no JWT, another text of its length."""
    parts = parts_of(good)
    if parts is None:
        middle = len(good) // 2
        return f"{good[:middle]}{'A' if good[middle] != 'A' else 'B'}{good[middle + 1 :]}"
    head, _, signature = good.split(".")
    changed = json.dumps({**parts[1], "sub": _SOMEBODY_ELSE}).encode()
    return f"{head}.{jose.encode(changed)}.{signature}"


def unsigned(good: str) -> str:
    """The claims of *good* with ``alg: none`` and no signature; for an opaque token, one that was never issued."""
    parts = parts_of(good)
    if parts is None:
        return _never_issued(good)
    return jose.compact({**parts[0], "alg": "none"}, parts[1], jose.unsigned)


def signed_with_unknown_key(good: str, *, shown: bool = False) -> str:
    """The claims of *good*, signed with an unknown key as *good* is; *shown*: that key is in the header (``jwk``).

    For an opaque token, one that was never issued.
    """
    parts = parts_of(good)
    if parts is None:
        return _never_issued(good)
    header, claims = parts
    alg = str(header.get("alg"))
    key = _unknown_key(alg)
    if key is None:  # an algorithm that has no public key
        alg, key = _USUAL, _unknown_key(_USUAL)
    kept = {name: value for name, value in header.items() if name in ("kid", "typ")}
    carried = {"jwk": public_jwk(key.public_key())} if shown else {}
    return jose.compact({**kept, "alg": alg, **carried}, claims, signer(alg, key))


def _never_issued(good: str) -> str:
    return secrets.token_urlsafe(len(good))[: len(good)]


@cache
def _unknown_key(alg: str) -> Any:
    """A key that nobody else has, of the kind that *alg* signs with; None for an algorithm of no kind."""
    if alg in RSA:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return next((key for key in (make() for make in _KINDS) if fits(alg, key.public_key())), None)
