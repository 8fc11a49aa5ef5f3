"""Token classes on JSON: header and payload that are no JSON objects, or JSON no parser likes."""

from __future__ import annotations

from typing import Any

from harness.wire.tokens.jose import as_json
from harness.wire.tokens.jwa import signer
from harness.wire.tokens.mint import Mint
from harness.wire.tokens.table import Classes

CLASSES = Classes()

_DEPTH = 2500
_DIGITS = 4400  # beyond the 4300 Python converts, and still within an 8 kB header line


@CLASSES.token("json-hdr-not-object")
def _header_array(mint: Mint) -> str:
    """the header is a JSON array"""
    return mint.token(header=b'["RS256"]')


@CLASSES.token("json-hdr-malformed")
def _header_malformed(mint: Mint) -> str:
    """the header's JSON ends in a stray comma"""
    return mint.token(header=as_json(mint.header())[:-1] + b",}")


@CLASSES.token("json-trailing")
def _trailing(mint: Mint) -> str:
    """a second JSON object after the claims"""
    return mint.token(claims=as_json(mint.claims()) + b"{}")


@CLASSES.token("json-payload-not-object")
def _payload_array(mint: Mint) -> str:
    """the claims are wrapped in a JSON array"""
    return mint.token(claims=b"[" + as_json(mint.claims()) + b"]")


@CLASSES.token("json-bom")
def _bom(mint: Mint) -> str:
    """a byte order mark before the claims"""
    return mint.token(claims=b"\xef\xbb\xbf" + as_json(mint.claims()))


@CLASSES.token("json-utf16")
def _utf16(mint: Mint) -> str:
    """the claims in UTF-16"""
    return mint.token(claims=as_json(mint.claims()).decode().encode("utf-16-le"))


@CLASSES.token("json-bad-utf8")
def _bad_utf8(mint: Mint) -> str:
    """an octet in the claims that is not UTF-8"""
    return mint.token(claims=_with_note(mint.claims(), b'"\xff"'))


@CLASSES.token("json-nan-literal")
def _nan(mint: Mint) -> str:
    """the literal NaN as the value of an unknown claim"""
    return mint.token(claims=_with_note(mint.claims(), b"NaN"))


# A header is parsed before its signature can be checked, so these two need nobody's key to be sent; they carry an
# attacker's signature because a parser without such limits may read them, and must then refuse them all the same.
@CLASSES.token("json-deep-nest")
def _deep(mint: Mint) -> str:
    """a forged token with a header parameter nested 2,500 arrays deep"""
    return _forged(mint, b"[" * _DEPTH + b"]" * _DEPTH)


@CLASSES.token("json-bigint")
def _bigint(mint: Mint) -> str:
    """a forged token with a header parameter of 4,400 digits"""
    return _forged(mint, b"9" * _DIGITS)


@CLASSES.token("json-escaped-name", twin="json-escaped-name")
def _escaped(mint: Mint) -> str:
    """the name of the claim exp written with a JSON escape, which means the same"""
    return mint.token(claims=as_json(mint.claims()).replace(b'"exp"', b'"\\u0065xp"'))


@CLASSES.token("json-name-case")
def _name_case(mint: Mint) -> str:
    """the expiry time under the name EXP, which is another claim"""
    return mint.token(claims=as_json(mint.claims()).replace(b'"exp"', b'"EXP"'))


def _forged(mint: Mint, note: bytes) -> str:
    return mint.token(header=_with_note(mint.header(), note), sign=signer(mint.alg, mint.stranger))


def _with_note(part: dict[str, Any], note: bytes) -> bytes:
    return as_json(part)[:-1] + b',"note":' + note + b"}"
