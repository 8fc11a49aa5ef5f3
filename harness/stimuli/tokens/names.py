"""Token classes on who issued a token and whom it is for.  Each is derived from what a good token names."""

from __future__ import annotations

import re
from typing import Any

from harness.stimuli.registry import MadeBy, Need, needs
from harness.stimuli.tokens.issuer import ABSENT, TokenIssuer
from harness.stimuli.tokens.table import Classes

CLASSES = Classes(made_by=MadeBy.ISSUER)

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ANOTHER_TENANT = "7a3c5e81-0d4f-4b6a-9c2e-1f8d7b5a3e60"
_OTHER_ISSUER, _OTHER_AUDIENCE = "https://another-sts.example", "another-service"


def issuer(token_issuer: TokenIssuer) -> str:
    """What a good token of *token_issuer* is issued by; '' where that is not said."""
    return str(token_issuer.claims().get("iss", ""))


def audience(token_issuer: TokenIssuer) -> str:
    """Whom a good token of *token_issuer* is for, the first of several; '' where that is not said."""
    value: Any = token_issuer.claims().get("aud", "")
    return str((value or [""])[0] if isinstance(value, list) else value)


def _other_end(name: str) -> str:
    return name[:-1] if name.endswith("/") else f"{name}/"


def _prefixed(name: str) -> str:
    """*name*, or the host in it, as the end of a longer one: what a comparison of ends takes for the same."""
    scheme, mark, rest = name.rpartition("://")
    return f"{scheme}{mark}another-{rest}"


def _sibling(name: str) -> str:
    """*name* with another tenant: in place of the UUID in its path, or of the path's last segment."""
    scheme, mark, rest = name.rpartition("://")
    host, *segments = rest.rstrip("/").split("/")
    tenants = [place for place, segment in enumerate(segments) if _UUID.fullmatch(segment)]
    place = tenants[0] if tenants else max(len(segments) - 1, 0)
    segments[place : place + 1] = [_ANOTHER_TENANT if tenants else "another"]
    return scheme + mark + "/".join([host, *segments])


@CLASSES.token("iss-wrong", needs=needs(Need.ISSUER), lets_in="JWT of any issuer")
def _iss_wrong(token_issuer: TokenIssuer) -> str:
    """iss names another issuer"""
    return token_issuer.with_claims(iss=_OTHER_ISSUER)


@CLASSES.token("iss-missing", needs=needs(Need.ISSUER), lets_in="JWT of any issuer")
def _iss_missing(token_issuer: TokenIssuer) -> str:
    """no issuer"""
    return token_issuer.with_claims(iss=ABSENT)


@CLASSES.token("iss-slash", needs=needs(Need.ISSUER))
def _iss_slash(token_issuer: TokenIssuer) -> str:
    """the issuer with a slash at its end, or without the one that belongs there"""
    return token_issuer.with_claims(iss=_other_end(issuer(token_issuer)))


@CLASSES.token("iss-case", needs=needs(Need.ISSUER))
def _iss_case(token_issuer: TokenIssuer) -> str:
    """the issuer with its letters' case changed"""
    return token_issuer.with_claims(iss=issuer(token_issuer).swapcase())


@CLASSES.token("iss-substring", needs=needs(Need.ISSUER))
def _iss_substring(token_issuer: TokenIssuer) -> str:
    """the issuer without its last character"""
    return token_issuer.with_claims(iss=issuer(token_issuer)[:-1])


@CLASSES.token("iss-prefixed", needs=needs(Need.ISSUER))
def _iss_prefixed(token_issuer: TokenIssuer) -> str:
    """an issuer whose name ends with the right one: another- before its host"""
    return token_issuer.with_claims(iss=_prefixed(issuer(token_issuer)))


@CLASSES.token("iss-sibling", needs=needs(Need.ISSUER))
def _iss_sibling(token_issuer: TokenIssuer) -> str:
    """another tenant's issuer at the same host"""
    return token_issuer.with_claims(iss=_sibling(issuer(token_issuer)))


@CLASSES.token("iss-list", needs=needs(Need.ISSUER))
def _iss_list(token_issuer: TokenIssuer) -> str:
    """the issuer as the only element of an array"""
    return token_issuer.with_claims(iss=[issuer(token_issuer)])


