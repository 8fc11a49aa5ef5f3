"""Kinds of services behind an STS, configured as API Connect's subsystems are; they take their keys of their STS."""

from __future__ import annotations

from functools import partial

from harness.subsystems.microservices import exchange
from harness.subsystems.microservices.exchange import CHOOSES_ITS_CALLERS
from harness.subsystems.microservices.service import Orders, gate
from harness.subsystems.microservices.sts import KEYS_PATH, Client, Domain, TokenService
from harness.subsystems.server.kind import COMPARES_AUDIENCE, Kind, Making
from harness.subsystems.server.policy import Demand, ServerPolicy

__all__ = ["KINDS", "exchange"]

ECOMM, PARTNER = "https://sts.ecomm.test", "https://sts.partner.test"
LOGIN = "https://login.example.test"
_DOMAINS = {
    "sts": Domain(
        ECOMM,
        "sts",
        {LOGIN: "identity-provider"},
        {
            "edge-gateway": Client("edge-gateway-client", "gateway.ecomm.test", frozenset({"op.ecomm.test"})),
            "order-processing": Client(
                "order-processing-client", "op.ecomm.test", frozenset({"iv.ecomm.test", PARTNER})
            ),
        },
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


_TRAITS = frozenset({COMPARES_AUDIENCE, "service"})
_service = partial(
    Kind,
    resource="Service",
    endpoint="endpoint",
    application=Orders,
    gate=gate,
    validates=False,
    needs_one=True,
    key_cas=("mgmtPlatformEndpointCASecret", "mgmtPlatformEndpointSvcCASecret"),
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
)
