"""What every lab of our own shares: what runs in it (:mod:`harness.lab.instances`), what it reports, how it changes."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path as FilePath

from cryptography.hazmat.primitives.asymmetric import rsa

from harness.errors import LabError
from harness.lab.folders import publish
from harness.lab.instances import Running, Site
from harness.lab.plan import Instance
from harness.lab.protocol import Entrypoint
from harness.model.case import Setup
from harness.model.catalogue import Flow, Server
from harness.model.exchange import BalancerView, ServerView
from harness.model.fault import Fault
from harness.model.observations import DrivenClient
from harness.model.protocol import Act, Destination, ReadState, SetClock, State
from harness.model.vocabulary import Grade, Path
from harness.products.product import Product

__all__ = ["OwnLab", "Site"]

RECORD_SECONDS = 5.0
REGISTRATION_SECONDS = 300.0
"""After so long a gateway is registered again: the token that a registration brings lives a quarter of an hour."""


class OwnLab(Running):
    """Most of a :class:`harness.lab.protocol.Lab` of our own."""

    grade = Grade.BOTH_SIDES

    def __init__(
        self,
        product: Product,
        servers: Mapping[str, Server],
        flows: Mapping[str, Flow],
        faults: Mapping[str, Fault],
    ) -> None:
        self._registered: dict[str, float] = {}
        self._numbers = itertools.count()
        super().__init__(product, servers, flows, faults)

    def _client(self, setup: Setup, flow: Flow) -> Instance:
        """The client under test, running, where it can get at *setup*'s door."""
        client = self._plan.client(setup, flow)
        self._start([(setup, client)])
        return client

    def _registrar(self, setup: Setup) -> Instance:
        """The management that serves *setup*, running, where it can get at the gateways."""
        return self._plan.management(setup)

    # What happened

    def views(
        self, entrypoint: Entrypoint, client_port: int | None, nonce: str, since: float
    ) -> tuple[BalancerView | None, ServerView | None]:
        """See :meth:`harness.lab.protocol.Lab.views`."""
        balancer: BalancerView | None = None
        upstream = client_port
        if client_port is None:
            self._check_alive()  # no server could be reached: is one still running?
            return None, None
        if entrypoint.setup.path is not Path.DIRECT:
            seen = self._record(self._listener_id(entrypoint.setup), entrypoint.address.port, client_port, nonce, since)
            if not isinstance(seen, BalancerView):
                return None, None
            balancer = seen
            upstream = balancer.upstream_port
            if upstream is None:
                return balancer, None
        instance = self._plan.server_name(entrypoint.setup)
        server = self._record(instance, self._ports[instance], upstream or 0, nonce, since)
        return balancer, server if isinstance(server, ServerView) else None

    def _record(
        self, listener_id: str, local_port: int, peer_port: int, nonce: str, since: float
    ) -> ServerView | BalancerView | None:
        record = self._mailbox.take(listener_id, local_port, peer_port, RECORD_SECONDS, nonce, since)
        if record is None:
            self._check_alive()
        return record

    def _check_alive(self) -> None:
        for site in self._sites():
            site.worker.check_alive()

    def _states(self, names: Iterable[str]) -> Mapping[str, State]:
        found: dict[str, State] = {}
        for site, here in self._by_site(names).items():
            states = site.worker.call(ReadState(tuple(here)))
            found |= states
        return found

    def effects(self, setups: Iterable[Setup]) -> Mapping[Setup, Collection[str]]:
        """See :meth:`harness.lab.protocol.Lab.effects`."""
        names = {setup: self._plan.server_name(setup) for setup in setups}
        states = self._states(sorted({name for name in names.values() if name in self._ports} - self._down))
        return {setup: frozenset(states[name]["effects"] if name in states else ()) for setup, name in names.items()}

    def act(self, entrypoint: Entrypoint, flow: Flow, nonce: str) -> DrivenClient:
        """See :meth:`harness.lab.protocol.Lab.act`."""
        client = self._client(entrypoint.setup, flow)
        if flow.name in self.product.registered:
            self._register(entrypoint, client)
        address = (
            self._seen(self._places[client.name], self._places[self._entered(entrypoint.setup)]),
            entrypoint.address.port,
        )
        return self._request(client, flow, nonce, entrypoint, address)

    def _request(
        self, client: Instance, flow: Flow, nonce: str, entrypoint: Entrypoint, address: tuple[str, int]
    ) -> DrivenClient:
        """*client*'s own account of the request it makes for the name of *door* at *address*."""
        target = Destination(f"https://{entrypoint.address.server_name}:{address[1]}", address[0])
        return self._act(client, self.product.actions[flow.name], target, nonce)

    def _act(self, client: Instance, action: str, target: Destination, nonce: str) -> DrivenClient:
        worker = self._places[client.name].worker
        return worker.call(Act(client.name, action, target, nonce))

    def _register(self, entrypoint: Entrypoint, gateway: Instance) -> None:
        """Let management register *gateway*, which gives it what it presents to analytics; the JWT is switched on."""
        with self._changing:
            if time.monotonic() - self._registered.get(gateway.name, -REGISTRATION_SECONDS) < REGISTRATION_SECONDS:
                return
            management = self._registrar(entrypoint.setup)
            host, port = self._servers[gateway.kind].host, self._ports[gateway.name]
            connect = self._seen(self._places[management.name], self._places[gateway.name])
            target = Destination(f"https://{host}:{port}", connect, with_jwt=True)
            result = self._act(management, self.product.registration, target, f"registration-{next(self._numbers)}")
            if result["status"] != 201:
                raise LabError(f"{gateway.name} could not be registered: {result['error'] or result['status']}")
            self._registered[gateway.name] = time.monotonic()

    def now(self) -> float:
        """The lab's clock, seconds since the epoch."""
        return time.time()

    # Servers that a case has to itself

    def set_clock(self, setup: Setup, offset: float) -> None:
        """See :meth:`harness.lab.protocol.Lab.set_clock`."""
        names = [self._plan.server_name(setup), *self._copies(self._plan.management_name(setup))]
        self._offsets[setup] = offset
        for site, here in self._by_site(name for name in names if name not in self._down).items():
            site.worker.call(SetClock(offset, tuple(here)))

    def set_management(self, setup: Setup, *, up: bool) -> None:
        """See :meth:`harness.lab.protocol.Lab.set_management`."""
        management = self._plan.management(setup)
        if not up:
            copies = self._copies(management.name)
            self._end(copies)
            self._forget(name for name in copies if name != management.name)
            self._down.add(management.name)
            return
        self._start([(setup, management)], self._ports.pop(management.name))
        self._down.discard(management.name)
        self.set_clock(setup, self._offsets.get(setup, 0.0))

    def publish_keys(self, setup: Setup, keys: Sequence[rsa.RSAPrivateKey]) -> None:
        """See :meth:`harness.lab.protocol.Lab.publish_keys`."""
        management = self._plan.management(setup)
        publish(management.folder, keys)
        self._hand_out(management)

    def renew(self, setup: Setup, secret: str) -> str:
        """See :meth:`harness.lab.protocol.Lab.renew`."""
        management = self._plan.management(setup)
        renewed = self._folders.renew(management.folder, secret)
        self._hand_out(management)
        return renewed

    def _hand_out(self, management: Instance) -> None:
        """What has changed in *management*'s folder gets to where it runs."""
        for site in self._by_site(self._copies(management.name)):
            self._deliver(site, [])

    def register(self, entrypoint: Entrypoint, flow: Flow) -> None:
        """See :meth:`harness.lab.protocol.Lab.register`."""
        gateway = self._client(entrypoint.setup, flow)
        self._registered.pop(gateway.name, None)
        self._register(entrypoint, gateway)

    def counters(self, setup: Setup) -> Mapping[str, int]:
        """See :meth:`harness.lab.protocol.Lab.counters`."""
        name = self._plan.server_name(setup)
        counted: Mapping[str, int] = self._states([name])[name]["counters"]
        return counted

    # What is left

    def keep_logs(self, folder: FilePath) -> None:
        """See :class:`harness.lab.protocol.KeepsLogs`."""
        for log in self.folder.glob("*.log"):
            if log.stat().st_size:
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(log, folder / log.name)
