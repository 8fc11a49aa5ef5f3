"""Reads a JWT strictly: what is not exactly RFC 7515 compact form with two JSON objects is rejected.  Verifies nothing.

PyJWT is lenient here (padding, UTF-16, byte order marks, duplicate members, ``NaN``), so everything it will read has
been through this module first.
"""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import dataclass
from typing import Any

from harness.model.vocabulary import Reason
from harness.subsystems.server.rejection import Rejected

Members = dict[str, Any]

MAX_TOKEN = 16_384
MAX_INTEGER_DIGITS = 20
MAX_DEPTH = 64

_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
_STRING_HEADERS = ("typ", "cty")
_STRING_CLAIMS = ("iss", "sub", "jti")


@dataclass(frozen=True)
class Token:
    """A well-formed JWS in compact form: ``compact`` is what was sent, ``signature`` the decoded third segment."""

    compact: str
    header: Members
    claims: Members
    signature: bytes

    @property
    def signed(self) -> bytes:
        """The JWS signing input (RFC 7515 section 5.1)."""
        return self.compact.rpartition(".")[0].encode("ascii")

    @property
    def kid(self) -> str | None:
        """The key id; None where it is missing, empty or no string."""
        kid = self.header.get("kid")
        return kid if isinstance(kid, str) and kid else None


def parse(compact: str) -> Token:
    """The token in *compact*; raises Rejected (token-malformed)."""
    if len(compact) > MAX_TOKEN:
        raise _malformed(f"longer than {MAX_TOKEN} characters")
    segments = compact.split(".", 4)
    if len(segments) != 3:
        raise _malformed("not three segments")
    head, body, signature = segments
    header, claims = _members(head, "header"), _members(body, "payload")
    _strings(header, _STRING_HEADERS, "header")
    return Token(compact, header, claims, _decode(signature, "signature") if signature else b"")


def check_claim_types(claims: Members, binds: bool = False) -> None:
    """Types of the registered claims (RFC 7519 section 4.1), not values; raises Rejected (token-claims).

    *binds*: a token that is bound to a certificate is no mistake; whoever asks sees to whose it is."""
    for name in _STRING_CLAIMS:
        if name in claims and not (isinstance(claims[name], str) and claims[name]):
            raise Rejected(Reason.TOKEN_CLAIMS, f"{name} is not a string with content")
    if "aud" in claims and not _is_audience(claims["aud"]):
        raise Rejected(Reason.TOKEN_CLAIMS, "aud is neither a string nor an array of strings")
    if "cnf" in claims and not binds:
        raise Rejected(Reason.TOKEN_CLAIMS, "the token is bound to a key (cnf), which a bearer cannot prove here")


def date(claims: Members, name: str) -> float | None:
    """The NumericDate *name*; None if it is absent.  Raises Rejected (token-claims) if it is not a JSON number."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Rejected(Reason.TOKEN_CLAIMS, f"{name} is not a number")
    return float(value)


def _is_audience(value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return bool(values) and all(isinstance(item, str) and item for item in values)


def _members(segment: str, what: str) -> Members:
    raw = _decode(segment, what)
    try:
        text = raw.decode("utf-8")
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_literal, parse_float=_finite, parse_int=_bounded
        )
        _check_depth(value)
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate must not crash a later log call
    except (ValueError, RecursionError) as error:
        raise _malformed(f"the {what} is not strict JSON in UTF-8 ({type(error).__name__})") from error
    if not isinstance(value, dict):
        raise _malformed(f"the {what} is not a JSON object")
    return value


def _decode(segment: str, what: str) -> bytes:
    """base64url without padding and with all unused bits zero (RFC 7515 section 2, RFC 4648 section 3.5)."""
    if not _SEGMENT.fullmatch(segment) or len(segment) % 4 == 1:
        raise _malformed(f"the {what} is not base64url without padding")
    raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != segment:
        raise _malformed(f"the {what} is not canonical base64url")
    return raw


def _strings(members: Members, names: tuple[str, ...], what: str) -> None:
    for name in names:
        if name in members and not isinstance(members[name], str):
            raise _malformed(f"{name} in the {what} is not a string")


def _unique(pairs: list[tuple[str, Any]]) -> Members:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member occurs twice")
    return members


def _check_depth(value: Any) -> None:
    """Python's own limit differs from version to version, and is meant for another purpose."""
    level = [value]
    for _ in range(MAX_DEPTH):
        children = (
            item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list)
        )
        level = [child for group in children for child in group]
    if level:
        raise ValueError("nested too deeply")


def _no_literal(literal: str) -> Any:
    raise ValueError(f"{literal} is not JSON")


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError("a number beyond the range of a double")
    return number


def _bounded(literal: str) -> int:
    if len(literal) > MAX_INTEGER_DIGITS:
        raise ValueError("an integer of unreasonable length")
    return int(literal)


def _malformed(detail: str) -> Rejected:
    return Rejected(Reason.TOKEN_MALFORMED, detail)
