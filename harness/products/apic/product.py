"""IBM API Connect as a :class:`harness.products.product.Product`."""

from __future__ import annotations

from harness.products.apic.manifests import CONFIGURE, KEYS
from harness.products.apic.operations.files import OPERATIONS
from harness.products.apic.secrets import PKI
from harness.products.apic.target_rules import contradictions
from harness.products.apic.variants import VARIANTS
from harness.products.product import Product

_EVENTS = (
    "management-to-analytics",
    "api-gateway-to-analytics",
    "v5c-gateway-to-analytics",
    "event-gateway-to-analytics",
)
_GATEWAYS = ("management-to-api-gateway", "management-to-v5c-gateway", "management-to-event-gateway")
_PLATFORM = ("portal-to-management", "gateway-to-management", "analytics-to-management")

APIC = Product(
    name="apic",
    switched=True,
    title="IBM API Connect",
    pki=PKI,
    keys=KEYS,
    configure=CONFIGURE,
    variants=VARIANTS,
    actions={
        "management-to-portal": "register-portal",
        **dict.fromkeys(_EVENTS, "publish-event"),
        **dict.fromkeys(_GATEWAYS, "register-gateway"),
        **dict.fromkeys(_PLATFORM, "call-platform"),
        "jwks-fetch": "fetch-keys",
    },
    # A gateway presents to analytics what management gave it when the gateway service was registered.
    registered=frozenset(_EVENTS[1:]),
    registration="register-gateway",
    subsystems=("harness.subsystems.apic.kinds",),
    # The built-in reference has everything, which no single platform and version has.
    features=frozenset(
        {"management-jwt", "ingestion-jwt", "event-gateway", "gateway-mtls", "in-cluster", "client-revocation"}
    ),
    contradictions=contradictions,
    ingestion="api-gateway-to-analytics",
    out_of_scope=(
        "Out of scope: gateway peering, replication between data centres, traffic inside a subsystem, API invocation."
    ),
    files=OPERATIONS,
)
