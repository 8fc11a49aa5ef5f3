"""What the files hold of a CA: where it is, what it signed and where, who talks to whom under it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from harness.decode.exported_certificates import Held
from harness.errors import UsageError
from harness.model.resource import Resource
from harness.pki.signatures import may_sign, signed_by
from harness.products.apic.operations import trust_state as parts
from harness.products.apic.operations.trust_state import DEFAULT_LINKS, Link
from harness.products.apic.rules.certificates import (
    INGRESS,
    INGRESS_CA,
    MANAGEMENT_CA,
    OF_ENDPOINT,
    OF_ISSUER,
    Row,
    issuer_matches,
)
from harness.products.apic.rules.trust import issued_by_name
from harness.products.apic.rules.view import (
    ANALYTICS,
    DEVPORTAL,
    EVENTS,
    GATEWAY,
    MANAGEMENT,
    PORTAL,
    Known,
    Subsystem,
    View,
)

COPIED = (INGRESS_CA, MANAGEMENT_CA)
"""The CAs that subsystems in other namespaces and data centres have copies of."""
_UNDER_INGRESS = (MANAGEMENT, PORTAL, DEVPORTAL, ANALYTICS, GATEWAY)
_ANNOTATION = "cert-manager.io/issuer-name"


@dataclass(frozen=True, order=True)
class Site:
    """A namespace of a cluster; ``cluster`` is '' where the files are of one."""

    cluster: str
    namespace: str

    @property
    def title(self) -> str:
        """What a person calls it."""
        where = f"namespace {self.namespace}" if self.namespace else "the current namespace"
        return f"{where} of the cluster in {self.cluster}" if self.cluster else where


@dataclass(frozen=True)
class Leaf:
    """A secret under the CA: ``row`` is its row of the tables, ``former`` that a former key of the CA signed it,
    ``own`` that an issuer of the organization's own issues it."""

    name: str
    site: Site
    row: Row | None
    former: bool = False
    own: bool = False


