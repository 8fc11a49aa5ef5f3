"""Token classes on the signature: damaged, moved, made with another key."""

from __future__ import annotations

from harness.wire.pki import key_id
from harness.wire.tokens.jose import as_json, attacker_key, decode, encode, retired_key, rs256
from harness.wire.tokens.mint import Mint
from harness.wire.tokens.table import Classes

CLASSES = Classes()


@CLASSES.token("sig-bitflip")
def _bitflip(mint: Mint) -> str:
    """one bit of the signature flipped"""
    signed, signature = _split(mint)
    middle = len(signature) // 2
    flipped = signature[:middle] + bytes([signature[middle] ^ 1]) + signature[middle + 1 :]
    return f"{signed}.{encode(flipped)}"


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
    return mint.token(sign=rs256(attacker_key()))


@CLASSES.token("sig-retired-key")
def _retired(mint: Mint) -> str:
    """signed with a former key of the issuer that is no longer published"""
    key = retired_key()
    return mint.token(header=mint.header(kid=key_id(key.public_key())), sign=rs256(key))


def _split(mint: Mint) -> tuple[str, bytes]:
    signed, _, signature = mint.token().rpartition(".")
    return signed, decode(signature)
