"""The gateways' manager endpoint: management registers a gateway service there and publishes APIs to it.

Paths and bodies are an assumption; the documents only name the two requests.
"""

from __future__ import annotations

from harness.subsystems.portal import Registrations


class Gateway(Registrations):
    """API gateway, v5 compatible gateway, event gateway: each of the two requests is protected alike."""

    prefixes = ("/mgmt/services/", "/mgmt/apis/")
