"""Whole installations as the documents describe them, made for a test: resources, requests, and what was issued.

Names, issuers and conditions come from the tables of "API Connect TLS certificates"; the shapes of the resources are
those of public ones.  What is issued is :mod:`harness.tests.cert_manager`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import yaml
from cryptography import x509

from harness.pki.issue import Identity, Profile, issue
from harness.products.apic.rules.certificates import CA, CLIENT, CP4I, ROWS, SELF_SIGNING, SERVER, TESTING, Row
from harness.products.apic.rules.profiles import before, parse, profile_of
from harness.tests.cert_manager import Object, issued, leaf, name_of, subject_of

_USAGES = {CA: ["digital signature", "key encipherment", "cert sign"], CLIENT: ["client auth"], SERVER: ["server auth"]}
_GROUP = ".apiconnect.ibm.com/v1beta1"
_LATER = {  # of the other gateways of 12.1; no table names their certificates
    "wmapigateway-mgmt-client": CLIENT,
    "nano-gateway-mgmt-client": CLIENT,
    "gateway-proxy-endpoint": SERVER,
}


@dataclass(frozen=True)
class Installation:
    """One installation: ``top`` is the top-level resource's name, '' without one; ``sites`` are its data centres."""

    name: str
    release: str
    namespace: str = "apic"
    top: str = ""
    platform: str = "kubernetes"
    sites: tuple[str, ...] = ("",)

    def called(self, row: Row) -> str:
        """The name of a certificate's object; the developer portal's are never prefixed."""
        if row.since:
            return row.name
        return f"{self.top}-{row.short}" if self.top else row.name

    def resource(self, kind: str) -> str:
        """The name of a subsystem's resource."""
        short = {"management": "mgmt", "portal": "ptl", "analytics": "a7s", "gateway": "gw"}
        return f"{self.top}-{short[kind]}" if self.top and kind in short else {"gateway": "gwv6"}.get(kind, kind)

    def subject(self, row: Row) -> str:
        """The common name of a certificate."""
        return row.short if self.top else row.name

    def row(self, name: str) -> Row:
        """The row of the tables called *name*."""
        return next(row for row in ROWS if row.name == name)


KUBERNETES = (
    Installation("kubernetes-10.0.5.8", "10.0.5.8"),
    Installation("kubernetes-10.0.6", "10.0.6.0"),
    Installation("kubernetes-10.0.8", "10.0.8.1"),
    Installation("kubernetes-12.1", "12.1.0.1"),
    Installation("openshift-10.0.8", "10.0.8.1", platform="openshift"),
    Installation("openshift-top-level-10.0.8", "10.0.8.1", top="apis-minimum", platform="openshift"),
    Installation("openshift-long-name-10.0.8", "10.0.8.1", top="integration-apis-prod", platform="openshift"),
    Installation("cp4i-10.0.8", "10.0.8.1", "cp4i", "apic", "cp4i"),
    Installation("cp4i-12.1", "12.1.0.0", "cp4i", "apic", "cp4i"),
    Installation("two-data-centres-10.0.8", "10.0.8.1", sites=("dallas", "raleigh")),
)


def documents(here: Installation, site: str, now: datetime, shared: dict[str, Identity]) -> list[Object]:
    """Everything that an export of one data centre holds; *shared* has the CAs that it shares with the other."""
    requests = [*_requests(here, site)]
    return [*_resources(here, site), *_issuers(here), *requests, *issued(requests, now, shared)]


def write(here: Installation, folder: Path, now: datetime) -> Path:
    """The exports of *here*, a folder for each data centre."""
    shared: dict[str, Identity] = {}
    for number, site in enumerate(here.sites):
        place = folder / (site or "export")
        place.mkdir(parents=True)
        made = documents(here, site, now, shared)
        if number:  # there ingress-ca is a copied secret
            made = [each for each in made if (each["kind"], name_of(each)) != ("Certificate", here.called(_INGRESS))]
        (place / "export.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": made}))
    return folder


_INGRESS = ROWS[0]


def rows(here: Installation) -> Iterator[Row]:
    """The certificates that *here* has, by the tables."""
    profile = profile_of(parse(here.release))
    assert profile is not None
    for row in ROWS:
        double = row.condition == "2DCDR" and len(here.sites) < 2
        if double or row.condition == TESTING or (row.condition == CP4I and here.platform != "cp4i"):
            continue
        if row.name not in profile.not_in_force and not before(parse(here.release), row.since):
            yield row


def _host(here: Installation, name: str, site: str) -> str:
    return f"{name}.{f'{site}.' if site else ''}{'apps.' if here.platform != 'kubernetes' else ''}acme.com"


