"""The states that flows pass through on the way of the plan, for the embedded lab to be put into."""

from __future__ import annotations

from collections.abc import Iterator

from harness.model.vocabulary import Path, Posture
from harness.products.apic.operations.plan import Wanted
from harness.products.apic.rules.view import Subsystem
from harness.products.rules import TwinState


def posture_of(server: Subsystem) -> Posture:
    """What *server* is configured to."""
    if server.validates:
        return Posture.BOTH if server.jwks else Posture.MTLS
    return Posture.JWT if server.jwks else Posture.TLS_ONLY


def states(wanted: Wanted) -> tuple[TwinState, ...]:
    """Before, each step, after; and what would become of it if the balancer terminated first."""
    servers = {each.flow.name: each.server for each in wanted.asked}
    return tuple(state for flow, server in servers.items() for state in _of(flow, server))


def _of(flow: str, server: Subsystem) -> Iterator[TwinState]:
    now = posture_of(server)
    yield TwinState("before", flow, now, Path.PASSTHROUGH)
    if server.validates:
        yield TwinState("wrong order: terminated", flow, now, Path.TERMINATING)
    if not server.jwks:
        yield TwinState(
            "the JWT too" if server.validates else "the JWT",
            flow,
            Posture.BOTH if server.validates else Posture.JWT,
            Path.PASSTHROUGH,
        )
    if server.validates:
        yield TwinState("the JWT alone", flow, Posture.JWT, Path.PASSTHROUGH)
    yield TwinState("after: terminated", flow, Posture.JWT, Path.TERMINATING)
