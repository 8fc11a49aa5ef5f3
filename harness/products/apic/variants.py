"""What else can differ in an API Connect setup besides posture, path and fault; the catalogue names the rows."""

from __future__ import annotations

from collections.abc import Mapping

from harness.model.protocol import Behaviours
from harness.products.product import Variant

VARIANTS: Mapping[str, Variant] = {
    "": Variant(),
    # Nothing but containers of their own, which an operator may stop, cut off or reconfigure.
    "operated": Variant(),
    "impostor-platform-api": Variant(platform="impostor"),
    "platform-wrong-name": Variant(platform="wrong-name"),
    "in-cluster": Variant(platform="in-cluster"),
    "in-cluster-wrong-ca": Variant(platform="in-cluster-wrong-ca"),
    "keys-of-other-kinds": Variant(platform="other-kinds"),
    "server-wrong-ca": Variant(server="server-wrong-ca"),
    "server-wrong-name": Variant(server="server-wrong-name"),
    "server-expired": Variant(server="server-expired"),
    "validation-off": Variant(server="server-wrong-ca", client_spec={"mgmtPlatformEndpointCASecret": None}),
    "old-switch-name": Variant(spec={"mtlsValidateClient": None, "validateApimClient": True}),
    "empty-jwks-url": Variant(spec={"jwksUrl": ""}),
    "balancer-without-sni": Variant(balancer=Behaviours(send_sni=False)),
    "balancer-strips-token": Variant(balancer=Behaviours(authorization="strip")),
    "balancer-with-client-key": Variant(holds_client_key=True),
    "balancer-corporate-front": Variant(front="impostor"),
}
