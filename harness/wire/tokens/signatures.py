"""Token classes on the signature: damaged, moved, made with another key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from harness.wire.jwk import Published, key_id
from harness.wire.refusal import CannotMake
from harness.wire.tokens import jwa
from harness.wire.tokens.jose import as_json, decode, encode
from harness.wire.tokens.mint import Mint
from harness.wire.tokens.table import Classes, Presented, authorization

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
def _bitflip(mint: Mint) -> str:
    """one bit of the signature flipped"""
    signed, signature = _split(mint)
    return f"{signed}.{encode(_flip(signature))}"


@CLASSES.token("sig-truncated")
def _truncated(mint: Mint) -> str:
    """the last octet of the signature missing"""
    signed, signature = _split(mint)
    return f"{signed}.{encode(signature[:-1])}"


@CLASSES.token("sig-extended")
def _extended(mint: Mint) -> str:
    """a zero octet after the signature"""
    signed, signature = _split(mint)
    return f"{signed}.{encode(signature + bytes(1))}"


@CLASSES.token("sig-payload-tamper")
def _payload(mint: Mint) -> str:
    """a claim changed after signing"""
    claims = mint.claims()
    header, _, signature = mint.token(claims=claims).split(".")
    return f"{header}.{encode(as_json({**claims, 'sub': 'admin'}))}.{signature}"


@CLASSES.token("sig-header-tamper")
def _header(mint: Mint) -> str:
    """a header parameter added after signing"""
    _, payload, signature = mint.token().split(".")
    return f"{encode(as_json(mint.header(cty='JWT')))}.{payload}.{signature}"


@CLASSES.token("sig-splice")
def _splice(mint: Mint) -> str:
    """header and payload of one good token with the signature of another"""
    signed, _ = _split(mint)
    other = mint.with_claims(sub="another").rpartition(".")[2]
    return f"{signed}.{other}"


@CLASSES.token("sig-wrong-key")
def _wrong_key(mint: Mint) -> str:
    """signed with an attacker's key under the right key id"""
    return mint.forged()


@CLASSES.token("sig-retired-key")
def _retired(mint: Mint) -> str:
    """signed with a former key of the issuer that is no longer published"""
    key = jwa.stranger(mint.alg, "retired")
    kid = "retired" if mint.alg in jwa.MAC else key_id(key.public_key())
    return mint.token(header=mint.header(kid=kid), sign=jwa.signer(mint.alg, key))


@CLASSES.forms("sig-zero")
def _zero(mint: Mint) -> Iterator[tuple[str, str]]:
    """a signature of zeros, which a verifier that does not check its range takes for anybody's (CVE-2022-21449)"""
    size = len(jwa.signer(mint.alg, mint.stranger)(b""))
    values = {"zeros": bytes(size), "one": bytes(size - 1) + b"\x01"}
    if mint.alg in jwa.EC:
        order = _ORDERS[mint.stranger.curve.name]
        values["r and s are the order"] = order.to_bytes(size // 2, "big") * 2
        values["zeros in DER"] = encode_dss_signature(0, 0)
    for name, signature in values.items():
        yield name, mint.token(sign=lambda _message, value=signature: value)  # type: ignore[misc]


@CLASSES.forms("sig-other-form")
def _other_form(mint: Mint) -> Iterator[tuple[str, str]]:
    """the right signature in a form that none has: ECDSA as DER, an RSA or EdDSA value beyond its range"""
    signed, signature = _split(mint)
    if mint.alg in jwa.EC:
        yield "DER", f"{signed}.{encode(jwa.der(signature))}"
    elif mint.alg in jwa.MAC:
        raise CannotMake("an HMAC has one form")
    else:
        for published in mint.published:
            yield "beyond its range", f"{signed}.{encode(_beyond(published, signature))}"


@CLASSES.add("sig-bitflip-after-good")
def _after_good(mint: Mint) -> Presented:
    """a good token first; then its header and claims with one bit of the signature flipped"""
    good = mint.token()
    signed, _, signature = good.rpartition(".")
    flipped = authorization(f"Bearer {signed}.{encode(_flip(decode(signature)))}")
    return replace(flipped, before=(authorization(f"Bearer {good}"),))


def _beyond(published: Published, signature: bytes) -> bytes:
    """The same value modulo the group's order or the modulus, which RFC 8017 and RFC 8032 forbid."""
    if isinstance(published.key, rsa.RSAPublicKey):
        value = int.from_bytes(signature, "big") + published.key.public_numbers().n
        return value.to_bytes(max(len(signature), (value.bit_length() + 7) // 8), "big")
    if len(signature) != 64:
        raise CannotMake("no other form of an Ed448 signature is made")
    return signature[:32] + (int.from_bytes(signature[32:], "little") + _ED25519).to_bytes(32, "little")


def _flip(signature: bytes) -> bytes:
    middle = len(signature) // 2
    return signature[:middle] + bytes([signature[middle] ^ 1]) + signature[middle + 1 :]


def _split(mint: Mint) -> tuple[str, bytes]:
    signed, _, signature = mint.token().rpartition(".")
    return signed, decode(signature)
