"""Private keys for certificates: kinds, PEM, and new ones of the kind that another has.  Knows no certificates."""

from __future__ import annotations

import threading

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
KINDS = (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey, ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)
"""What :data:`Key` is a union of, for ``isinstance``."""

# Bits of an RSA key; one of 4096 takes seconds to make.
_LONG_ENOUGH = 3072
_SPARES: dict[tuple[str, str, int, str], Key] = {}
_LOCK = threading.Lock()


def new_key(like: object = None) -> Key:
    """A new key of the kind and size of *like*, a private or public key; P-256 without one or for an unknown kind."""
    if isinstance(like, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return rsa.generate_private_key(public_exponent=65537, key_size=like.key_size)
    if isinstance(like, ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey):
        return ed25519.Ed25519PrivateKey.generate()
    if isinstance(like, ed448.Ed448PrivateKey | ed448.Ed448PublicKey):
        return ed448.Ed448PrivateKey.generate()
    curve = like.curve if isinstance(like, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) else ec.SECP256R1()
    return ec.generate_private_key(curve)


def authority_key(like: object) -> Key:
    """A new key for a CA below one that has *like*: of its kind, but no longer than a security level can ask for.

    Each intermediate CA has its own, or a server that remembers them would take a good one in the place of a bad one.
    """
    if isinstance(like, rsa.RSAPublicKey) and like.key_size > _LONG_ENOUGH:
        return rsa.generate_private_key(public_exponent=65537, key_size=_LONG_ENOUGH)
    return new_key(like)


def spare_key(role: str, like: object = None) -> Key:
    """The one key that this process has for *role* in the kind and size of *like*: RSA keys take long to make."""
    slot = (role, *_kind(like))
    with _LOCK:
        if slot not in _SPARES:
            _SPARES[slot] = new_key(like)
        return _SPARES[slot]


def key_pem(key: Key) -> bytes:
    """*key* as PKCS#8 PEM, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _kind(like: object) -> tuple[str, int, str]:
    name = type(like).__name__.replace("PrivateKey", "").replace("PublicKey", "")
    curve = getattr(like, "curve", None)
    return name, int(getattr(like, "key_size", 0)), str(curve.name) if curve is not None else ""
