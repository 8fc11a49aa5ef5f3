"""Reads a JWT the way a report shows it.  Judges nothing, verifies nothing and never raises, whatever it is given."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from typing import Any

from harness.model.exchange import TokenView
from harness.model.record import Members

MAX_DEPTH = 64
"""Deeper JSON is not shown: every later walk over it (``asdict``, ``json.dumps``) recurses."""

NESTED = 2
"""So many levels of tokens in tokens are described; what lies deeper is named by its digest alone."""

_JWE_SEGMENTS = 5
_COMPACT = re.compile(r"eyJ[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){2,4}")


def describe(compact: str) -> TokenView:
    """What may be shown of the token *compact*: header, claims, and the SHA-256 of exactly its bytes.

    *compact* is the header value's bytes decoded as UTF-8 with ``surrogateescape``; any other text is taken too.
    ``header`` and ``claims`` are None where that segment is no base64url JSON object (RFC 7519 section 7.2), or one
    that cannot be shown as JSON again: nested deeper than MAX_DEPTH, an integer too long for Python, a number that is
    not finite.  The second segment of a JWE is ciphertext, so a JWE has no claims.  A token that is a claim, or the
    payload (``cty: JWT``, RFC 7519 section 5.2), is described in its place, and never shown as it is.  Never raises.
    """
    return _described(compact, NESTED)


def _described(compact: str, levels: int) -> TokenView:
    segments = compact.split(".", _JWE_SEGMENTS)
    has_claims = len(segments) > 1 and len(segments) != _JWE_SEGMENTS
    header, claims = _json_object(segments[0]), _json_object(segments[1]) if has_claims else None
    if claims is None and has_claims and str((header or {}).get("cty", "")).upper() == "JWT":
        claims = _payload(segments[1])
    return TokenView(digest(compact), _shown(header, levels), _shown(claims, levels))


def _shown(value: Members | None, levels: int) -> Any:
    """*value* as it may be shown; with everything described it may be too deep to be shown at all."""
    found = _hidden(value, levels)
    return found if _depth(found) <= MAX_DEPTH else _hidden(value, 0)


def _payload(segment: str) -> Members | None:
    """The token that is another's payload, as its only claim; None where the payload is none."""
    try:
        inner = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)).decode("ascii")
    except ValueError:
        return None
    return {"payload": inner} if _COMPACT.fullmatch(inner) else None


def _hidden(value: Any, levels: int) -> Any:
    """*value* with what is a token described in its place, and tokens within other texts taken out."""
    if isinstance(value, dict):
        return {_without_tokens(name): _hidden(item, levels) for name, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item, levels) for item in value]
    if not isinstance(value, str):
        return value
    if levels and _COMPACT.fullmatch(value):
        inner = _described(value, levels - 1)
        return {"sha256": inner.sha256, "header": inner.header, "claims": inner.claims}
    return _without_tokens(value)


def _without_tokens(text: str) -> str:
    return _COMPACT.sub(lambda match: f"<jwt sha256:{digest(match[0])[:16]}>", text)


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
