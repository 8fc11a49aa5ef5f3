"""Decides whether a request's token is good: where it may stand, what its header may say, who signed it, whether it is
in time.  Reads no clock and fetches nothing; both are handed in.

Dialect: API Connect's portal looks at kid, signature, exp, nbf and iat and compares neither iss nor aud (public code),
so the reference does the same; a service compares what it is configured with.  A missing exp is rejected (assumption:
nothing documents that it may be missing), and the leeway is zero, because lab and subsystem share one clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from harness.model.vocabulary import Reason
from harness.subsystems.server.jwks import Keys
from harness.subsystems.server.jws import Token, check_claim_types, date, parse
from harness.subsystems.server.policy import Protection, ServerPolicy
from harness.subsystems.server.rejection import Rejected

QUERY_MEMBER = "access_token"

KeysFor = Callable[[str | None], Awaitable[Keys]]


def find_token(authorization: tuple[bytes, ...], query: bytes, rules: ServerPolicy) -> str | None:
    """The token a client sent, None if it sent none; raises Rejected.

    Only ``Authorization: Bearer`` counts (RFC 6750 section 2.1); query, body, cookies and other headers do not.  Two
    Authorization fields, or a token in the query besides, are an invalid request (section 3.1).
    """
    if len(authorization) > 1:
        raise Rejected(Reason.BAD_REQUEST, "more than one Authorization field")
    in_query = _query_token(query)
    token = _bearer(authorization[0]) if authorization else None
    if token is None:
        return in_query if rules.takes_query_token else None
    if in_query is not None:
        raise Rejected(Reason.BAD_REQUEST, "a token in the header and one in the query")
    return token


async def verify(
    compact: str, keys_for: KeysFor, rules: ServerPolicy, protection: Protection, now: Callable[[], float]
) -> None:
    """Verify the token *compact* as *protection* says; raises Rejected with the first reason, and nothing else."""
    if rules.remembered(compact):
        return
    try:
        token = parse(compact)
        _check_header(token, rules)
        rules.proof(token, await keys_for(token.kid))
        check_claims(token, rules, now(), protection.binds)
        _check_names(token, rules, protection)
        rules.remember(compact)
    except Rejected as rejection:
        if not (rules.works_without_keys and rejection.reason is Reason.KEYS_UNAVAILABLE):
            raise
    except Exception as error:  # a decision that cannot be made is a rejection
        raise Rejected(Reason.TOKEN_MALFORMED, f"verification failed with {type(error).__name__}: {error}") from error


def _query_token(query: bytes) -> str | None:
    try:
        found = [
            value for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True) if name == QUERY_MEMBER
        ]
    except ValueError:
        return None
    return found[0] if found else None


def _bearer(value: bytes) -> str | None:
    """The token in an Authorization *value*, None where it is another scheme or nothing follows."""
    scheme, _, rest = value.strip(b" \t").partition(b" ")
    if scheme.lower() != b"bearer" or not rest:
        return None
    return rest.decode("latin-1")


def _check_header(token: Token, rules: ServerPolicy) -> None:
    algorithm = token.header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in rules.algorithms:
        raise Rejected(Reason.TOKEN_ALGORITHM, "the algorithm is missing or not allowed")
    if rules.checks_crit and "crit" in token.header:
        raise Rejected(Reason.TOKEN_MALFORMED, "crit names extensions, and none is supported")
    if rules.checks_crit and "b64" in token.header:
        raise Rejected(Reason.TOKEN_MALFORMED, "b64 is not for JWTs (RFC 7797 section 7)")


def check_claims(token: Token, rules: ServerPolicy, now: float, binds: bool = False) -> None:
    """Types and times of the registered claims; raises Rejected."""
    check_claim_types(token.claims, binds)
    dates = {name: date(token.claims, name) for name in ("exp", "nbf", "iat")}
    expiry = dates["exp"]
    if expiry is None and rules.requires_expiry:
        raise Rejected(Reason.TOKEN_CLAIMS, "exp is missing")
    if expiry is not None and rules.checks_expiry and expiry + rules.leeway <= now:
        raise Rejected(Reason.TOKEN_EXPIRED, f"expired {now - expiry:.0f} s ago")
    for name in ("nbf", "iat"):
        start = dates[name]
        if start is not None and rules.checks_not_before and start - rules.leeway > now:
            raise Rejected(Reason.TOKEN_NOT_YET_VALID, f"{name} is {start - now:.0f} s ahead")


def _check_names(token: Token, rules: ServerPolicy, protection: Protection) -> None:
    if protection.issuer and not rules.names_issuer(protection.issuer, token.claims.get("iss")):
        raise Rejected(Reason.TOKEN_CLAIMS, f"iss is not {protection.issuer}")
    if protection.audience and not rules.names_audience(protection.audience, token.claims.get("aud")):
        raise Rejected(Reason.TOKEN_CLAIMS, f"aud does not name {protection.audience}")
