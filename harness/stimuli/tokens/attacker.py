"""What an attacker has who knows everything public: keys of his own, their JWKs, a certificate he signed himself."""

from __future__ import annotations

import base64
import functools
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness.pki.jwk import key_id, public_jwk
from harness.stimuli.tokens.jose import as_json, encode
from harness.stimuli.tokens.jwa import MAC, stranger
from harness.stimuli.unavailable import StimulusUnavailable

_DAY = timedelta(days=1)


def attacker_kid(alg: str) -> str:
    """The key id under which the attacker publishes his key for *alg*."""
    return "attacker" if alg in MAC else key_id(stranger(alg).public_key())


def attacker_jwk(alg: str, kid: str = "") -> dict[str, str]:
    """His key for *alg* as a JWK, under *kid* or its own key id."""
    key = stranger(alg)
    public = {"kty": "oct", "k": encode(key)} if alg in MAC else public_jwk(key.public_key())
    return {**public, "use": "sig", "alg": alg, "kid": kid or attacker_kid(alg)}


@functools.cache
def attacker_certificate(alg: str) -> x509.Certificate:
    """His certificate for that key, signed with that key.  Raises StimulusUnavailable for a secret."""
    if alg in MAC:
        raise StimulusUnavailable("a secret has no certificate")
    key: Any = stranger(alg)
    now, name = datetime.now(UTC), x509.Name.from_rfc4514_string("CN=attacker")
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )
    digest = hashes.SHA256() if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) else None
    return builder.sign(key, digest)


def attacker_chain(alg: str) -> list[str]:
    """The certificate as x5c has it (RFC 7515 section 4.1.6)."""
    return [base64.b64encode(attacker_certificate(alg).public_bytes(Encoding.DER)).decode()]


def attacker_file(alg: str, name: str) -> tuple[str, bytes]:
    """The content type and text of what he serves as *name*: a key set that is a JWK too, a certificate, a key.

    Raises StimulusUnavailable for a name that he does not serve.
    """
    jwk = attacker_jwk(alg)
    if name.endswith(".json"):
        return "application/json", as_json({**jwk, "keys": [jwk]})
    if name == "certificate.pem":
        return "application/x-pem-file", attacker_certificate(alg).public_bytes(Encoding.PEM)
    if name == "key.pem" and alg not in MAC:
        public = stranger(alg).public_key()
        return "application/x-pem-file", public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    raise StimulusUnavailable(f"the attacker serves no {name}")
