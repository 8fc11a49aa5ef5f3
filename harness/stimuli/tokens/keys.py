"""Token classes on the header's other parameters: which key to take, where to get it, what must be understood."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from harness.stimuli.registry import MadeBy, Need, needs
from harness.stimuli.tokens.attacker import attacker_chain, attacker_jwk, attacker_kid
from harness.stimuli.tokens.issuer import ABSENT, TokenIssuer
from harness.stimuli.tokens.jose import as_json, encode
from harness.stimuli.tokens.jwa import signer
from harness.stimuli.tokens.table import Classes

CLASSES = Classes()


@CLASSES.token("kid-missing-single")
def _kid_missing(token_issuer: TokenIssuer) -> str:
    """no key id, while the key set holds one key; a server may refuse it"""
    return token_issuer.with_header(kid=ABSENT)


@CLASSES.token("kid-unknown", made_by=MadeBy.ISSUER)
def _kid_unknown(token_issuer: TokenIssuer) -> str:
    """signed with the right key under a key id the key set does not have"""
    return token_issuer.with_header(kid="00000000-0000-4000-8000-000000000000")


@CLASSES.token("kid-nonstring", made_by=MadeBy.ISSUER)
def _kid_nonstring(token_issuer: TokenIssuer) -> str:
    """the key id is an array that holds the right one"""
    return token_issuer.with_header(kid=[token_issuer.kid])


@CLASSES.token("kid-empty", made_by=MadeBy.ISSUER)
def _kid_empty(token_issuer: TokenIssuer) -> str:
    """an empty key id"""
    return token_issuer.with_header(kid="")


@CLASSES.token("kid-case", made_by=MadeBy.ISSUER, needs=needs(Need.CASED_KEY_ID))
def _kid_case(token_issuer: TokenIssuer) -> str:
    """the right key id in upper case"""
    return token_issuer.with_header(kid=token_issuer.kid.upper())


@CLASSES.forms("kid-traversal")
def _kid_traversal(token_issuer: TokenIssuer) -> Iterator[tuple[str, str]]:
    """the key id is a path to /dev/null, the token is HS256 with the content read there as the secret"""
    for kid in ("../../../../../../../../dev/null", "/dev/null"):
        for name, secret in (("an empty secret", b""), ("one zero octet", bytes(1))):
            token = token_issuer.token(header=token_issuer.header(alg="HS256", kid=kid), sign=signer("HS256", secret))
            yield f"{kid}, {name}", token


@CLASSES.forms("kid-sqli")
def _kid_sql(token_issuer: TokenIssuer) -> Iterator[tuple[str, str]]:
    """the key id is SQL that yields "1", the token is HS256 with the secret "1" """
    for kid in ("x' UNION SELECT '1';--", "x' UNION SELECT '1' -- "):
        yield kid, token_issuer.token(header=token_issuer.header(alg="HS256", kid=kid), sign=signer("HS256", b"1"))


@CLASSES.forms("kid-url", needs=needs(Need.LISTENER))
def _kid_url(token_issuer: TokenIssuer) -> Iterator[tuple[str, str]]:
    """signed with an attacker's key, the key id is the URL of that key, which must not be fetched"""
    for name in ("key.json", "key.pem"):
        yield name, token_issuer.forged(kid=token_issuer.url(name))


@CLASSES.forms("kid-proto")
def _kid_proto(token_issuer: TokenIssuer) -> Iterator[tuple[str, str]]:
    """signed with an attacker's key, with a key id that names none: __proto__, an empty one, no key id at all"""
    for name, kid in (("__proto__", "__proto__"), ("empty", ""), ("absent", ABSENT)):
        yield name, token_issuer.forged(kid=kid)


@CLASSES.token("jku-attacker", needs=needs(Need.LISTENER))
def _jku(token_issuer: TokenIssuer) -> str:
    """signed with an attacker's key, jku names the attacker's key set, which must not be fetched"""
    return token_issuer.forged(kid=attacker_kid(token_issuer.alg), jku=token_issuer.url("jwks.json"))


