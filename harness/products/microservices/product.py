"""Services behind an STS as a :class:`harness.products.product.Product`; the lab's key server stands for the STS."""

from __future__ import annotations

from functools import partial

from harness.model.catalogue import Server
from harness.pki.deployment import CLIENT, Blueprint, Secret, server_secrets
from harness.products.product import Product
from harness.products.resources import Spec, custom_resource, endpoint

_CA, _INTERNAL_CA = "ingress-ca", "management-ca"


def _service(server: Server) -> Spec:
    return {"endpoint": endpoint(server.host, server.secret), "issuer": server.issuer, "audience": server.audience}


MICROSERVICES = Product(
    name="microservices",
    title="Microservices behind an STS",
    pki=Blueprint(
        authorities=(_CA, _INTERNAL_CA),
        secrets={**server_secrets(_CA, {"orders-service": "orders.ecomm.test"}), "orders-client": Secret(_CA, CLIENT)},
        clients=("orders-client",),
        organization="cert-manager",
        external=_CA,
        internal=_INTERNAL_CA,
    ),
    keys=None,
    configure={"Service": partial(custom_resource, "hopproof/v1", _service)},
    subsystems=("harness.subsystems.microservices.kinds",),
)
