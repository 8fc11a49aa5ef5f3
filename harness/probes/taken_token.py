"""The token that the client of a target file holds, and bad ones derived from it without the issuer's key."""

from __future__ import annotations

import base64
import json
import secrets
from functools import cache

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.model.token_script import Flaw, Take
from harness.probes.token_endpoint import TokenClient
from harness.stimuli.partial.tokens import parts_of
from harness.stimuli.unavailable import StimulusUnavailable

_SOMEBODY_ELSE = "hopproof-somebody-else"


def taken(step: Take, target: TokenClient) -> str:
    """The token of *step*; raises StimulusUnavailable where the file gives none."""
    if step.flaw is Flaw.EXPIRED:
        if not target.expired:
            raise StimulusUnavailable("needs a token that has expired (sts.expired_subject_token)")
        return target.expired
    good = target.subject_token()
    match step.flaw:
        case Flaw.NONE:
            return good
        case Flaw.ALTERED:
            return altered(good)
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
    return f"{head}.{base64.urlsafe_b64encode(changed).rstrip(b'=').decode()}.{signature}"


def signed_with_unknown_key(good: str) -> str:
    """The claims of *good*, signed with an unknown key; for an opaque token, one that was never issued."""
    parts = parts_of(good)
    if parts is None:
        return secrets.token_urlsafe(len(good))[: len(good)]
    header, claims = parts
    kept = {name: value for name, value in header.items() if name in ("kid", "typ")}
    return jwt.encode(claims, _strangers_key(), algorithm="RS256", headers=kept)


@cache
def _strangers_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
