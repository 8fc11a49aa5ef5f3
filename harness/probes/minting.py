"""Makes the tokens of a script: of the token service, of a service itself, one in another, encrypted, bound to a
certificate.  Whoever verifies them imports nothing from here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from harness.model.token_script import Flaw, Mint, Nesting
from harness.pki.deployment import key_id
from harness.pki.issue import Identity
from harness.pki.jwk import Private, public_jwk
from harness.pki.keys import new_key
from harness.stimuli.tokens.jose import as_json, compact, encode, jwe, unsigned
from harness.stimuli.tokens.jwa import signer

USER_TOKEN = "user_token"
_SOMEBODY_ELSE = "mallory"


class Minting:
    """Makes tokens with the keys of a deployment: *issuer_key* gives an issuer's, *identity* those of services."""

    def __init__(self, issuer_key: Callable[[str], Private], identity: Callable[[str], Identity]) -> None:
        self._issuer_key, self._identity = issuer_key, identity

    def minted(self, step: Mint, tokens: Mapping[str, str], offset: float) -> str:
        """The token of *step*, made at a moment *offset* seconds from now; *tokens* are those that there are."""
        key: Any = self._identity(step.signed_by).key if step.signed_by else self._issuer_key(step.key or step.issuer)
        good = key
        if step.flaw in (Flaw.STRANGER, Flaw.OWN_KEY):
            key = new_key(key)
        header: dict[str, Any] = {"alg": "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256"}
        named: Any = self._issuer_key(step.kid) if step.kid else good
        header["kid"] = step.issuer if step.signed_by else key_id(named.public_key())
        if step.flaw is Flaw.OWN_KEY:
            header |= {"jwk": public_jwk(key.public_key())}
        if step.embeds and step.nesting is Nesting.JWT:
            header["cty"] = "JWT"
            payload = tokens[step.embeds].encode()
        else:
            payload = as_json(self._claims(step, tokens, int(time.time() + offset)))
        if step.flaw is Flaw.UNSIGNED:
            header["alg"] = "none"
        signed = compact(header, payload, unsigned if step.flaw is Flaw.UNSIGNED else signer(header["alg"], key))
        if step.flaw is Flaw.ALTERED:
            signed = _altered(signed, payload)
        if not step.encrypted_for:
            return signed
        return jwe(signed.encode(), self._identity(step.encrypted_for).key.public_key(), step.encrypted_for)

    def _claims(self, step: Mint, tokens: Mapping[str, str], now: int) -> dict[str, Any]:
        issued = now - (step.lifetime + 300 if step.flaw is Flaw.EXPIRED else 0)
        claims: dict[str, Any] = {
            "iss": step.issuer,
            "aud": step.audience,
            "sub": step.subject,
            "iat": issued,
            "exp": issued + step.lifetime,
            **dict(step.claims),
        }
        if step.may_act:
            claims["may_act"] = {"sub": step.may_act}
        for actor in reversed(step.act):
            claims["act"] = {"sub": actor, **({"act": claims["act"]} if "act" in claims else {})}
        if step.embeds:
            claims[USER_TOKEN] = tokens[step.embeds]
        if step.bound_to:
            certificate = self._identity(step.bound_to).certificate
            claims["cnf"] = {"x5t#S256": encode(certificate.fingerprint(hashes.SHA256()))}
        return {name: value for name, value in claims.items() if value != ""}


def _altered(signed: str, payload: bytes) -> str:
    """*signed* with a change in what it says, under the signature it had: another user, or another inner token."""
    head, _, signature = signed.split(".")
    try:
        changed = json.dumps({**json.loads(payload), "sub": _SOMEBODY_ELSE}).encode()
    except ValueError:
        changed = payload[:-4] + payload[-4:][::-1]
    return f"{head}.{encode(changed)}.{signature}"
