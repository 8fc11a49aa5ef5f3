"""What else can differ in a setup besides posture, path and fault.  A table: the lab reads it, the catalogue names its
rows.  Knows settings, not processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Variant:
    """One difference.

    ``platform`` names another platform API (``impostor``: vouched for by another CA; ``wrong-name``: for another name;
    ``in-cluster``: reached as a service, under management-ca; ``in-cluster-wrong-ca``: the same, with a certificate of
    ingress-ca; ``other-kinds``: publishes keys of other kinds beside its own), ``server`` what is wrong with the
    server's certificate, ``balancer`` how the balancer behaves, ``front`` which CA its own certificate is under,
    ``spec`` what the server's custom resource says besides, ``client_spec`` what that of the client under test says;
    None removes a setting.
    """

    platform: str = ""
    server: str = ""
    balancer: Settings = field(default_factory=dict)
    holds_client_key: bool = False
    front: str = ""
    spec: Settings = field(default_factory=dict)
    client_spec: Settings = field(default_factory=dict)


VARIANTS: Mapping[str, Variant] = {
    "": Variant(),
    # Nothing but containers of their own, which an operator may stop, cut off or configure anew.
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
    "balancer-without-sni": Variant(balancer={"send_sni": False}),
    "balancer-strips-token": Variant(balancer={"authorization": "strip"}),
    "balancer-with-client-key": Variant(holds_client_key=True),
    "balancer-corporate-front": Variant(front="impostor"),
}
