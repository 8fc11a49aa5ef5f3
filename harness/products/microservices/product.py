"""Services behind an STS as a :class:`harness.products.product.Product`; the lab's key server stands for the STS."""

from __future__ import annotations

from functools import partial

from harness.model.catalogue import Server
from harness.pki.deployment import CLIENT, Blueprint, Secret, server_secrets
from harness.products.product import Holding, Product, Variant
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

_SERVICES = ("order-processing", "inventory", "finance", "partner-stock")
_FORMS = ("self-issued", "nested-claim", "nested-jwt", "encrypted")
_CLIENT = "order-processing-client"
# Who may call with a token of its own, by the issuer that it is, and the secret with its key pair.
_CALLERS = {"op.ecomm.test": _CLIENT, "gateway.ecomm.test": "edge-gateway-client"}


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
    holdings={
        # A token service knows its clients' secrets, and a service its callers' certificates.
        **dict.fromkeys(("sts", "partner-sts"), Holding(secrets=tuple(_CALLERS.values()), signs=True)),
        **dict.fromkeys(_SERVICES, Holding(certificates=tuple(_CALLERS.values()))),
    },
)
