"""The YAML an operator writes, for each kind of API Connect subsystem and posture.

Sources: API Connect documentation "Enable JWT security instead of mTLS" (mtlsValidateClient, jwksUrl) and the public
custom resources of the product (secret names, clientSubjectDN); see each requirement for what is an assumption.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from harness.model.catalogue import Server
from harness.products.apic.secrets import INGRESS_CA, MANAGEMENT_CA
from harness.products.product import EXTERNAL, IN_CLUSTER, Configure, KeyEndpoint, KeyServer
from harness.products.resources import Spec, custom_resource, document, endpoint

_JWKS_PATH = "/api/cloud/oauth2/certs"
_EXTERNAL = KeyEndpoint("api.apic.test", "api-endpoint", _JWKS_PATH, "mgmtPlatformEndpointCASecret", INGRESS_CA)
_IN_CLUSTER = KeyEndpoint(
    "management-juhu.apic.svc", "management-server", _JWKS_PATH, "mgmtPlatformEndpointSvcCASecret", MANAGEMENT_CA
)


def _portal(server: Server) -> Spec:
    return {
        "portalAdminEndpoint": endpoint(server.host, server.secret),
        "adminClientSubjectDN": server.subject,
    }


def _analytics(server: Server) -> Spec:
    return {
        "ingestion": {"clientSubjectDN": server.subject, "endpoint": endpoint(server.host, server.secret)},
    }


def _gateway(server: Server) -> Spec:
    return {
        "apicGatewayServiceV5CompatibilityMode": server.name == "v5c-gateway",
        "gatewayManagerEndpoint": endpoint(server.host, server.secret),
    }


_KINDS: Mapping[str, tuple[str, Callable[[Server], Spec]]] = {
    "PortalCluster": ("portal.apiconnect.ibm.com/v1beta1", _portal),
    "AnalyticsCluster": ("analytics.apiconnect.ibm.com/v1beta1", _analytics),
    "GatewayCluster": ("gateway.apiconnect.ibm.com/v1beta1", _gateway),
}
CONFIGURE: Mapping[str, Configure] = {
    kind: partial(custom_resource, version, specify) for kind, (version, specify) in _KINDS.items()
}
"""The custom resource of a server, by its kind."""


def _management(platform: KeyEndpoint) -> str:
    """Management's custom resource: its platform API and the client credentials it uses towards the others."""
    spec = {
        "platformAPIEndpoint": endpoint(platform.host, platform.secret),
        "portal": {"admin": {"secretName": "portal-admin-client"}},
        "analytics": {"ingestion": {"secretName": "analytics-ingestion-client"}},
        "gateway": {"client": {"secretName": "gateway-client-client"}},
    }
    return document("management.apiconnect.ibm.com/v1beta1", "ManagementCluster", "management", spec)


KEYS = KeyServer("management", "platform-api", {EXTERNAL: _EXTERNAL, IN_CLUSTER: _IN_CLUSTER}, _management)
"""Management publishes the keys: through an ingress or a route, and in the cluster as a service under management-ca."""