@CLASSES.token("iss-nonstring", needs=needs(Need.ISSUER))
def _iss_number(token_issuer: TokenIssuer) -> str:
    """the issuer is a number"""
    return token_issuer.with_claims(iss=1)


@CLASSES.token("iss-crlf", needs=needs(Need.ISSUER))
def _iss_crlf(token_issuer: TokenIssuer) -> str:
    """the issuer with a line break after it"""
    return token_issuer.with_claims(iss=f"{issuer(token_issuer)}\r\n")


@CLASSES.token("aud-wrong", needs=needs(Need.AUDIENCE), lets_in="JWT for any audience")
def _aud_wrong(token_issuer: TokenIssuer) -> str:
    """a token for another service"""
    return token_issuer.misdirected or token_issuer.with_claims(aud=_OTHER_AUDIENCE)


@CLASSES.token("aud-missing", needs=needs(Need.AUDIENCE), lets_in="JWT for any audience")
def _aud_missing(token_issuer: TokenIssuer) -> str:
    """no audience"""
    return token_issuer.with_claims(aud=ABSENT)


@CLASSES.token("aud-empty", needs=needs(Need.AUDIENCE))
def _aud_empty(token_issuer: TokenIssuer) -> str:
    """an empty array of audiences"""
    return token_issuer.with_claims(aud=[])


@CLASSES.token("aud-array-ok", twin="aud-array-ok", needs=needs(Need.AUDIENCE))
def _aud_array(token_issuer: TokenIssuer) -> str:
    """two audiences, of which the service is one"""
    return token_issuer.with_claims(aud=[_OTHER_AUDIENCE, audience(token_issuer)])


@CLASSES.token("aud-array-nonstring", needs=needs(Need.AUDIENCE))
def _aud_nested(token_issuer: TokenIssuer) -> str:
    """the right audience inside an array inside an array"""
    return token_issuer.with_claims(aud=[[audience(token_issuer)]])


@CLASSES.token("aud-object", needs=needs(Need.AUDIENCE))
def _aud_object(token_issuer: TokenIssuer) -> str:
    """the audience as an object's member name"""
    return token_issuer.with_claims(aud={audience(token_issuer): 1})


@CLASSES.token("aud-wildcard", needs=needs(Need.AUDIENCE))
def _aud_wildcard(token_issuer: TokenIssuer) -> str:
    """an asterisk as the audience"""
    return token_issuer.with_claims(aud="*")


@CLASSES.token("aud-case", needs=needs(Need.AUDIENCE))
def _aud_case(token_issuer: TokenIssuer) -> str:
    """the audience with its letters' case changed"""
    return token_issuer.with_claims(aud=audience(token_issuer).swapcase())


@CLASSES.token("aud-substring", needs=needs(Need.AUDIENCE))
def _aud_prefix(token_issuer: TokenIssuer) -> str:
    """the audience without its last character"""
    return token_issuer.with_claims(aud=audience(token_issuer)[:-1])


@CLASSES.token("aud-superstring", needs=needs(Need.AUDIENCE))
def _aud_longer(token_issuer: TokenIssuer) -> str:
    """the audience with a slash at its end, or without the one that belongs there"""
    return token_issuer.with_claims(aud=_other_end(audience(token_issuer)))


@CLASSES.token("aud-prefixed", needs=needs(Need.AUDIENCE))
def _aud_prefixed(token_issuer: TokenIssuer) -> str:
    """an audience whose name ends with the right one: another- before it, or before its host"""
    return token_issuer.with_claims(aud=_prefixed(audience(token_issuer)))


@CLASSES.token("aud-joined", needs=needs(Need.AUDIENCE))
def _aud_joined(token_issuer: TokenIssuer) -> str:
    """two audiences in one string, separated by a space"""
    return token_issuer.with_claims(aud=f"{_OTHER_AUDIENCE} {audience(token_issuer)}")


@CLASSES.token("aud-joined-comma", needs=needs(Need.AUDIENCE))
def _aud_commas(token_issuer: TokenIssuer) -> str:
    """two audiences in one string, separated by a comma"""
    return token_issuer.with_claims(aud=f"{_OTHER_AUDIENCE},{audience(token_issuer)}")
