"""Where a lab in containers runs: management, each server and each path's balancer in a container of its own.

Networks, all without a way out: ``platform`` has management, the balancers and the servers' way to the platform API;
each server has one of its own, which it shares with the balancers, and listens there only.  So management and the
gateways reach a server through a balancer or not at all; what they do on the direct path, and management's registering
of gateways, is done by multi-homed replicas (insiders): the same subsystems with a foot in every server's network.
The harness connects to the containers' own addresses: a published port would hide the client's port, by which a
rejected connection is found again.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path as FilePath
from typing import Any

from testcontainers.core.network import Network

from harness.lab.containers import daemon, docker_api
from harness.lab.containers.container import Attached, Plan
from harness.lab.containers.docker_api import Docker
from harness.lab.containers.image import ready_image
from harness.lab.containers.ports import INSIDER, port_ranges
from harness.lab.containers.secret_sync import Parcels
from harness.lab.placement import Site, private_home
from harness.lab.plan import Instance
from harness.lab.worker import Mailbox, Worker
from harness.model.case import Setup
from harness.model.catalogue import Server
from harness.model.protocol import Ended
from harness.model.vocabulary import Path
from harness.products.product import Holding, Product

PLATFORM = "platform"
OPERATED = "operated"
"""The variant of setups with containers of their own, which an operator may stop, cut off or reconfigure."""
_AT_ONCE = 8


@dataclass(frozen=True)
class Housed:
    """A site with its container and what it has been given."""

    site: Site
    link: Attached
    parcels: Parcels
    delivering: threading.Lock = field(default_factory=threading.Lock, compare=False)


class ContainerPlacement:
    """A :class:`harness.lab.placement.Placement` in containers, for *product* and the catalogue's *servers*."""

    def __init__(self, product: Product, servers: Mapping[str, Server]) -> None:
        self.folder, self.mailbox = private_home(), Mailbox()
        self._product, self._servers, self._keys = product, servers, product.key_server
        self._networks: dict[str, Network] = {}
        self._housed: dict[str, Housed] = {}
        self._starting = threading.Lock()
        self.ports = port_ranges(
            insiders=(self._keys.subsystem, *self._apart), balancers=(str(Path.PASSTHROUGH), str(Path.TERMINATING))
        )
        # When the daemon is gone there is no waiting for records.
        self.docker = Docker(lambda: self.mailbox.put(Ended(expected=False)))
        try:
            daemon.sweep()
            with self.docker.asked("the image is not available"):
                daemon.reap(docker_api.client())
                self._image = ready_image()
        except BaseException:
            self.close()
            raise

    def prepare(self, setups: Sequence[Setup]) -> None:
        """See :class:`harness.lab.placement.Placement`."""
        balancers = {str(setup.path) for setup in setups} - {str(Path.DIRECT)}
        servers = {self.home(setup) for setup in setups}
        self._bring_up([*sorted({self.management_home(setup) for setup in setups} | servers), *sorted(balancers)])

    def _bring_up(self, names: Sequence[str]) -> None:
        """Start the sites of *names* that are not there yet, side by side."""
        with self._starting:
            missing = [name for name in names if name not in self._housed]
            if not missing:
                return
            for name in (PLATFORM, *self._apart):
                self._network(name)
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(self._house, missing))

    @property
    def _apart(self) -> list[str]:
        """The servers with a network of their own: all but management."""
        return [name for name in self._servers if name != self._keys.server]

    def _network(self, name: str) -> str:
        """The Docker name of the network called *name*, which is made if missing."""
        if name not in self._networks:
            with self.docker.asked(f"the network {name} cannot be created"):
                network = Network({"timeout": docker_api.ANSWER_SECONDS}, {"internal": True, "labels": daemon.labels()})
                network.name = f"{self.folder.name}-{name}"
                self._networks[name] = network.create()
        return self._networks[name].name

    def _house(self, name: str) -> None:
        """Start the site *name*; noted before it is ready, so that whatever happens it is taken down."""
        module = ("mitm_addons.balancer",) if name in list(Path) else ("harness.subsystems", *self._product.subsystems)
        networks = self._networks_of(name)
        log = self.folder / f"{name}.log"
        title, ports = f"{self.folder.name}-{name}", self.ports[_role(name)]
        plan = Plan(title, self._image, module, networks, self.folder, daemon.labels(), ports)
        link = Attached(plan, log, self.docker)
        worker = Worker(name, link, self.mailbox.put, log)
        site = Site(name, worker, link.addresses[next(iter(networks))])
        self._housed[name] = Housed(site, link, self._parcels(name))
        worker.await_ready()

    def _networks_of(self, name: str) -> Mapping[str, str]:
        """The networks of the site *name*, with its alias there; the first is where it listens."""
        platform = self._networks[PLATFORM].name
        others = {self._networks[server].name: "" for server in self._apart}
        role = _role(name)
        if role in self._apart:
            upstreams = {self._networks[server].name: "" for server in self._servers[role].upstreams}
            return {self._networks[role].name: name, platform: "", **upstreams}
        return {platform: name} if role == self._keys.subsystem else {platform: name, **others}

    def _parcels(self, name: str) -> Parcels:
        kind = _role(name).removesuffix(INSIDER)
        if kind == self._keys.subsystem:
            endpoints = [endpoint.secret for endpoint in self._keys.endpoints.values()]
            return Parcels(self.folder, [*endpoints, *self._product.pki.clients], signs=True)
        own = [self._servers[kind].secret] if kind in self._servers else []
        held = self._product.holdings.get(kind, Holding())
        return Parcels(
            self.folder,
            [*own, *held.secrets],
            certificates=held.certificates,
            issues=kind if held.issues else "",
            key_sets=held.key_sets,
        )

    def _site(self, name: str) -> Site:
        if name not in self._housed:
            self._bring_up([name])
        return self._housed[name].site

    def site_of(self, instance: Instance, setup: Setup) -> Site:
        """See :class:`harness.lab.placement.Placement`."""
        insider = INSIDER if instance.name.endswith(INSIDER) else ""
        return self._site(f"{instance.kind}{insider}{_suffix(setup)}")

    def balancers(self, path: Path) -> Site:
        """See :class:`harness.lab.placement.Placement`."""
        return self._site(str(path))

    def sites(self) -> Collection[Site]:
        """See :class:`harness.lab.placement.Placement`."""
        return [housed.site for housed in list(self._housed.values())]

    def host_of(self, site: Site, seen_from: Site) -> str:
        """See :class:`harness.lab.placement.Placement`."""
        return site.name

    def deliver(self, site: Site, files: Collection[FilePath]) -> None:
        """See :class:`harness.lab.placement.Placement`."""
        housed = self._housed[site.name]
        # Who finds nothing new must not go on before it has arrived.
        with housed.delivering:
            archive = housed.parcels.pack(files)
            if archive:
                housed.link.put(archive, self.folder)

    def multi_homed(self, instance: Instance) -> Instance:
        """See :class:`harness.lab.placement.Placement`: a replica with the same configuration and keys."""
        return replace(instance, name=f"{instance.name}{INSIDER}")

    def replicas(self, name: str) -> Sequence[str]:
        """See :class:`harness.lab.placement.Placement`."""
        return (name, f"{name}{INSIDER}")

    def housed(self, name: str) -> Housed | None:
        """The site *name* with its container, if it is there."""
        return self._housed.get(name)

    def gone(self, name: str) -> None:
        """Note that the container of the site *name* has been removed."""
        del self._housed[name]

    @property
    def platform(self) -> Any:
        """Docker's own handle of the platform network."""
        return self._networks[PLATFORM]._unwrap_network

    def home(self, setup: Setup) -> str:
        """The name of the site at which *setup*'s server runs."""
        return self.management_home(setup) if setup.server == self._keys.server else f"{setup.server}{_suffix(setup)}"

    def management_home(self, setup: Setup) -> str:
        """The name of the site at which *setup*'s management runs."""
        return f"{self._keys.subsystem}{_suffix(setup)}"

    def close(self) -> None:
        """End and remove the containers, then their networks; may be called twice.  Raises LabError if any is left."""
        try:
            self._remove_all()
        finally:
            self._networks.clear()
            self._housed.clear()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _remove_all(self) -> None:
        removals = [site.worker.close for site in self.sites()]
        failures = self._each(removals)
        if not self.docker.lost:
            failures += self._each(
                [
                    partial(daemon.remove_network, network._unwrap_network, self.docker)
                    for network in self._networks.values()
                ]
            )
        if failures:
            raise failures[0]

    @staticmethod
    def _each(removals: Sequence[Callable[[], None]]) -> list[BaseException]:
        """Do all of *removals* side by side; the failures."""
        with ThreadPoolExecutor(max(len(removals), 1)) as pool:
            done = [pool.submit(removal) for removal in removals]
        return [failure for item in done if (failure := item.exception()) is not None]


def _suffix(setup: Setup) -> str:
    """What tells the containers of an operated setup from everybody's."""
    return f".{hashlib.sha256(setup.own.encode()).hexdigest()[:8]}" if setup.variant == OPERATED else ""


def _role(name: str) -> str:
    return name.partition(".")[0]
