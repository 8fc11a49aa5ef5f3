"""Verifies tokens that a caller signed itself: alone, with a user's token nested in them, or encrypted.

PyJWT and jwcrypto do the work.  ``slips`` names the checks that a fault leaves out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from harness.model.vocabulary import Reason
from harness.subsystems.microservices.trust import Trust
from harness.subsystems.server.jws import MAX_TOKEN, Token, parse
from harness.subsystems.server.policy import ServerPolicy
from harness.subsystems.server.rejection import Rejected
from harness.subsystems.server.token_verification import check_claims

ALGORITHM = "ES256"
USER_TOKEN = "user_token"
_ENCRYPTION = ["ECDH-ES", "A256GCM"]


def unsealed(compact: str, trust: Trust, rules: ServerPolicy) -> str:
    """The signed token in the encrypted one *compact*; raises Rejected."""
    if compact.count(".") != 4:
        if "encrypted-takes-signed-alone" in rules.slips:
            return compact
        raise Rejected(Reason.TOKEN_MALFORMED, "the token is not encrypted")
    # Few need it, and it takes long to import.
    from jwcrypto import jwe, jwk
    from jwcrypto.common import JWException

    assert trust.key is not None, "a service that takes encrypted tokens has a key"
    pem = trust.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    sealed = jwe.JWE(algs=_ENCRYPTION)
    try:
        sealed.deserialize(compact, jwk.JWK.from_pem(pem))
        header: Mapping[str, Any] = json.loads(sealed.objects["protected"])
        plain = str(sealed.payload, "ascii")
    except (JWException, ValueError, KeyError) as error:
        raise Rejected(Reason.TOKEN_MALFORMED, f"it cannot be decrypted ({type(error).__name__})") from error
    if str(header.get("cty", "")).upper() != "JWT":
        raise Rejected(Reason.TOKEN_MALFORMED, "the encrypted content is not declared as a JWT (cty)")
    return plain


def signed_by_caller(token: Token, trust: Trust, rules: ServerPolicy, named: object) -> str:
    """The caller *named*, if its key verifies *token*; raises Rejected."""
    if token.header.get("alg") == "none" and "caller-token-unsigned" in rules.slips:
        return str(named)
    if token.header.get("alg") != ALGORITHM:
        raise Rejected(Reason.TOKEN_ALGORITHM, f"a caller must sign with {ALGORITHM}")
    if "crit" in token.header or "b64" in token.header:
        raise Rejected(Reason.TOKEN_MALFORMED, "crit or b64 names an extension, and none is supported")
    candidates = [named] if "caller-claims-another" not in rules.slips else list(trust.callers)
    for name in candidates:
        key = trust.callers.get(name) if isinstance(name, str) else None
        if key is None:
            raise Rejected(Reason.TOKEN_KEY, "no key is known for the issuer that the token names")
        if _verifies(token.compact, key):
            return str(named)
    if "caller-key-from-token" in rules.slips and isinstance(token.header.get("jwk"), dict):
        return str(named)
    raise Rejected(Reason.TOKEN_SIGNATURE, "the signature is not by the issuer that the token names")


def _verifies(compact: str, key: ec.EllipticCurvePublicKey) -> bool:
    try:
        jwt.api_jws.decode(compact, key=key, algorithms=[ALGORITHM])
    except jwt.InvalidSignatureError:
        return False
    except jwt.PyJWTError as error:
        raise Rejected(Reason.TOKEN_MALFORMED, f"it cannot be verified ({type(error).__name__})") from error
    return True


def self_issued(compact: str, trust: Trust, rules: ServerPolicy, now: float) -> Token:
    """The caller's own token, verified; raises Rejected."""
    token = parse(compact)
    if "caller-signature-skipped" not in rules.slips:
        signed_by_caller(token, trust, rules, token.claims.get("iss"))
    check_claims(token, rules, now)
    if not rules.names_audience(trust.audience, token.claims.get("aud")):
        raise Rejected(Reason.TOKEN_CLAIMS, f"aud does not name {trust.audience}")
    _short_lived(token.claims, trust, rules)
    return token


def _short_lived(claims: Mapping[str, Any], trust: Trust, rules: ServerPolicy) -> None:
    issued, expiry = claims.get("iat"), claims.get("exp")
    if "caller-token-lives-long" in rules.slips:
        return
    if issued is None or expiry is None or expiry - issued > trust.lifetime:
        raise Rejected(Reason.TOKEN_CLAIMS, f"its lifetime exceeds {trust.lifetime} s, or is not stated")


def in_claim(outer: Token) -> str:
    """The user's token in a claim of the caller's; raises Rejected."""
    inner = outer.claims.get(USER_TOKEN)
    if not isinstance(inner, str) or not inner:
        raise Rejected(Reason.TOKEN_MISSING, f"the caller's token contains no user's token ({USER_TOKEN})")
    return inner


def as_payload(compact: str, trust: Trust, rules: ServerPolicy) -> str:
    """The user's token, which is the payload of the caller's (``cty: JWT``); raises Rejected."""
    head, payload = _read(compact)
    if str(head.get("cty", "")).upper() != "JWT":
        if "nested-takes-inner-alone" in rules.slips:
            return compact
        raise Rejected(Reason.TOKEN_MALFORMED, "the payload is not declared as a JWT (cty)")
    if "nested-skips-outer" not in rules.slips:
        signed_by_caller(Token(compact, dict(head), {}, b""), trust, rules, head.get("kid"))
    try:
        inner = payload.decode("ascii")
    except UnicodeDecodeError as error:
        raise Rejected(Reason.TOKEN_MALFORMED, "the payload is not a JWT") from error
    if "nested-has-no-limit" in rules.slips and str(_read(inner)[0].get("cty", "")).upper() == "JWT":
        return as_payload(inner, trust, rules)
    return inner


def _read(compact: str) -> tuple[Mapping[str, Any], bytes]:
    """Header and payload, not verified; raises Rejected."""
    if len(compact) > MAX_TOKEN:
        raise Rejected(Reason.TOKEN_MALFORMED, f"longer than {MAX_TOKEN} characters")
    try:
        parts = jwt.api_jws.decode_complete(compact, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise Rejected(Reason.TOKEN_MALFORMED, f"it cannot be read ({type(error).__name__})") from error
    return parts["header"], parts["payload"]


Later = Callable[[str], bool]


def still_signed(compact: str, trust: Trust, rules: ServerPolicy, now: float) -> bool:
    """Whether a caller's signature on stored evidence still verifies; its expiry does not matter."""
    if "evidence-says-yes" in rules.slips:
        return True
    try:
        token = parse(compact)
        signed_by_caller(token, trust, rules, token.claims.get("iss"))
        if "evidence-expires" in rules.slips:
            check_claims(token, rules, now)
    except Rejected:
        return False
    return True