class Inventory:
    """What *view* holds of the CA of *row*."""

    def __init__(self, view: View, row: Row) -> None:
        self.view, self.row = view, row
        managements = list(view.of(MANAGEMENT))
        if len(managements) > 1 and not all(each.two_data_centres for each in managements):
            raise UsageError(
                f"several deployments: {', '.join(each.resource.label for each in managements)}",
                hint="give the files of one",
            )
        self.known = view.by_row.get(row.name, [])
        self.held = [each for each in self.known if each.held]
        self.origin = self._origin()

    def _origin(self) -> Site:
        kind = self.row.subsystem
        homes = [_site(each) for each in self.view.of(kind)]
        requested = [Site(each.cluster, each.namespace) for each in self.known if each.held is None]
        # Of two data centres, the one that has the Certificate object issues.
        both = [home for home in homes if home in requested]
        if not homes:
            homes = [Site(self.view.cluster(top), top.namespace) for top in self.view.tops]
        found = both or homes or requested or [Site(each.cluster, each.namespace) for each in self.held]
        found = found or [_site(each) for each in self.view.stated]
        return found[0] if found else Site("", "")

    @property
    def name(self) -> str:
        """The name of its secret."""
        for each in (*self.held, *self.known):
            if (each.cluster, each.namespace) == (self.origin.cluster, self.origin.namespace):
                return each.name
        top = next((top for top in self.view.tops if top.namespace == self.origin.namespace), None)
        return f"{top.name}-{self.row.short}" if top else self.known[0].name if self.known else self.row.name

    @property
    def current(self) -> Held | None:
        """Its certificate where it is issued."""
        found = [each.held for each in self.held if Site(each.cluster, each.namespace) == self.origin]
        return found[0] if found else self.held[0].held if self.held else None

    @property
    def copies(self) -> list[Site]:
        """Where it has to be copied to: the sites of subsystems in other namespaces and data centres."""
        if self.row.name not in COPIED:
            return []
        sites = {Site(each.cluster, each.namespace) for each in self.held}
        if self.row.name == INGRESS_CA:
            sites |= {_site(each) for each in self.view.of(*_UNDER_INGRESS)}
        return sorted(sites - {self.origin})

    @property
    def requests(self) -> list[Known]:
        """The Certificate objects that ask for it."""
        return [each for each in self.known if each.held is None]

    @property
    def leaves(self) -> list[Leaf]:
        """Every secret under it, once, in the order in which they are renewed."""
        issuer = next(name for name, authority in OF_ISSUER.items() if authority == self.row.name)
        found: dict[tuple[Site, str], Leaf] = {}
        for leaf in (*self._held(issuer), *self._requested(issuer), *self._named(issuer), *self._others(issuer)):
            met = found.get((leaf.site, leaf.name))
            if met is None or (leaf.former and not met.former) or leaf.own:
                found[leaf.site, leaf.name] = leaf
            elif met.row is None and leaf.row is not None:
                found[leaf.site, leaf.name] = replace(met, row=leaf.row)
        return sorted(found.values(), key=lambda leaf: (leaf.site, leaf.name))

    def _held(self, issuer: str) -> Iterator[Leaf]:
        for held in self.view.question.certificates.presented():
            if held.resource is None or held.resource.kind != "Secret" or may_sign(held.certificate):
                continue
            named = held.resource.root.text("metadata", "annotations", _ANNOTATION)
            row = self.view.row(held.name)
            under = issuer_matches(named, issuer, self.view.instances) or self._signed(held)
            if under or (row is not None and row.issuer == issuer and not named):
                site = Site(self.view.cluster(held.resource), held.namespace)
                yield Leaf(held.name, site, row, former=self._former(held))

    def _signed(self, held: Held) -> bool:
        return any(each.held and signed_by(held.certificate, each.held.certificate) for each in self.held)

    def _former(self, held: Held) -> bool:
        """Whether it names the CA as its issuer, and the CA's present key did not sign it."""
        current = self.current
        return (
            current is not None
            and held.certificate.issuer == current.certificate.subject
            and not signed_by(held.certificate, current.certificate)
        )

    def _requested(self, issuer: str) -> Iterator[Leaf]:
        for known in self.view.requests:
            assert known.resource is not None
            if known.row.issuer == issuer:
                name = known.resource.root.text("spec", "secretName") or known.name
                ours = issuer_matches(issued_by_name(known), issuer, self.view.instances)
                yield Leaf(name, Site(known.cluster, known.namespace), known.row, own=not ours)

    def _others(self, issuer: str) -> Iterator[Leaf]:
        """Certificates that the tables do not know and this CA's issuer is asked for."""
        for each in self.view.certificate_objects:
            named = each.root.text("spec", "issuerRef", "name")
            if self.view.row(each.name) is None and issuer_matches(named, issuer, self.view.instances):
                yield Leaf(each.root.text("spec", "secretName") or each.name, self._at(each), None)

    def _at(self, resource: Resource) -> Site:
        return Site(self.view.cluster(resource), resource.namespace)

    def _named(self, issuer: str) -> Iterator[Leaf]:
        """Server secrets that custom resources name; cert-manager's ingress shim asks for those with an annotation."""
        for each in self.view.of(*_UNDER_INGRESS) if issuer == INGRESS else ():
            for name, annotated, served in secrets_of(each):
                held = self.view.secrets_called(name, each)
                elsewhere = any(not self._signed(one) and not self._former(one) for one in held) and self.current
                if issuer_matches(annotated, issuer, self.view.instances) and not elsewhere:
                    yield Leaf(name, _site(each), self.view.row(name) or OF_ENDPOINT.get(served))

    @property
    def links(self) -> tuple[Link, ...]:
        """The flows of these files that this CA's certificates protect."""
        if self.row.name == INGRESS_CA:
            return tuple(self._external()) or DEFAULT_LINKS
        return tuple(self._in_cluster()) if self.row.name == MANAGEMENT_CA else ()

    def _external(self) -> Iterator[Link]:
        has_analytics = [each.validates for each in self.view.of(ANALYTICS)]
        for each in self.view.of(PORTAL, ANALYTICS, GATEWAY, EVENTS):
            flow = flow_to(each)
            part = {PORTAL: parts.DIRECTOR, ANALYTICS: parts.INGESTION, EVENTS: parts.EVENT_GATEWAY}
            yield Link(
                flow, parts.MANAGEMENT, part.get(each.kind, parts.GATEWAYS), each.validates or each.kind == EVENTS
            )
            if each.kind in (GATEWAY, EVENTS) and has_analytics:
                sender = flow.removeprefix("management-to-")
                yield Link(f"{sender}-to-analytics", parts.SENDERS, parts.INGESTION, any(has_analytics))
            if each.kind in REST and not in_cluster(each):
                yield self._rest(each)

    def _in_cluster(self) -> Iterator[Link]:
        for each in self.view.of(PORTAL, ANALYTICS, GATEWAY):
            if in_cluster(each):
                yield self._rest(each)

    @staticmethod
    def _rest(each: Subsystem) -> Link:
        name = "mgmtPlatformEndpointSvcCASecret" if in_cluster(each) else "mgmtPlatformEndpointCASecret"
        validated = each.top_level or bool(each.owner) or bool(each.spec.text(name, "secretName"))
        return Link(f"{each.kind}-to-management", REST[each.kind], parts.PLATFORM, mutual=False, validated=validated)


REST = {PORTAL: parts.PORTAL_REST, ANALYTICS: parts.ANALYTICS_REST, GATEWAY: parts.GATEWAY_REST}


def _site(each: Subsystem) -> Site:
    return Site(each.cluster, each.namespace)


def flow_to(each: Subsystem) -> str:
    """The flow from management that ends at *each*."""
    if each.kind == GATEWAY:
        return f"management-to-{'v5c' if each.v5c else 'api'}-gateway"
    return f"management-to-{each.kind}"


def in_cluster(each: Subsystem) -> bool:
    """Whether *each* calls the platform API as a service of the cluster."""
    try:
        host = urlsplit(each.jwks).hostname or ""
    except ValueError:
        return False
    return host.endswith((".svc", ".svc.cluster.local"))


def secrets_of(each: Subsystem) -> Iterator[tuple[str, str, str]]:
    """The TLS secrets of the endpoints of *each*: the issuer that its annotation names, and which endpoint it is."""
    blocks = [(name, block) for name, block in each.spec.fields().items() if name.endswith("Endpoint")]
    if (ingestion := each.spec.at("ingestion", "endpoint")) is not None:
        blocks.append(("ingestion", ingestion))
    for served, block in blocks:
        issuer = block.text("annotations", "cert-manager.io/issuer")
        yield from ((name, issuer, served) for host in block.items("hosts") if (name := host.text("secretName")))
