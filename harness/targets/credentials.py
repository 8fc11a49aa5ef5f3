"""Opens the certificates and keys that a target file names.  Nothing of them is copied anywhere but to memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID, PublicKeyAlgorithmOID

from harness.catalogue.registry import catalogue
from harness.decode import not_pem
from harness.decode.names import readings
from harness.errors import UsageError
from harness.model.vocabulary import Posture
from harness.pki.issue import Identity, Issuer, Signing
from harness.pki.keys import KINDS, Key
from harness.stimuli.partial import ClientCredential
from harness.stimuli.partial.certificates import PublicOnlyIdentity
from harness.stimuli.tokens.jwa import usual
from harness.subsystems.server.distinguished_name import same_name
from harness.targets.file import Client, Endpoint
from harness.targets.places import PrivateKey, Secret

NOBODY = "hopproof-client"
ANYBODY = ClientCredential("", required=False)
"""A client that has, and shows, no certificate."""


def open_clients(endpoints: Iterable[Endpoint]) -> dict[str, tuple[str, ClientCredential]]:
    """Endpoint -> the name of its client and what is at hand of it; raises :class:`UsageError` for unusable files."""
    return {endpoint.name: _open(endpoint) for endpoint in endpoints}


def by_name(clients: Mapping[str, tuple[str, ClientCredential]]) -> dict[str, ClientCredential]:
    """What :func:`open_clients` gives, by the clients' names; raises :class:`UsageError` for two that share one.

    What is made for a client goes by its name: of two, one endpoint would be judged with the other's credentials.
    """
    found: dict[str, tuple[str, ClientCredential]] = {}
    for endpoint, (name, client) in clients.items():
        other, known = found.get(name, (endpoint, client))
        if _held(known) != _held(client) or (client.identity is None and known.required is not client.required):
            raise UsageError(
                f"servers.{other} and servers.{endpoint} have different clients, both called {name}",
                hint="judge them with separate target files",
            )
        found[name] = other, replace(client, required=client.required or known.required)
    return {name: client for name, (_, client) in found.items()}


def _held(client: ClientCredential) -> list[object]:
    """What distinguishes two clients: their certificates, and which of their keys are available."""
    parts = (client.identity, client.authority, client.other_authority, client.revoked, client.second)
    return [part and (part.chain, isinstance(part, PublicOnlyIdentity)) for part in parts]


def _open(endpoint: Endpoint) -> tuple[str, ClientCredential]:
    required = _asks(endpoint)
    if endpoint.client is None:
        name = _common_name(_subjects(endpoint)[0]) if endpoint.subject else f"{NOBODY}-{endpoint.name}"
        return name, ClientCredential(name, None, None, required)
    identity = _identity(endpoint.client)
    if endpoint.subject and not any(same_name(identity.certificate.subject, name) for name in _subjects(endpoint)):
        message = identity.certificate.subject.rfc4514_string()
        write = f"write subject: {message!r}" if message else "leave subject out"
        raise UsageError(
            f"servers.{endpoint.name}: the client certificate says {message or 'nothing'}, "
            f"but subject is {endpoint.subject}",
            hint=f"give the client whose subject DN the endpoint is configured with, or {write}",
        )
    name = _common_name(identity.certificate.subject)
    authority, other = _authority(endpoint.client, identity), _other_authority(endpoint.client, identity)
    revoked = _revoked(endpoint.client, identity, bool(endpoint.subject))
    second = _second(endpoint.client, identity)
    return name, ClientCredential(name, identity, authority, required, other, revoked, second)


def _asks(endpoint: Endpoint) -> bool:
    if endpoint.posture is Posture.DEFAULT:
        documented = (catalogue().flows[name].server for name in endpoint.flows)
        return not any(server.default is Posture.TLS_ONLY for server in documented)
    if endpoint.modes:
        return endpoint.modes["mtls"] != "disabled"
    return endpoint.posture not in (Posture.JWT, Posture.TLS_ONLY)


def _subjects(endpoint: Endpoint) -> tuple[x509.Name, ...]:
    """What the endpoint's subject may mean, the likeliest first."""
    try:
        return readings(endpoint.subject)
    except ValueError as error:
        raise UsageError(
            f"servers.{endpoint.name}.subject: {endpoint.subject!r} is not an RFC 4514 DN: {error}",
            hint="write it like 'CN=client,O=Example', as openssl x509 -noout -subject -nameopt RFC2253 prints it",
        ) from error


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else NOBODY


