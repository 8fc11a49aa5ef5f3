"""Facts that need no request of ours: handshakes to compare."""

from __future__ import annotations

from harness.decode.certificates import view
from harness.lab import Entrypoint
from harness.model.observations import Compared, Met
from harness.wire.handshake import Handshake, look


def compare(entrypoint: Entrypoint) -> Compared:
    """Two handshakes: with what answers, and with the server itself where it is known how to reach it."""
    compared: Compared = {"own": entrypoint.server_leaf_sha256, "front": _met(look(entrypoint.address))}
    if entrypoint.origin is not None:
        compared["direct"] = _met(look(entrypoint.origin))
    return compared


def _met(seen: Handshake) -> Met:
    leaf = view(seen.chain[0]).sha256 if seen.chain else ""
    return {"leaf": leaf, "asked": seen.asked, "fault": seen.fault or seen.failed}
