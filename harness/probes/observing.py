"""Facts that need no request of ours: handshakes to compare, and the account of a client under test."""

from __future__ import annotations

from collections.abc import Mapping

from harness.decode.certificates import view
from harness.lab import Entrypoint
from harness.model.observations import Compared, DrivenClient, Met
from harness.wire.handshake import Handshake, look


def account(report: Mapping[str, object]) -> DrivenClient:
    """What a client under test says of its own request, which crossed a process border."""
    status, error, port = report.get("status"), report.get("error"), report.get("local_port")
    return {
        "status": status if isinstance(status, int) else None,
        "error": str(error or ""),
        "local_port": port if isinstance(port, int) else None,
    }


def compare(entrypoint: Entrypoint) -> Compared:
    """Two handshakes: with what answers, and with the server itself where it is known how to reach it."""
    compared: Compared = {"own": entrypoint.server_leaf_sha256, "front": _met(look(entrypoint.address))}
    if entrypoint.origin is not None:
        compared["direct"] = _met(look(entrypoint.origin))
    return compared


def _met(seen: Handshake) -> Met:
    leaf = view(seen.chain[0]).sha256 if seen.chain else ""
    return {"leaf": leaf, "asked": seen.asked, "fault": seen.fault or seen.failed}
