"""Kinds of services behind an STS.  They are configured, and take their keys, as API Connect's subsystems are."""

from __future__ import annotations

from harness.subsystems.microservices.service import Orders
from harness.subsystems.server.kind import COMPARES_AUDIENCE, Kind

KINDS = (
    Kind(
        "service",
        "Service",
        "endpoint",
        lambda _: Orders(),
        validates=False,
        needs_one=True,
        key_cas=("mgmtPlatformEndpointCASecret", "mgmtPlatformEndpointSvcCASecret"),
        keys_path="/api/cloud/oauth2/certs",
        traits=frozenset({COMPARES_AUDIENCE}),
    ),
)
