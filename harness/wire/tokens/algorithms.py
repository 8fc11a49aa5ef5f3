"""Token classes on the algorithm: none, symmetric with a public key as secret, another than the server expects."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness.wire.pki import public_jwk
from harness.wire.tokens.jose import as_json, decode, encode, hs256, ps256, rs512, unsigned
from harness.wire.tokens.mint import ABSENT, Mint
from harness.wire.tokens.table import Classes

CLASSES = Classes()


@CLASSES.token("alg-none")
def _none(mint: Mint) -> str:
    """alg none and no signature"""
    return mint.token(header=mint.header(alg="none"), sign=unsigned)


@CLASSES.token("alg-none-case")
def _none_case(mint: Mint) -> str:
    """alg nOnE and no signature"""
    return mint.token(header=mint.header(alg="nOnE"), sign=unsigned)


@CLASSES.token("alg-none-with-sig")
def _none_signed(mint: Mint) -> str:
    """alg none, the signature of the good token kept"""
    _, payload, signature = mint.token().split(".")
    return f"{encode(as_json(mint.header(alg='none')))}.{payload}.{signature}"


@CLASSES.token("alg-missing")
def _missing(mint: Mint) -> str:
    """no alg in the header"""
    return mint.with_header(alg=ABSENT)


@CLASSES.token("alg-empty")
def _empty(mint: Mint) -> str:
    """an empty alg"""
    return mint.with_header(alg="")


@CLASSES.token("alg-nonstring")
def _nonstring(mint: Mint) -> str:
    """alg is an array that holds RS256"""
    return mint.with_header(alg=["RS256"])


@CLASSES.token("alg-lowercase")
def _lowercase(mint: Mint) -> str:
    """alg rs256 in small letters"""
    return mint.with_header(alg="rs256")


@CLASSES.token("alg-whitespace")
def _whitespace(mint: Mint) -> str:
    """alg RS256 followed by a space"""
    return mint.with_header(alg="RS256 ")


@CLASSES.token("alg-unknown")
def _unknown(mint: Mint) -> str:
    """an alg that does not exist"""
    return mint.with_header(alg="FOO")


@CLASSES.token("alg-jwe-name")
def _jwe_name(mint: Mint) -> str:
    """the name of an encryption algorithm (RSA-OAEP) as alg"""
    return mint.with_header(alg="RSA-OAEP")


@CLASSES.token("alg-hs-rsa-pem")
def _hs_pem(mint: Mint) -> str:
    """HS256 with the issuer's public key (PEM) as the secret"""
    return _hmac(mint, mint.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


@CLASSES.token("alg-hs-der")
def _hs_der(mint: Mint) -> str:
    """HS256 with the issuer's public key (DER) as the secret"""
    return _hmac(mint, mint.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


@CLASSES.token("alg-hs-jwk")
def _hs_jwk(mint: Mint) -> str:
    """HS256 with the issuer's public JWK as the secret"""
    jwk = {**public_jwk(mint.key.public_key()), "kid": mint.kid, "use": "sig", "alg": "RS256"}
    return _hmac(mint, as_json(jwk))


@CLASSES.token("alg-hs-modulus")
def _hs_modulus(mint: Mint) -> str:
    """HS256 with the modulus of the issuer's public key as the secret"""
    return _hmac(mint, decode(public_jwk(mint.key.public_key())["n"]))


@CLASSES.token("alg-hs-empty-secret")
def _hs_empty(mint: Mint) -> str:
    """HS256 with an empty secret"""
    return _hmac(mint, b"")


@CLASSES.token("alg-hs-weak-secret")
def _hs_weak(mint: Mint) -> str:
    """HS256 with the secret "secret" """
    return _hmac(mint, b"secret")


@CLASSES.token("alg-rs-to-ps")
def _pss(mint: Mint) -> str:
    """PS256, genuinely signed with the right key, where RS256 is agreed"""
    return mint.token(header=mint.header(alg="PS256"), sign=ps256(mint.key))


@CLASSES.token("alg-hash-swap")
def _rs512(mint: Mint) -> str:
    """RS512, genuinely signed with the right key, where RS256 is agreed"""
    return mint.token(header=mint.header(alg="RS512"), sign=rs512(mint.key))


@CLASSES.token("alg-header-vs-sig")
def _mismatch(mint: Mint) -> str:
    """the header says PS256, the signature is RS256"""
    return mint.with_header(alg="PS256")


def _hmac(mint: Mint, secret: bytes) -> str:
    return mint.token(header=mint.header(alg="HS256"), sign=hs256(secret))
