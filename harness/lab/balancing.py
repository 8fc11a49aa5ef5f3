"""What a balancer is told to be: how each path is balanced, and what a faulty balancer does instead."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from harness.model.catalogue import Server
from harness.model.fault import Fault
from harness.model.vocabulary import Path

Behaviours = dict[str, Any]


def _fault(name: str, summary: str, *implies: str) -> Fault:
    return Fault(name=name, area="flows", on=("balancer",), summary=summary, implies=implies, where="balancer")


BALANCER_FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        _fault("balancer-holds-client-key", "The balancer was given management's client key and acts as management."),
        _fault("balancer-strips-authorization", "The balancer drops the Authorization header.", "JWT-1", "JWT-5"),
        _fault(
            "balancer-alters-authorization",
            "The balancer sends on another Authorization header than it got.",
            "JWT-1",
            "JWT-5",
        ),
        _fault("balancer-rewrites-body", "The balancer changes the payload on its way.", "JWT-5"),
        _fault(
            "passthrough-terminates",
            "What is called a passthrough terminates TLS and reads the payload.",
            *("PKI-*", "CFG-4", "CFG-5", "FLW-1", "FLW-2", "JWT-1", "JWT-2", "JWT-5"),
        ),
    )
}

_BEHAVIOURS: Mapping[str, Behaviours] = {
    "balancer-strips-authorization": {"authorization": "strip"},
    "balancer-alters-authorization": {"authorization": "alter"},
    "balancer-rewrites-body": {"rewrite_body": True},
}


def listener(
    name: str, path: Path, server: Server, port: int, secrets: FilePath, client_secret: str, fault: str
) -> dict[str, Any]:
    """A balancer on *path* before *server*, listening on *port*; *client_secret* is whose key a faulty one holds."""
    mode = Path.TERMINATING if fault == "passthrough-terminates" else path
    terminating = mode is Path.TERMINATING
    behaviours = dict(_BEHAVIOURS.get(fault, {})) if terminating else {}
    if terminating and fault == "balancer-holds-client-key":
        behaviours["client_certificate"] = str(secrets / client_secret / "tls-combined.pem")
    return {
        "id": name,
        "mode": str(mode),
        "upstream_host": "127.0.0.1",
        "upstream_port": port,
        "server_name": server.host,
        "certificate": str(secrets / f"front-{server.secret}" / "tls-combined.pem") if terminating else None,
        "upstream_ca": str(secrets / server.secret / "ca.crt") if terminating else None,
        "behaviours": behaviours,
    }
