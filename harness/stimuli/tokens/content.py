"""Token classes on JSON: header and payload that are not JSON objects, or JSON that parsers reject."""

from __future__ import annotations

from typing import Any

from harness.stimuli.registry import Intrusiveness, MadeBy
from harness.stimuli.tokens.issuer import TokenIssuer
from harness.stimuli.tokens.jose import as_json
from harness.stimuli.tokens.jwa import signer
from harness.stimuli.tokens.table import Classes

CLASSES = Classes(made_by=MadeBy.ISSUER)

_DEPTH = 2500
_DIGITS = 4400  # beyond the 4300 Python converts, and still within an 8 kB header line


@CLASSES.token("json-hdr-not-object")
def _header_array(token_issuer: TokenIssuer) -> str:
    """the header is a JSON array"""
    return token_issuer.token(header=b'["RS256"]')


@CLASSES.token("json-hdr-malformed")
def _header_malformed(token_issuer: TokenIssuer) -> str:
    """the header's JSON ends in a stray comma"""
    return token_issuer.token(header=as_json(token_issuer.header())[:-1] + b",}")


@CLASSES.token("json-trailing")
def _trailing(token_issuer: TokenIssuer) -> str:
    """a second JSON object after the claims"""
    return token_issuer.token(claims=as_json(token_issuer.claims()) + b"{}")


@CLASSES.token("json-payload-not-object")
def _payload_array(token_issuer: TokenIssuer) -> str:
    """the claims are wrapped in a JSON array"""
    return token_issuer.token(claims=b"[" + as_json(token_issuer.claims()) + b"]")


@CLASSES.token("json-bom")
def _bom(token_issuer: TokenIssuer) -> str:
    """a byte order mark before the claims"""
    return token_issuer.token(claims=b"\xef\xbb\xbf" + as_json(token_issuer.claims()))


@CLASSES.token("json-utf16")
def _utf16(token_issuer: TokenIssuer) -> str:
    """the claims in UTF-16"""
    return token_issuer.token(claims=as_json(token_issuer.claims()).decode().encode("utf-16-le"))


@CLASSES.token("json-bad-utf8")
def _bad_utf8(token_issuer: TokenIssuer) -> str:
    """an octet in the claims that is not UTF-8"""
    return token_issuer.token(claims=_with_note(token_issuer.claims(), b'"\xff"'))


@CLASSES.token("json-nan-literal")
def _nan(token_issuer: TokenIssuer) -> str:
    """the literal NaN as the value of an unknown claim"""
    return token_issuer.token(claims=_with_note(token_issuer.claims(), b"NaN"))


# A header is parsed before its signature can be checked, so these two need no key to be sent; they carry an
# attacker's signature because a parser without such limits may read them, and must then refuse them all the same.
@CLASSES.token("json-deep-nest", intrusive=Intrusiveness.STRESS)
def _deep(token_issuer: TokenIssuer) -> str:
    """a forged token with a header parameter nested 2,500 arrays deep"""
    return _forged(token_issuer, b"[" * _DEPTH + b"]" * _DEPTH)


@CLASSES.token("json-bigint", intrusive=Intrusiveness.STRESS)
def _bigint(token_issuer: TokenIssuer) -> str:
    """a forged token with a header parameter of 4,400 digits"""
    return _forged(token_issuer, b"9" * _DIGITS)


@CLASSES.token("json-escaped-name", twin="json-escaped-name")
def _escaped(token_issuer: TokenIssuer) -> str:
    """the name of the claim exp written with a JSON escape, which means the same"""
    return token_issuer.token(claims=as_json(token_issuer.claims()).replace(b'"exp"', b'"\\u0065xp"'))


@CLASSES.token("json-name-case")
def _name_case(token_issuer: TokenIssuer) -> str:
    """the expiry time under the name EXP, which is another claim"""
    return token_issuer.token(claims=as_json(token_issuer.claims()).replace(b'"exp"', b'"EXP"'))


def _forged(token_issuer: TokenIssuer, note: bytes) -> str:
    return token_issuer.token(
        header=_with_note(token_issuer.header(), note), sign=signer(token_issuer.alg, token_issuer.stranger)
    )


def _with_note(part: dict[str, Any], note: bytes) -> bytes:
    return as_json(part)[:-1] + b',"note":' + note + b"}"
