"""Exports with certificates, made for a test: Secrets of an API Connect deployment, sound or with one thing wrong."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import yaml
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness.decode.exported_certificates import collect
from harness.decode.manifests import read
from harness.model.resource import Files
from harness.pki.issue import Identity, Profile, dns_names, issue
from harness.products.rules import Question

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
INGRESS_ISSUER = "ingress-issuer"
TEN_YEARS, TWO_YEARS = timedelta(hours=87600), timedelta(hours=17520)


def name(common: str, organization: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def authority(common: str = "ingress-ca", *, start: datetime = NOW - timedelta(days=30), ca: bool = True) -> Identity:
    usage = frozenset({"digital_signature", "key_cert_sign"})  # the keys are EC keys
    constraints = x509.BasicConstraints(ca=ca, path_length=None)
    return issue(Profile(name(common), start, start + TEN_YEARS, usage, constraints=constraints))


def leaf(
    common: str,
    issuer: Identity,
    *uses: x509.ObjectIdentifier,
    hosts: Sequence[str] = (),
    start: datetime = NOW - timedelta(days=20),
    life: timedelta = TWO_YEARS,
    organization: str = "cert-manager",
) -> Identity:
    usage = frozenset({"digital_signature"})
    profile = Profile(name(common, organization), start, start + life, usage, uses or None, names=dns_names(hosts))
    return issue(profile, issuer)


def secret(
    called: str, identity: Identity, ca: Identity, *, namespace: str = "apic", issuer: str | None = INGRESS_ISSUER
) -> dict[str, object]:
    annotations = {"cert-manager.io/issuer-name": issuer} if issuer else {}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": called, "namespace": namespace, "annotations": annotations},
        "data": {
            "tls.crt": base64.b64encode(identity.pem()).decode(),
            "tls.key": base64.b64encode(identity.key_pem()).decode(),
            "ca.crt": base64.b64encode(ca.pem()).decode(),
        },
    }


def resource(kind: str, called: str, namespace: str = "apic", **spec: object) -> dict[str, object]:
    group = kind.removesuffix("Cluster").lower()
    version = f"{group}.apiconnect.ibm.com/v1beta1"
    metadata = {"name": called, "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": {"version": "10.0.8.1", **spec}}


@dataclass
class Deployment:
    """A sound deployment in one namespace; a test puts another object in the place of one of these."""

    ca: Identity = field(default_factory=authority)
    objects: dict[str, dict[str, object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        dn = "CN={},O=cert-manager"
        self.objects = {
            "management": resource("ManagementCluster", "management"),
            "portal": resource("PortalCluster", "portal", adminClientSubjectDN=dn.format("portal-admin-client")),
            "analytics": resource(
                "AnalyticsCluster", "analytics", ingestion={"clientSubjectDN": dn.format("analytics-ingestion-client")}
            ),
            "ingress-ca": secret("ingress-ca", self.ca, self.ca, issuer="selfsigning-issuer"),
        }
        for called in ("portal-admin-client", "analytics-ingestion-client"):
            self.objects[called] = secret(called, leaf(called, self.ca, CLIENT), self.ca)
        for called, host in (("portal-admin", "api.portal.acme.com"), ("analytics-ai-endpoint", "ai.acme.com")):
            self.objects[called] = secret(called, leaf(called, self.ca, SERVER, hosts=[host]), self.ca)

    def text(self) -> str:
        return yaml.safe_dump_all(self.objects.values(), sort_keys=False)


def question(text: str | bytes, *, release: str = "", platform: str = "", file: str = "export.yaml") -> Question:
    resources, unread = read(text.encode() if isinstance(text, str) else text, file)
    files = Files(resources, [], unread, 1)
    return Question(files, collect(files), NOW, release, platform)
