"""The gateways' manager endpoint: management registers a gateway service there and publishes APIs to it.

Paths and bodies are an assumption; the documents only name the two requests.
"""

from __future__ import annotations

from typing import Any

from harness.subsystems.server.registrations import Registrations


class Gateway(Registrations):
    """API gateway, v5 compatible gateway, event gateway: each of the two requests is protected alike."""

    prefixes = ("/mgmt/services/", "/mgmt/apis/")

    def ingestion(self, newest: bool) -> dict[str, Any] | None:
        """What the newest (or the first) registration gave it to present to analytics; None if there was none."""
        # In the order of registration: a later one replaces what an earlier one brought.
        given = [record["ingestion"] for record in self._records.values() if isinstance(record.get("ingestion"), dict)]
        return given[-1 if newest else 0] if given else None
