"""The reference lab: what runs in it (:mod:`harness.lab.instances`), what it reports, how it changes.

It is given a :class:`harness.lab.placement.Placement`, which says where things run, and behaves the same in all.
"""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path as FilePath

from cryptography.hazmat.primitives.asymmetric import rsa

from harness.errors import LabError
from harness.lab.disruptions import Operator
from harness.lab.folders import publish
from harness.lab.instances import Deployment, Instances
from harness.lab.placement import Placement
from harness.lab.plan import Instance, Plan
from harness.lab.protocol import ConfigurationRefused, Entrypoint
from harness.model.case import Setup
from harness.model.catalogue import Flow, Server
from harness.model.exchange import BalancerView, ServerView
from harness.model.fault import Fault
from harness.model.observations import DrivenClient
from harness.model.protocol import Act, Destination, ReadState, State
from harness.model.vocabulary import Grade, Path
from harness.pki.deployment import Pki
from harness.products.product import Product

RECORD_SECONDS = 5.0
REGISTRATION_SECONDS = 300.0
"""After so long a gateway is registered again: the token that a registration brings lives a quarter of an hour."""


class ReferenceLab:
    """A :class:`harness.lab.protocol.Lab` of reference servers and balancers.

    *servers*, *flows* and *faults* are the catalogue's.  ``pki`` is the deployment's, ``folder`` holds its files and
    the processes' logs, ``operator`` is there where parts can be stopped one by one.  Closing the lab closes its
    *placement*.
    """

    grade = Grade.BOTH_SIDES

    def __init__(
        self,
        product: Product,
        servers: Mapping[str, Server],
        flows: Mapping[str, Flow],
        faults: Mapping[str, Fault],
        placement: Placement,
    ) -> None:
        self.product, self.folder = product, placement.folder
        self.on_close: list[Callable[[], None]] = []
        self.operator: Operator | None = None
        self._servers, self._keys = servers, product.key_server
        self.placement, self._mailbox = placement, placement.mailbox
        self._registered: dict[str, float] = {}
        self._numbers = itertools.count()
        try:
            self.pki = Pki.create(product.pki)
            self.plan = Plan(product, servers, faults)
            self.instances = Instances(Deployment(product, servers, flows, self.pki), self.plan, placement)
        except BaseException:
            self.close()
            raise

    @property
    def secrets(self) -> FilePath:
        """The folder of the deployment's secrets."""
        return self.instances.secrets

    def open(self, setups: Iterable[Setup]) -> Mapping[Setup, Entrypoint | ConfigurationRefused]:
        """See :meth:`harness.lab.protocol.Lab.open`."""
        return self.instances.open(setups)

    def release(self, setups: Iterable[Setup]) -> None:
        """See :meth:`harness.lab.protocol.Lab.release`."""
        self.instances.release(setups)

    def client(self, setup: Setup, flow: Flow) -> Instance:
        """The client under test, running, where it can reach what *setup* is entered at."""
        client = self.plan.client(setup, flow)
        if setup.path is Path.DIRECT and setup.server != self._keys.server:  # management everybody can reach
            client = self.placement.multi_homed(client)
        return self.instances.ensure(setup, client)

    def _registrar(self, setup: Setup) -> Instance:
        """The management that serves *setup*, running, where it can reach the gateways."""
        return self.instances.ensure(setup, self.placement.multi_homed(self.plan.management(setup)))

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
            seen = self._record(
                self.instances.listener_id(entrypoint.setup), entrypoint.address.port, client_port, nonce, since
            )
            if not isinstance(seen, BalancerView):
                return None, None
            balancer = seen
            upstream = balancer.upstream_port
            if upstream is None:
                return balancer, None
        instance = self.plan.server_name(entrypoint.setup)
        server = self._record(instance, self.instances.port(instance), upstream or 0, nonce, since)
        return balancer, server if isinstance(server, ServerView) else None

    def _record(
        self, listener_id: str, local_port: int, peer_port: int, nonce: str, since: float
    ) -> ServerView | BalancerView | None:
        record = self._mailbox.take(listener_id, local_port, peer_port, RECORD_SECONDS, nonce, since)
        if record is None:
            self._check_alive()
        return record

    def upstreams(self, setup: Setup) -> Mapping[str, Setup]:
        """See :class:`harness.lab.protocol.SeesUpstreams`."""
        return {upstream.server: upstream for upstream in self.plan.upstreams(setup)}

    def arrived(self, upstream: Setup, nonce: str, since: float) -> ServerView | None:
        """See :class:`harness.lab.protocol.SeesUpstreams`."""
        record = self._mailbox.find(self.plan.server_name(upstream), nonce, RECORD_SECONDS, since)
        if record is None:
            self._check_alive()
        return record if isinstance(record, ServerView) else None

    def _check_alive(self) -> None:
        for site in self.placement.sites():
            site.worker.check_alive()

    def _states(self, names: Iterable[str]) -> Mapping[str, State]:
        found: dict[str, State] = {}
        for site, here in self.instances.by_site(names).items():
            states = site.worker.call(ReadState(tuple(here)))
            found |= states
        return found

    def effects(self, setups: Iterable[Setup]) -> Mapping[Setup, Collection[str]]:
        """See :meth:`harness.lab.protocol.Lab.effects`."""
        names = {setup: self.plan.server_name(setup) for setup in setups}
        states = self._states(self.instances.running(names.values()))
        return {setup: frozenset(states[name]["effects"] if name in states else ()) for setup, name in names.items()}

    def act(self, entrypoint: Entrypoint, flow: Flow, nonce: str) -> DrivenClient:
        """See :meth:`harness.lab.protocol.Lab.act`."""
        client = self.registered_client(entrypoint, flow)
        entered = self.instances.site(self.instances.entered(entrypoint.setup))
        host = self.placement.host_of(entered, self.instances.site(client.name))
        return self.request(client, flow, nonce, entrypoint, (host, entrypoint.address.port))

    def registered_client(self, entrypoint: Entrypoint, flow: Flow) -> Instance:
        """The client under test, with what its registration brings, if it has to be registered."""
        client = self.client(entrypoint.setup, flow)
        if flow.name in self.product.registered:
            self._register(entrypoint, client)
        return client

    def request(
        self, client: Instance, flow: Flow, nonce: str, entrypoint: Entrypoint, address: tuple[str, int]
    ) -> DrivenClient:
        """*client*'s own account of the request it makes for the name of *entrypoint* at *address*."""
        target = Destination(f"https://{entrypoint.address.server_name}:{address[1]}", address[0])
        return self._act(client, self.product.actions[flow.name], target, nonce)

    def _act(self, client: Instance, action: str, target: Destination, nonce: str) -> DrivenClient:
        worker = self.instances.site(client.name).worker
        return worker.call(Act(client.name, action, target, nonce))

    def _register(self, entrypoint: Entrypoint, gateway: Instance) -> None:
        """Let management register *gateway*, which gives it what it presents to analytics; the JWT is switched on."""
        with self.instances.changing:
            if time.monotonic() - self._registered.get(gateway.name, -REGISTRATION_SECONDS) < REGISTRATION_SECONDS:
                return
            management = self._registrar(entrypoint.setup)
            host, port = self._servers[gateway.kind].host, self.instances.port(gateway.name)
            connect = self.placement.host_of(self.instances.site(gateway.name), self.instances.site(management.name))
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
        self.instances.turn_clock(setup, offset)

    def set_management(self, setup: Setup, *, up: bool) -> None:
        """See :meth:`harness.lab.protocol.Lab.set_management`."""
        management = self.plan.management(setup)
        if up:
            self.instances.start_again(setup, management)
            self.instances.turn_clock(setup)
        else:
            self.instances.take_down(management.name)

    def publish_keys(self, setup: Setup, keys: Sequence[rsa.RSAPrivateKey]) -> None:
        """See :meth:`harness.lab.protocol.Lab.publish_keys`."""
        management = self.plan.management(setup)
        publish(self.instances.folders.make(management.folder), keys)
        self._hand_out(management)

    def renew(self, setup: Setup, secret: str) -> str:
        """See :meth:`harness.lab.protocol.Lab.renew`."""
        management, folders = self.plan.management(setup), self.instances.folders
        renewed = folders.renew(folders.make(management.folder), secret)
        self._hand_out(management)
        return renewed

    def _hand_out(self, management: Instance) -> None:
        """What has changed in *management*'s folder gets to where it runs."""
        for site in self.instances.by_site(self.instances.replicas(management.name)):
            self.placement.deliver(site, [])

    def register(self, entrypoint: Entrypoint, flow: Flow) -> None:
        """See :meth:`harness.lab.protocol.Lab.register`."""
        gateway = self.client(entrypoint.setup, flow)
        self.forget_registration(gateway)
        self._register(entrypoint, gateway)

    def forget_registration(self, gateway: Instance) -> None:
        """Have *gateway* registered again before its next request."""
        self._registered.pop(gateway.name, None)

    def counters(self, setup: Setup) -> Mapping[str, int]:
        """See :meth:`harness.lab.protocol.Lab.counters`."""
        name = self.plan.server_name(setup)
        counted: Mapping[str, int] = self._states([name])[name]["counters"]
        return counted

    # What is left

    def keep_logs(self, folder: FilePath) -> None:
        """See :class:`harness.lab.protocol.KeepsLogs`."""
        for log in self.folder.glob("*.log"):
            if log.stat().st_size:
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(log, folder / log.name)

    def close(self) -> None:
        """End the processes, remove the keys; may be called twice."""
        while self.on_close:
            self.on_close.pop()()
        self.placement.close()
