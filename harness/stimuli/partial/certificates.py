"""A PKI of which only parts are at hand: perhaps a client's key, perhaps its CA's certificate, rarely the CA's key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from harness.pki.deployment import CLIENT, LEAF_USAGE, ca_profile, subject
from harness.pki.issue import Identifiers, Identity, Issuer, Profile, Signing, extension_of, issue
from harness.pki.keys import Key, new_key
from harness.stimuli.certificates.naming import beside
from harness.stimuli.unavailable import StimulusUnavailable

_LIFE = timedelta(days=30)
_DAY = timedelta(days=1)
# Extensions that a Profile has a field for; a copy carries the others as they are.
_WRITTEN = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    }
)


@dataclass(frozen=True)
class ClientCredential:
    """What is at hand of one client.

    ``identity`` is its certificate (with what is sent along) and key; ``authority`` the CA's certificate, with a key or
    :class:`PublicOnlyIdentity`; ``other_authority`` a CA of the same deployment that the endpoint does not trust;
    ``required`` says that the endpoint asks for a certificate at all; ``revoked`` is a certificate of the same
    CA that was revoked; ``second`` another one by which the endpoint knows the client.
    """

    name: str
    identity: Identity | None = None
    authority: Issuer | None = None
    required: bool = True
    other_authority: Issuer | None = None
    revoked: Identity | None = None
    second: Identity | None = None


@dataclass(frozen=True)
class PublicOnlyIdentity:
    """A CA (:class:`harness.pki.issue.Issuer`) whose private key is not at hand, and *why*."""

    chain: tuple[x509.Certificate, ...]
    why: str
    signing: Signing = field(default_factory=Signing)
    written: bytes = b""

    @property
    def certificate(self) -> x509.Certificate:
        """The first certificate of the chain."""
        return self.chain[0]

    @property
    def key(self) -> Key:
        """Raises StimulusUnavailable."""
        raise StimulusUnavailable(self.why)


_ORGANIZATION = "hopproof"
"""Of the subject of a client that the target file gives nothing of."""


class PartialPki:
    """Given credentials (:class:`harness.stimuli.credentials.Credentials`), by clients' common names."""

    def __init__(self, clients: Mapping[str, ClientCredential]) -> None:
        self.clients = dict(clients)
        self.now = datetime.now(UTC).replace(microsecond=0)
        self._strangers: dict[str, Key] = {}
        self._sealed: dict[str, str] = {}

    def seal(self, name: str, why: str) -> None:
        """Use the CA key of *name*'s authority no more: what it signs is not served, so its refusal proves nothing."""
        self._sealed[name] = why

    def _client(self, name: str) -> ClientCredential:
        if name not in self.clients:
            raise StimulusUnavailable(f"the target file gives nothing of {name}")
        return self.clients[name]

    def identity(self, secret: str) -> Identity:
        """The client's certificate and key."""
        identity = self._client(secret).identity
        if identity is None:
            raise StimulusUnavailable(f"the target file gives no certificate and key for {secret}")
        return identity

    def key(self, secret: str) -> Key:
        """The client's key, or one made in its place: enough for what a stranger would present."""
        identity = self._client(secret).identity
        return self._strangers.setdefault(secret, new_key()) if identity is None else identity.key

    def other_client(self, secret: str) -> Identity:
        """Another client, made: one of the file's may have another CA, and be refused for that."""
        own = self.profile(secret)
        profile = replace(own, subject=beside(own.subject, "hopproof-other-client"))
        return issue(profile, self.issuer(secret), key=new_key(self.key(secret)))

    def along(self, secret: str) -> tuple[x509.Certificate, ...]:
        """What the client sends behind its own certificate, as far as that leads from its CA to the root."""
        given = self.clients[secret]
        if given.identity is None or given.authority is None:
            return ()
        rest = given.identity.chain[1:]
        # Where the key at hand is that of a CA further up, it signs directly, and what lies between is not needed.
        signs_itself = given.authority.certificate.subject == given.identity.certificate.issuer
        return rest if signs_itself else ()

    def room(self, secret: str) -> int | None:
        """What the path lengths of the client's CA, and of those above it that it sends, leave."""
        authority = self.clients[secret].authority
        return None if authority is None else _room((*authority.chain, *self.along(secret)))

    def ca_profile(self, name: str) -> Profile:
        """What a certificate authority called *name* says."""
        return ca_profile(name, self.now)

    def authority_profile(self, secret: str, name: str) -> Profile:
        """An intermediate CA with a name beside the client's: its own CA may be allowed no other."""
        return replace(self.ca_profile(name), subject=beside(self.profile(secret).subject, name))

    def issuer(self, secret: str) -> Issuer:
        """The CA of the client's certificate; its key only where it was given."""
        authority = self.clients[secret].authority
        if authority is None:
            raise StimulusUnavailable(
                "the target file does not give the certificate of the CA that signs client certificates"
            )
        return PublicOnlyIdentity(authority.chain, self._sealed[secret]) if secret in self._sealed else authority

    def other_authority(self, secret: str) -> Issuer:
        """Another CA of the deployment, where the target file gives it."""
        other = self.clients[secret].other_authority
        if other is None:
            raise StimulusUnavailable(
                "the target file gives no other CA of the deployment (client.other_ca, other_ca_key)"
            )
        return other

    def second(self, secret: str) -> Identity | None:
        """The second certificate that the target file gives."""
        return self.clients[secret].second

    def revoked(self, secret: str) -> Identity:
        """The revoked certificate that the target file gives."""
        revoked = self.clients[secret].revoked
        if revoked is None:
            raise StimulusUnavailable("the target file gives no revoked certificate (client.revoked)")
        return revoked

    def profile(self, secret: str) -> Profile:
        """What the client's own certificate says; where there is none, what cert-manager would write."""
        given = self.clients[secret].identity
        if given is not None:
            return _profile_of(given.certificate)
        name = subject(secret, _ORGANIZATION)
        no_ca = x509.BasicConstraints(ca=False, path_length=None)
        return Profile(name, self.now - _DAY, self.now + _LIFE, LEAF_USAGE, (CLIENT,), no_ca)


