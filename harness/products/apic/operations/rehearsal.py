"""The renewal of ingress-ca as the embedded lab carries it out, and the order in which it goes wrong.

What pods do by themselves when a secret is renewed, the lab does in the step that renews it.  A gateway keeps in the
lab nothing of its registration when it restarts; the parts that send events therefore restart with the step in which
management sends them what they present, and are registered there.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.errors import UsageError
from harness.products.apic.operations import trust_state as parts
from harness.products.apic.operations.trust_state import DEFAULT_LINKS, Link, Trust
from harness.products.apic.rules.certificates import CA, INGRESS_CA, row_of
from harness.products.apic.secrets import PKI
from harness.products.rehearsal import LabStep, Order, Part, Rehearsal

_LINKS = (*DEFAULT_LINKS, Link("management-to-event-gateway", parts.MANAGEMENT, parts.EVENT_GATEWAY))
_FLOWS = tuple(link.flow for link in _LINKS)
_SENDERS = ("api-gateway-to-analytics", "v5c-gateway-to-analytics")
_LEAVES = tuple(name for name, secret in PKI.secrets.items() if secret.issuer == INGRESS_CA)
_REST = (Part(client_of="analytics-to-management"), Part(client_of="gateway-to-management"))
_BY_THEMSELVES = tuple(
    Part(server=name) for name in ("portal", "api-gateway", "v5c-gateway", "event-gateway", "platform-api")
)
_MANAGEMENT = (Part(client_of="management-to-portal"), *(Part(client_of=flow) for flow in _SENDERS))


def rehearsal(name: str) -> Rehearsal:
    """The rehearsal of the CA *name*; raises :class:`UsageError` for one whose renewal the lab cannot show."""
    if (row := row_of(name)) is None or row.use != CA:
        raise UsageError(f"{name!r} is no CA of API Connect", hint=f"hopproof renew {INGRESS_CA} --rehearse")
    if row.name != INGRESS_CA:
        raise UsageError(
            f"{name} cannot be rehearsed: it signs what stays inside a subsystem, and the lab has no traffic there",
            hint=f"hopproof renew {INGRESS_CA} --rehearse",
        )
    return Rehearsal(
        "The renewal of ingress-ca in the reference lab",
        _FLOWS,
        Order("The order of the runbook", _right()),
        Order("The wrong order: the CA and all restarts first, what it signed afterwards", _wrong()),
    )


_Change = Callable[[Trust], None]


class _Steps:
    def __init__(self) -> None:
        self._trust, self.all = Trust(_LINKS), list[LabStep]()

    def add(
        self,
        title: str,
        change: _Change,
        *,
        renew: tuple[str, ...] = (),
        restart: tuple[Part, ...] = (),
        register: tuple[str, ...] = (),
    ) -> None:
        change(self._trust)
        self.all.append(LabStep(title, renew, restart, register, self._trust.down()))

    def renew_ca(self) -> None:
        self.add(
            "Renew ingress-ca",
            lambda trust: trust.trust((parts.ANALYTICS_REST, parts.GATEWAY_REST)),
            renew=(INGRESS_CA,),
            restart=_REST,
            register=_SENDERS[:1],
        )

    def renew_leaves(self) -> None:
        self.add(
            "Renew what ingress-ca signed",
            lambda trust: trust.renew((parts.DIRECTOR, parts.GATEWAYS, parts.EVENT_GATEWAY, parts.PLATFORM)),
            renew=_LEAVES,
            restart=_BY_THEMSELVES,
        )

    def restart_management(self, change: _Change) -> None:
        self.add("Restart apim, taskmanager, analytics-proxy", change, restart=_MANAGEMENT, register=_SENDERS)

    def restart_ingestion(self, change: _Change) -> None:
        self.add("Restart mtls-gw", change, restart=(Part(server="analytics"),))

    def restart_portal(self) -> None:
        self.add(
            "Restart portal-www",
            lambda trust: trust.trust((parts.PORTAL_REST,)),
            restart=(Part(client_of="portal-to-management"),),
        )


def _right() -> tuple[LabStep, ...]:
    steps = _Steps()
    steps.renew_ca()
    steps.renew_leaves()
    steps.restart_management(lambda trust: trust.renew((parts.MANAGEMENT, parts.SENDERS)))
    steps.restart_ingestion(lambda trust: trust.renew((parts.INGESTION,)))
    steps.restart_portal()
    return tuple(steps.all)


def _wrong() -> tuple[LabStep, ...]:
    """As after cert-manager's automatic renewal: everything restarts, with certificates of the former CA."""
    steps = _Steps()
    steps.renew_ca()
    steps.restart_management(lambda trust: trust.trust((parts.MANAGEMENT, parts.SENDERS)))
    steps.restart_ingestion(lambda trust: None)
    steps.restart_portal()
    steps.renew_leaves()
    steps.restart_management(lambda trust: trust.renew((parts.MANAGEMENT, parts.SENDERS)))
    steps.restart_ingestion(lambda trust: trust.renew((parts.INGESTION,)))
    return tuple(steps.all)
