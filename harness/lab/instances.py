"""What runs in a reference lab: the instances and listeners that setups need (:mod:`harness.lab.plan` says which).

Where they run is the :class:`harness.lab.placement.Placement`'s matter.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath

from harness.decode.certificates import view
from harness.errors import LabError
from harness.lab.balancers import Before, listener
from harness.lab.folders import Folders, file_name
from harness.lab.placement import Placement, Site
from harness.lab.plan import FolderKind, FolderSpec, Instance, Plan
from harness.lab.protocol import ConfigurationRefused, Entrypoint
from harness.model.case import Setup
from harness.model.catalogue import Flow, Server
from harness.model.protocol import (
    LOOPBACK,
    CloseListeners,
    InstanceOrder,
    Listen,
    Listener,
    SetClock,
    StartInstances,
    StopInstances,
)
from harness.model.vocabulary import Path
from harness.pki.deployment import Pki
from harness.pki.private_files import private_file
from harness.products.product import Product
from harness.wire.send import Address


@dataclass(frozen=True)
class Deployment:
    """What is deployed: the *product* and the catalogue's *servers* and *flows*, with the keys it has (*pki*)."""

    product: Product
    servers: Mapping[str, Server]
    flows: Mapping[str, Flow]
    pki: Pki


class Instances:
    """Starts and ends what setups need, as *plan* says, where *placement* says.

    ``changing`` is held while something starts: cases run side by side, and some bring up what they need as they go.
    """

    def __init__(self, deployment: Deployment, plan: Plan, placement: Placement) -> None:
        self._deployment, self._plan, self._placement = deployment, plan, placement
        self._keys = deployment.product.key_server
        self.folders = Folders(placement.folder, deployment.pki)
        self._ports: dict[str, int] = {}
        self._refused: dict[str, str] = {}
        self._places: dict[str, Site] = {}
        self._entrypoints: dict[Setup, Entrypoint | ConfigurationRefused] = {}
        self._offsets: dict[Setup, float] = {}
        self._down: set[str] = set()
        self.changing = threading.RLock()

    # Setups

    @property
    def secrets(self) -> FilePath:
        """The folder of the deployment's secrets."""
        return self.folders.deployment / "secrets"

    def open(self, setups: Iterable[Setup]) -> Mapping[Setup, Entrypoint | ConfigurationRefused]:
        """See :meth:`harness.lab.protocol.Lab.open`."""
        requested = list(dict.fromkeys(setups))
        fresh = [setup for setup in requested if setup not in self._entrypoints]
        layers = self._layers(fresh)
        self._placement.prepare([setup for layer in layers for setup in layer])
        self.start((setup, self._plan.management(setup)) for layer in layers for setup in layer)
        for layer in layers:
            self.start((setup, self.server(setup)) for setup in layer if setup.server != self._keys.server)
        self._start_balancers([setup for setup in fresh if setup.path is not Path.DIRECT])
        for setup in fresh:
            self.look_again(setup)
        return {setup: self._entrypoints[setup] for setup in requested}

    def _layers(self, setups: Sequence[Setup]) -> list[list[Setup]]:
        """*setups* and their upstreams, in the order in which they can start: what others need comes first."""
        layers = [list(setups)]
        while above := dict.fromkeys(up for setup in layers[0] for up in self._plan.upstreams(setup)):
            layers.insert(0, list(above))
        return layers

    def look_again(self, setup: Setup) -> None:
        """Look up again where *setup* is entered: an instance that moved has another address."""
        self._entrypoints[setup] = self._entrypoint(setup)

    def _entrypoint(self, setup: Setup) -> Entrypoint | ConfigurationRefused:
        instance = self._plan.server_name(setup)
        if instance in self._refused:
            return ConfigurationRefused(self._refused[instance])
        entered, (host, secret) = self.entered(setup), self._plan.entrance(setup)
        leaf = self._deployment.pki.secrets[secret].chain[0]
        ca = self.secrets / secret / "ca.crt"
        address = Address(self.site(entered).address, self.port(entered), host)
        return Entrypoint(setup, address, ca, view(leaf).sha256)

    def release(self, setups: Iterable[Setup]) -> None:
        """See :meth:`harness.lab.protocol.Lab.release`."""
        gone = [setup for setup in setups if self._entrypoints.pop(setup, None) is not None]
        kept = {self._plan.server_name(setup) for setup in self._entrypoints}
        listeners = [self.listener_id(setup) for setup in gone if self.listener_id(setup) in self._ports]
        instances = {self._plan.server_name(setup) for setup in gone} - kept
        for site, names in self.by_site(listeners).items():
            site.worker.call(CloseListeners(tuple(names)))
        instances |= {name for setup in gone if setup.own for name in self.replicas(self._plan.management_name(setup))}
        self._end(self.running(instances))
        self._forget((*listeners, *instances))
        self._down -= instances

    # Instances

    def server(self, setup: Setup, keys_at: str = "") -> Instance:
        """The server of *setup*.

        *keys_at* names the management whose platform API it fetches keys from, if not the setup's own.
        """
        if setup.server == self._keys.server:
            return self._plan.management(setup)
        # One that refused its configuration has no port, and then this one refuses its own.
        ports = {up.server: self._ports.get(self._plan.server_name(up), 0) for up in self._plan.upstreams(setup)}
        return self._plan.server(setup, self._ports[keys_at or self._plan.management_name(setup)], ports)

    def start(self, wanted: Iterable[tuple[Setup, Instance]], port: int = 0) -> None:
        """Start what is not running yet: all of a site at once."""
        with self.changing:
            known = self._ports.keys() | self._refused.keys()
            missing = {instance.name: (setup, instance) for setup, instance in wanted if instance.name not in known}
            orders: defaultdict[Site, list[InstanceOrder]] = defaultdict(list)
            for setup, instance in missing.values():
                site = self._placement.site_of(instance, setup)
                orders[site].append(self._order(site, instance, setup, port))
            for site, instances in orders.items():
                self._start_at(site, instances)

    def ensure(self, setup: Setup, instance: Instance) -> Instance:
        """*instance*, running; a replica of management has the clock of *setup*."""
        with self.changing:
            if instance.name not in self._ports:
                self.start([(setup, instance)])
                offset = self._offsets.get(setup, 0.0)
                if offset and instance.kind == self._keys.subsystem:
                    self.site(instance.name).worker.call(SetClock(offset, (instance.name,)))
        return instance

    def start_again(self, setup: Setup, instance: Instance) -> None:
        """Start *instance*, which has ended, at the port it had.  Raises LabError if it does not start."""
        with self.changing:
            self.start([(setup, instance)], self._ports.pop(instance.name))
        if instance.name in self._refused:
            raise LabError(f"{instance.name} does not restart: {self._refused[instance.name]}")
        self._down.discard(instance.name)

    def restart(self, setup: Setup, instance: Instance) -> None:
        """End *instance* and start it at the same port; nothing else can start it in between.  Raises LabError."""
        with self.changing:
            self._end([instance.name])
            self.start_again(setup, instance)

    def take_down(self, name: str) -> None:
        """End *name* and its replicas until it is started again."""
        replicas = self.replicas(name)
        self._end(replicas)
        self._forget(replica for replica in replicas if replica != name)
        self.note_down(name)

    def note_down(self, name: str) -> None:
        """Note that *name* has ended until it is started again."""
        self._down.add(name)

    def turn_clock(self, setup: Setup, offset: float | None = None) -> None:
        """Move the clocks of *setup*'s server and management to *offset* seconds from now; None: as before."""
        if offset is not None:
            self._offsets[setup] = offset
        names = [self._plan.server_name(setup), *self.replicas(self._plan.management_name(setup))]
        for site, here in self.by_site(name for name in names if name not in self._down).items():
            site.worker.call(SetClock(self._offsets.get(setup, 0.0), tuple(here)))

    def write_config(self, instance: Instance) -> FilePath:
        """The file with *instance*'s configuration, as it is to be now."""
        text = self.folders.complete(instance.config)
        return private_file(self._placement.folder / f"{file_name(instance.name)}.yaml", text.encode())

    def _start_at(self, site: Site, instances: list[InstanceOrder]) -> None:
        self._placement.deliver(site, [FilePath(instance.config) for instance in instances])
        for name, result in site.worker.call(StartInstances(tuple(instances))).items():
            self._places[name] = site
            if "port" in result:
                self._ports[name] = result["port"]
            else:
                self._refused[name] = result["refused"]

    def _order(self, site: Site, instance: Instance, setup: Setup, port: int) -> InstanceOrder:
        config, folder = self.write_config(instance), self.folders.make(instance.folder)
        platform = self._placement.site_of(self._plan.management(setup), setup)
        hosts = {
            **dict.fromkeys(self._plan.hosts, LOOPBACK),
            **dict.fromkeys(self._keys.hosts, self._placement.host_of(platform, site)),
            **(self._upstream_hosts(setup, site) if instance.kind == setup.server else {}),
        }
        return InstanceOrder(
            instance.name, instance.kind, str(config), str(folder), hosts, instance.faults, port, site.address
        )

    def _upstream_hosts(self, setup: Setup, seen_from: Site) -> Mapping[str, str]:
        """Where *setup*'s server finds those that it fetches keys from or calls, by their host names."""
        sites = {up.server: self.site(self._plan.server_name(up)) for up in self._plan.upstreams(setup)}
        servers = self._deployment.servers
        return {servers[name].host: self._placement.host_of(site, seen_from) for name, site in sites.items()}

    def _end(self, names: Iterable[str]) -> None:
        for site, here in self.by_site(names).items():
            site.worker.call(StopInstances(tuple(here)))

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            self._ports.pop(name, None)
            self._refused.pop(name, None)
            self._places.pop(name, None)

    # Balancers

    def _start_balancers(self, setups: Iterable[Setup]) -> None:
        listeners: defaultdict[Site, list[Listener]] = defaultdict(list)
        for setup in setups:
            if self._plan.server_name(setup) not in self._refused:
                site = self._placement.balancers(setup.path)
                listeners[site].append(self._listener(site, setup))
        for site, orders in listeners.items():
            keys = [order.behaviours.client_certificate for order in orders]
            keys += [key for order in orders for key in (order.certificate, order.upstream_ca)]
            self._placement.deliver(site, [FilePath(key) for key in keys if key])
            for name, result in site.worker.call(Listen(tuple(orders))).items():
                self._ports[name] = result["port"]
                self._places[name] = site

    def _listener(self, site: Site, setup: Setup) -> Listener:
        server, instance = self._deployment.servers[setup.server], self._plan.server_name(setup)
        flows = self._deployment.flows.values()
        client = next(flow.client_secret for flow in flows if flow.server.name == server.name)
        before = Before(server, self.port(instance), self.secrets, client, self._impostor)
        variant = self._deployment.product.variants[setup.variant]
        order = listener(self.listener_id(setup), setup, before, variant)
        return replace(order, host=site.address, upstream_host=self._placement.host_of(self.site(instance), site))

    def _impostor(self) -> FilePath:
        return self.folders.make(FolderSpec(FolderKind.IMPOSTOR))

    # Where they are

    def port(self, name: str) -> int:
        """The port of the instance or listener *name*."""
        return self._ports[name]

    def site(self, name: str) -> Site:
        """Where the instance or listener *name* runs."""
        return self._places[name]

    def running(self, names: Iterable[str]) -> list[str]:
        """Those of *names* that run, sorted."""
        return sorted(name for name in set(names) if name in self._ports and name not in self._down)

    def replicas(self, name: str) -> list[str]:
        """All instances that stand for the subsystem *name*."""
        return [replica for replica in self._placement.replicas(name) if replica in self._ports]

    def by_site(self, names: Iterable[str]) -> Mapping[Site, list[str]]:
        """*names* by where they run."""
        found: defaultdict[Site, list[str]] = defaultdict(list)
        for name in names:
            found[self._places[name]].append(name)
        return found

    def entered(self, setup: Setup) -> str:
        """The name of what a client connects to."""
        return self._plan.server_name(setup) if setup.path is Path.DIRECT else self.listener_id(setup)

    def listener_id(self, setup: Setup) -> str:
        """The name of *setup*'s listener at the balancer."""
        return "|".join((self._plan.server_name(setup), setup.path, setup.variant, setup.fault))
