"""One subsystem of API Connect as an object of the files configures it, and one certificate of the tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from harness.decode.exported_certificates import Held
from harness.model.resource import Located, Resource
from harness.products.apic.rules.certificates import Row
from harness.products.apic.rules.profiles import Release, parse
from harness.products.rules import Place

MANAGEMENT, PORTAL, ANALYTICS, GATEWAY, EVENTS = "management", "portal", "analytics", "gateway", "event-gateway"
DEVPORTAL = "developer-portal"  # of 12.1, beside the CMS portal
SWITCH, KEYS = "mtlsValidateClient", "jwksUrl"
TOP = "APIConnectCluster"
SHORT = {MANAGEMENT: "mgmt", PORTAL: "ptl", ANALYTICS: "a7s", GATEWAY: "gw"}
_PLACEHOLDER = re.compile(r"\$\{?\w+|\$\(|<[^>]*>|\{\{|%\w+%|__\w+__|@\w+@")


def placeholder(text: str) -> bool:
    """Whether *text* is a template's placeholder."""
    return bool(_PLACEHOLDER.search(text))


@dataclass(frozen=True, eq=False)
class Subsystem:
    """What one object says of one subsystem: its settings stand under ``path`` of ``resource``.

    ``owner`` is the top-level resource that it was generated from, '' where a person writes it.
    """

    kind: str
    resource: Resource
    path: tuple[str, ...]
    cluster: str
    owner: str = ""

    @cached_property
    def spec(self) -> Located:
        """Its settings."""
        return self.resource.root.at(*self.path) or Located(self.resource.root.line, {})

    @property
    def top_level(self) -> bool:
        """Whether it is a section of a top-level resource, which says less than what is in force."""
        return self.resource.kind == TOP

    @property
    def namespace(self) -> str:
        """Where it is."""
        return self.resource.namespace

    @property
    def instance(self) -> str:
        """The name of the subsystem's own resource."""
        name = self.resource.name
        return f"{name}-{SHORT.get(self.kind, self.kind)}" if self.top_level else name

    @property
    def title(self) -> str:
        """What a person calls it: ``portal/portal``."""
        return f"{self.kind} {self.instance}"

    @property
    def release(self) -> Release:
        """The release it says it is, () where it does not."""
        return release_of(self.resource)

    @property
    def jwks(self) -> str:
        """Its JWKS URL; '' where it verifies no token."""
        return self.spec.text(KEYS).strip()

    @property
    def validates(self) -> bool:
        """Whether it verifies client certificates, its default included; a developer portal has no switch."""
        if self.kind == DEVPORTAL:
            return True
        said = self.spec.flag(SWITCH)
        if said is None and self.kind == GATEWAY:
            said = self.spec.flag("validateApimClient")
        return said if said is not None else self.kind != GATEWAY

    @property
    def v5c(self) -> bool:
        """Whether it is a gateway in v5 compatibility mode."""
        return self.kind == GATEWAY and self.spec.flag("apicGatewayServiceV5CompatibilityMode") is True

    @property
    def unread_mode(self) -> bool:
        """Whether it is a gateway whose v5 compatibility mode is written and cannot be read."""
        mode = self.spec.at("apicGatewayServiceV5CompatibilityMode")
        return self.kind == GATEWAY and mode is not None and not isinstance(mode.value, bool | None)

    def sets(self, name: str) -> bool:
        """Whether the setting *name* says something, readable or not."""
        written = self.spec.at(name)
        return written is not None and written.value is not None and bool(not written.is_text or written.text().strip())

    def unfilled(self, name: str) -> bool:
        """Whether the setting *name* is a template's placeholder."""
        return placeholder(self.spec.text(name))

    @property
    def two_data_centres(self) -> bool:
        """Whether it is one half of a two-data-centre deployment."""
        return bool(self.spec.fields("multiSiteHA"))

    def at(self, *path: str | int) -> Place:
        """The place of a setting."""
        return Place.of(self.resource, *self.path, *path)


@dataclass(frozen=True, eq=False)
class Known:
    """A certificate, or the object that asks for one, and the row of the tables that it stands for."""

    row: Row
    name: str
    namespace: str
    cluster: str
    resource: Resource | None = None
    held: Held | None = None


def release_of(resource: Resource) -> Release:
    """The release that a subsystem's or a top-level *resource* says it is, () where it does not."""
    root = resource.root
    return parse(root.text("status", "versions", "reconciled")) or parse(root.text("spec", "version"))
