"""Facts that need no request of ours: handshakes to compare."""

from __future__ import annotations

from harness.decode.certificates import view
from harness.lab import Entrypoint
from harness.model.observations import Compared, Met
from harness.probes.sockets import Sockets
from harness.wire.handshake import Handshake, look


def compare(entrypoint: Entrypoint) -> tuple[Compared, Sockets]:
    """Two handshakes: with what answers, and with the server itself where it is known how to reach it."""
    sockets, front = Sockets(), look(entrypoint.address)
    sockets.add(front.local_port, entrypoint.address.port)
    compared: Compared = {"own": entrypoint.server_leaf_sha256, "front": _met(front)}
    if entrypoint.origin is not None:
        direct = look(entrypoint.origin)
        sockets.add(direct.local_port, entrypoint.origin.port)
        compared["direct"] = _met(direct)
    return compared, sockets


def _met(seen: Handshake) -> Met:
    leaf = view(seen.chain[0]).sha256 if seen.chain else ""
    return {"leaf": leaf, "asked": seen.asked, "fault": seen.fault or seen.failed}
