"""The steps that take a server from mTLS to JWT, and its balancer from passthrough to termination."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.model.runbook import Command, Step
from harness.products.apic.operations.commands import Kubectl
from harness.products.apic.operations.deployment import PORT, configured_in, host_of, protection
from harness.products.apic.operations.inventory import Site, in_cluster
from harness.products.apic.rules.certificates import INGRESS_CA
from harness.products.apic.rules.view import ANALYTICS, GATEWAY, KEYS, SWITCH, Subsystem, View

_CA = "mgmtPlatformEndpointCASecret"


class Change:
    """What has to change on *server*, whose settings are in ``place``."""

    def __init__(self, view: View, server: Subsystem, url: str) -> None:
        self.view, self.server, self.url = view, server, url
        self.place = configured_in(view, server)
        self.kubectl = Kubectl.of(view, [Site(server.cluster, server.namespace)])

    @property
    def title(self) -> str:
        """What a person calls the server."""
        return self.server.title

    def set(self, **settings: object) -> tuple[Command, ...]:
        """The commands that set *settings*."""
        if self.view.platform == "vmware":
            return self._apicup(settings)
        return (self.kubectl.patch(self.place, dict(settings)),)

    def _apicup(self, settings: dict[str, object]) -> tuple[Command, ...]:
        if self.server.kind == GATEWAY:
            return ()  # configured in DataPower
        names = {KEYS: "jwks-url", SWITCH: "mtls-validate-client"}
        words = [f"{names[name]}={_text(value)}" for name, value in settings.items() if name in names]
        name = self.server.instance
        return (Command.of("apicup", "subsys", "set", name, *words), Command.of("apicup", "subsys", "install", name))

    @property
    def hands(self) -> tuple[str, ...]:
        """What no command does."""
        if self.view.platform == "vmware" and self.server.kind == GATEWAY:
            return ("set it in DataPower, on the API Connect Gateway Service object",)
        return ()

    def now(self, validates: bool, jwks: bool) -> str:
        """What protects the server's flows with these two settings."""
        return f"Verified then: {protection(validates, jwks, self.server.kind)}."


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def steps(changes: Sequence[Change], flows: Sequence[str]) -> tuple[Step, ...]:
    """The steps for all of *changes*: one state after the other, each for every server."""
    return (
        *(step for change in changes for step in _keys(change)),
        *(step for change in changes for step in _sender(change)),
        *(step for change in changes for step in _switch(change)),
        *(_terminate(change) for change in changes),
        _verify(flows),
    )


def _where(change: Change) -> str:
    return f"{change.place.resource.label}, {'.'.join(change.place.path)}"


def _keys(change: Change) -> Iterator[Step]:
    server = change.server
    if not server.jwks:
        restart = (
            "This needs no restart." if server.kind == GATEWAY else "This restarts its pods: a short outage (JWT-11)."
        )
        settings: dict[str, object] = {KEYS: change.url}
        if not (change.place.top_level or in_cluster(server) or server.spec.text(_CA, "secretName")):
            settings = {_CA: {"secretName": INGRESS_CA}, **settings}
        yield Step(
            f"{change.title}: verify the JWT ({_where(change)})",
            f"Management sends a JWT already. {restart} {change.now(server.validates, True)}",
            change.set(**settings),
            by_hand=change.hands,
            requirements=("CFG-3", "CFG-10", "CFG-18"),
            states=False,
        )


def _sender(change: Change) -> Iterator[Step]:
    gateways = [each for each in change.view.of(GATEWAY) if not each.v5c]
    if change.server.kind == ANALYTICS and gateways:
        yield Step(
            f"Let the API gateways send a JWT with their events ({', '.join(each.title for each in gateways)})",
            "Analytics ignores it while mTLS is on. Without it, the next step stops ingestion.",
            by_hand=(
                "Cloud Manager, the gateway service, Use JWT for gateway to analytics; with the CLI"
                " communication_to_analytics_with_jwt: true in gateway-services:update",
                "DataPower 10.5.0.4 only: add dataPowerOverride with jwksUrl, image, license to the gateway's resource",
            ),
            requirements=("CFG-9", "CFG-17"),
            states=False,
        )


def _switch(change: Change) -> Iterator[Step]:
    if change.server.validates:
        only = " Analytics now verifies the JWT for the first time: have the rollback ready." * (
            change.server.kind == ANALYTICS
        )
        yield Step(
            f"{change.title}: stop verifying the certificate ({_where(change)})",
            f"TLS is still passed through.{only} {change.now(False, True)}",
            change.set(**{SWITCH: False}),
            by_hand=(*change.hands, "check that its flows are served before you continue"),
            requirements=("CFG-1", "CFG-4"),
            states=False,
        )


def _terminate(change: Change) -> Step:
    host = host_of(change.server) or "its host"
    return Step(
        f"Balancer in front of {change.title}: terminate TLS for {host}:{PORT}",
        f"To clients it presents a certificate for {host} from a CA that they trust ({INGRESS_CA}, unless they are"
        f" configured with another); it re-encrypts, verifies the server's certificate for {host} under {INGRESS_CA},"
        " and forwards the Authorization header unchanged.",
        by_hand=("the network team does this, with the sheet (--sheet)",),
        requirements=("FLW-4",),
        states=False,
    )


def _verify(flows: Sequence[str]) -> Step:
    return Step(
        "Verify",
        f"Judge {', '.join(dict.fromkeys(flows))} through the balancer with a target file whose endpoints say"
        " posture: jwt and path: terminating: a request without a token must get 401, one without a certificate"
        " be served.",
        (Command.of("hopproof", "run", "--target", "target.yaml"),),
        requirements=("JWT-3", "FLW-4"),
        states=False,
    )
