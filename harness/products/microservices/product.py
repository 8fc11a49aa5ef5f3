"""Services behind an STS as a :class:`harness.products.product.Product`; each STS signs with a key of its own."""

from __future__ import annotations

from functools import partial

from harness.model.catalogue import Server
from harness.pki.deployment import CLIENT, Blueprint, Secret, server_secrets
from harness.products.product import Holding, KeyEndpoint, Product, SampleRequest, Variant
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
    "identity-provider": "login.example.test",
    "edge-gateway": "gateway.ecomm.test",
}

ISSUERS = {
    "https://sts.ecomm.test": "sts",
    "https://sts.partner.test": "partner-sts",
    "https://login.example.test": "identity-provider",
}
"""The server that signs an issuer's tokens, by ``iss``."""
KEYS_PATH = "/oauth2/jwks"
_KEYS_CA = "mgmtPlatformEndpointCASecret"

_SERVICES = ("order-processing", "inventory", "finance", "partner-stock")
_FORMS = ("self-issued", "nested-claim", "nested-jwt", "encrypted")
_CLIENT = "order-processing-client"
# The clients of the identity provider; each has its own secret.
_ITS_CLIENTS = ("web-shop-client", "mobile-app-client", "edge-gateway-client", "sts-client")
# Callers that may sign their own tokens: ``iss``, and the secret with the key pair.
_CALLERS = {"op.ecomm.test": _CLIENT, "gateway.ecomm.test": "edge-gateway-client"}


_TOKEN, _GATEWAY = "/oauth2/token", ("edge-gateway", "edge-gateway-client")
_EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
}
_PETER = {"grant_type": "password", "username": "peter", "password": "peter123"}
_KEYS = SampleRequest(KEYS_PATH)
_SAMPLES = {
    "identity-provider": (
        SampleRequest(_TOKEN, _PETER, "web-shop", "web-shop-client"),
        SampleRequest(_TOKEN, _PETER, "mobile-app", "mobile-app-client"),
        SampleRequest("/oauth2/introspect", {"token_type_hint": "access_token"}, *_GATEWAY, "token", "edge-gateway"),
        _KEYS,
    ),
    "sts": (
        SampleRequest(_TOKEN, {**_EXCHANGE, "audience": "op.ecomm.test"}, *_GATEWAY, "subject_token", "edge-gateway"),
        SampleRequest(
            _TOKEN,
            {**_EXCHANGE, "audience": "iv.ecomm.test"},
            "order-processing",
            _CLIENT,
            "subject_token",
            "order-processing",
        ),
        _KEYS,
    ),
    "partner-sts": (_KEYS,),
}


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
            **dict.fromkeys(("web-shop-client", "mobile-app-client", "sts-client"), Secret(_CA, CLIENT)),
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
        "IdentityProvider": partial(custom_resource, "hopproof/v1", _token_service),
        "EdgeGateway": partial(custom_resource, "hopproof/v1", _service),
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
            Holding(secrets=(*_CALLERS.values(), "sts-client"), issues=True, key_sets=tuple(ISSUERS.values())),
        ),
        "identity-provider": Holding(secrets=_ITS_CLIENTS, issues=True),
        "edge-gateway": Holding(secrets=("edge-gateway-client",)),
        **dict.fromkeys(_SERVICES, Holding(certificates=tuple(_CALLERS.values()), key_sets=tuple(ISSUERS.values()))),
    },
    issuers=ISSUERS,
    samples=_SAMPLES,
    published={name: _published(name) for name in ISSUERS.values()},
)
