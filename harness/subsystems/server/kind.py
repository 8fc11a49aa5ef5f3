"""A kind of subsystem: which custom resource describes it, what is its default, what it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from cryptography import x509

from harness.model.observations import DrivenClient
from harness.model.protocol import Destination
from harness.subsystems.server.access import Gate
from harness.subsystems.server.application import Application
from harness.subsystems.server.clock import LabClock
from harness.subsystems.server.policy import ServerPolicy

HALF_HOUR, DAY = 1_800.0, 86_400.0
# What faults may ask of a kind, so that they need no names of servers.
VERIFIES_TOKENS, VERIFIES_CLIENTS = "verifies-tokens", "verifies-clients"
NAMES_ITS_CLIENT, COMPARES_AUDIENCE = "names-its-client", "compares-audience"


@dataclass(frozen=True)
class Making:
    """What a subsystem's application and client half are made from; ``config`` is the file that configures
    it, ``clock`` its own."""

    folder: Path
    counters: Counter[str]
    rules: ServerPolicy
    config: Path
    clock: LabClock


SERVICE_DOMAINS = (".svc", ".svc.cluster.local")


@dataclass(frozen=True)
class PlatformCas:
    """The CAs that verify the key server: where it is reached from outside, and as a service of the cluster.

    None: the configuration names none, so nothing does."""

    external: tuple[x509.Certificate, ...] | None = None
    service: tuple[x509.Certificate, ...] | None = None

    def of(self, url: str) -> tuple[x509.Certificate, ...] | None:
        """Those for the host of *url*."""
        return self.service if str(urlsplit(url).hostname).endswith(SERVICE_DOMAINS) else self.external


@dataclass(frozen=True)
class Acting(Making):
    """What a subsystem's client half is made from besides.

    ``clients`` maps places in its configuration to the secrets of its own client certificates,
    ``platform_authorities`` verify the key server in calls to it, ``application`` is its server half,
    ``sends_event_token`` says whether the product sends a token there.
    """

    clients: Mapping[str, str]
    platform_authorities: PlatformCas
    application: Application
    sends_event_token: bool


class Actor(Protocol):
    """A subsystem's client half."""

    def act(self, reactor: Any, name: str, target: Destination, nonce: str) -> Awaitable[DrivenClient]:
        """Make the request *name* to *target*; raises UsageError for an unknown one."""
        ...


@dataclass(frozen=True)
class Kind:
    """A kind of subsystem.

    ``endpoint`` is where under spec its hosts are; ``validates`` the documented default of its switch for client
    certificates (None: it has no such switch and verifies no client); ``needs_one`` says that mTLS and JWT may not both
    be off; ``can_jwt`` that it has a jwksUrl; ``subjects`` are the places under spec for the client's subject DN, the
    current one first; ``client_secrets`` those of its own client certificates; ``key_cas`` those of the CA of the key
    server, external and in-cluster, and ``keys_path`` the path that its jwksUrl must have;
    ``sends_event_token`` that it can send a JWT with events; ``reloads`` that it takes over a changed jwksUrl as it
    runs; ``key_lifetime`` is in seconds; ``traits`` is what else faults may ask of it;
    ``gate`` makes what lets requests in, of the usual gate and the application; ``policy`` its decisions.
    """

    name: str
    resource: str
    endpoint: str
    application: Callable[[Making], Application]
    actor: Callable[[Acting], Actor] | None = None
    validates: bool | None = None
    needs_one: bool = False
    can_jwt: bool = True
    subjects: tuple[str, ...] = ()
    old_switch: str = ""
    ignores_token_under_mtls: bool = False
    key_lifetime: float = HALF_HOUR
    sends_event_token: bool = False
    reloads: bool = False
    client_secrets: tuple[str, ...] = ()
    key_cas: tuple[str, str] = ("", "")
    keys_path: str = ""
    gate: Callable[[Gate, Application], Gate] | None = None
    policy: Callable[[], ServerPolicy] = ServerPolicy
    traits: frozenset[str] = field(default_factory=frozenset)

    @property
    def offers(self) -> frozenset[str]:
        """Its name and its traits: what a fault can be on."""
        verifies_clients = {VERIFIES_CLIENTS} if self.validates is not None else set()
        verifies_tokens = {VERIFIES_TOKENS} if self.can_jwt and self.validates is not None else set()
        named = {NAMES_ITS_CLIENT} if self.subjects else set()
        return self.traits | {self.name} | verifies_clients | verifies_tokens | named
