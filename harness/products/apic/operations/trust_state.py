"""Which flows work while a CA is being renewed: who holds certificates of the former CA, and who of the new one.

A flow works where the client trusts the CA of the server's certificate and, with mTLS, the server that of the client's.
Two things decide when a part changes over: whether its pods restart by themselves when a secret is renewed (the
documents' tables name those that do not), and that management works with the copies in its database, which it reads
when apim starts.  That analytics and gateways take a renewed CA for their REST calls by themselves, and that gateways
get what they present to analytics from management, follows from the same tables (assumption).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

MANAGEMENT, INGESTION, PLATFORM, DIRECTOR = "management", "ingestion endpoint", "platform API", "portal director"
GATEWAYS, EVENT_GATEWAY, SENDERS = "gateway manager", "event gateway manager", "what gateways present to analytics"
PORTAL_REST, ANALYTICS_REST, GATEWAY_REST = "portal's REST calls", "analytics' REST calls", "gateways' REST calls"


@dataclass(frozen=True)
class Link:
    """A flow between two parts; ``mutual`` where the server verifies the client's certificate, ``validated`` where the
    client verifies the server's."""

    flow: str
    client: str
    server: str
    mutual: bool = True
    validated: bool = True


@dataclass
class Trust:
    """Which parts present a certificate of the new CA, and which trust it; the others do the former.

    Those in ``apart`` have, for both, a third CA: another one has replaced the copy in their namespace.
    """

    links: tuple[Link, ...]
    presents: set[str] = field(default_factory=set)
    trusts: set[str] = field(default_factory=set)
    apart: set[str] = field(default_factory=set)

    def renew(self, parts: Iterable[str]) -> None:
        """*parts* have new certificates and their CA, and use them."""
        for part in parts:
            self.presents.add(part)
            self.trusts.add(part)

    def trust(self, parts: Iterable[str]) -> None:
        """*parts* trust the new CA, and no longer the former."""
        self.trusts.update(parts)

    def separate(self, parts: Iterable[str]) -> None:
        """*parts*, and no others, have a third CA."""
        self.apart = set(parts)

    def down(self) -> tuple[str, ...]:
        """The flows that do not work now."""
        return tuple(dict.fromkeys(link.flow for link in self.links if not self._works(link)))

    def _works(self, link: Link) -> bool:
        together = (link.client in self.apart) == (link.server in self.apart)
        server_is_known = together and (link.client in self.trusts) == (link.server in self.presents)
        client_is_known = together and (link.server in self.trusts) == (link.client in self.presents)
        return (server_is_known or not link.validated) and (client_is_known or not link.mutual)


DEFAULT_LINKS = (
    Link("management-to-portal", MANAGEMENT, DIRECTOR),
    Link("management-to-analytics", MANAGEMENT, INGESTION),
    Link("management-to-api-gateway", MANAGEMENT, GATEWAYS, mutual=False),
    Link("management-to-v5c-gateway", MANAGEMENT, GATEWAYS, mutual=False),
    Link("api-gateway-to-analytics", SENDERS, INGESTION),
    Link("v5c-gateway-to-analytics", SENDERS, INGESTION),
    Link("portal-to-management", PORTAL_REST, PLATFORM, mutual=False),
    Link("gateway-to-management", GATEWAY_REST, PLATFORM, mutual=False),
    Link("analytics-to-management", ANALYTICS_REST, PLATFORM, mutual=False),
)
"""The documented defaults, for files that show no subsystem."""