def _room(way: tuple[x509.Certificate, ...]) -> int | None:
    """How many CAs may stand below the first of *way*, which leads upwards."""
    limits = []
    for above, certificate in enumerate(dict.fromkeys(way)):
        constraints = extension_of(certificate, x509.BasicConstraints)
        if constraints is not None and constraints.path_length is not None:
            limits.append(max(0, constraints.path_length - above))
    return min(limits, default=None)


def _profile_of(certificate: x509.Certificate) -> Profile:
    """What *certificate* says, so that a copy of it says the same."""
    usage = extension_of(certificate, x509.KeyUsage)
    extended = extension_of(certificate, x509.ExtendedKeyUsage)
    names = extension_of(certificate, x509.SubjectAlternativeName)
    authority = extension_of(certificate, x509.AuthorityKeyIdentifier)
    own = extension_of(certificate, x509.SubjectKeyIdentifier)
    return Profile(
        subject=certificate.subject,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key_usage=_usages(usage) if usage is not None else None,
        extended=tuple(extended) if extended is not None else None,
        constraints=extension_of(certificate, x509.BasicConstraints),
        names=tuple(names) if names is not None else (),
        carried=tuple((each.value, each.critical) for each in certificate.extensions if each.oid not in _WRITTEN),
        critical=_usually_critical(certificate),
        identifiers=Identifiers(
            own=own is not None,
            issuer_key=authority is not None and authority.key_identifier is not None,
            issuer_name=authority is not None and authority.authority_cert_issuer is not None,
        ),
    )


def _usually_critical(certificate: x509.Certificate) -> frozenset[x509.ObjectIdentifier]:
    """Which of the extensions that are rewritten are critical; those that are not there, as is usual."""
    there = {each.oid: each.critical for each in certificate.extensions if each.oid in _WRITTEN}
    usual = Profile.critical - set(there)
    return usual | {oid for oid, critical in there.items() if critical}


def _usages(usage: x509.KeyUsage) -> frozenset[str]:
    always = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
    )
    # The last two mean something, and can be asked for, only beside key agreement.
    agreeing = ("encipher_only", "decipher_only") if usage.key_agreement else ()
    return frozenset(name for name in (*always, *agreeing) if getattr(usage, name))
