"""The gateways' manager endpoint: management registers a gateway service there and publishes APIs to it.

Paths and bodies are an assumption; the documents only name the two requests.
"""

from __future__ import annotations

from typing import Any

from harness.subsystems.portal import Registrations


class Gateway(Registrations):
    """API gateway, v5 compatible gateway, event gateway: each of the two requests is protected alike."""

    prefixes = ("/mgmt/services/", "/mgmt/apis/")

    def ingestion(self) -> dict[str, Any] | None:
        """What the newest registration gave it to present to analytics; None if it was never registered."""
        given = [record["ingestion"] for record in self._records.values() if isinstance(record.get("ingestion"), dict)]
        return given[-1] if given else None
