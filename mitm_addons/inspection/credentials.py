"""What an Authorization field really carries: the token's class, and each claim judged by itself.

Signatures are verified once for each token and remembered; times are compared on every request.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from harness.decode.tokens import bearer, describe
from harness.errors import UsageError
from harness.model.case import GOOD
from harness.model.exchange import TokenView
from mitm_addons.inspection.session import TokenRules

_REMEMBERED = 2048
UNLISTED = "key-unlisted"
WRONG_AUDIENCE = "aud-wrong"
_NEVER = frozenset({"alg-none", "alg-nonstring"})
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
_ANY_TIME = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False, "verify_iss": False,
             "verify_sub": False, "verify_jti": False}  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """One claim (or header parameter) with what is to be said of it."""

    name: str
    value: Any
    holds: bool
    text: str


@dataclass(frozen=True)
class Examined:
    """``stimulus`` is the class of what was presented, ``why`` how that is known, ``key`` the verifying key's id."""

    stimulus: str
    why: str
    token: TokenView | None = None
    key: str = ""
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True)
class _Signed:
    stimulus: str
    why: str
    token: TokenView
    key: str = ""


class Examiner:
    """Examines tokens by *rules*; raises :class:`UsageError` for keys that cannot be read."""

    def __init__(self, rules: TokenRules, clock: Callable[[], float] = time.time) -> None:
        self._rules, self._clock = rules, clock
        self._keys = _keys(rules.keys)
        self._seen: OrderedDict[str, _Signed] = OrderedDict()

    def examine(self, values: Sequence[str]) -> Examined:
        """What the Authorization lines *values* carry."""
        if not values:
            return Examined("str-no-token", "no Authorization field")
        if len(values) > 1:
            return Examined("t-dup-auth", f"{len(values)} Authorization fields")
        compact = bearer(values[0])
        if compact is None:
            return Examined("t-scheme-other", "another scheme than Bearer")
        signed = self._signed(compact)
        claims = tuple(self._claims(signed))
        if signed.stimulus == GOOD:
            broken = next((claim for claim in claims if not claim.holds), None)
            if broken is not None:
                return Examined(_class_of(broken), broken.text, signed.token, signed.key, claims)
        return Examined(signed.stimulus, signed.why, signed.token, signed.key, claims)

    def _signed(self, compact: str) -> _Signed:
        known = self._seen.get(compact)
        if known is None:
            known = self._seen[compact] = self._verify(compact)
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return known

    def _verify(self, compact: str) -> _Signed:
        view = describe(compact)
        header = view.header
        if header is None or view.claims is None or not _strict(compact.split(".", 3)):
            return _Signed("str-opaque", "not a JWT in strict compact serialisation", view)
        name, kid = header.get("alg"), header.get("kid")
        if name not in self._rules.algorithms:
            why = f"alg is {name!r}, agreed is {', '.join(self._rules.algorithms)}"
            return self._strange(_algorithm_class(name), why, view)
        if "crit" in header:
            return _Signed("crit-unknown", "it has a critical extension", view)
        key = self._keys.get(kid) if isinstance(kid, str) else self._keys.get("")
        if key is None:
            return self._strange("kid-unknown", f"no key {kid!r} in the key set", view)
        try:
            jwt.decode(compact, key.key, algorithms=list(self._rules.algorithms), options=_ANY_TIME)  # type: ignore[arg-type]
        except (jwt.PyJWTError, TypeError, ValueError) as error:  # a key of another kind raises TypeError
            why = f"the signature does not verify ({type(error).__name__})"
            return _Signed("sig-wrong-key", why, view) if kid else self._strange("sig-wrong-key", why, view)
        return _Signed(GOOD, f"signature verified with key {kid}", view, str(kid or "without id"))

    def _strange(self, name: str, why: str, view: TokenView) -> _Signed:
        """A token with another key or algorithm than those we know of, which the server may know all the same."""
        if self._rules.complete or name in _NEVER:
            return _Signed(name, why, view)
        return _Signed(UNLISTED, f"{why}; whether the server trusts it is unknown", view)

    def _claims(self, signed: _Signed) -> list[Claim]:
        claims = dict(signed.token.claims or {})
        missing = [
            Claim(name, None, False, f"{name} is missing") for name in self._rules.required if name not in claims
        ]
        return missing + [self._claim(name, value) for name, value in claims.items()]

    def _claim(self, name: str, value: Any) -> Claim:
        if name in ("exp", "nbf", "iat"):
            return self._date(name, value)
        if name == "iss" and self._rules.issuer and value != self._rules.issuer:
            return Claim(name, value, False, f"iss is not {self._rules.issuer!r}")
        if name == "aud" and self._rules.audience:
            return self._audience(value)
        return Claim(name, value, True, "as agreed" if name == "iss" and self._rules.issuer else "not restricted")

    def _audience(self, value: Any) -> Claim:
        """RFC 7519 section 4.1.3: one name or several, of which one must be the server's."""
        named = value if isinstance(value, list) else [value]
        meant = any(name in self._rules.audience for name in named if isinstance(name, str))
        return Claim("aud", value, meant, "as agreed" if meant else f"aud is not {' or '.join(self._rules.audience)}")

    def _date(self, name: str, value: Any) -> Claim:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return Claim(name, value, False, f"{name} is not a number")
        away = value - self._clock()
        late = name == "exp" and away + self._rules.leeway <= 0
        early = name in ("nbf", "iat") and away - self._rules.leeway > 0
        text = f"{name} {'in' if away > 0 else 'was'} {abs(away):.0f} s{'' if away > 0 else ' ago'}"
        return Claim(name, value, not (late or early), text)


def _keys(document: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    try:
        return {key.key_id or "": key for key in map(jwt.PyJWK, document["keys"])}
    except (KeyError, TypeError, ValueError, AttributeError, jwt.PyJWTError) as error:
        raise UsageError(f"the session's keys cannot be read: {error!r}") from error


def _strict(segments: list[str]) -> bool:
    """Canonical base64url, JSON objects without a member twice: what the lenient library lets pass.  No signature is
    for the signature's check to say."""
    signed = all(_canonical(item) for item in segments[: 2 if not segments[-1] else 3])
    return len(segments) == 3 and signed and all(map(_unique, segments[:2]))


def _canonical(segment: str) -> bool:
    if not _SEGMENT.fullmatch(segment) or len(segment) % 4 == 1:
        return False
    raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == segment


def _unique(segment: str) -> bool:
    raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    repeated: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        repeated.extend(name for name, _ in pairs[: len(pairs) - len(found)])
        return found

    try:
        json.loads(raw.decode("utf-8"), object_pairs_hook=members)
    except (ValueError, RecursionError):
        return False
    return not repeated


def _algorithm_class(name: Any) -> str:
    if not isinstance(name, str):
        return "alg-nonstring"
    return "alg-none" if name.lower() == "none" else "alg-hs-rsa-pem" if name.startswith("HS") else "alg-unknown"


def _class_of(claim: Claim) -> str:
    if claim.value is None and claim.name in ("exp", "iss", "aud"):
        return f"{claim.name}-missing"
    if claim.name in ("iss", "aud"):
        return f"{claim.name}-wrong"
    numeric = isinstance(claim.value, int | float) and not isinstance(claim.value, bool)
    numbers = {"exp": "exp-past", "nbf": "nbf-future", "iat": "iat-future"}
    words = {"exp": "exp-string-odd", "nbf": "nbf-nonnumeric", "iat": "iat-nonnumeric"}
    return (numbers if numeric else words).get(claim.name, f"claim-{claim.name}")
