"""APK's gateway, once for each reading of what document and public code disagree on, and once set up differently."""

from __future__ import annotations

from functools import partial

from harness.subsystems.apk import faults
from harness.subsystems.apk.gateway import Gateway, gate
from harness.subsystems.apk.policy import GatewayPolicy
from harness.subsystems.server.kind import Kind

__all__ = ["KINDS", "faults"]

_gateway = partial(
    Kind,
    resource="APKGateway",
    endpoint="endpoint",
    application=Gateway,
    gate=gate,
    policy=GatewayPolicy,
    key_cas=("mgmtPlatformEndpointCASecret", "mgmtPlatformEndpointSvcCASecret"),
    keys_path="/api/cloud/oauth2/certs",
)

KINDS = (_gateway("apk-gateway"), _gateway("apk-document-gateway"), _gateway("apk-configured-gateway"))