@CLASSES.token("jku-scheme")
def _jku_data(token_issuer: TokenIssuer) -> str:
    """signed with an attacker's key, jku is a data: URL with the attacker's key set"""
    jwks = as_json({"keys": [attacker_jwk(token_issuer.alg)]})
    url = "data:application/json;base64," + base64.b64encode(jwks).decode()
    return token_issuer.forged(kid=attacker_kid(token_issuer.alg), jku=url)


@CLASSES.token("jwk-embedded")
def _jwk(token_issuer: TokenIssuer) -> str:
    """signed with an attacker's key, whose public key is in the header"""
    return token_issuer.forged(kid=attacker_kid(token_issuer.alg), jwk=attacker_jwk(token_issuer.alg))


@CLASSES.token("jwk-embedded-samekid")
def _jwk_same_kid(token_issuer: TokenIssuer) -> str:
    """signed with an attacker's key under the right key id, with the attacker's public key in the header"""
    return token_issuer.forged(jwk=attacker_jwk(token_issuer.alg, token_issuer.kid))


@CLASSES.token("jwk-embedded-oct")
def _jwk_oct(token_issuer: TokenIssuer) -> str:
    """HS256, with the secret itself in the header as a JWK"""
    secret = bytes(range(32))
    jwk = {"kty": "oct", "k": encode(secret), "kid": token_issuer.kid}
    return token_issuer.token(header=token_issuer.header(alg="HS256", jwk=jwk), sign=signer("HS256", secret))


@CLASSES.token("x5u-attacker", needs=needs(Need.LISTENER))
def _x5u(token_issuer: TokenIssuer) -> str:
    """signed with an attacker's key, x5u names the attacker's certificate, which must not be fetched"""
    return token_issuer.forged(x5u=token_issuer.url("certificate.pem"))


@CLASSES.token("x5c-selfsigned")
def _x5c(token_issuer: TokenIssuer) -> str:
    """signed with an attacker's key, whose self-signed certificate is in the header"""
    return token_issuer.forged(x5c=attacker_chain(token_issuer.alg))


@CLASSES.token("crit-unknown", made_by=MadeBy.ISSUER)
def _crit_unknown(token_issuer: TokenIssuer) -> str:
    """crit names an unknown extension"""
    return token_issuer.with_header(crit=["x-hopproof"], **{"x-hopproof": 1})


@CLASSES.token("crit-empty", made_by=MadeBy.ISSUER)
def _crit_empty(token_issuer: TokenIssuer) -> str:
    """crit is an empty array"""
    return token_issuer.with_header(crit=[])


@CLASSES.token("crit-nonarray", made_by=MadeBy.ISSUER)
def _crit_nonarray(token_issuer: TokenIssuer) -> str:
    """crit is a string"""
    return token_issuer.with_header(crit="x-hopproof", **{"x-hopproof": 1})


@CLASSES.token("crit-absent-param", made_by=MadeBy.ISSUER)
def _crit_absent(token_issuer: TokenIssuer) -> str:
    """crit names a parameter that is not in the header"""
    return token_issuer.with_header(crit=["x-hopproof"])


@CLASSES.token("b64-false-attached", made_by=MadeBy.ISSUER)
def _b64_false(token_issuer: TokenIssuer) -> str:
    """b64 false (critical) with an attached payload, which a JWT must not have"""
    return token_issuer.with_header(b64=False, crit=["b64"])


@CLASSES.token("b64-false-nocrit", made_by=MadeBy.ISSUER)
def _b64_false_nocrit(token_issuer: TokenIssuer) -> str:
    """b64 false without crit"""
    return token_issuer.with_header(b64=False)


@CLASSES.token("hdr-unknown-param", twin="hdr-unknown-param", made_by=MadeBy.ISSUER)
def _unknown_parameter(token_issuer: TokenIssuer) -> str:
    """an unknown header parameter that is not critical"""
    return token_issuer.with_header(**{"x-hopproof": 1})
