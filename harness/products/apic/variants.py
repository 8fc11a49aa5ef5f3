"""What else can differ in an API Connect setup besides posture, path and fault; the catalogue names the rows."""

from __future__ import annotations

from collections.abc import Mapping

from harness.model.protocol import Behaviours
from harness.products.product import Platform, ServerCertificate, Variant

VARIANTS: Mapping[str, Variant] = {
    "": Variant(),
    # Nothing but containers of their own, which an operator may stop, cut off or reconfigure.
    "operated": Variant(),
    "impostor-platform-api": Variant(platform=Platform.IMPOSTOR),
    "platform-wrong-name": Variant(platform=Platform.WRONG_NAME),
    "in-cluster": Variant(platform=Platform.IN_CLUSTER),
    "in-cluster-wrong-ca": Variant(platform=Platform.IN_CLUSTER_WRONG_CA),
    "keys-of-other-kinds": Variant(platform=Platform.OTHER_KINDS),
    "server-wrong-ca": Variant(server=ServerCertificate.WRONG_CA),
    "server-wrong-name": Variant(server=ServerCertificate.WRONG_NAME),
    "server-expired": Variant(server=ServerCertificate.EXPIRED),
    "validation-off": Variant(server=ServerCertificate.WRONG_CA, client_spec={"mgmtPlatformEndpointCASecret": None}),
    "old-switch-name": Variant(spec={"mtlsValidateClient": None, "validateApimClient": True}),
    "empty-jwks-url": Variant(spec={"jwksUrl": ""}),
    "balancer-without-sni": Variant(balancer=Behaviours(send_sni=False)),
    "balancer-strips-token": Variant(balancer=Behaviours(authorization="strip")),
    "balancer-with-client-key": Variant(holds_client_key=True),
    "balancer-corporate-front": Variant(foreign_front=True),
}
