"""What every lab of our own runs: the instances and listeners that setups need (:mod:`harness.lab.plan` says which).

A *site* is where they run: a worker process and the address it is reached at.  Which sites there are, and what they
are given to read, is for the labs that derive from this; what runs in them is the same everywhere.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath

from harness.decode.certificates import view
from harness.lab.balancers import Before, listener
from harness.lab.folders import Folders, file_name, new_home, sweep
from harness.lab.plan import Instance, Plan
from harness.lab.protocol import ConfigurationRefused, Entrypoint
from harness.lab.worker import Mailbox, Worker
from harness.model.case import Setup
from harness.model.catalogue import Flow, Server
from harness.model.fault import Fault
from harness.model.protocol import (
    LOOPBACK,
    CloseListeners,
    InstanceOrder,
    Listen,
    Listener,
    StartInstances,
    StopInstances,
)
from harness.model.vocabulary import Path
from harness.pki.deployment import Pki
from harness.pki.private_files import private_file
from harness.products.product import Product
from harness.wire.send import Address


@dataclass(frozen=True)
class Site:
    """Where instances or listeners run: *worker* obeys, the harness reaches them at *address*, which they listen on."""

    name: str
    worker: Worker = field(compare=False)
    address: str = field(default=LOOPBACK, compare=False)


class Running:
    """What runs in a lab of our own.

    *servers* and *faults* are the catalogue's; ``pki`` is the deployment's, ``folder`` holds its files and the
    processes' logs.
    """

    def __init__(
        self,
        product: Product,
        servers: Mapping[str, Server],
        flows: Mapping[str, Flow],
        faults: Mapping[str, Fault],
    ) -> None:
        sweep(FilePath(tempfile.gettempdir()))
        self.product, self._servers, self._flows, self._faults = product, servers, flows, faults
        self._keys = product.key_server
        self.folder = new_home()
        self.on_close: list[Callable[[], None]] = []
        self._mailbox = Mailbox()
        self._ports: dict[str, int] = {}
        self._refused: dict[str, str] = {}
        self._places: dict[str, Site] = {}
        self._entrypoints: dict[Setup, Entrypoint | ConfigurationRefused] = {}
        self._offsets: dict[Setup, float] = {}
        self._down: set[str] = set()
        # Cases run side by side, and some bring up what they need as they go.
        self._changing = threading.RLock()
        try:
            self._begin()
            self.pki = Pki.create(product.pki)
            self._folders = Folders(self.folder, self.pki)
            self._plan = Plan(product, servers, faults, self._folders)
        except BaseException:
            self.close()
            raise

    # What a lab decides for itself

    def _begin(self) -> None:
        """Start what takes longer than making the keys."""

    def _prepare(self, setups: Sequence[Setup]) -> None:
        """Bring up the sites that *setups* need, side by side."""

    def _site_of(self, instance: Instance, setup: Setup) -> Site:
        """Where *instance* runs for *setup*; brought up if need be."""
        raise NotImplementedError

    def _balancers(self, path: Path) -> Site:
        """Where the balancers on *path* run."""
        raise NotImplementedError

    def _sites(self) -> Collection[Site]:
        """All sites there are."""
        raise NotImplementedError

    def _seen(self, site: Site, other: Site) -> str:
        """The name or address by which *site* reaches *other*."""
        raise NotImplementedError

    def _deliver(self, site: Site, files: Collection[FilePath]) -> None:
        """See to it that *site* can read *files* and what it needs of the deployment folders."""

    # What runs

    @property
    def secrets(self) -> FilePath:
        """The folder of the deployment's secrets."""
        return self._folders.deployment / "secrets"

    def open(self, setups: Iterable[Setup]) -> Mapping[Setup, Entrypoint | ConfigurationRefused]:
        """See :meth:`harness.lab.protocol.Lab.open`."""
        requested = list(dict.fromkeys(setups))
        fresh = [setup for setup in requested if setup not in self._entrypoints]
        self._prepare(fresh)
        self._start((setup, self._plan.management(setup)) for setup in fresh)
        self._start((setup, self._server(setup)) for setup in fresh if setup.server != self._keys.server)
        self._start_balancers([setup for setup in fresh if setup.path is not Path.DIRECT])
        for setup in fresh:
            self._entrypoints[setup] = self._door(setup)
        return {setup: self._entrypoints[setup] for setup in requested}

    def _server(self, setup: Setup, keys_at: str = "") -> Instance:
        """*keys_at* names the management whose platform API it fetches keys from, if not the setup's own."""
        return self._plan.server(setup, self._ports[keys_at or self._plan.management_name(setup)])

    def _start(self, wanted: Iterable[tuple[Setup, Instance]], port: int = 0) -> None:
        """Start what is not running yet: all of a site at once."""
        with self._changing:
            known = self._ports.keys() | self._refused.keys()
            missing = {instance.name: (setup, instance) for setup, instance in wanted if instance.name not in known}
            orders: defaultdict[Site, list[InstanceOrder]] = defaultdict(list)
            for setup, instance in missing.values():
                site = self._site_of(instance, setup)
                orders[site].append(self._order(site, instance, setup, port))
            for site, instances in orders.items():
                self._start_at(site, instances)

    def _start_at(self, site: Site, instances: list[InstanceOrder]) -> None:
        self._deliver(site, [FilePath(instance.config) for instance in instances])
        for name, result in site.worker.call(StartInstances(tuple(instances))).items():
            self._places[name] = site
            if "port" in result:
                self._ports[name] = result["port"]
            else:
                self._refused[name] = result["refused"]

    def _order(self, site: Site, instance: Instance, setup: Setup, port: int) -> InstanceOrder:
        config = private_file(self.folder / f"{file_name(instance.name)}.yaml", instance.config.encode())
        platform = self._seen(site, self._site_of(self._plan.management(setup), setup))
        hosts = {
            **dict.fromkeys(self._plan.hosts, LOOPBACK),
            **dict.fromkeys(self._keys.hosts, platform),
        }
        return instance.order(config, hosts, site.address, port)

    def _start_balancers(self, setups: Iterable[Setup]) -> None:
        listeners: defaultdict[Site, list[Listener]] = defaultdict(list)
        for setup in setups:
            if self._plan.server_name(setup) not in self._refused:
                site = self._balancers(setup.path)
                listeners[site].append(self._listener(site, setup))
        for site, orders in listeners.items():
            keys = [order.behaviours.client_certificate for order in orders]
            keys += [key for order in orders for key in (order.certificate, order.upstream_ca)]
            self._deliver(site, [FilePath(key) for key in keys if key])
            for name, result in site.worker.call(Listen(tuple(orders))).items():
                self._ports[name] = result["port"]
                self._places[name] = site

    def _listener(self, site: Site, setup: Setup) -> Listener:
        server, instance = self._servers[setup.server], self._plan.server_name(setup)
        client = next(flow.client_secret for flow in self._flows.values() if flow.server.name == server.name)
        before = Before(server, self._ports[instance], self.secrets, client, self._folders.impostor)
        order = listener(self._listener_id(setup), setup, before, self.product.variants[setup.variant])
        return replace(order, host=site.address, upstream_host=self._seen(site, self._places[instance]))

    def _entered(self, setup: Setup) -> str:
        """The name of what a client connects to."""
        return self._plan.server_name(setup) if setup.path is Path.DIRECT else self._listener_id(setup)

    def _door(self, setup: Setup) -> Entrypoint | ConfigurationRefused:
        instance = self._plan.server_name(setup)
        if instance in self._refused:
            return ConfigurationRefused(self._refused[instance])
        server, entered = self._servers[setup.server], self._entered(setup)
        leaf = self.pki.secrets[server.secret].chain[0]
        ca = self.secrets / server.secret / "ca.crt"
        address = Address(self._places[entered].address, self._ports[entered], server.host)
        return Entrypoint(setup, address, ca, view(leaf).sha256)

    def _copies(self, name: str) -> list[str]:
        """All running instances that stand for the subsystem *name*."""
        return [name] if name in self._ports else []

    def release(self, setups: Iterable[Setup]) -> None:
        """See :meth:`harness.lab.protocol.Lab.release`."""
        gone = [setup for setup in setups if self._entrypoints.pop(setup, None) is not None]
        kept = {self._plan.server_name(setup) for setup in self._entrypoints}
        listeners = [self._listener_id(setup) for setup in gone if self._listener_id(setup) in self._ports]
        instances = {self._plan.server_name(setup) for setup in gone} - kept
        for site, names in self._by_site(listeners).items():
            site.worker.call(CloseListeners(tuple(names)))
        instances |= {name for setup in gone if setup.own for name in self._copies(self._plan.management_name(setup))}
        self._end(sorted(name for name in instances if name in self._ports and name not in self._down))
        self._forget((*listeners, *instances))
        self._down -= instances

    def _end(self, names: Iterable[str]) -> None:
        for site, here in self._by_site(names).items():
            site.worker.call(StopInstances(tuple(here)))

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            self._ports.pop(name, None)
            self._refused.pop(name, None)
            self._places.pop(name, None)

    def _by_site(self, names: Iterable[str]) -> Mapping[Site, list[str]]:
        found: defaultdict[Site, list[str]] = defaultdict(list)
        for name in names:
            found[self._places[name]].append(name)
        return found

    # The end

    def close(self) -> None:
        """End the processes, remove the keys; may be called twice."""
        while self.on_close:
            self.on_close.pop()()
        for site in self._sites():
            site.worker.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # Names

    def _listener_id(self, setup: Setup) -> str:
        return "|".join((self._plan.server_name(setup), setup.path, setup.variant, setup.fault))
