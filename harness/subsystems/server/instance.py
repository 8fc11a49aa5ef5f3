"""One running subsystem: its configuration, its listener, what it did.  Puts the other parts together."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred

from harness.errors import UsageError
from harness.model.observations import DrivenClient
from harness.model.protocol import LOOPBACK, Connection, Destination, State
from harness.subsystems.server.access import Gate
from harness.subsystems.server.client import Call, CallFailed, Trust, call
from harness.subsystems.server.clock import LabClock
from harness.subsystems.server.configuration import Configuration, configure
from harness.subsystems.server.connection import AcceptedConnection, ConnectionFactory, ListenerContext
from harness.subsystems.server.http import Channel, Service
from harness.subsystems.server.jwks import Keys
from harness.subsystems.server.key_cache import FetchFailed, KeyCache
from harness.subsystems.server.kind import Acting, Kind, Making
from harness.subsystems.server.policy import ServerPolicy
from harness.subsystems.server.tls import ServerTls, server_context

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """What the parent asked to start; it listens on ``address``."""

    id: str
    kind: Kind
    config: Path
    folder: Path
    hosts: Mapping[str, str]
    rules: ServerPolicy
    port: int = 0
    address: str = LOOPBACK


@dataclass(frozen=True)
class Surroundings:
    """What the instances of a process share."""

    reactor: Any
    tell: Callable[[Connection], None]


class Instance:
    """A subsystem that listens.  Making one raises UsageError (Refused) if its configuration is invalid."""

    def __init__(self, order: Order, around: Surroundings) -> None:
        self._order, self._around = order, around
        self.clock = LabClock()
        self._configuration = configure(order.kind, order.config, order.folder, order.hosts, order.rules)
        self.counters: Counter[str] = Counter(accepted=0, rejected=0)
        self._application = order.kind.application(
            Making(order.folder, self.counters, order.rules, order.config, self.clock)
        )
        self._application.connect(partial(call, around.reactor), order.hosts)
        self._actor = order.kind.actor(self._acting()) if order.kind.actor else None
        self._service = Service(order.kind.name, self._gate(), self._application, self.counters)
        tls = ServerTls(self._configuration.secret, order.rules.demand(self._configuration.protection))
        server_context(tls)  # made now, so that no client waits for it
        self._house = ListenerContext(
            order.id,
            tls,
            order.rules,
            self.clock,
            around.reactor,
            self._channel,
            around.tell,
        )
        self._port = self._listen()

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        return int(self._port.getHost().port)

    async def stop(self) -> None:
        """Close the listener and every connection; returns once all records have been sent."""
        await maybeDeferred(self._port.stopListening)
        doors: list[AcceptedConnection] = list(self._house.doors)
        for door in doors:
            door.abort()
        left: list[Deferred[None]] = [door.left for door in doors]
        await gatherResults(left)

    def reload(self, config: Path) -> bool:
        """Take over the jwksUrl of a changed custom resource, for connections from now on; no key is kept.

        False if this kind restarts for that instead.  Raises UsageError if the resource is invalid: nothing changes.
        """
        order = self._order
        if not order.kind.reloads:
            return False
        changed = configure(order.kind, config, order.folder, order.hosts, order.rules)
        now = replace(self._configuration.protection, jwks_url=changed.protection.jwks_url)
        self._configuration = replace(
            self._configuration,
            protection=now,
            jwks_authorities=changed.jwks_authorities,
            jwks_address=changed.jwks_address,
        )
        self._service = replace(self._service, gate=self._gate())
        _log.info("%s: reloaded, %s", order.id, now)
        return True

    def state(self) -> State:
        """What it did and how often."""
        return {"effects": self._application.effects(), "counters": dict(self.counters)}

    async def act(self, action: str, target: Destination, nonce: str) -> DrivenClient:
        """Make a request to another subsystem.  Raises UsageError."""
        if self._actor is None:
            raise UsageError(f"a {self._order.kind.name} makes no requests of its own")
        return await self._actor.act(self._around.reactor, action, target, nonce)

    def _channel(self, door: AcceptedConnection) -> Channel:
        return Channel(door, self._service)

    def _acting(self) -> Acting:
        order, configuration = self._order, self._configuration
        return Acting(
            order.folder,
            self.counters,
            order.rules,
            order.config,
            self.clock,
            configuration.clients,
            configuration.platform_authorities,
            self._application,
            order.kind.sends_event_token,
        )

    def _gate(self) -> Gate:
        configuration, rules, now = self._configuration, self._order.rules, self.clock.now
        gate = Gate(configuration.protection, configuration.subject, rules, self._keys_for(configuration), now)
        return self._order.kind.gate(gate, self._application) if self._order.kind.gate else gate

    def _keys_for(self, configuration: Configuration) -> Callable[[str | None], Any]:
        if not configuration.protection.jwks_url:
            return _no_keys
        lifetime = self._order.rules.key_lifetime(configuration.kind.key_lifetime)
        return KeyCache(self._fetch_keys, self.clock.now, lifetime, self.counters, self._order.rules).keys_for

    async def _fetch_keys(self) -> bytes:
        configuration = self._configuration
        rules = self._order.rules
        verifies, verifies_host = rules.verifies_key_server, rules.verifies_host
        trust = Trust(
            rules.trusts(configuration.jwks_authorities), self.clock, verifies=verifies, verifies_host=verifies_host
        )
        request = Call("GET", configuration.protection.jwks_url, configuration.jwks_address)
        try:
            reply = await call(self._around.reactor, request, trust)
        except CallFailed as error:
            raise FetchFailed(f"{self._order.id}: {request.url}: {error}") from error
        if reply.status != 200:
            raise FetchFailed(f"{self._order.id}: {request.url}: status {reply.status}")
        return reply.body

    def _listen(self) -> Any:
        try:
            port = self._around.reactor.listenTCP(
                self._order.port, ConnectionFactory(self._house), interface=self._order.address, backlog=512
            )
        except OSError as error:
            raise UsageError(f"port {self._order.port} cannot be listened on: {error}") from error
        protection = self._configuration.protection
        _log.info("%s: port %d, %s", self._order.id, port.getHost().port, protection)
        return port


async def _no_keys(kid: str | None) -> Keys:
    """A server without a jwksUrl has no keys."""
    return {}
