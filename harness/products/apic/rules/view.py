"""API Connect as a set of files shows it: its subsystems, what configures each, and the certificates of the tables.

A subsystem is configured by a custom resource of its own or by its section of a top-level ``APIConnectCluster``; the
operator then generates the former from the latter, and an export holds both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import PurePath

from cryptography import x509

from harness.decode.exported_certificates import Held
from harness.model.resource import Resource
from harness.pki.signatures import Issuers
from harness.products.apic.rules import certificates as table
from harness.products.apic.rules.certificates import Row, row_of
from harness.products.apic.rules.profiles import NEWEST, Profile, Release, before, parse, profile_of
from harness.products.apic.rules.subsystem import (
    ANALYTICS,
    DEVPORTAL,
    EVENTS,
    GATEWAY,
    KEYS,
    MANAGEMENT,
    PORTAL,
    SHORT,
    SWITCH,
    TOP,
    Known,
    Subsystem,
    placeholder,
    release_of,
)
from harness.products.rules import Question

KINDS = {
    "ManagementCluster": MANAGEMENT,
    "PortalCluster": PORTAL,
    "DevPortalCluster": DEVPORTAL,
    "AnalyticsCluster": ANALYTICS,
    "GatewayCluster": GATEWAY,
    "EventGateway": EVENTS,
    "EventGatewayCluster": EVENTS,
}
_SECTIONS = (MANAGEMENT, PORTAL, ANALYTICS, GATEWAY)


class View:
    """The files of a question, as API Connect."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.now = question.now
        self._signers: dict[x509.Certificate, list[x509.Certificate]] = {}
        self._cluster_of = _clusters(question.files.resources)
        tops = [each for each in question.files.of(TOP) if _is_ours(each)]
        self.tops = list(self._once(tops))
        self.instances = frozenset(each.name for each in self.tops if each.name)
        self.stated = [*self._sections(), *self._own()]

    def cluster(self, resource: Resource | None, file: str = "") -> str:
        """Which cluster an object is from: a folder, where two folders have objects of the same names."""
        if not self._cluster_of:
            return ""
        return str(PurePath(resource.file if resource else file).parent)

    def of(self, *kinds: str) -> Iterator[Subsystem]:
        """The subsystems of *kinds*, each once, as what is in force says: the generated resource before the section."""
        for each in self.stated:
            if each.kind in kinds and not (each.top_level and self.generated(each)):
                yield each

    def generated(self, section: Subsystem) -> list[Subsystem]:
        """The resources that the operator made of a *section* of a top-level resource."""
        return [
            each
            for each in self.stated
            if not each.top_level
            and (each.kind, each.namespace, each.cluster) == (section.kind, section.namespace, section.cluster)
            and each.owner == section.resource.name
        ]

    def alone(self) -> bool:
        """Whether the files hold one deployment at most, so that what is in them belongs together."""
        return self._managements <= 1

    @cached_property
    def _managements(self) -> int:
        return sum(1 for _ in self.of(MANAGEMENT))

    def together(self, one: Subsystem, other: Subsystem) -> bool:
        """Whether the two certainly belong to one deployment."""
        return self.alone() or (one.namespace, one.cluster) == (other.namespace, other.cluster)

    @cached_property
    def release(self) -> Release:
        """The release that was asked for, or the newest that the files name."""
        if self.question.release:
            return parse(self.question.release)
        return max((*(each.release for each in self.stated), *map(release_of, self.tops)), default=())

    def release_of(self, subsystem: Subsystem) -> Release:
        """The release that *subsystem* is judged as."""
        return parse(self.question.release) if self.question.release else subsystem.release or self.release

    @cached_property
    def profile(self) -> Profile:
        """The facts in force."""
        return profile_of(self.release) or NEWEST

    def row(self, name: str) -> Row | None:
        """The row of the tables that the object called *name* stands for; in a release without it, the name is free."""
        row = row_of(name, self.instances)
        return None if row is None or before(self.release, row.since) else row

    @cached_property
    def unknown_kinds(self) -> list[str]:
        """The kinds of subsystems in the files that no rule is about."""
        clusters = (each for each in self.question.files.resources if each.kind.endswith("Cluster") and _is_ours(each))
        return sorted({each.kind for each in clusters} - {*KINDS, TOP})

    @cached_property
    def platform(self) -> str:
        """Where it runs, as far as the files show."""
        if self.question.platform:
            return self.question.platform
        groups = {each.group for each in self.question.files.resources}
        if "integration.ibm.com" in groups:
            return "cp4i"
        # The operator takes a top-level resource on OpenShift alone.
        if self.tops or any(group.endswith("openshift.io") for group in groups):
            return "openshift"
        return "kubernetes"

    @cached_property
    def requests(self) -> list[Known]:
        """The cert-manager ``Certificate`` objects that the tables know."""
        known = ((self.row(each.name), each) for each in self.certificate_objects)
        return [Known(row, it.name, it.namespace, self.cluster(it), it) for row, it in known if row is not None]

    @cached_property
    def certificate_objects(self) -> list[Resource]:
        """cert-manager's ``Certificate`` objects, whether or not the tables know them."""
        return [each for each in self._once(self.question.files.of("Certificate")) if "cert-manager" in each.group]

    @cached_property
    def held(self) -> list[Known]:
        """The certificates that the tables know: what each presents, or a CA."""
        found = []
        for held in self.question.certificates.presented():
            row = self.row(held.name)
            if row is not None and (held.resource is None or held.resource.kind == "Secret"):
                cluster = self.cluster(held.resource, held.file)
                found.append(Known(row, held.name, held.namespace, cluster, held.resource, held))
        return found

    @cached_property
    def empty(self) -> list[Resource]:
        """The TLS Secrets that the tables know and that hold no certificate: the export left it out."""
        full = {id(held.resource) for held in self.question.certificates.presented()}
        return [
            each
            for each in self._once(self.question.files.of("Secret"))
            if id(each) not in full
            and self.row(each.name) is not None
            and (each.root.text("type") == "kubernetes.io/tls" or each.root.at("data", "tls.crt") is not None)
        ]

    @cached_property
    def issuers(self) -> Issuers:
        """Every certificate of the files, to look for who signed whom."""
        return Issuers(held.certificate for held in self.question.certificates.held)

    @cached_property
    def by_row(self) -> dict[str, list[Known]]:
        """Certificates and requests by the name of their row."""
        found: defaultdict[str, list[Known]] = defaultdict(list)
        for known in (*self.held, *self.requests):
            found[known.row.name].append(known)
        return found

    @cached_property
    def authorities(self) -> dict[tuple[str, str, str], list[Known]]:
        """The CAs that the files hold, by the name of their row, namespace and cluster."""
        found: defaultdict[tuple[str, str, str], list[Known]] = defaultdict(list)
        for known in self.held:
            if known.row.use == table.CA:
                found[known.row.name, known.namespace, known.cluster].append(known)
        return found

    def beside(self, held: Held) -> list[Held]:
        """Every certificate of the same Secret or file."""
        return self._beside[held.file, held.namespace, held.name]

    @cached_property
    def _beside(self) -> dict[tuple[str, str, str], list[Held]]:
        found: defaultdict[tuple[str, str, str], list[Held]] = defaultdict(list)
        for held in self.question.certificates.held:
            found[held.file, held.namespace, held.name].append(held)
        return found

    def signers(self, certificate: x509.Certificate) -> list[x509.Certificate]:
        """The certificates of the files whose key signed *certificate*."""
        if certificate not in self._signers:
            self._signers[certificate] = self.issuers.signers(certificate)
        return self._signers[certificate]

    def secrets_called(self, name: str, subsystem: Subsystem) -> list[Held]:
        """What the Secret *name* beside *subsystem* presents."""
        return [
            held
            for held in self._by_secret.get(name, [])
            if held.namespace in ("", subsystem.namespace) or not subsystem.namespace
            if self.cluster(held.resource, held.file) == subsystem.cluster
        ]

    @cached_property
    def _by_secret(self) -> dict[str, list[Held]]:
        found: defaultdict[str, list[Held]] = defaultdict(list)
        for held in self.question.certificates.presented():
            found[held.name].append(held)
        return found

    def _sections(self) -> Iterator[Subsystem]:
        for top in self.tops:
            for kind in _SECTIONS:
                if top.root.fields("spec", kind):
                    yield Subsystem(kind, top, ("spec", kind), self.cluster(top))

    def _own(self) -> Iterator[Subsystem]:
        ours = (each for each in self.question.files.of(*KINDS) if _is_ours(each) or each.kind.startswith("Event"))
        for resource in self._once(ours):
            kind = KINDS[resource.kind]
            yield Subsystem(kind, resource, ("spec",), self.cluster(resource), self._owner(resource, kind))

    def _owner(self, resource: Resource, kind: str) -> str:
        for reference in resource.root.items("metadata", "ownerReferences"):
            if reference.text("kind") == TOP:
                return reference.text("name")
        if kind not in _SECTIONS:
            return ""  # no section of a top-level resource makes one
        beside = (top for top in self.tops if top.namespace == resource.namespace)
        suffix = f"-{SHORT[kind]}"
        return next((top.name for top in beside if resource.name == f"{top.name}{suffix}"), "")

    def _once(self, resources: Iterable[Resource]) -> Iterator[Resource]:
        """*resources* without what was exported twice."""
        met: defaultdict[tuple[str, ...], list[Resource]] = defaultdict(list)
        for each in resources:
            same = met[self.cluster(each), each.kind, each.namespace, each.name]
            if not any(other.root.digest() == each.root.digest() for other in same):
                same.append(each)
                yield each


def _is_ours(resource: Resource) -> bool:
    return resource.group == "apiconnect.ibm.com" or resource.group.endswith(".apiconnect.ibm.com")


def _clusters(resources: Iterable[Resource]) -> bool:
    """Whether folders stand for clusters: an object of the same name differs between two of them."""
    watched = {*KINDS, TOP, "Secret", "Certificate"}
    met: dict[tuple[str, str, str], tuple[str, bytes]] = {}
    for each in resources:
        if each.kind not in watched:
            continue
        folder = str(PurePath(each.file).parent)
        before = met.setdefault((each.kind, each.namespace, each.name), (folder, each.root.digest()))
        if before[0] != folder and before[1] != each.root.digest():
            return True
    return False


__all__ = [
    "ANALYTICS",
    "DEVPORTAL",
    "EVENTS",
    "GATEWAY",
    "KEYS",
    "KINDS",
    "MANAGEMENT",
    "PORTAL",
    "SWITCH",
    "TOP",
    "Known",
    "Subsystem",
    "View",
    "placeholder",
]
