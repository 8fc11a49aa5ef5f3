"""The YAML an operator writes, for each kind of subsystem and posture.  Knows custom resources, not processes.

Sources: API Connect documentation "Enable JWT security instead of mTLS" (mtlsValidateClient, jwksUrl) and the public
custom resources of the product (secret names, clientSubjectDN); see each requirement for what is an assumption.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from harness.model.catalogue import Server
from harness.model.vocabulary import Posture

JWKS_PATH = "/api/cloud/oauth2/certs"

Spec = dict[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """Where the platform API is reached: its host, the secret with its certificate, and how a CR names its CA."""

    host: str
    secret: str
    ca_setting: str
    ca_secret: str

    def jwks_url(self, port: int) -> str:
        """Where management publishes its keys, when it listens on *port*."""
        return f"https://{self.host}:{port}{JWKS_PATH}"


PLATFORM = Endpoint("api.apic.test", "api-endpoint", "mgmtPlatformEndpointCASecret", "ingress-ca")
"""External communication: through an ingress or a route."""

SERVICE = Endpoint("management-juhu.apic.svc", "management-server", "mgmtPlatformEndpointSvcCASecret", "management-ca")
"""In-cluster communication: the service itself, under management-ca."""


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


def _gateway(server: Server) -> Spec:
    return {
        "apicGatewayServiceV5CompatibilityMode": server.name == "v5c-gateway",
        "gatewayManagerEndpoint": _endpoint(server.host, server.secret),
    }


def _service(server: Server) -> Spec:
    return {"endpoint": _endpoint(server.host, server.secret), "issuer": server.issuer, "audience": server.audience}


_KINDS: Mapping[str, tuple[str, Callable[[Server], Spec]]] = {
    "PortalCluster": ("portal.apiconnect.ibm.com/v1beta1", _portal),
    "AnalyticsCluster": ("analytics.apiconnect.ibm.com/v1beta1", _analytics),
    "GatewayCluster": ("gateway.apiconnect.ibm.com/v1beta1", _gateway),
    "Service": ("hopproof/v1", _service),
}


def custom_resource(server: Server, posture: Posture, platform: Endpoint, port: int, changes: Mapping[str, Any]) -> str:
    """The custom resource of *server* in *posture*, as YAML.

    Its keys come from *platform*, which listens on *port*; *changes* are settings that differ, None removes one.
    """
    version, specify = _KINDS[server.kind]
    settings = {
        platform.ca_setting: {"secretName": platform.ca_secret},
        **specify(server),
        **_switches(posture, platform.jwks_url(port)),
        **changes,
    }
    return _document(
        version, server.kind, server.name, {key: item for key, item in settings.items() if item is not None}
    )


def management_resource(platform: Endpoint = PLATFORM) -> str:
    """Management's custom resource: its platform API and the client credentials it uses towards the others."""
    spec = {
        "platformAPIEndpoint": _endpoint(platform.host, platform.secret),
        "portal": {"admin": {"secretName": "portal-admin-client"}},
        "analytics": {"ingestion": {"secretName": "analytics-ingestion-client"}},
        "gateway": {"client": {"secretName": "gateway-client-client"}},
    }
    return _document("management.apiconnect.ibm.com/v1beta1", "ManagementCluster", "management", spec)


def _document(version: str, kind: str, name: str, spec: Spec) -> str:
    document = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "apic"}, "spec": spec}
    return yaml.safe_dump(document, sort_keys=False)
