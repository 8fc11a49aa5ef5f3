"""The PKI of a whole deployment, as cert-manager would make it, and its folder.  Knows nothing of bad credentials.

Distinguished names: a custom resource writes ``CN=portal-admin-client,O=cert-manager``, an RFC 4514 string, which names
the *last* RDN first.  The RDNSequence in the certificate is therefore O, then CN (what cert-manager emits), and
``x509.Name.from_rfc4514_string`` of the string in the custom resource equals the certificate's subject.

Sources: public cert-manager objects of API Connect: CAs 87600 h, usages digital signature, key encipherment, cert sign;
client certificates 17520 h, usages client auth, signing, key encipherment.  Server certificates are made by
cert-manager's ingress shim (usages server auth).  Which hosts they carry here is an assumption of the lab.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from harness.errors import LabError, UsageError
from harness.pki.issue import Identity, Profile, dns_names, issue, revocation_list
from harness.pki.jwk import key_id, public_jwk
from harness.pki.keys import Key, key_pem
from harness.pki.private_files import private_file, private_folder

__all__ = ["Blueprint", "Pki", "Secret", "key_id", "key_set", "public_jwk", "server_secrets", "subject"]

CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
LEAF_USAGE = frozenset({"digital_signature", "key_encipherment"})
CA_USAGE = LEAF_USAGE | {"key_cert_sign"}

_CA_LIFE = timedelta(hours=87600)
_LEAF_LIFE = timedelta(hours=17520)
# The lab's clock can be turned back; cert-manager itself starts at the moment of issue.
_BACKDATED = timedelta(days=1)
_CN_LENGTH = 64


@dataclass(frozen=True)
class Secret:
    """A TLS secret: who issues its certificate, for which use, and for which hosts (none for a client's)."""

    issuer: str
    usage: x509.ObjectIdentifier
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Blueprint:
    """Which certificates a deployment has: self-signed ``authorities``, and the leaves in ``secrets``.

    ``clients`` are the secrets that clients present, ``organization`` the O of every leaf's subject, ``internal`` the
    authority that signs no client certificate, and ``external`` the one that signs everything between subsystems.
    ``issuers`` are the servers that sign tokens with a key of their own.
    """

    authorities: tuple[str, ...]
    secrets: Mapping[str, Secret]
    clients: tuple[str, ...]
    organization: str
    external: str
    internal: str
    issuers: tuple[str, ...] = ()

    def with_(self, other: Blueprint) -> Blueprint:
        """This deployment with what *other* has besides; raises UsageError for a secret that differs."""
        for name in self.secrets.keys() & other.secrets.keys():
            if self.secrets[name] != other.secrets[name]:
                raise UsageError(f"two products have a secret called {name!r}")
        return replace(
            self,
            authorities=tuple(dict.fromkeys((*self.authorities, *other.authorities))),
            secrets={**self.secrets, **other.secrets},
            clients=tuple(dict.fromkeys((*self.clients, *other.clients))),
            issuers=tuple(dict.fromkeys((*self.issuers, *other.issuers))),
        )


def server_secrets(issuer: str, hosts: Mapping[str, str]) -> dict[str, Secret]:
    """Server secrets by name, each with its host; ``front-X`` is a terminating balancer's certificate in front of X."""
    own = {name: Secret(issuer, SERVER, (host,)) for name, host in hosts.items()}
    return {**own, **{f"front-{name}": secret for name, secret in own.items()}}


class Pki:
    """A deployment's keys and certificates.

    ``now`` (aware, whole seconds) is the moment of issue, ``table`` what each leaf is issued for, ``secrets`` has an
    Identity for every authority and leaf by secret name, ``signing_key`` (RSA) and ``kid`` are management's for JWTs,
    ``issuer_keys`` those of other issuers by name.
    """

    def __init__(self, now: datetime, blueprint: Blueprint, signing_key: rsa.RSAPrivateKey) -> None:
        self.now = now.replace(microsecond=0)
        self.blueprint = blueprint
        self.table = blueprint.secrets
        self.signing_key = signing_key
        self.kid = key_id(signing_key.public_key())
        self.issuer_keys = {name: _issuer_key(name) for name in blueprint.issuers}
        self.secrets: dict[str, Identity] = {name: issue(self.ca_profile(name)) for name in blueprint.authorities}
        for name in self.table:
            self.secrets[name] = self._issued(name)
        self._revoked = {name: self._issued(name) for name in blueprint.clients}

    @classmethod
    def create(
        cls,
        blueprint: Blueprint,
        hosts: Mapping[str, Sequence[str]] | None = None,
        *,
        now: datetime | None = None,
        signing_key: rsa.RSAPrivateKey | None = None,
    ) -> Pki:
        """A new PKI, as *blueprint* says.

        *hosts* replaces the DNS names of server secrets (``{"portal-admin": ["api.portal.example.com"]}``; the
        balancer's ``front-`` certificate follows), *now* (aware; default: the clock's) is the moment of issue,
        *signing_key* spares the generation of an RSA key, nine tenths of the time this takes.
        Raises UsageError for hosts of an unknown server secret.
        """
        table = dict(blueprint.secrets)
        for name, names in (hosts or {}).items():
            if name not in table or table[name].usage != SERVER or not names:
                raise UsageError(f"no host names can be given to the secret {name!r}")
            for secret in (name, f"front-{name}"):
                if secret in table:
                    table[secret] = replace(table[secret], hosts=tuple(names))
        key = signing_key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return cls(now or datetime.now(UTC), replace(blueprint, secrets=table), key)

    def _issued(self, secret: str) -> Identity:
        """*secret*, issued now.

        A client's PEM has a plus sign (one in fifty would have none): without it, a gateway that takes a certificate in
        clear text for a URL-encoded one cannot be told from one that does not.
        """
        made = issue(self.profile(secret), self.issuer(secret))
        while secret in self.blueprint.clients and b"+" not in made.pem():
            made = issue(self.profile(secret), self.issuer(secret))
        return made

    def issuer(self, secret: str) -> Identity:
        """The authority that issues *secret*."""
        return self.secrets[self.table[secret].issuer]

    def along(self, secret: str) -> tuple[x509.Certificate, ...]:
        """What *secret* sends behind a certificate that its issuer has signed: none, its issuer is the root."""
        return ()

    def other_client(self, secret: str) -> Identity:
        """Another client under the same authority as *secret*."""
        return self.secrets[next(name for name in self.blueprint.clients if name != secret)]

    def identity(self, secret: str) -> Identity:
        """The certificate and key in *secret*."""
        return self.secrets[secret]

    def key(self, secret: str) -> Key:
        """The key in *secret*."""
        return self.secrets[secret].key

    def second(self, secret: str) -> Identity | None:
        """The second certificate that servers know the client *secret* by; None where there is none."""
        name = secret.removesuffix("-2") if secret.endswith("-2") else f"{secret}-2"
        return self.secrets[name] if name in self.table else None

    def revoked(self, secret: str) -> Identity:
        """An earlier certificate of the client *secret* that its issuer has revoked."""
        return self._revoked[secret]

    def other_authority(self, secret: str) -> Identity:
        """Another authority of the deployment, whose certificates a server that trusts :meth:`issuer` alone refuses."""
        return self.secrets[self.blueprint.internal]

    def profile(self, secret: str) -> Profile:
        """What the certificate of the leaf *secret* says: the starting point for one that says something else."""
        row = self.table[secret]
        start = self.now - _BACKDATED
        return Profile(
            subject=subject(_common_name(secret, row), self.blueprint.organization),
            not_before=start,
            not_after=start + _LEAF_LIFE,
            key_usage=LEAF_USAGE,
            extended=(row.usage,),
            constraints=x509.BasicConstraints(ca=False, path_length=None),
            names=dns_names(row.hosts),
        )

    def room(self, secret: str) -> int | None:
        """How many CAs may stand between *secret*'s issuer and a leaf; None: any number."""
        return None

    def authority_profile(self, secret: str, name: str) -> Profile:
        """What an intermediate CA called *name* says that is to issue certificates like *secret*'s."""
        return self.ca_profile(name)

    def ca_profile(self, name: str) -> Profile:
        """What a certificate authority called *name* says; who issues it is not said here."""
        return ca_profile(name, self.now)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The JWK set management publishes (RFC 7517)."""
        return key_set([self.signing_key.public_key()])

    def write(self, folder: Path) -> None:
        """Write the deployment folder: ``secrets/<name>/{tls.crt,tls.key,ca.crt}``, ``jwt/{signing.key,jwks.json}``,
        and ``jwt/<issuer>/`` with the same two files.

        A leaf has ``tls-combined.pem`` (key, then chain) besides, cert-manager's CombinedPEM output format; a server's
        secret ``ca.crl``, which names the certificates in ``revoked/<client>/{tls.crt,tls.key}``.  Folders are 0700,
        files 0600 from the first moment; each file is replaced whole.  Raises LabError.
        """
        try:
            home = private_folder(private_folder(folder) / "secrets")
            for name, identity in self.secrets.items():
                self._write_secret(private_folder(home / name), name, identity)
            for name, identity in self._revoked.items():
                self._write_revoked(private_folder(private_folder(folder / "revoked") / name), identity)
            jwt = private_folder(folder / "jwt")
            for issuer, key in {"": self.signing_key, **self.issuer_keys}.items():
                home = private_folder(jwt / issuer)
                private_file(home / "signing.key", key_pem(key))
                private_file(home / "jwks.json", json.dumps(key_set([key.public_key()]), indent=2).encode() + b"\n")
        except OSError as error:
            raise LabError(f"the deployment folder cannot be written: {error}", where=str(folder)) from error

    def renew(self, name: str, folder: Path) -> None:
        """Issue the secret *name* (an authority's or a leaf's) again with another key, and write it to *folder*.

        What an authority signed before stays as it is.  Raises LabError.
        """
        leaf = name in self.table
        self.secrets[name] = self._issued(name) if leaf else issue(self.ca_profile(name))
        try:
            self._write_secret(private_folder(folder / "secrets" / name), name, self.secrets[name])
        except OSError as error:
            raise LabError(f"the secret {name} cannot be written: {error}", where=str(folder)) from error

    def _write_secret(self, folder: Path, name: str, identity: Identity) -> None:
        leaf = name in self.table
        private_file(folder / "tls.key", identity.key_pem())
        private_file(folder / "tls.crt", identity.pem())
        private_file(folder / "ca.crt", (self.issuer(name) if leaf else identity).pem())
        if leaf:
            private_file(folder / "tls-combined.pem", identity.key_pem() + identity.pem())
        if leaf and self.table[name].usage == SERVER:
            private_file(folder / "ca.crl", self._revocations(self.table[name].issuer))

    def _revocations(self, authority: str) -> bytes:
        issued = [self._revoked[name] for name in self._revoked if self.table[name].issuer == authority]
        # Good for longer than the CA: when the lab's clock is moved, certificates are out of date, and not the CRL.
        return revocation_list(self.secrets[authority], issued, self.now - _CA_LIFE, self.now + 2 * _CA_LIFE)

    @staticmethod
    def _write_revoked(folder: Path, identity: Identity) -> None:
        private_file(folder / "tls.key", identity.key_pem())
        private_file(folder / "tls.crt", identity.pem())


def ca_profile(name: str, now: datetime) -> Profile:
    """What the certificate of an authority called *name* says that is issued *now*."""
    start = now - _BACKDATED
    return Profile(
        subject=x509.Name.from_rfc4514_string(f"CN={name}"),
        not_before=start,
        not_after=start + _CA_LIFE,
        key_usage=CA_USAGE,
        constraints=x509.BasicConstraints(ca=True, path_length=None),
    )


def subject(common_name: str, organization: str) -> x509.Name:
    """The name ``CN=<common_name>,O=<organization>`` (RFC 4514): RDNSequence O, CN."""
    return x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name),
        ]
    )


def _common_name(secret: str, row: Secret) -> str:
    """A server's first host; a longer one than a CN may be (RFC 5280 appendix A.1) stands in the SANs only."""
    return row.hosts[0] if row.hosts and len(row.hosts[0]) <= _CN_LENGTH else secret


@cache
def _issuer_key(name: str) -> rsa.RSAPrivateKey:
    """The key of the issuer *name*; made once in a process, since nothing takes longer in making a deployment."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_set(keys: Iterable[rsa.RSAPublicKey]) -> dict[str, list[dict[str, str]]]:
    """*keys* as a JWK set (RFC 7517 section 5) of signing keys for RS256."""
    return {"keys": [{**public_jwk(key), "kid": key_id(key), "use": "sig", "alg": "RS256"} for key in keys]}
