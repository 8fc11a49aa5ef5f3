"""Token classes on how a token travels: another scheme, another header, twice, in the wrong place."""

from __future__ import annotations

from harness.wire.tokens.mint import Mint
from harness.wire.tokens.table import Classes, Presented, authorization

CLASSES = Classes()


def _bad(mint: Mint) -> str:
    return mint.forged()


@CLASSES.add("t-scheme-lower", twin="t-scheme-lower")
def _lower(mint: Mint) -> Presented:
    """a good token with the scheme in small letters"""
    return authorization(f"bearer {mint.token()}")


@CLASSES.add("t-scheme-other")
def _other(mint: Mint) -> Presented:
    """a good token under the scheme JWT"""
    return authorization(f"JWT {mint.token()}")


@CLASSES.add("t-scheme-basic")
def _basic(mint: Mint) -> Presented:
    """a good token under the scheme Basic"""
    return authorization(f"Basic {mint.token()}")


@CLASSES.add("t-scheme-missing")
def _missing(mint: Mint) -> Presented:
    """a good token without a scheme"""
    return authorization(mint.token())


@CLASSES.add("t-no-space")
def _no_space(mint: Mint) -> Presented:
    """a good token right after the word Bearer, without a space"""
    return authorization(f"Bearer{mint.token()}")


@CLASSES.add("t-quoted")
def _quoted(mint: Mint) -> Presented:
    """a good token in quotation marks"""
    return authorization(f'Bearer "{mint.token()}"')


@CLASSES.add("t-space-suffix")
def _suffix(mint: Mint) -> Presented:
    """a good token, a space and more text"""
    return authorization(f"Bearer {mint.token()} .jjjj")


@CLASSES.add("t-comma-joined")
def _comma(mint: Mint) -> Presented:
    """a good and a forged token in one header line, joined by a comma"""
    return authorization(f"Bearer {mint.token()}, Bearer {_bad(mint)}")


@CLASSES.add("t-dup-auth")
def _twice(mint: Mint) -> Presented:
    """two Authorization lines, a good token first, a forged one second"""
    return authorization(f"Bearer {mint.token()}", f"Bearer {_bad(mint)}")


@CLASSES.add("t-dup-auth-bad-first")
def _twice_bad_first(mint: Mint) -> Presented:
    """two Authorization lines, a forged token first, a good one second"""
    return authorization(f"Bearer {_bad(mint)}", f"Bearer {mint.token()}")


@CLASSES.add("t-query-only")
def _query(mint: Mint) -> Presented:
    """a good token only in the query string (access_token)"""
    return Presented(query=f"access_token={mint.token()}")


@CLASSES.add("t-cookie")
def _cookie(mint: Mint) -> Presented:
    """a good token only in a cookie"""
    token = mint.token()
    return _headers(Cookie=f"access_token={token}; jwt={token}")


@CLASSES.add("t-alt-header")
def _alternative(mint: Mint) -> Presented:
    """a good token only in headers that proxies use"""
    value = f"Bearer {mint.token()}"
    names = ("X-Access-Token", "X-Auth-Token", "X-Forwarded-Access-Token", "X-Original-Authorization")
    return _headers(**dict.fromkeys(names, value))


@CLASSES.add("t-proxy-auth")
def _proxy(mint: Mint) -> Presented:
    """a good token only in Proxy-Authorization"""
    return _headers(**{"Proxy-Authorization": f"Bearer {mint.token()}"})


@CLASSES.add("t-underscore")
def _underscore(mint: Mint) -> Presented:
    """a good token only in headers that CGI-like servers might fold into Authorization"""
    value = f"Bearer {mint.token()}"
    return _headers(Authorization_=value, HTTP_AUTHORIZATION=value)


def _headers(**values: str) -> Presented:
    return Presented(tuple((name, value.encode()) for name, value in values.items()))
