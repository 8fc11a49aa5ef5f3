"""Kinds of services behind an STS, configured as API Connect's subsystems are; they take their keys of their STS."""

from __future__ import annotations

from functools import partial

from harness.subsystems.microservices import edge_gateway, exchange
from harness.subsystems.microservices.edge_gateway import EdgeGateway
from harness.subsystems.microservices.exchange import CHOOSES_ITS_CALLERS
from harness.subsystems.microservices.identity_provider import IdentityProvider, Provider
from harness.subsystems.microservices.oauth import KEYS_PATH
from harness.subsystems.microservices.service import Orders, gate
from harness.subsystems.microservices.sts import Client, Domain, TokenService
from harness.subsystems.server.kind import COMPARES_AUDIENCE, Kind, Making
from harness.subsystems.server.policy import Demand, ServerPolicy

__all__ = ["KINDS", "exchange"]

ECOMM, PARTNER = "https://sts.ecomm.test", "https://sts.partner.test"
LOGIN, PROVIDER = "https://login.example.test", "identity-provider"
# As in the document's sample, whose user is peter with the password peter123.
_USERS = {name: f"{name}123" for name in ("peter", "mary")}
_LOGIN = Provider(
    LOGIN,
    PROVIDER,
    "gateway.ecomm.test",
    {name: f"{name}-client" for name in ("web-shop", "mobile-app", "edge-gateway", "sts")},
    references=frozenset({"mobile-app"}),
    users=_USERS,
)
_DOMAINS = {
    "sts": Domain(
        ECOMM,
        "sts",
        {LOGIN: PROVIDER},
        {
            "edge-gateway": Client("edge-gateway-client", "gateway.ecomm.test", frozenset({"op.ecomm.test"})),
            "order-processing": Client(
                "order-processing-client", "op.ecomm.test", frozenset({"iv.ecomm.test", PARTNER})
            ),
        },
        provider=PROVIDER,
    ),
    "partner-sts": Domain(
        PARTNER,
        "partner-sts",
        {ECOMM: "sts"},
        {"order-processing": Client("order-processing-client", PARTNER, frozenset({"stock.partner.test"}))},
    ),
}


def _asks_for_certificates() -> ServerPolicy:
    """A token endpoint takes clients that authenticate by certificate, and others (RFC 8705 section 2)."""
    return ServerPolicy(demand=lambda _protection: Demand.OPTIONAL)


_KEY_CAS = ("mgmtPlatformEndpointCASecret", "mgmtPlatformEndpointSvcCASecret")
_TRAITS = frozenset({COMPARES_AUDIENCE, "service"})
_service = partial(
    Kind,
    resource="Service",
    endpoint="endpoint",
    application=Orders,
    gate=gate,
    validates=False,
    needs_one=True,
    key_cas=_KEY_CAS,
    keys_path="/api/cloud/oauth2/certs",
    traits=_TRAITS,
)


def _token_service(name: str) -> Kind:
    def application(making: Making) -> TokenService:
        return TokenService(making, _DOMAINS[name])

    return Kind(name, "TokenService", "endpoint", application, can_jwt=False, policy=_asks_for_certificates)


_SERVICES = ("order-processing", "inventory", "finance", "partner-stock")
KINDS = (
    _service("service"),
    *(_service(name, traits=_TRAITS | {CHOOSES_ITS_CALLERS}, keys_path=KEYS_PATH) for name in _SERVICES),
    *(_token_service(name) for name in _DOMAINS),
    Kind(PROVIDER, "IdentityProvider", "endpoint", partial(IdentityProvider, provider=_LOGIN), can_jwt=False),
    Kind(
        "edge-gateway",
        "EdgeGateway",
        "endpoint",
        EdgeGateway,
        gate=edge_gateway.gate,
        validates=False,
        needs_one=True,
        key_cas=_KEY_CAS,
        keys_path=KEYS_PATH,
        traits=frozenset({COMPARES_AUDIENCE}),
    ),
)
