"""The YAML an operator writes, for each kind of subsystem and posture.  Knows custom resources, not processes.

Sources: API Connect documentation "Enable JWT security instead of mTLS" (mtlsValidateClient, jwksUrl) and the public
custom resources of the product (secret names, clientSubjectDN); see each requirement for what is an assumption.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import yaml

from harness.model.catalogue import Server
from harness.model.vocabulary import Posture

PLATFORM_HOST = "api.apic.test"
PLATFORM_SECRET = "api-endpoint"
JWKS_PATH = "/api/cloud/oauth2/certs"

Spec = dict[str, Any]


def jwks_url(port: int) -> str:
    """Where management publishes its keys, when its platform API listens on *port*."""
    return f"https://{PLATFORM_HOST}:{port}{JWKS_PATH}"


def _switches(posture: Posture, url: str) -> Spec:
    """The two settings a posture consists of; ``default`` sets neither."""
    switches: Mapping[Posture, Spec] = {
        Posture.DEFAULT: {},
        Posture.MTLS: {"mtlsValidateClient": True},
        Posture.JWT: {"mtlsValidateClient": False, "jwksUrl": url},
        Posture.BOTH: {"mtlsValidateClient": True, "jwksUrl": url},
        Posture.TLS_ONLY: {"mtlsValidateClient": False},
    }
    return switches[posture]


def _endpoint(host: str, secret: str) -> Spec:
    annotations = {"cert-manager.io/issuer": "ingress-issuer"}
    return {"annotations": annotations, "hosts": [{"name": host, "secretName": secret}]}


def _portal(server: Server) -> Spec:
    return {
        "portalAdminEndpoint": _endpoint(server.host, server.secret),
        "adminClientSubjectDN": server.subject,
    }


def _analytics(server: Server) -> Spec:
    return {
        "ingestion": {"clientSubjectDN": server.subject, "endpoint": _endpoint(server.host, server.secret)},
    }


_KINDS: Mapping[str, tuple[str, Callable[[Server], Spec]]] = {
    "PortalCluster": ("portal.apiconnect.ibm.com/v1beta1", _portal),
    "AnalyticsCluster": ("analytics.apiconnect.ibm.com/v1beta1", _analytics),
}


def custom_resource(server: Server, posture: Posture, url: str) -> str:
    """The custom resource of *server* in *posture*, as YAML; *url* is the JWKS URL it would use."""
    version, specify = _KINDS[server.kind]
    spec = {"mgmtPlatformEndpointCASecret": {"secretName": "ingress-ca"}, **specify(server), **_switches(posture, url)}
    return _document(version, server.kind, server.name, spec)


def management_resource() -> str:
    """Management's custom resource: its platform API and the client credentials it uses towards the others."""
    spec = {
        "platformAPIEndpoint": _endpoint(PLATFORM_HOST, PLATFORM_SECRET),
        "portal": {"admin": {"secretName": "portal-admin-client"}},
        "analytics": {"ingestion": {"secretName": "analytics-ingestion-client"}},
        "gateway": {"client": {"secretName": "gateway-client-client"}},
    }
    return _document("management.apiconnect.ibm.com/v1beta1", "ManagementCluster", "management", spec)


def _document(version: str, kind: str, name: str, spec: Spec) -> str:
    document = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "apic"}, "spec": spec}
    return yaml.safe_dump(document, sort_keys=False)
