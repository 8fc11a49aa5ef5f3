"""Token classes on the claims: time, and what nobody asked for."""

from __future__ import annotations

from harness.wire.tokens.mint import ABSENT, LIFETIME, Mint
from harness.wire.tokens.table import Classes

CLASSES = Classes()

_HOUR = 3600  # beyond any honest clock skew
_MINUTES = 600  # beyond "no more than a few minutes" (RFC 7519 sections 4.1.4 and 4.1.5)


@CLASSES.token("exp-past")
def _past(mint: Mint) -> str:
    """expired an hour ago"""
    return mint.with_claims(exp=mint.now - _HOUR)


@CLASSES.token("exp-past-minutes")
def _past_minutes(mint: Mint) -> str:
    """expired ten minutes ago"""
    return mint.with_claims(exp=mint.now - _MINUTES)


@CLASSES.token("exp-missing")
def _missing(mint: Mint) -> str:
    """no expiry time"""
    return mint.with_claims(exp=ABSENT)


@CLASSES.token("exp-string")
def _string(mint: Mint) -> str:
    """the expiry time as a string of digits"""
    return mint.with_claims(exp=str(mint.now + LIFETIME))


@CLASSES.token("exp-string-odd")
def _never(mint: Mint) -> str:
    """the expiry time is the word never"""
    return mint.with_claims(exp="never")


@CLASSES.token("exp-null")
def _null(mint: Mint) -> str:
    """the expiry time is null"""
    return mint.with_claims(exp=None)


@CLASSES.token("exp-bool")
def _bool(mint: Mint) -> str:
    """the expiry time is true"""
    return mint.with_claims(exp=True)


@CLASSES.token("exp-negative")
def _negative(mint: Mint) -> str:
    """the expiry time is -1"""
    return mint.with_claims(exp=-1)


@CLASSES.token("exp-nan")
def _infinity(mint: Mint) -> str:
    """the expiry time is the literal Infinity, which is not JSON"""
    return mint.with_claims(exp=float("inf"))


@CLASSES.token("exp-container")
def _container(mint: Mint) -> str:
    """the expiry time is an array that holds a good one"""
    return mint.with_claims(exp=[mint.now + LIFETIME])


@CLASSES.token("exp-float", twin="exp-float")
def _float(mint: Mint) -> str:
    """an expiry time with a fraction of a second"""
    return mint.with_claims(exp=mint.now + LIFETIME + 0.5)


@CLASSES.token("nbf-past", twin="nbf-past")
def _nbf_past(mint: Mint) -> str:
    """not valid before a minute ago, so valid"""
    return mint.with_claims(nbf=mint.now - 60)


@CLASSES.token("nbf-future", twin="nbf-past")
def _nbf_future(mint: Mint) -> str:
    """not valid before an hour from now"""
    return mint.with_claims(nbf=mint.now + _HOUR, exp=mint.now + 2 * _HOUR)


@CLASSES.token("nbf-future-minutes", twin="nbf-past")
def _nbf_minutes(mint: Mint) -> str:
    """not valid before ten minutes from now"""
    return mint.with_claims(nbf=mint.now + _MINUTES, exp=mint.now + 2 * _HOUR)


@CLASSES.token("nbf-nonnumeric", twin="nbf-past")
def _nbf_word(mint: Mint) -> str:
    """not valid before: the word soon"""
    return mint.with_claims(nbf="soon")


@CLASSES.token("nbf-string", twin="nbf-past")
def _nbf_string(mint: Mint) -> str:
    """not valid before a far time, given as a string of digits"""
    return mint.with_claims(nbf="4102444800")


@CLASSES.token("iat-future")
def _iat_future(mint: Mint) -> str:
    """issued an hour from now, which a server may refuse"""
    return mint.with_claims(iat=mint.now + _HOUR, exp=mint.now + 2 * _HOUR)


@CLASSES.token("iat-nonnumeric")
def _iat_word(mint: Mint) -> str:
    """issued at: the word yesterday"""
    return mint.with_claims(iat="yesterday")


@CLASSES.token("claim-unknown", twin="claim-unknown")
def _unknown(mint: Mint) -> str:
    """an extra claim nobody knows"""
    return mint.with_claims(hopproof="extra")
