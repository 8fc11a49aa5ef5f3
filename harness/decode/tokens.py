"""Reads a JWT the way a report shows it.  Judges nothing, verifies nothing and never raises, whatever it is given."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from typing import Any

from harness.model.exchange import TokenView
from harness.model.record import Members

MAX_DEPTH = 64
"""Deeper JSON is not shown: every later walk over it (``asdict``, ``json.dumps``) recurses."""

_JWE_SEGMENTS = 5


def describe(compact: str) -> TokenView:
    """What may be shown of the token *compact*: header, claims, and the SHA-256 of exactly its bytes.

    *compact* is the header value's bytes decoded as UTF-8 with ``surrogateescape``; any other text is taken too.
    ``header`` and ``claims`` are None where that segment is no base64url JSON object (RFC 7519 section 7.2), or one
    that cannot be shown as JSON again: nested deeper than MAX_DEPTH, an integer too long for Python, a number that is
    not finite.  The second segment of a JWE is ciphertext, so a JWE has no claims.  Never raises.
    """
    segments = compact.split(".", _JWE_SEGMENTS)
    has_claims = len(segments) > 1 and len(segments) != _JWE_SEGMENTS
    claims = _json_object(segments[1]) if has_claims else None
    return TokenView(digest(compact), _json_object(segments[0]), claims)


def digest(text: str) -> str:
    """Lower-case hex SHA-256 of *text* as the bytes it came from (UTF-8, escaped surrogates undone)."""
    return hashlib.sha256(_bytes(text)).hexdigest()


def bearer(value: str | None) -> str | None:
    """The token of an Authorization header *value*; None if there is no value or its scheme is not Bearer.

    The scheme is case-insensitive (RFC 9110 section 11.1) and ends at a space; ``Bearer`` with nothing after it gives
    the empty token ''.
    """
    if value is None:
        return None
    scheme, _, token = value.strip(" \t").partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else None


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate that stands for no byte
        return text.encode("utf-8", "surrogatepass")


def _json_object(segment: str) -> Members | None:
    try:
        # Padding is tolerated: a report must be able to show a token that a server should refuse for it.
        bare = _bytes(segment).rstrip(b"=")
        raw = base64.b64decode(bare + b"=" * (-len(bare) % 4), altchars=b"-_", validate=True)
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return _printable(value) if isinstance(value, dict) and _depth(value) <= MAX_DEPTH else None


def _refuse(literal: str) -> Any:
    raise ValueError(f"{literal} is not JSON")


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError("a number beyond the range of a double")
    return number


def _depth(value: Any) -> int:
    """Levels of nesting, counted without recursion and not beyond MAX_DEPTH + 1."""
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        depth += 1
        level = [child for item in level for child in _children(item)]
    return depth


def _children(item: Any) -> list[Any]:
    children = list(item.values()) if isinstance(item, dict) else item if isinstance(item, list) else []
    return [child for child in children if isinstance(child, dict | list)]


def _printable(value: Members) -> Members:
    """*value* with lone surrogates (legal as JSON escapes, RFC 8259 section 8.2) replaced: no file can hold them."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        replaced: Members = json.loads(text.encode("utf-8", "replace"))
        return replaced
    return value
