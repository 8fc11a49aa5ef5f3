"""How a balancer is configured: how each path is balanced, and what a faulty balancer does instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from harness.model.case import Setup
from harness.model.catalogue import Server
from harness.model.fault import Fault
from harness.model.vocabulary import Path
from harness.products.product import Variant

Behaviours = dict[str, Any]


def _fault(name: str, summary: str, *implies: str) -> Fault:
    return Fault(name=name, area="flows", on=("balancer",), summary=summary, implies=implies, where="balancer")


BALANCER_FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        _fault("balancer-holds-client-key", "The balancer was given management's client key and acts as management."),
        _fault(
            "balancer-strips-authorization",
            "The balancer drops the Authorization header.",
            "BAL-*",
            "FLW-1",
            "JWT-*",
            "STS-*",
        ),
        _fault(
            "balancer-alters-authorization",
            "The balancer sends on another Authorization header than it got.",
            *("BAL-*", "FLW-1", "JWT-*", "STS-*"),
        ),
        _fault(
            "balancer-rewrites-body",
            "The balancer changes the payload on its way.",
            "BAL-*",
            "CFG-*",
            "FLW-1",
            "JWT-*",
            "STS-*",
        ),
        _fault("balancer-skips-verification", "The balancer takes any certificate from the server it re-encrypts to."),
        _fault(
            "passthrough-terminates",
            "What is called a passthrough terminates TLS and reads the payload.",
            *("PKI-*", "CFG-4", "CFG-5", "FLW-1", "FLW-2", "JWT-1", "JWT-2", "JWT-5", "JWT-6", "STS-*"),
        ),
    )
}

_BEHAVIOURS: Mapping[str, Behaviours] = {
    "balancer-strips-authorization": {"authorization": "strip"},
    "balancer-alters-authorization": {"authorization": "alter"},
    "balancer-rewrites-body": {"rewrite_body": True},
    "balancer-skips-verification": {"verify_upstream": False},
}


@dataclass(frozen=True)
class Before:
    """What a balancer stands before: the *server* on *port*; *secrets* has everybody's keys, *client_secret* is the one
    whose key the balancer holds where it should not; *impostor* makes the deployment of another CA."""

    server: Server
    port: int
    secrets: FilePath
    client_secret: str
    impostor: Callable[[], FilePath]


def listener(name: str, setup: Setup, before: Before, variant: Variant) -> dict[str, Any]:
    """The order for *setup*'s balancer, as the balancer process takes it."""
    fault = setup.fault
    server = before.server
    terminating = setup.path is Path.TERMINATING or fault == "passthrough-terminates"
    behaviours = {**variant.balancer, **_BEHAVIOURS.get(fault, {})} if terminating else {}
    if terminating and before.client_secret and (variant.holds_client_key or fault == "balancer-holds-client-key"):
        behaviours["client_certificate"] = str(before.secrets / before.client_secret / "tls-combined.pem")
    fronts = before.impostor() / "secrets" if variant.front == "impostor" else before.secrets
    return {
        "id": name,
        "mode": str(Path.TERMINATING if terminating else setup.path),
        "upstream_host": "127.0.0.1",
        "upstream_port": before.port,
        "server_name": server.host,
        "certificate": str(fronts / f"front-{server.secret}" / "tls-combined.pem") if terminating else None,
        "upstream_ca": str(before.secrets / server.secret / "ca.crt") if terminating else None,
        "behaviours": behaviours,
    }