def _hosts(here: Installation, row: Row, site: str) -> list[str]:
    if not row.dns:
        return [_host(here, row.short, site)] if row.use == SERVER else []
    instance = here.resource(row.subsystem)
    if row.subsystem == "portal":
        instance = instance[:15]
    fill = {"namespace": here.namespace, "instance": instance, "site": site or "default"}
    return [pattern.format(**fill) for pattern in row.dns]


def _requests(here: Installation, site: str) -> Iterator[Object]:
    for row in rows(here):
        common = here.subject(row) if row.use != SERVER or row.dns else _hosts(here, row, site)[0]
        issuer = _issuer(here, row.issuer)
        yield _request(here, here.called(row), common, row.use, issuer, _hosts(here, row, site))
    if here.release.startswith("12."):
        for name, use in _LATER.items():
            prefixed = f"{here.top}-{name}" if here.top else name
            hosts = [_host(here, name, site)] if use == SERVER else []
            yield _request(here, prefixed, hosts[0] if hosts else name, use, _issuer(here, "ingress-issuer"), hosts)


def _issuer(here: Installation, documented: str) -> str:
    if not here.top:
        return documented
    short = {"management-ca": "mgmt-ca", "portal-ca": "ptl-ca", "analytics-ca": "a7s-ca", SELF_SIGNING: "self-signed"}
    return f"{here.top}-{short.get(documented, documented)}"


def _request(here: Installation, name: str, common: str, use: str, issuer: str, hosts: list[str]) -> Object:
    spec: Object = {
        "secretName": name,
        "commonName": common[:64],
        "usages": [*_USAGES.get(use, ["server auth", "client auth"]), "signing", "key encipherment"],
        "duration": "87600h0m0s" if use == CA else "17520h0m0s",
        "renewBefore": "720h0m0s",
        "privateKey": {"rotationPolicy": "Always"},
        "issuerRef": {"name": issuer, "kind": "Issuer"},
    }
    if use == CA:
        spec |= {"isCA": True, "usages": _USAGES[CA]}
    else:
        spec |= {"subject": {"organizations": ["cert-manager"]}}
    if hosts:
        spec |= {"dnsNames": hosts}
    return _object("cert-manager.io/v1", "Certificate", here.namespace, name, spec)


def _object(version: str, kind: str, namespace: str, name: str, spec: Mapping[str, object]) -> Object:
    metadata: Object = {"name": name, "namespace": namespace, "uid": "0a0a", "resourceVersion": "42"}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": dict(spec)}


def _issuers(here: Installation) -> Iterator[Object]:
    yield _object("cert-manager.io/v1", "Issuer", here.namespace, _issuer(here, SELF_SIGNING), {"selfSigned": {}})
    for row in ROWS:
        if row.use == CA:
            name = "ingress-issuer" if row is _INGRESS else row.name
            ca = {"ca": {"secretName": here.called(row)}}
            yield _object("cert-manager.io/v1", "Issuer", here.namespace, _issuer(here, name), ca)


def _resources(here: Installation, site: str) -> Iterator[Object]:
    if here.top:
        top = {"version": here.release, "profile": "n1xc7.m48"}
        yield _object("apiconnect.ibm.com/v1beta1", "APIConnectCluster", here.namespace, here.top, top)
    if here.platform == "cp4i":
        yield _object("integration.ibm.com/v1beta1", "PlatformNavigator", here.namespace, "navigator", {})
    if here.platform != "kubernetes":
        route = {"host": _host(here, "mgmt-platform-api", site), "tls": {"termination": "passthrough"}}
        yield _object("route.openshift.io/v1", "Route", here.namespace, f"{here.top or 'management'}-api", route)
    yield from _fronts(here, site)
    for kind, spec in _specs(here, site).items():
        made = _object(f"{kind}{_GROUP}", f"{kind.capitalize()}Cluster", here.namespace, here.resource(kind), spec)
        if here.top:
            metadata = made["metadata"]
            assert isinstance(metadata, dict)
            metadata["ownerReferences"] = [{"kind": "APIConnectCluster", "name": here.top}]
        yield made
    if here.release.startswith("12."):
        yield _developer_portal(here, site)


def _developer_portal(here: Installation, site: str) -> Object:
    """As in the helper files of 12.1.0.1; a top-level resource has no section for it."""

    def endpoint(name: str) -> Object:
        hosts = [{"name": _hosts(here, here.row(name), site)[0], "secretName": name}]
        return {"annotations": {"cert-manager.io/issuer": _issuer(here, "ingress-issuer")}, "hosts": hosts}

    clients = ("devportal-admin-client", "wmapigateway-devportal-client")
    spec: Object = {
        "version": here.release,
        "devportalAdminEndpoint": endpoint("devportal-admin"),
        "devportalUIEndpoint": endpoint("devportal-web"),
        "adminClientSubjectDN": "".join(f"CN={name},O=cert-manager\n" for name in clients),
        "analyticsRef": {"name": here.resource("analytics"), "namespace": here.namespace},
        "isStandalone": False,
    }
    return _object(f"devportal{_GROUP}", "DevPortalCluster", here.namespace, "devportal", spec)


