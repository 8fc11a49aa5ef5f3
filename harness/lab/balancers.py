"""How a balancer is configured: how each path is balanced, and what a faulty balancer does instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath

from harness.model.case import Setup
from harness.model.catalogue import Server
from harness.model.fault import Fault
from harness.model.protocol import LOOPBACK, Behaviours, Listener
from harness.model.vocabulary import Path
from harness.products.product import Variant


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
            "The balancer forwards a changed Authorization header.",
            *("BAL-*", "FLW-1", "JWT-*", "STS-*"),
        ),
        _fault(
            "balancer-rewrites-body",
            "The balancer changes the payload.",
            "BAL-*",
            "CFG-*",
            "FLW-1",
            "JWT-*",
            "STS-*",
        ),
        _fault(
            "balancer-keeps-certificate-header",
            "The balancer forwards a certificate header that the client set itself.",
        ),
        _fault(
            "balancer-sets-no-certificate-header",
            "The balancer terminates TLS and does not forward the client's certificate.",
        ),
        _fault(
            "balancer-skips-verification",
            ("The balancer accepts any certificate from the server that it re-encrypts to."),
        ),
        _fault(
            "passthrough-terminates",
            "The declared passthrough terminates TLS and can read the payload.",
            *("PKI-*", "CFG-4", "CFG-5", "FLW-1", "FLW-2", "JWT-1", "JWT-2", "JWT-5", "JWT-6", "STS-*"),
        ),
        _fault(
            "terminating-passes-through",
            "The declared terminating balancer passes TLS through.",
            *("APK-*", "BAL-*", "CFG-*", "FLW-*", "JWT-*", "STS-*"),
        ),
        _fault(
            "balancer-sends-clear-text",
            "The balancer terminates TLS and forwards the request in clear text.",
            *("APK-*", "BAL-*", "CFG-*", "FLW-*", "JWT-*", "STS-*"),
        ),
    )
}

_CHANGES: Mapping[str, Callable[[Behaviours], Behaviours]] = {
    "balancer-strips-authorization": lambda usual: replace(usual, authorization="strip"),
    "balancer-alters-authorization": lambda usual: replace(usual, authorization="alter"),
    "balancer-rewrites-body": lambda usual: replace(usual, rewrite_body=True),
    "balancer-skips-verification": lambda usual: replace(usual, verify_upstream=False),
    "balancer-keeps-certificate-header": lambda usual: replace(usual, keep_certificate_header=True),
    "balancer-sends-clear-text": lambda usual: replace(usual, upstream_tls=False),
    "balancer-sets-no-certificate-header": lambda usual: replace(usual, certificate_header=""),
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


def listener(name: str, setup: Setup, before: Before, variant: Variant) -> Listener:
    """The order for *setup*'s balancer."""
    fault = setup.fault
    server = before.server
    terminating = fault == "passthrough-terminates" or (
        setup.path is Path.TERMINATING and fault != "terminating-passes-through"
    )
    behaviours = _behaviours(fault, before, variant) if terminating else Behaviours()
    fronts = before.impostor() / "secrets" if variant.foreign_front else before.secrets
    return Listener(
        id=name,
        mode="terminating" if terminating else "passthrough",
        upstream_host=LOOPBACK,
        upstream_port=before.port,
        server_name=server.host,
        certificate=str(fronts / f"front-{server.secret}" / "tls-combined.pem") if terminating else None,
        upstream_ca=str(before.secrets / server.secret / "ca.crt") if terminating else None,
        behaviours=behaviours,
    )


def _behaviours(fault: str, before: Before, variant: Variant) -> Behaviours:
    usual = replace(variant.balancer, certificate_header=before.server.certificate_header)
    behaviours = _CHANGES[fault](usual) if fault in _CHANGES else usual
    if before.client_secret and (variant.holds_client_key or fault == "balancer-holds-client-key"):
        key = str(before.secrets / before.client_secret / "tls-combined.pem")
        return replace(behaviours, client_certificate=key)
    return behaviours