def _identity(client: Client) -> Identity:
    chain, key = _chain(client.certificate, "client.certificate"), _key(client.key, "client.key")
    end = chain[0].not_valid_after_utc
    if end < datetime.now(UTC):
        raise UsageError(f"client.certificate expired on {end:%Y-%m-%d}", where=_place(client.certificate))
    if key.public_key() != chain[0].public_key():
        later = any(key.public_key() == each.public_key() for each in chain[1:])
        hint = (
            "put the client's own certificate first in client.certificate, then its intermediate CAs" if later else ""
        )
        raise UsageError("client.key is not the key of client.certificate", where=_place(client.key.secret), hint=hint)
    return Identity(chain, key, written=_as_written(chain[0], client.key, "client.key"))


def _as_written(certificate: x509.Certificate, private: PrivateKey, what: str) -> bytes:
    """The key as its file has it, where our library would write it as one for any use of RSA."""
    pss_only = certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS
    return private.secret.read(what) if pss_only and private.password is None else b""


def _authority(client: Client, identity: Identity) -> Issuer | None:
    if client.ca is None:
        return None
    given = _chain(client.ca, "client.ca")
    way = _way(identity.chain, given)
    if not way:
        raise UsageError(
            "client.ca did not sign client.certificate",
            where=_place(client.ca),
            hint="give the CA that issued it; append intermediates to client.certificate",
        )
    if client.ca_key is None:
        return PublicOnlyIdentity(way[:1], "needs the key of the CA that signs client certificates (client.ca_key)")
    # The key may be that of the CA that signed, or of one further up; either signs what the server trusts.
    return replace(_paired(way, client.ca_key, "client.ca"), signing=_signing(identity.certificate))


def _way(chain: tuple[x509.Certificate, ...], given: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...]:
    """The CAs from the one that signed the first of *chain* upwards; none where none of *given* is among them."""
    way: list[x509.Certificate] = []
    below = chain[0]
    for _ in range(len(chain) + len(given)):
        above = next((each for each in (*given, *chain[1:]) if each not in way and _issued(below, each)), None)
        if above is None:
            break
        way.append(above)
        below = above
    return tuple(way) if set(way) & set(given) else ()


def _signing(certificate: x509.Certificate) -> Signing:
    """How the CA signed *certificate*; what is too weak to be signed with today gives way to SHA-256."""
    try:
        digest, parameters = certificate.signature_hash_algorithm, certificate.signature_algorithm_parameters
    except (UnsupportedAlgorithm, ValueError):
        return Signing()
    strong = digest if isinstance(digest, hashes.SHA256 | hashes.SHA384 | hashes.SHA512) else hashes.SHA256()
    return Signing(strong, isinstance(parameters, padding.PSS))


def _other_authority(client: Client, identity: Identity) -> Identity | None:
    if client.other_ca is None or client.other_ca_key is None:
        return None
    bundle = _chain(client.other_ca, "client.other_ca")
    if _issued(identity.certificate, bundle[0]):
        raise UsageError(
            "client.other_ca signed client.certificate: it must be a different CA", where=_place(client.other_ca)
        )
    return _paired(bundle, client.other_ca_key, "client.other_ca")


def _revoked(client: Client, identity: Identity, named: bool) -> Identity | None:
    """The revoked certificate; *named*: the endpoint compares subjects, so it must be refused for nothing but that."""
    if client.revoked is None or client.revoked_key is None:
        return None
    chain, where = _chain(client.revoked, "client.revoked.certificate"), _place(client.revoked)
    key, own = _key(client.revoked_key, "client.revoked.key"), identity.certificate
    if key.public_key() != chain[0].public_key():
        raise UsageError("client.revoked.key is not the key of client.revoked.certificate", where=where)
    wrong = {
        "is client.certificate itself": chain[0] == own,
        "has expired, and would be refused for that alone": chain[0].not_valid_after_utc < datetime.now(UTC),
        "was not issued by the CA that issued client.certificate": chain[0].issuer != own.issuer,
        "has another subject, and would be refused for that alone": named and chain[0].subject != own.subject,
    }
    for message in (message for message, so in wrong.items() if so):
        raise UsageError(f"client.revoked.certificate {message}", where=where)
    return Identity(chain, key)