_MTLS = ("portal-admin", "devportal-admin", "analytics-ai-endpoint", "gwv6-manager-endpoint")


def _fronts(here: Installation, site: str) -> Iterator[Object]:
    """What passes TLS through to the endpoints between subsystems."""
    there = {row.name for row in rows(here)}
    for name in (each for each in _MTLS if each in there):
        host = _hosts(here, here.row(name), site)[0]
        if here.platform != "kubernetes":
            route = {"host": host, "tls": {"termination": "passthrough", "insecureEdgeTerminationPolicy": "None"}}
            yield _object("route.openshift.io/v1", "Route", here.namespace, name, route)
            continue
        ingress: Object = {
            "ingressClassName": "nginx",
            "rules": [{"host": host}],
            "tls": [{"hosts": [host], "secretName": here.called(here.row(name))}],
        }
        made = _object("networking.k8s.io/v1", "Ingress", here.namespace, name, ingress)
        metadata = made["metadata"]
        assert isinstance(metadata, dict)
        metadata["annotations"] = {"nginx.ingress.kubernetes.io/ssl-passthrough": "true"}
        yield made


def _specs(here: Installation, site: str) -> dict[str, Object]:
    def endpoint(name: str) -> Object:
        row = here.row(name)
        host = {"name": _hosts(here, row, site)[0], "secretName": here.called(row)}
        return {"annotations": {"cert-manager.io/issuer": _issuer(here, "ingress-issuer")}, "hosts": [host]}

    def client(name: str) -> str:
        return f"CN={here.subject(here.row(name))},O=cert-manager"

    ca = {"mgmtPlatformEndpointCASecret": {"secretName": here.called(_INGRESS)}}
    keys: Object = {}
    if here.top:  # a new install with a top-level resource verifies tokens by itself
        keys = {"jwksUrl": f"https://{_host(here, 'mgmt-platform-api', site)}/api/cloud/oauth2/certs"}
    both: Object = {"version": here.release, **({"siteName": site} if site else {})}
    manager = {"gatewayManagerEndpoint": endpoint("gwv6-manager-endpoint")}
    specs: dict[str, Object] = {
        "management": {"platformAPIEndpoint": endpoint("api-endpoint")},
        "portal": {
            **ca,
            **keys,
            "adminClientSubjectDN": client("portal-admin-client"),
            "portalAdminEndpoint": endpoint("portal-admin"),
        },
        "analytics": {
            **ca,
            **keys,
            "ingestion": {
                "clientSubjectDN": client("analytics-ingestion-client"),
                "endpoint": endpoint("analytics-ai-endpoint"),
            },
        },
        "gateway": {**ca, **keys, "apicGatewayServiceV5CompatibilityMode": False, **manager},
    }
    if len(here.sites) > 1:
        for kind, name in (("management", "mgmt-replication-server"), ("portal", "ptl-replication-server")):
            specs[kind]["multiSiteHA"] = {"mode": "active", "replicationEndpoint": endpoint(name)}
    return {kind: {**both, **spec} for kind, spec in specs.items()}


def appliances(folder: Path, release: str, now: datetime) -> Path:
    """The certificates of virtual appliances as PEM files: ingress-ca is an intermediate under root-ca."""
    folder.mkdir()
    hours = 2 * 87600 if release.startswith(("10.0.8", "12.")) else 87600
    start = now - timedelta(days=30)
    ca = x509.BasicConstraints(ca=True, path_length=None)
    usage = frozenset({"digital_signature", "key_cert_sign"})

    def authority(name: str, above: Identity | None) -> Identity:
        return issue(
            Profile(subject_of({"commonName": name}), start, start + timedelta(hours=hours), usage, constraints=ca),
            above,
        )

    root = authority("root-ca", None)
    ingress = authority("ingress-ca", root)
    (folder / "root-ca.pem").write_bytes(root.pem())
    (folder / "ingress-ca.pem").write_bytes(ingress.pem())
    for row in ROWS:
        if row.issuer == "ingress-issuer" and not row.condition and not row.legacy:
            uses = [f"{use} auth" for use in (CLIENT, SERVER) if row.use in ("", use)]
            hosts = ["api.acme.com"] if row.use == SERVER else []
            spec: Object = {"commonName": row.name, "subject": {}, "usages": uses, "dnsNames": hosts}
            (folder / f"{row.name}.pem").write_bytes(leaf(spec, ingress, now).sending(ingress).pem())
    return folder
