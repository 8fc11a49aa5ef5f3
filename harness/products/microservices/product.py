"""Services behind an STS as a :class:`harness.products.product.Product`; each STS signs with a key of its own."""

from __future__ import annotations

from functools import partial

from harness.model.catalogue import Server
from harness.pki.deployment import CLIENT, Blueprint, Secret, server_secrets
from harness.products.product import Holding, KeyEndpoint, Product, Variant
from harness.products.resources import Spec, custom_resource, endpoint

_CA, _INTERNAL_CA = "ingress-ca", "management-ca"

_HOSTS = {
    "orders-service": "orders.ecomm.test",
    "order-processing": "op.ecomm.test",
    "inventory": "iv.ecomm.test",
    "finance": "fn.ecomm.test",
    "partner-stock": "stock.partner.test",
    "sts": "sts.ecomm.test",
    "partner-sts": "sts.partner.test",
}

ISSUERS = {
    "https://sts.ecomm.test": "sts",
    "https://sts.partner.test": "partner-sts",
    "https://login.example.test": "identity-provider",
}
"""Who signs tokens, by the issuer that its tokens name."""
KEYS_PATH = "/oauth2/jwks"
_KEYS_CA = "mgmtPlatformEndpointCASecret"

_SERVICES = ("order-processing", "inventory", "finance", "partner-stock")
_FORMS = ("self-issued", "nested-claim", "nested-jwt", "encrypted")
_CLIENT = "order-processing-client"
# Who may call with a token of its own, by the issuer that it is, and the secret with its key pair.
_CALLERS = {"op.ecomm.test": _CLIENT, "gateway.ecomm.test": "edge-gateway-client"}


def _published(server: str) -> KeyEndpoint:
    return KeyEndpoint(_HOSTS[server], server, KEYS_PATH, _KEYS_CA, _CA)


def _service(server: Server) -> Spec:
    return {"endpoint": endpoint(server.host, server.secret), "issuer": server.issuer, "audience": server.audience}


def _token_service(server: Server) -> Spec:
    return {"endpoint": endpoint(server.host, server.secret)}


MICROSERVICES = Product(
    name="microservices",
    title="Microservices behind an STS",
    pki=Blueprint(
        authorities=(_CA, _INTERNAL_CA),
        secrets={
            **server_secrets(_CA, _HOSTS),
            "orders-client": Secret(_CA, CLIENT),
            "edge-gateway-client": Secret(_CA, CLIENT),
            "order-processing-client": Secret(_CA, CLIENT),
        },
        clients=("orders-client", "edge-gateway-client", "order-processing-client"),
        organization="cert-manager",
        external=_CA,
        internal=_INTERNAL_CA,
        issuers=tuple(ISSUERS.values()),
    ),
    keys=None,
    configure={
        "Service": partial(custom_resource, "hopproof/v1", _service),
        "TokenService": partial(custom_resource, "hopproof/v1", _token_service),
    },
    variants={
        "shared-audience": Variant(spec={"audience": "*.ecomm.com"}),
        **{form: Variant(spec={"tokenForm": form, "callers": _CALLERS}) for form in _FORMS},
        "shared-key": Variant(spec={"tokenForm": "self-issued", "callers": dict.fromkeys(_CALLERS, _CLIENT)}),
        "bound-tokens": Variant(spec={"boundTokens": True}),
        "named-parties": Variant(spec={"users": ["peter"], "actors": ["order-processing"]}),
    },
    subsystems=("harness.subsystems.microservices.kinds",),
    packages=("jwcrypto",),
    holdings={
        # A token service knows its clients' secrets and trusted issuers, a service its callers' certificates.
        **dict.fromkeys(
            ("sts", "partner-sts"),
            Holding(secrets=tuple(_CALLERS.values()), issues=True, key_sets=tuple(ISSUERS.values())),
        ),
        **dict.fromkeys(_SERVICES, Holding(certificates=tuple(_CALLERS.values()), key_sets=tuple(ISSUERS.values()))),
    },
    issuers=ISSUERS,
    published={name: _published(name) for name in ("sts", "partner-sts")},
)
