"""What cert-manager makes of Certificate objects: Secrets with certificates under the CAs that they ask for."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness.pki.issue import Identity, Profile, dns_names, issue

Object = dict[str, object]
_USES = {"client auth": ExtendedKeyUsageOID.CLIENT_AUTH, "server auth": ExtendedKeyUsageOID.SERVER_AUTH}


def issued(requests: list[Object], now: datetime, shared: dict[str, Identity]) -> Iterator[Object]:
    """The Secrets that cert-manager makes of *requests*; a CA that *shared* has is copied."""
    authorities: dict[str, Identity] = {}
    for request in sorted(requests, key=lambda each: not _spec(each).get("isCA")):
        spec, name = _spec(request), name_of(request)
        issuer = str(_reference(spec)["name"])
        if spec.get("isCA"):
            identity = _authority(spec, now)
            if name.endswith("ingress-ca"):
                identity = shared.setdefault(name, identity)
            authorities[name.removesuffix("-ca") + ("-issuer" if name.endswith("ingress-ca") else "-ca")] = identity
            above = identity
        else:
            above = authorities[issuer]
            identity = leaf(spec, above, now)
        metadata = request["metadata"]
        assert isinstance(metadata, dict)
        yield _secret(name, str(metadata["namespace"]), issuer, identity, above)


def application(name: str, ca: Identity, now: datetime) -> Object:
    """The Secret of an application beside API Connect, whose certificate *ca* signed."""
    spec: Object = {"commonName": name, "usages": ["server auth"], "dnsNames": [f"{name}.acme.com"]}
    return _secret(name, "apic", "ingress-issuer", leaf(spec, ca, now), ca)


def _secret(name: str, namespace: str, issuer: str, identity: Identity, above: Identity) -> Object:
    annotations = {"cert-manager.io/issuer-name": issuer, "cert-manager.io/certificate-name": name}
    data = {"tls.crt": identity.pem(), "ca.crt": above.pem(), "tls.key": b"not read"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
        "data": {entry: base64.b64encode(text).decode() for entry, text in data.items()},
    }


def _spec(request: Object) -> Object:
    spec = request["spec"]
    assert isinstance(spec, dict)
    return spec


def _reference(spec: Object) -> Object:
    found = spec["issuerRef"]
    assert isinstance(found, dict)
    return found


def _authority(spec: Object, now: datetime) -> Identity:
    start = now - timedelta(days=30)
    ca = x509.BasicConstraints(ca=True, path_length=None)
    usage = frozenset({"digital_signature", "key_cert_sign"})
    return issue(Profile(subject_of(spec), start, start + timedelta(hours=87600), usage, constraints=ca))


def leaf(spec: Object, above: Identity, now: datetime) -> Identity:
    """A certificate as *spec* asks for it."""
    start = now - timedelta(days=20)
    usages, hosts = spec["usages"], spec.get("dnsNames", ())
    assert isinstance(usages, list) and isinstance(hosts, list | tuple)
    uses = tuple(oid for use, oid in _USES.items() if use in usages)
    profile = Profile(
        subject_of(spec),
        start,
        start + timedelta(hours=17520),
        frozenset({"digital_signature"}),
        uses,
        names=dns_names(hosts),
    )
    return issue(profile, above)


def subject_of(spec: Object) -> x509.Name:
    """The subject that *spec* asks for."""
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "cert-manager")] if "subject" in spec else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, str(spec["commonName"]))])


def name_of(item: Object) -> str:
    """The name of an object."""
    metadata = item["metadata"]
    assert isinstance(metadata, dict)
    return str(metadata["name"])
