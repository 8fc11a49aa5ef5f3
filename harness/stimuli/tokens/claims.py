"""Token classes on the claims: time, and claims beyond the required ones."""

from __future__ import annotations

from dataclasses import replace

from harness.stimuli.registry import MadeBy
from harness.stimuli.tokens.issuer import ABSENT, LIFETIME, TokenIssuer
from harness.stimuli.tokens.table import Classes, Presented, authorization

CLASSES = Classes(made_by=MadeBy.ISSUER)

_HOUR = 3600  # beyond any honest clock skew
_MINUTES = 600  # beyond "no more than a few minutes" (RFC 7519 sections 4.1.4 and 4.1.5)

_SOON = 3  # whole seconds, enough to be served once
_OVER = 1.1  # until exp has passed for a server that counts whole seconds, too


@CLASSES.token("exp-past")
def _past(token_issuer: TokenIssuer) -> str:
    """expired an hour ago"""
    return token_issuer.with_claims(exp=token_issuer.now - _HOUR)


@CLASSES.token("exp-past-minutes")
def _past_minutes(token_issuer: TokenIssuer) -> str:
    """expired ten minutes ago"""
    return token_issuer.with_claims(exp=token_issuer.now - _MINUTES)


@CLASSES.add("exp-past-after-good")
def _past_after_good(token_issuer: TokenIssuer) -> Presented:
    """a good token that was served first, presented again after it expired"""
    exp = token_issuer.now + _SOON
    token = authorization(f"Bearer {token_issuer.with_claims(exp=exp)}")
    # Another iat makes it another token where the service's tokens have no jti.
    unseen = authorization(f"Bearer {token_issuer.with_claims(exp=exp, iat=token_issuer.now - 1)}")
    return replace(token, before=(token,), wait=exp + _OVER - token_issuer.clock(), unseen=unseen)


@CLASSES.token("exp-missing")
def _missing(token_issuer: TokenIssuer) -> str:
    """no expiry time"""
    return token_issuer.with_claims(exp=ABSENT)


@CLASSES.token("exp-string")
def _string(token_issuer: TokenIssuer) -> str:
    """the expiry time as a string of digits"""
    return token_issuer.with_claims(exp=str(token_issuer.now + LIFETIME))


@CLASSES.token("exp-string-odd")
def _never(token_issuer: TokenIssuer) -> str:
    """the expiry time is the word never"""
    return token_issuer.with_claims(exp="never")


@CLASSES.token("exp-null")
def _null(token_issuer: TokenIssuer) -> str:
    """the expiry time is null"""
    return token_issuer.with_claims(exp=None)


@CLASSES.token("exp-bool")
def _bool(token_issuer: TokenIssuer) -> str:
    """the expiry time is true"""
    return token_issuer.with_claims(exp=True)


@CLASSES.token("exp-negative")
def _negative(token_issuer: TokenIssuer) -> str:
    """the expiry time is -1"""
    return token_issuer.with_claims(exp=-1)


@CLASSES.token("exp-nan")
def _infinity(token_issuer: TokenIssuer) -> str:
    """the expiry time is the literal Infinity, which is not JSON"""
    return token_issuer.with_claims(exp=float("inf"))


@CLASSES.token("exp-container")
def _container(token_issuer: TokenIssuer) -> str:
    """the expiry time is an array that holds a good one"""
    return token_issuer.with_claims(exp=[token_issuer.now + LIFETIME])


@CLASSES.token("exp-float", twin="exp-float")
def _float(token_issuer: TokenIssuer) -> str:
    """an expiry time with a fraction of a second"""
    return token_issuer.with_claims(exp=token_issuer.now + LIFETIME + 0.5)


@CLASSES.token("nbf-past", twin="nbf-past")
def _nbf_past(token_issuer: TokenIssuer) -> str:
    """not valid before a minute ago, so valid"""
    return token_issuer.with_claims(nbf=token_issuer.now - 60)


@CLASSES.token("nbf-future", twin="nbf-past")
def _nbf_future(token_issuer: TokenIssuer) -> str:
    """not valid before an hour from now"""
    return token_issuer.with_claims(nbf=token_issuer.now + _HOUR, exp=token_issuer.now + 2 * _HOUR)


@CLASSES.token("nbf-future-minutes", twin="nbf-past")
def _nbf_minutes(token_issuer: TokenIssuer) -> str:
    """not valid before ten minutes from now"""
    return token_issuer.with_claims(nbf=token_issuer.now + _MINUTES, exp=token_issuer.now + 2 * _HOUR)


@CLASSES.token("nbf-nonnumeric", twin="nbf-past")
def _nbf_word(token_issuer: TokenIssuer) -> str:
    """not valid before: the word soon"""
    return token_issuer.with_claims(nbf="soon")


@CLASSES.token("nbf-string", twin="nbf-past")
def _nbf_string(token_issuer: TokenIssuer) -> str:
    """not valid before a far time, given as a string of digits"""
    return token_issuer.with_claims(nbf="4102444800")


@CLASSES.token("iat-future")
def _iat_future(token_issuer: TokenIssuer) -> str:
    """issued an hour from now, which a server may refuse"""
    return token_issuer.with_claims(iat=token_issuer.now + _HOUR, exp=token_issuer.now + 2 * _HOUR)


@CLASSES.token("iat-nonnumeric")
def _iat_word(token_issuer: TokenIssuer) -> str:
    """issued at: the word yesterday"""
    return token_issuer.with_claims(iat="yesterday")


@CLASSES.token("claim-unknown", twin="claim-unknown")
def _unknown(token_issuer: TokenIssuer) -> str:
    """an extra, unknown claim"""
    return token_issuer.with_claims(hopproof="extra")
