"""How a gateway with a fault is looked at: by target files with modes; through the proxy, where that is at fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.lab import Entrypoint
from harness.lab.reference import ReferenceLab
from harness.model.case import Setup
from harness.model.catalogue import Flow, Server
from harness.model.fault import Fault
from harness.model.vocabulary import Path as FlowPath
from harness.model.vocabulary import Posture

PROXYS = frozenset({"balancer-keeps-certificate-header"})
"""Faults of the proxy before a gateway that show from outside."""
_MODES = (("mandatory", "mandatory"), ("optional", "optional"), ("mandatory", "disabled"), ("optional", "mandatory"))
ONLY = ("apk/*",)
POSTURE = Posture.JWT


def concerns(fault: Fault, server: str) -> bool:
    """Whether *fault* shows in the *server* of a gateway that is asked by its modes."""
    return fault.name in PROXYS or (fault.where == "subsystem" and server in fault.on)


def targets(fault: Fault, flows: Mapping[str, Flow], lab: ReferenceLab) -> Iterator[tuple[Setup, dict[str, Any]]]:
    """What to run: a setup with *fault*, and the target file for it."""
    path = FlowPath.TERMINATING if fault.name in PROXYS else FlowPath.DIRECT
    for mtls, oauth2 in _MODES:
        flow = next(flow for flow in flows.values() if dict(flow.modes) == {"mtls": mtls, "oauth2": oauth2})
        setup = Setup(flow.server.name, POSTURE, path, fault.name)
        door = lab.open([setup])[setup]
        if isinstance(door, Entrypoint):
            yield setup, _target(flow, door, path, lab.secrets)


def _target(flow: Flow, door: Entrypoint, path: FlowPath, secrets: Path) -> dict[str, Any]:
    server: Server = flow.server
    first, second = secrets / flow.client_secret, secrets / f"{flow.client_secret}-2"
    header = {} if path is FlowPath.TERMINATING else {"certificate_header": server.certificate_header}
    return {
        "product": {"name": "gateway", "kind": server.product},
        "environment": "lab",
        "rate": 1000,
        "servers": {
            "gateway": {
                "url": f"https://{door.address.server_name}:{door.address.port}{flow.path}",
                "connect": f"{door.address.host}:{door.address.port}",
                "ca": str(door.ca),
                "path": str(path),
                "modes": dict(flow.modes),
                "request": {"method": flow.method, "body": flow.body, "success": flow.success},
                **header,
            }
        },
        "client": {
            "certificate": str(first / "tls.crt"),
            "key": str(first / "tls.key"),
            "ca": str(first / "ca.crt"),
            "ca_key": str(secrets / "ingress-ca" / "tls.key"),
            "second": {"certificate": str(second / "tls.crt"), "key": str(second / "tls.key")},
        },
        "tokens": {
            "signing_key": str(secrets.parent / "jwt" / "signing.key"),
            "claims": {"iss": server.issuer, "aud": "employees", "sub": "client"},
        },
    }
