"""Token classes on how a token travels: another scheme, another header, twice, in the wrong place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.stimuli.registry import MadeBy
from harness.stimuli.tokens.issuer import TokenIssuer
from harness.stimuli.tokens.table import Classes, Presented, authorization

CLASSES = Classes(made_by=MadeBy.HOLDER)

_ALTERNATIVES = ("X-Access-Token", "X-Auth-Token", "X-Forwarded-Access-Token", "X-Original-Authorization")


def _bad(token_issuer: TokenIssuer) -> str:
    return token_issuer.forged()


@CLASSES.add("t-scheme-lower", twin="t-scheme-lower")
def _lower(token_issuer: TokenIssuer) -> Presented:
    """a good token with the scheme in lower case"""
    return authorization(f"bearer {token_issuer.token()}")


@CLASSES.add("t-scheme-other")
def _other(token_issuer: TokenIssuer) -> Presented:
    """a good token under the scheme JWT"""
    return authorization(f"JWT {token_issuer.token()}")


@CLASSES.add("t-scheme-basic")
def _basic(token_issuer: TokenIssuer) -> Presented:
    """a good token under the scheme Basic"""
    return authorization(f"Basic {token_issuer.token()}")


@CLASSES.add("t-scheme-missing")
def _missing(token_issuer: TokenIssuer) -> Presented:
    """a good token without a scheme"""
    return authorization(token_issuer.token())


@CLASSES.add("t-no-space")
def _no_space(token_issuer: TokenIssuer) -> Presented:
    """a good token right after the word Bearer, without a space"""
    return authorization(f"Bearer{token_issuer.token()}")


@CLASSES.add("t-quoted")
def _quoted(token_issuer: TokenIssuer) -> Presented:
    """a good token in quotation marks"""
    return authorization(f'Bearer "{token_issuer.token()}"')


@CLASSES.add("t-space-suffix")
def _suffix(token_issuer: TokenIssuer) -> Presented:
    """a good token, a space and more text"""
    return authorization(f"Bearer {token_issuer.token()} .jjjj")


@CLASSES.add("t-comma-joined")
def _comma(token_issuer: TokenIssuer) -> Presented:
    """a good and a forged token in one header line, joined by a comma"""
    return authorization(f"Bearer {token_issuer.token()}, Bearer {_bad(token_issuer)}")


@CLASSES.add("t-dup-auth")
def _twice(token_issuer: TokenIssuer) -> Presented:
    """two Authorization lines, a good token first, a forged one second"""
    return authorization(f"Bearer {token_issuer.token()}", f"Bearer {_bad(token_issuer)}")


@CLASSES.add("t-dup-auth-bad-first")
def _twice_bad_first(token_issuer: TokenIssuer) -> Presented:
    """two Authorization lines, a forged token first, a good one second"""
    return authorization(f"Bearer {_bad(token_issuer)}", f"Bearer {token_issuer.token()}")


@CLASSES.add("t-query-only")
def _query(token_issuer: TokenIssuer) -> Presented:
    """a good token only in the query string (access_token)"""
    return Presented(query=f"access_token={token_issuer.token()}")


@CLASSES.add("t-cookie")
def _cookie(token_issuer: TokenIssuer) -> Presented:
    """a good token only in a cookie"""
    token = token_issuer.token()
    return _headers(Cookie=f"access_token={token}; jwt={token}")


@CLASSES.add("t-alt-header")
def _alternative(token_issuer: TokenIssuer) -> Presented:
    """a good token only in headers that proxies use"""
    return _headers(**dict.fromkeys(_ALTERNATIVES, f"Bearer {token_issuer.token()}"))


@CLASSES.add("t-query-forged")
def _query_forged(token_issuer: TokenIssuer) -> Presented:
    """a forged token only in the query string (access_token, token, jwt)"""
    forged = _bad(token_issuer)
    return Presented(query="&".join(f"{name}={forged}" for name in ("access_token", "token", "jwt")))


@CLASSES.add("t-cookie-forged")
def _cookie_forged(token_issuer: TokenIssuer) -> Presented:
    """a forged token only in cookies (access_token, token, jwt)"""
    forged = _bad(token_issuer)
    return _headers(Cookie="; ".join(f"{name}={forged}" for name in ("access_token", "token", "jwt")))


@CLASSES.several("t-alt-header-forged")
def _alternative_forged(token_issuer: TokenIssuer) -> Iterator[Presented]:
    """a forged token only in headers that proxies use, or under another scheme than Bearer"""
    forged = _bad(token_issuer)
    yield replace(_headers(**dict.fromkeys(_ALTERNATIVES, f"Bearer {forged}")), form="headers of proxies")
    for scheme in ("Basic", "JWT", "Token"):
        yield replace(authorization(f"{scheme} {forged}"), form=f"scheme {scheme}")


@CLASSES.add("t-proxy-auth")
def _proxy(token_issuer: TokenIssuer) -> Presented:
    """a good token only in Proxy-Authorization"""
    return _headers(**{"Proxy-Authorization": f"Bearer {token_issuer.token()}"})


@CLASSES.add("t-underscore")
def _underscore(token_issuer: TokenIssuer) -> Presented:
    """a good token only in headers that CGI-like servers might fold into Authorization"""
    value = f"Bearer {token_issuer.token()}"
    return _headers(Authorization_=value, HTTP_AUTHORIZATION=value)


def _headers(**values: str) -> Presented:
    return Presented(tuple((name, value.encode()) for name, value in values.items()))
