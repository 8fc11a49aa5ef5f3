"""Token classes on the signature: damaged, moved, made with another key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from harness.pki.jwk import Published, key_id
from harness.stimuli.tokens import jwa
from harness.stimuli.tokens.issuer import TokenIssuer
from harness.stimuli.tokens.jose import as_json, decode, encode
from harness.stimuli.tokens.table import Classes, Presented, authorization
from harness.stimuli.unavailable import StimulusUnavailable

CLASSES = Classes()

# The orders of the groups (SEC 2, RFC 8032 section 5.1).
_ORDERS = {
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp384r1": int("F" * 48 + "C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16),
    "secp521r1": int("1" + "F" * 65 + "A51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16),
    "secp256k1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
}
_ED25519 = 2**252 + 27742317777372353535851937790883648493


@CLASSES.token("sig-bitflip")
def _bitflip(token_issuer: TokenIssuer) -> str:
    """one bit of the signature flipped"""
    signed, signature = _split(token_issuer)
    return f"{signed}.{encode(_flip(signature))}"


@CLASSES.token("sig-truncated")
def _truncated(token_issuer: TokenIssuer) -> str:
    """the last octet of the signature missing"""
    signed, signature = _split(token_issuer)
    return f"{signed}.{encode(signature[:-1])}"


@CLASSES.token("sig-extended")
def _extended(token_issuer: TokenIssuer) -> str:
    """a zero octet after the signature"""
    signed, signature = _split(token_issuer)
    return f"{signed}.{encode(signature + bytes(1))}"


@CLASSES.token("sig-payload-tamper")
def _payload(token_issuer: TokenIssuer) -> str:
    """a claim changed after signing"""
    claims = token_issuer.claims()
    header, _, signature = token_issuer.token(claims=claims).split(".")
    return f"{header}.{encode(as_json({**claims, 'sub': 'admin'}))}.{signature}"


@CLASSES.token("sig-header-tamper")
def _header(token_issuer: TokenIssuer) -> str:
    """a header parameter added after signing"""
    _, payload, signature = token_issuer.token().split(".")
    return f"{encode(as_json(token_issuer.header(cty='JWT')))}.{payload}.{signature}"


@CLASSES.token("sig-splice")
def _splice(token_issuer: TokenIssuer) -> str:
    """header and payload of one good token with the signature of another"""
    signed, _ = _split(token_issuer)
    other = token_issuer.with_claims(sub="another").rpartition(".")[2]
    return f"{signed}.{other}"


@CLASSES.token("sig-wrong-key")
def _wrong_key(token_issuer: TokenIssuer) -> str:
    """signed with an attacker's key under the right key id"""
    return token_issuer.forged()


@CLASSES.token("sig-retired-key")
def _retired(token_issuer: TokenIssuer) -> str:
    """signed with a former key of the issuer that is no longer published"""
    key = jwa.stranger(token_issuer.alg, "retired")
    kid = "retired" if token_issuer.alg in jwa.MAC else key_id(key.public_key())
    return token_issuer.token(header=token_issuer.header(kid=kid), sign=jwa.signer(token_issuer.alg, key))


@CLASSES.forms("sig-zero")
def _zero(token_issuer: TokenIssuer) -> Iterator[tuple[str, str]]:
    """a signature of zeros, which a verifier without a range check accepts for any key (CVE-2022-21449)"""
    size = len(jwa.signer(token_issuer.alg, token_issuer.stranger)(b""))
    values = {"zeros": bytes(size), "one": bytes(size - 1) + b"\x01"}
    if token_issuer.alg in jwa.EC:
        order = _ORDERS[token_issuer.stranger.curve.name]
        values["r and s are the order"] = order.to_bytes(size // 2, "big") * 2
        values["zeros in DER"] = encode_dss_signature(0, 0)
    for name, signature in values.items():
        yield name, token_issuer.token(sign=lambda _message, value=signature: value)  # type: ignore[misc]


@CLASSES.forms("sig-other-form")
def _other_form(token_issuer: TokenIssuer) -> Iterator[tuple[str, str]]:
    """the right signature in an invalid encoding: ECDSA as DER, an RSA or EdDSA value beyond its range"""
    signed, signature = _split(token_issuer)
    if token_issuer.alg in jwa.EC:
        yield "DER", f"{signed}.{encode(jwa.der(signature))}"
    elif token_issuer.alg in jwa.MAC:
        raise StimulusUnavailable("an HMAC has one form")
    else:
        for published in token_issuer.published:
            yield "beyond its range", f"{signed}.{encode(_beyond(published, signature))}"


@CLASSES.add("sig-bitflip-after-good")
def _after_good(token_issuer: TokenIssuer) -> Presented:
    """a good token first; then its header and claims with one bit of the signature flipped"""
    good = token_issuer.token()
    signed, _, signature = good.rpartition(".")
    flipped = authorization(f"Bearer {signed}.{encode(_flip(decode(signature)))}")
    return replace(flipped, before=(authorization(f"Bearer {good}"),))


def _beyond(published: Published, signature: bytes) -> bytes:
    """The same value modulo the group's order or the modulus, which RFC 8017 and RFC 8032 forbid."""
    if isinstance(published.key, rsa.RSAPublicKey):
        value = int.from_bytes(signature, "big") + published.key.public_numbers().n
        return value.to_bytes(max(len(signature), (value.bit_length() + 7) // 8), "big")
    if len(signature) != 64:
        raise StimulusUnavailable("no other form of an Ed448 signature is made")
    return signature[:32] + (int.from_bytes(signature[32:], "little") + _ED25519).to_bytes(32, "little")


def _flip(signature: bytes) -> bytes:
    middle = len(signature) // 2
    return signature[:middle] + bytes([signature[middle] ^ 1]) + signature[middle + 1 :]


def _split(token_issuer: TokenIssuer) -> tuple[str, bytes]:
    signed, _, signature = token_issuer.token().rpartition(".")
    return signed, decode(signature)
