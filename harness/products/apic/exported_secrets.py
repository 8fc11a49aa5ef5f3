"""Secrets of an API Connect deployment as kubectl exports them, made for a moment: certificates in a file expire."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import yaml
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness.pki.issue import Identity, Profile, dns_names, issue

_SERVER, _CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
_TEN_YEARS, _TWO_YEARS = timedelta(hours=87600), timedelta(hours=17520)
_CLIENTS = ("portal-admin-client", "analytics-ingestion-client")
_SERVERS = {"portal-admin": "api.portal.acme.com", "analytics-ai-endpoint": "ai.acme.com"}
_ANNOTATION = "cert-manager.io/issuer-name"
Object = dict[str, object]


@dataclass
class Issued:
    """A sound deployment at *now*: ``identities`` by secret; a change of one before :meth:`text` is its mistake."""

    now: datetime
    namespaces: Mapping[str, str] = field(default_factory=dict)
    issuers: dict[str, str] = field(default_factory=dict)
    authorities: dict[str, Identity] = field(default_factory=dict)
    identities: dict[str, Identity] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.authorities["ingress-ca"] = ca = self.authority()
        for name in _CLIENTS:
            self.identities[name] = self.leaf(name, ca, _CLIENT)
        for name, host in _SERVERS.items():
            self.identities[name] = self.leaf(name, ca, _SERVER, [host])

    def authority(self, age: int = 30) -> Identity:
        """An ingress-ca, *age* days old."""
        usage = frozenset({"digital_signature", "key_cert_sign"})  # the keys are EC keys
        start = self.now - timedelta(days=age)
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        return issue(Profile(_name("ingress-ca"), start, start + _TEN_YEARS, usage, constraints=constraints))

    def leaf(
        self, common: str, issuer: Identity, use: x509.ObjectIdentifier, hosts: Sequence[str] = (), age: int = 20
    ) -> Identity:
        """A certificate for two years, *age* days old."""
        usage = frozenset({"digital_signature"})
        start = self.now - timedelta(days=age)
        subject = _name(common, "cert-manager")
        return issue(Profile(subject, start, start + _TWO_YEARS, usage, (use,), names=dns_names(hosts)), issuer)

    def client(self, name: str, issuer: Identity, age: int = 20) -> Identity:
        """A client's certificate."""
        return self.leaf(name, issuer, _CLIENT, age=age)

    def text(self) -> bytes:
        """The export."""
        secrets = [
            *(
                _secret(name, each, each, "selfsigning-issuer", namespace)
                for (name, namespace), each in self._cas().items()
            ),
            *(
                _secret(name, each, self.authorities["ingress-ca"], self.issuers.get(name, "ingress-issuer"))
                for name, each in self.identities.items()
            ),
        ]
        return yaml.safe_dump_all([*_resources(self.namespaces), *secrets], sort_keys=False).encode()

    def _cas(self) -> dict[tuple[str, str], Identity]:
        return {("ingress-ca", "" if name == "ingress-ca" else name): each for name, each in self.authorities.items()}


def _name(common: str, organization: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _secret(name: str, identity: Identity, ca: Identity, issuer: str, namespace: str = "") -> Object:
    annotations = {_ANNOTATION: issuer} if issuer else {}
    pem = {"tls.crt": identity.pem(), "ca.crt": ca.pem()}  # the key is never read, and so not here
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": namespace or "apic", "annotations": annotations},
        "data": {entry: base64.b64encode(text).decode() for entry, text in pem.items()},
    }


def _resources(namespaces: Mapping[str, str]) -> list[Object]:
    client = "CN={},O=cert-manager".format
    specs: dict[str, Object] = {
        "management": {},
        "portal": {"adminClientSubjectDN": client(_CLIENTS[0])},
        "analytics": {"ingestion": {"clientSubjectDN": client(_CLIENTS[1])}},
    }
    return [
        {
            "apiVersion": f"{name}.apiconnect.ibm.com/v1beta1",
            "kind": f"{name.capitalize()}Cluster",
            "metadata": {"name": name, "namespace": namespaces.get(name, "apic")},
            "spec": {"version": "10.0.8.1", **spec},
        }
        for name, spec in specs.items()
    ]


def sound(now: datetime) -> bytes:
    """A deployment in two namespaces, whose ingress-ca is copied."""
    issued = Issued(now)
    issued.authorities["remote"] = issued.authorities["ingress-ca"]
    return issued.text()


def former_key(now: datetime) -> bytes:
    """ingress-ca was renewed with a new key, and one client was not."""
    issued = Issued(now)
    before = issued.authority(age=300)
    issued.identities[_CLIENTS[0]] = issued.client(_CLIENTS[0], before)
    return issued.text()


def expired(now: datetime) -> bytes:
    """A client's certificate has expired."""
    issued = Issued(now)
    ca = issued.authorities["ingress-ca"] = issued.authority(age=900)
    issued.identities = {name: issued.leaf(name, ca, _SERVER, [host]) for name, host in _SERVERS.items()}
    issued.identities[_CLIENTS[1]] = issued.client(_CLIENTS[1], ca)
    issued.identities[_CLIENTS[0]] = issued.client(_CLIENTS[0], ca, age=800)
    return issued.text()


def no_annotation(now: datetime) -> bytes:
    """A secret lacks the annotation that the renewal command looks for."""
    issued = Issued(now)
    issued.issuers[_CLIENTS[0]] = ""
    return issued.text()


def other_ca(now: datetime) -> bytes:
    """Another namespace has an ingress-ca of its own."""
    issued = Issued(now)
    issued.authorities["remote"] = issued.authority()
    return issued.text()


Make = Callable[[datetime], bytes]
__all__ = ["Issued", "Make", "expired", "former_key", "no_annotation", "other_ca", "sound"]