def _second(client: Client, identity: Identity) -> Identity | None:
    """The second certificate, which must be another one and valid: it is to be served."""
    if client.second is None or client.second_key is None:
        return None
    chain, where = _chain(client.second, "client.second.certificate"), _place(client.second)
    key = _key(client.second_key, "client.second.key")
    if key.public_key() != chain[0].public_key():
        raise UsageError("client.second.key is not the key of client.second.certificate", where=where)
    if chain[0] == identity.certificate:
        raise UsageError("client.second.certificate is client.certificate itself", where=where)
    return Identity(chain, key)


def _paired(certificates: tuple[x509.Certificate, ...], private: PrivateKey, what: str) -> Identity:
    """The first of *certificates* that *private* is the key of, with the key."""
    key = _key(private, f"{what}_key")
    mine = [each for each in certificates if each.public_key() == key.public_key()]
    if not mine:
        raise UsageError(f"{what}_key is not the key of {what}", where=_place(private.secret))
    return Identity((mine[0],), key, written=_as_written(mine[0], private, f"{what}_key"))


def has_issued(ca: Path, certificate: Path) -> bool:
    """Whether a certificate in *ca* issued the one in *certificate*; False also for what cannot be read."""
    try:
        leaf, *_ = x509.load_pem_x509_certificates(certificate.read_bytes())
        return any(_issued(leaf, by) for by in x509.load_pem_x509_certificates(ca.read_bytes()))
    except (OSError, ValueError):
        return False  # what is wrong with it is reported where it is opened


def _issued(leaf: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(by)
    except (ValueError, UnsupportedAlgorithm):
        # Another name; or the name, and a signature too old to be verified here (SHA-1): the server will say.
        return leaf.issuer == by.subject
    except Exception:  # a wrong key, or one that cannot sign
        return False
    return True


def _chain(secret: Secret, what: str) -> tuple[x509.Certificate, ...]:
    content = secret.read(what)
    try:
        chain = tuple(x509.load_pem_x509_certificates(content))
        for certificate in chain:
            certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        hint = not_pem.hint(content, certificate=True)
        raise UsageError(f"{what} has no usable PEM certificate", where=_place(secret), hint=hint) from error
    for certificate in chain:
        _readable(certificate, what, _place(secret))
    return chain


def _readable(certificate: x509.Certificate, what: str, where: str) -> None:
    """Raises :class:`UsageError` for a certificate whose parts cannot be read: copies of it say what it says."""
    try:
        _ = certificate.subject, certificate.issuer, certificate.extensions, certificate.not_valid_after_utc
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise UsageError(f"{what} holds a certificate that cannot be read: {error}", where=where) from error


def _key(private: PrivateKey, what: str) -> Key:
    where = _place(private.secret)
    pem, password = private.secret.read(what), private_key_password(private, what)
    try:
        key = load_pem_private_key(pem, password)
    except TypeError as error:
        # Either way round: encrypted without a password, or a password for what is not encrypted.
        message = "is encrypted" if password is None else "is not encrypted, but a password is given"
        raise UsageError(
            f"{what} {message}", where=where, hint=f"{what}_password names the file or variable with its password"
        ) from error
    except ValueError as error:
        message = f"{what} cannot be opened with {what}_password" if password else f"{what} holds no PEM private key"
        raise UsageError(message, where=where, hint=not_pem.hint(pem, certificate=False)) from error
    except UnsupportedAlgorithm as error:
        raise UsageError(f"{what} is of an unsupported type", where=where) from error
    if not isinstance(key, KINDS):
        raise UsageError(f"{what} is not an RSA, EC or Edwards-curve key", where=where)
    return key


def private_key_password(private: PrivateKey, what: str) -> bytes | None:
    """The password of the key called *what*, None without one; raises :class:`UsageError`."""
    if private.password is None:
        return None
    # A file ends with the line break that its editor put there; no password does.
    password = private.password.read(f"{what}_password").rstrip(b"\r\n")
    if not password:
        raise UsageError(f"{what}_password is empty", where=_place(private.password))
    return password


def signing_key(private: PrivateKey, what: str) -> Key:
    """A key that signs tokens: RSA, of a curve (ES256 and its kin), Ed25519 or Ed448; raises :class:`UsageError`."""
    key = _key(private, what)
    if not usual(key.public_key()):
        raise UsageError(f"{what} is on a curve for which JOSE has no algorithm", where=_place(private.secret))
    return key


def _place(secret: Secret) -> str:
    return str(secret.file) if secret.file else f"environment variable {secret.env}"
