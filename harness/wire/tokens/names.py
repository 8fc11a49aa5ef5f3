"""Token classes on who issued a token and whom it is for.  Each is derived from what a good token names."""

from __future__ import annotations

from typing import Any

from harness.wire.tokens.mint import ABSENT, Mint
from harness.wire.tokens.table import Classes

CLASSES = Classes()

_OTHER_ISSUER, _OTHER_AUDIENCE = "https://another-sts.example", "another-service"


def issuer(mint: Mint) -> str:
    """What a good token of *mint* is issued by; '' where that is not said."""
    return str(mint.claims().get("iss", ""))


def audience(mint: Mint) -> str:
    """Whom a good token of *mint* is for, the first of several; '' where that is not said."""
    value: Any = mint.claims().get("aud", "")
    return str((value or [""])[0] if isinstance(value, list) else value)


def _other_end(name: str) -> str:
    return name[:-1] if name.endswith("/") else f"{name}/"


@CLASSES.token("iss-wrong")
def _iss_wrong(mint: Mint) -> str:
    """issued, by its own account, by another issuer"""
    return mint.with_claims(iss=_OTHER_ISSUER)


@CLASSES.token("iss-missing")
def _iss_missing(mint: Mint) -> str:
    """no issuer"""
    return mint.with_claims(iss=ABSENT)


@CLASSES.token("iss-slash")
def _iss_slash(mint: Mint) -> str:
    """the issuer with a slash at its end, or without the one that belongs there"""
    return mint.with_claims(iss=_other_end(issuer(mint)))


@CLASSES.token("iss-case")
def _iss_case(mint: Mint) -> str:
    """the issuer with its letters' case changed"""
    return mint.with_claims(iss=issuer(mint).swapcase())


@CLASSES.token("iss-substring")
def _iss_substring(mint: Mint) -> str:
    """the issuer without its last character"""
    return mint.with_claims(iss=issuer(mint)[:-1])


@CLASSES.token("iss-list")
def _iss_list(mint: Mint) -> str:
    """the issuer as the only element of an array"""
    return mint.with_claims(iss=[issuer(mint)])


@CLASSES.token("iss-nonstring")
def _iss_number(mint: Mint) -> str:
    """the issuer is a number"""
    return mint.with_claims(iss=1)


@CLASSES.token("iss-crlf")
def _iss_crlf(mint: Mint) -> str:
    """the issuer with a line break after it"""
    return mint.with_claims(iss=f"{issuer(mint)}\r\n")


@CLASSES.token("aud-wrong")
def _aud_wrong(mint: Mint) -> str:
    """a token for another service"""
    return mint.misdirected or mint.with_claims(aud=_OTHER_AUDIENCE)


@CLASSES.token("aud-missing")
def _aud_missing(mint: Mint) -> str:
    """no audience"""
    return mint.with_claims(aud=ABSENT)


@CLASSES.token("aud-empty")
def _aud_empty(mint: Mint) -> str:
    """an empty array of audiences"""
    return mint.with_claims(aud=[])


@CLASSES.token("aud-array-ok", twin="aud-array-ok")
def _aud_array(mint: Mint) -> str:
    """two audiences, of which the service is one"""
    return mint.with_claims(aud=[_OTHER_AUDIENCE, audience(mint)])


@CLASSES.token("aud-array-nonstring")
def _aud_nested(mint: Mint) -> str:
    """the right audience inside an array inside an array"""
    return mint.with_claims(aud=[[audience(mint)]])


@CLASSES.token("aud-object")
def _aud_object(mint: Mint) -> str:
    """the audience as the name of an object's member"""
    return mint.with_claims(aud={audience(mint): 1})


@CLASSES.token("aud-wildcard")
def _aud_wildcard(mint: Mint) -> str:
    """an asterisk as the audience"""
    return mint.with_claims(aud="*")


@CLASSES.token("aud-case")
def _aud_case(mint: Mint) -> str:
    """the audience with its letters' case changed"""
    return mint.with_claims(aud=audience(mint).swapcase())


@CLASSES.token("aud-substring")
def _aud_prefix(mint: Mint) -> str:
    """the audience without its last character"""
    return mint.with_claims(aud=audience(mint)[:-1])


@CLASSES.token("aud-superstring")
def _aud_longer(mint: Mint) -> str:
    """the audience with a slash at its end, or without the one that belongs there"""
    return mint.with_claims(aud=_other_end(audience(mint)))


@CLASSES.token("aud-joined")
def _aud_joined(mint: Mint) -> str:
    """two audiences in one string, separated by a space"""
    return mint.with_claims(aud=f"{_OTHER_AUDIENCE} {audience(mint)}")


@CLASSES.token("aud-joined-comma")
def _aud_commas(mint: Mint) -> str:
    """two audiences in one string, separated by a comma"""
    return mint.with_claims(aud=f"{_OTHER_AUDIENCE},{audience(mint)}")
