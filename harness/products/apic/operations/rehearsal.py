"""The renewal of a CA as the embedded lab carries it out, and the orders in which it goes wrong.

What pods do by themselves when a secret is renewed, the lab does in the step that renews it.  A gateway keeps in the
lab nothing of its registration when it restarts; the parts that send events therefore restart with the step in which
management sends them what they present, and are registered there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.errors import UsageError
from harness.products.apic.operations import trust_state as parts
from harness.products.apic.operations.authority import authority
from harness.products.apic.operations.trust_state import DEFAULT_LINKS, Link, Trust
from harness.products.apic.rules.certificates import INGRESS_CA, MANAGEMENT_CA
from harness.products.apic.secrets import PKI
from harness.products.rehearsal import LabStep, Order, Part, Rehearsal


@dataclass(frozen=True)
class _Move:
    """A step: the secrets in ``renews`` are issued again, ``restarts`` restart, the clients of the flows in
    ``registers`` are registered.  Afterwards the parts in ``presents`` have new certificates and trust the new CA, and
    those in ``trusts`` only trust it.  ``replaced`` restarts where another CA has replaced the copy of this one; those
    parts are ``apart`` then."""

    title: str
    renews: tuple[str, ...] = ()
    restarts: tuple[Part, ...] = ()
    registers: tuple[str, ...] = ()
    presents: tuple[str, ...] = ()
    trusts: tuple[str, ...] = ()
    replaced: tuple[Part, ...] = ()
    apart: tuple[str, ...] = ()


_Copy = tuple[str, tuple[_Move, ...]]


@dataclass(frozen=True)
class _Scenario:
    """What the lab shows of a CA's renewal: the flows under it, and each order by its title, the right one first."""

    links: tuple[Link, ...]
    orders: dict[str, tuple[_Move, ...]]
    not_shown: str
    variant: str = ""


_RIGHT = "The order of the runbook"
_ALONE = "Wrong: the CA and all restarts first, what it signed afterwards"
_LEAVES_FIRST = "Wrong: what the CA signed first, then the CA"


def _signed_by(authority: str) -> tuple[str, ...]:
    return tuple(name for name, secret in PKI.secrets.items() if secret.issuer == authority)


def _clients(*flows: str) -> tuple[Part, ...]:
    return tuple(Part(client_of=flow) for flow in flows)


def _servers(*names: str) -> tuple[Part, ...]:
    return tuple(Part(server=name) for name in names)


_REST = ("analytics-to-management", "gateway-to-management")
_SENDERS = ("api-gateway-to-analytics", "v5c-gateway-to-analytics")
_WWW = _clients("portal-to-management")
_PORTAL = _Move("Restart portal-www", restarts=_WWW, trusts=(parts.PORTAL_REST,))


def _overwritten(authority: str, renews: tuple[str, ...], servers: tuple[Part, ...], apart: tuple[str, ...]) -> _Copy:
    """The portal in a namespace of its own, where a Certificate object asks for the CA whose secret is a copy."""
    title = f"Wrong: a Certificate object for {authority} beside the copy in the portal's namespace"
    theirs = (*servers, *_WWW)
    return title, (
        _Move(f"cert-manager replaces the copy of {authority} with another CA", replaced=theirs, apart=apart),
        _Move("Remove the Certificate object, copy again, renew what the copy signed", renews, theirs),
    )


