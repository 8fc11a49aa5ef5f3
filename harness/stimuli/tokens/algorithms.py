"""Token classes on the algorithm: none, symmetric with a public key as secret, another than the server expects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from harness.pki.jwk import Published
from harness.stimuli.registry import MadeBy, Need, needs
from harness.stimuli.tokens import jwa
from harness.stimuli.tokens.confusion import Form, as_der, as_jwk, as_number, as_pem
from harness.stimuli.tokens.issuer import ABSENT, TokenIssuer
from harness.stimuli.tokens.jose import as_json, encode, jwe, unsigned
from harness.stimuli.tokens.table import Classes
from harness.stimuli.unavailable import StimulusUnavailable

CLASSES = Classes()


@CLASSES.token("alg-none")
def _none(token_issuer: TokenIssuer) -> str:
    """alg none and no signature"""
    return token_issuer.token(header=token_issuer.header(alg="none"), sign=unsigned)


@CLASSES.token("alg-none-case")
def _none_case(token_issuer: TokenIssuer) -> str:
    """alg nOnE and no signature"""
    return token_issuer.token(header=token_issuer.header(alg="nOnE"), sign=unsigned)


@CLASSES.token("alg-none-with-sig")
def _none_signed(token_issuer: TokenIssuer) -> str:
    """alg none, the signature of the good token kept"""
    _, payload, signature = token_issuer.token().split(".")
    return f"{encode(as_json(token_issuer.header(alg='none')))}.{payload}.{signature}"


@CLASSES.token("alg-missing")
def _missing(token_issuer: TokenIssuer) -> str:
    """no alg in the header"""
    return token_issuer.with_header(alg=ABSENT)


@CLASSES.token("alg-empty")
def _empty(token_issuer: TokenIssuer) -> str:
    """an empty alg"""
    return token_issuer.with_header(alg="")


@CLASSES.token("alg-nonstring")
def _nonstring(token_issuer: TokenIssuer) -> str:
    """alg is an array that holds the right one"""
    return token_issuer.with_header(alg=[token_issuer.alg])


@CLASSES.token("alg-lowercase")
def _lowercase(token_issuer: TokenIssuer) -> str:
    """the right alg in lower case"""
    return token_issuer.with_header(alg=token_issuer.alg.lower())


@CLASSES.token("alg-whitespace")
def _whitespace(token_issuer: TokenIssuer) -> str:
    """the right alg followed by a space"""
    return token_issuer.with_header(alg=f"{token_issuer.alg} ")


@CLASSES.token("alg-unknown")
def _unknown(token_issuer: TokenIssuer) -> str:
    """an alg that does not exist"""
    return token_issuer.with_header(alg="FOO")


@CLASSES.forms("alg-jwe-name")
def _jwe_name(token_issuer: TokenIssuer) -> Iterator[tuple[str, str]]:
    """an encryption algorithm as alg: in a signed token, or in an unsigned one encrypted to the issuer's public key"""
    yield "signed", token_issuer.with_header(alg="RSA-OAEP")
    plain = token_issuer.token(header=token_issuer.header(alg="none"), sign=unsigned)
    for published in token_issuer.published:
        if isinstance(published.key, RSAPublicKey | EllipticCurvePublicKey):
            yield f"unsigned, encrypted to {published.label}", jwe(plain.encode(), published.key, token_issuer.kid)


@CLASSES.forms("alg-hs-rsa-pem")
def _hs_pem(token_issuer: TokenIssuer) -> Iterator[tuple[str, str]]:
    """HMAC with a public key that verifies (PEM, or its certificate's) as the secret"""
    return _confused(token_issuer, as_pem)


@CLASSES.forms("alg-hs-der")
def _hs_der(token_issuer: TokenIssuer) -> Iterator[tuple[str, str]]:
    """HMAC with a public key that verifies (DER) as the secret"""
    return _confused(token_issuer, as_der)


@CLASSES.forms("alg-hs-jwk")
def _hs_jwk(token_issuer: TokenIssuer) -> Iterator[tuple[str, str]]:
    """HMAC with a public JWK that verifies, or the whole set, as the secret"""
    return _confused(token_issuer, as_jwk)


