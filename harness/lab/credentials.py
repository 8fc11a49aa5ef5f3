"""Opens the certificates and keys that a target file names.  Nothing of them is copied anywhere but to memory."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from harness.errors import UsageError
from harness.lab.targetfile import Client, Endpoint, Secret
from harness.model.vocabulary import Posture
from harness.wire.given import ClientCredential
from harness.wire.given.certificates import Sealed
from harness.wire.issue import Identity, Key

# Their documented default is TLS alone (Enable JWT security instead of mTLS, list of flows).
_OPEN_BY_DEFAULT = frozenset({"management-to-api-gateway", "management-to-v5c-gateway"})
NOBODY = "flowproof-client"


def open_clients(endpoints: Iterable[Endpoint]) -> dict[str, tuple[str, ClientCredential]]:
    """Endpoint -> the name of its client and what is at hand of it; raises :class:`UsageError` for unusable files."""
    return {endpoint.name: _open(endpoint) for endpoint in endpoints}


def _open(endpoint: Endpoint) -> tuple[str, ClientCredential]:
    required = _asks(endpoint)
    if endpoint.client is None:
        name = _common_name(_subject(endpoint)) if endpoint.subject else NOBODY
        return name, ClientCredential(name, None, None, required)
    identity = _identity(endpoint.client)
    if endpoint.subject and identity.certificate.subject != _subject(endpoint):
        told = identity.certificate.subject.rfc4514_string()
        raise UsageError(
            f"servers.{endpoint.name}: the client certificate says {told}, but subject is {endpoint.subject}",
            attempt="give the client whose subject the endpoint is configured with",
        )
    name = _common_name(identity.certificate.subject)
    return name, ClientCredential(name, identity, _authority(endpoint.client, identity), required)


def _asks(endpoint: Endpoint) -> bool:
    if endpoint.posture is Posture.DEFAULT:
        return not _OPEN_BY_DEFAULT & set(endpoint.flows)
    return endpoint.posture not in (Posture.JWT, Posture.TLS_ONLY)


def _subject(endpoint: Endpoint) -> x509.Name:
    try:
        return x509.Name.from_rfc4514_string(endpoint.subject)
    except ValueError as error:
        raise UsageError(f"servers.{endpoint.name}.subject: {endpoint.subject!r} is not an RFC 4514 name") from error


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else NOBODY


def _identity(client: Client) -> Identity:
    chain, key = _chain(client.certificate, "client.certificate"), _key(client.key, "client.key")
    if key.public_key() != chain[0].public_key():
        raise UsageError("client.key is not the key of client.certificate", where=_place(client.key))
    return Identity(chain, key)


def _authority(client: Client, identity: Identity) -> Identity | None:
    if client.ca is None:
        return None
    for certificate in _chain(client.ca, "client.ca"):
        if _issued(identity.certificate, certificate):
            break
    else:
        raise UsageError("client.ca did not sign client.certificate", where=_place(client.ca))
    if client.ca_key is None:
        return Sealed((certificate,), "needs the key of the CA that signs client certificates (client.ca_key)")
    key = _key(client.ca_key, "client.ca_key")
    if key.public_key() != certificate.public_key():
        raise UsageError("client.ca_key is not the key of client.ca", where=_place(client.ca_key))
    return Identity((certificate,), key)


def _issued(leaf: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(by)
    except Exception:  # a wrong name, a wrong key or one that cannot sign: each means no
        return False
    return True


def _chain(secret: Secret, what: str) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(secret.read(what)))
    except ValueError as error:
        raise UsageError(f"{what} holds no PEM certificate", where=_place(secret)) from error


def _key(secret: Secret, what: str) -> Key:
    try:
        key = load_pem_private_key(secret.read(what), None)
    except TypeError as error:
        raise UsageError(f"{what} is encrypted; give it unencrypted", where=_place(secret)) from error
    except ValueError as error:
        raise UsageError(f"{what} holds no PEM private key", where=_place(secret)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise UsageError(f"{what} is neither an RSA nor an EC key", where=_place(secret))
    return key


def signing_key(secret: Secret, what: str) -> rsa.RSAPrivateKey:
    """An RSA key that signs tokens (RS256); raises :class:`UsageError`."""
    key = _key(secret, what)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise UsageError(f"{what} is not an RSA key; tokens are signed with RS256", where=_place(secret))
    return key


def _place(secret: Secret) -> str:
    return str(secret.file) if secret.file else f"environment variable {secret.env}"