def _ingress_ca() -> _Scenario:
    signed, pods = _signed_by(INGRESS_CA), "Restart apim, taskmanager, analytics-proxy"
    by_themselves = _servers("portal", "api-gateway", "v5c-gateway", "event-gateway", "platform-api")
    management = _clients("management-to-portal", *_SENDERS)
    those = (parts.MANAGEMENT, parts.SENDERS)
    authority = _Move(
        "Renew ingress-ca",
        (INGRESS_CA,),
        _clients(*_REST),
        _SENDERS[:1],
        trusts=(parts.ANALYTICS_REST, parts.GATEWAY_REST),
    )
    leaves = _Move(
        "Renew what ingress-ca signed",
        signed,
        by_themselves,
        presents=(parts.DIRECTOR, parts.GATEWAYS, parts.EVENT_GATEWAY, parts.PLATFORM),
    )
    apim = _Move(pods, restarts=management, registers=_SENDERS, presents=those)
    mtls_gw = _Move("Restart mtls-gw", restarts=_servers("analytics"), presents=(parts.INGESTION,))
    # As after cert-manager's automatic renewal: everything restarts, with certificates of the former CA.
    former = (
        authority,
        _Move(pods, restarts=management, registers=_SENDERS, trusts=those),
        _Move("Restart mtls-gw", restarts=_servers("analytics")),
        _PORTAL,
        leaves,
        apim,
        mtls_gw,
    )
    right = (authority, leaves, apim, mtls_gw, _PORTAL)
    both = (parts.DIRECTOR, parts.PORTAL_REST)
    copied, overwritten = _overwritten(INGRESS_CA, ("portal-admin",), _servers("portal"), both)
    return _Scenario(
        (*DEFAULT_LINKS, Link("management-to-event-gateway", parts.MANAGEMENT, parts.EVENT_GATEWAY)),
        {
            _RIGHT: right,
            _ALONE: former,
            _LEAVES_FIRST: (_Move("Renew what ingress-ca signed", signed, by_themselves), *former),
            copied: (*right, *overwritten),
        },
        "Not shown: gateway peering, replication between data centres, and what browsers and toolkits of users see.",
    )


def _management_ca() -> _Scenario:
    signed, platform = _signed_by(MANAGEMENT_CA), _servers("platform-api")
    authority = _Move(
        "Renew management-ca",
        (MANAGEMENT_CA,),
        _clients(*_REST),
        trusts=(parts.ANALYTICS_REST, parts.GATEWAY_REST),
    )
    leaves = _Move("Renew what management-ca signed", signed, platform, presents=(parts.PLATFORM,))
    right, former = (authority, leaves, _PORTAL), (authority, _PORTAL, leaves)
    copied, overwritten = _overwritten(MANAGEMENT_CA, (), (), (parts.PORTAL_REST,))
    return _Scenario(
        tuple(link for link in DEFAULT_LINKS if link.server == parts.PLATFORM),
        {
            _RIGHT: right,
            _ALONE: former,
            _LEAVES_FIRST: (_Move("Renew what management-ca signed", signed, platform), *former),
            copied: (*right, *overwritten),
        },
        "Not shown: the connections between management's own pods and to its database; here management is one process.",
        variant="in-cluster",
    )


_SCENARIOS = {INGRESS_CA: _ingress_ca, MANAGEMENT_CA: _management_ca}


def rehearsal(name: str) -> Rehearsal:
    """The rehearsal of the CA *name*; raises :class:`UsageError` for one whose renewal the lab cannot show."""
    row = authority(name)
    if row.name not in _SCENARIOS:
        raise UsageError(
            f"{row.name} cannot be rehearsed: it signs only what {row.subsystem}'s own pods use among themselves, and"
            f" whether they trust the CA in {row.name} or the ca.crt beside their own certificate is not documented; no"
            " flow between subsystems depends on it",
            hint=f"hopproof renew {row.name} PATH... prints its runbook; --rehearse knows {', '.join(_SCENARIOS)}",
        )
    scenario = _SCENARIOS[row.name]()
    right, *wrong = (Order(title, tuple(_played(scenario.links, moves))) for title, moves in scenario.orders.items())
    return Rehearsal(
        f"The renewal of {row.name} in the reference lab",
        tuple(link.flow for link in scenario.links),
        right,
        tuple(wrong),
        scenario.variant,
        scenario.not_shown,
    )


def _played(links: tuple[Link, ...], moves: Iterable[_Move]) -> Iterator[LabStep]:
    trust = Trust(links)
    for move in moves:
        trust.renew(move.presents)
        trust.trust(move.trusts)
        trust.separate(move.apart)
        yield LabStep(move.title, move.renews, move.restarts, move.registers, move.replaced, trust.down())