@CLASSES.forms("alg-hs-modulus")
def _hs_modulus(token_issuer: TokenIssuer) -> Iterator[tuple[str, str]]:
    """HMAC with the bare numbers of a public key that verifies as the secret"""
    return _confused(token_issuer, as_number)


@CLASSES.forms("alg-hs-empty-secret")
def _hs_empty(token_issuer: TokenIssuer) -> Iterator[tuple[str, str]]:
    """HMAC with an empty secret"""
    return _macs(token_issuer, [("empty secret", b""), ("one zero octet", bytes(1))])


@CLASSES.forms("alg-hs-weak-secret")
def _hs_weak(token_issuer: TokenIssuer) -> Iterator[tuple[str, str]]:
    """HMAC with a secret that is in every word list"""
    return _macs(
        token_issuer, [(word, word.encode()) for word in ("secret", "changeme", "password", "your-256-bit-secret")]
    )


@CLASSES.forms("alg-rs-to-ps", made_by=MadeBy.ISSUER, needs=needs(Need.ALGORITHMS))
def _pss(token_issuer: TokenIssuer) -> Iterator[tuple[str, str]]:
    """signed with the right RSA key, but with the other padding (PKCS #1 v1.5, PSS) than agreed"""
    return _genuine(token_issuer, lambda alg: alg[:2] != token_issuer.alg[:2] and alg[2:] == token_issuer.alg[2:])


@CLASSES.forms("alg-hash-swap", made_by=MadeBy.ISSUER, needs=needs(Need.ALGORITHMS))
def _rs512(token_issuer: TokenIssuer) -> Iterator[tuple[str, str]]:
    """signed with the right key, but with another hash than agreed"""
    return _genuine(token_issuer, lambda alg: alg[:2] == token_issuer.alg[:2] and alg[2:] != token_issuer.alg[2:])


@CLASSES.forms("alg-header-vs-sig")
def _mismatch(token_issuer: TokenIssuer) -> Iterator[tuple[str, str]]:
    """the header names another algorithm for the same key type than the signature uses"""
    others = {"RS": "PS", "PS": "RS"}.get(token_issuer.alg[:2], "")
    named = [others + token_issuer.alg[2:]] if others else ["ES384" if token_issuer.alg == "ES256" else "ES256"]
    for alg in named:
        yield alg, token_issuer.with_header(alg=alg)


def _confused(token_issuer: TokenIssuer, forms: Callable[[Published], Iterable[Form]]) -> Iterator[tuple[str, str]]:
    """Of every published key that may be the one that verifies, every form, under its own key id."""
    for published in token_issuer.published:
        for name, secret in forms(published):
            yield from _macs(token_issuer, [(f"{name} of {published.label}", secret)], published.kid)


def _macs(token_issuer: TokenIssuer, secrets: Iterable[Form], kid: str = "") -> Iterator[tuple[str, str]]:
    # The key id that the good token has is the one that is looked up; only where none is known, the key's own.
    named = {"kid": kid} if kid and "kid" not in token_issuer.header() else {}
    for name, secret in secrets:
        for alg in jwa.macs(token_issuer.alg):
            header = token_issuer.header(alg=alg, **named)
            yield f"{alg}, secret: {name}", token_issuer.token(header=header, sign=jwa.signer(alg, secret))


def _genuine(token_issuer: TokenIssuer, wanted: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    kind = jwa.RSA if token_issuer.alg in jwa.RSA else jwa.EC if token_issuer.alg in jwa.EC else ()
    others = [alg for alg in kind if wanted(alg) and alg not in (*token_issuer.agreed, "ES256K")]
    if not others:
        raise StimulusUnavailable(
            f"a key for {token_issuer.alg} can sign with no other algorithm that the service has not agreed to"
        )
    for alg in others:
        yield alg, token_issuer.token(header=token_issuer.header(alg=alg), sign=jwa.signer(alg, token_issuer.key))
