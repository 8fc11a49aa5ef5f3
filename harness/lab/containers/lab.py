"""The container lab: management, each server and each path's balancer in a container of its own.

Networks, all without a way out: ``platform`` has management, the balancers and the servers' way to the platform API;
each server has one of its own, which it shares with the balancers, and listens there only.  So management reaches a
server through a balancer or not at all; what it does on the direct path is done by an insider, a management with a foot
in every server's network.  The harness connects to the containers' own addresses: a published port would hide the
client's port, by which a rejected connection is found again.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath

import docker.errors
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.network import Network

from harness.errors import LabError
from harness.lab import deployment
from harness.lab.base import Door
from harness.lab.containers import daemon
from harness.lab.containers.image import ready_image
from harness.lab.containers.link import Attached, Plan
from harness.lab.containers.parcels import Parcels
from harness.lab.own import MANAGEMENT, Management, OwnLab, Site
from harness.lab.worker import Worker
from harness.model.case import Setup
from harness.model.vocabulary import Path
from harness.wire.pki import CLIENTS

INSIDER, PLATFORM = "management-insider", "platform"
OPERATED = "operated"
"""The variant of setups with containers of their own, which an operator may stop, cut off or configure anew."""
# A connection's record is found again by its peer's port.  In one network namespace that is unique; here each site that
# connects to a listener has ports of its own, below those of the harness (Linux: 32768 and up).
_PORTS = {
    MANAGEMENT: "10000 14999",
    INSIDER: "15000 19999",
    str(Path.PASSTHROUGH): "20000 24999",
    str(Path.TERMINATING): "25000 29999",
}
_AT_ONCE = 8


@dataclass(frozen=True)
class Housed:
    """A site with its container and what it has been given."""

    site: Site
    link: Attached
    parcels: Parcels
    delivering: threading.Lock = field(default_factory=threading.Lock, compare=False)


class ContainerLab(OwnLab):
    """A :class:`harness.lab.base.Lab` in containers."""

    features: Collection[str] = frozenset({"containers"})

    def _begin(self) -> None:
        self._networks: dict[str, Network] = {}
        self._housed: dict[str, Housed] = {}
        self._insiders: set[str] = set()
        self._starting = threading.Lock()
        self._client = DockerClient()
        daemon.sweep(self._client)
        daemon.reap(self._client)
        self._image = ready_image()

    def _prepare(self, setups: Sequence[Setup]) -> None:
        balancers = {str(setup.path) for setup in setups} - {str(Path.DIRECT)}
        managements = {self._management(setup).site for setup in setups}
        servers = {self._home(setup) for setup in setups}
        self._bring_up(sorted({MANAGEMENT, *managements}) + sorted(servers) + sorted(balancers))

    def _bring_up(self, names: Iterable[str]) -> None:
        """Start the sites of *names* that are not there yet, side by side."""
        with self._starting:
            missing = [name for name in names if name not in self._housed]
            if not missing:
                return
            for name in (PLATFORM, *self._servers):
                self._network(name)
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(self._house, missing))

    def _network(self, name: str) -> str:
        """The Docker name of the network called *name*, which is made if missing."""
        if name not in self._networks:
            network = Network(docker_network_kw={"internal": True, "labels": daemon.labels()})
            network.name = f"{self.folder.name}-{name}"
            try:
                self._networks[name] = network.create()
            except docker.errors.APIError as error:
                raise LabError(f"the network {name} cannot be made: {error.explanation}") from error
        return self._networks[name].name

    def _house(self, name: str) -> None:
        """Start the site *name*; noted before it is ready, so that whatever happens it is taken down."""
        module = "mitm_addons.balancer" if name in list(Path) else "harness.subsystems"
        networks = self._networks_of(name)
        log = self.folder / f"{name}.log"
        title, ports = f"{self.folder.name}-{name}", _PORTS.get(_role(name), "")
        plan = Plan(title, self._image, module, networks, self.folder, daemon.labels(), ports)
        link = Attached(plan, log)
        worker = Worker(name, link, self._mailbox.put, log)
        site = Site(name, worker, link.addresses[next(iter(networks))])
        self._housed[name] = Housed(site, link, self._parcels(name))
        worker.await_ready()

    def _networks_of(self, name: str) -> Mapping[str, str]:
        """The networks of the site *name*, with its alias there; the first is where it listens."""
        platform = self._networks[PLATFORM].name
        others = {self._networks[server].name: "" for server in self._servers}
        role = _role(name)
        if role in self._servers:
            return {self._networks[role].name: name, platform: ""}
        return {platform: name} if role == MANAGEMENT else {platform: name, **others}

    def _parcels(self, name: str) -> Parcels:
        role = _role(name)
        if role in self._servers:
            return Parcels(self.folder, [self._servers[role].secret])
        if role in (MANAGEMENT, INSIDER):
            return Parcels(self.folder, [deployment.PLATFORM_SECRET, *CLIENTS], signs=True)
        return Parcels(self.folder, [])

    def _site(self, name: str) -> Site:
        return self._housed[name].site

    def _sites(self) -> Collection[Site]:
        return [housed.site for housed in list(self._housed.values())]

    def _seen(self, site: Site, other: Site) -> str:
        return other.name

    def _deliver(self, site: Site, files: Collection[FilePath]) -> None:
        housed = self._housed[site.name]
        # Who finds nothing new must not go on before it has arrived.
        with housed.delivering:
            archive = housed.parcels.pack(files)
            if archive:
                housed.link.put(archive, self.folder)

    def _initiator(self, door: Door, management: Management) -> Site:
        """On the direct path the insider acts, with the same management's configuration and keys."""
        if door.setup.path is not Path.DIRECT:
            return super()._initiator(door, management)
        self._bring_up([INSIDER])
        site = self._site(INSIDER)
        with self._starting:
            if management.name not in self._insiders:
                instance = self._management_instance(site, management)
                self._deliver(site, [FilePath(instance["config"])])
                site.worker.call("start", instances=[instance])
                self._insiders.add(management.name)
        return site

    def _home(self, setup: Setup) -> str:
        return f"{setup.server}{_suffix(setup)}"

    def _management(self, setup: Setup) -> Management:
        return replace(super()._management(setup), site=f"{MANAGEMENT}{_suffix(setup)}")

    def close(self) -> None:
        """End and remove the containers, then their networks; may be called twice."""
        sites = self._sites()
        if sites:
            with ThreadPoolExecutor(len(sites)) as pool:
                list(pool.map(lambda site: site.worker.close(), sites))
        for network in self._networks.values():
            daemon.remove_network(network._unwrap_network)
        self._networks.clear()
        self._housed.clear()
        super().close()


def _suffix(setup: Setup) -> str:
    """What tells the containers of an operated setup from everybody's."""
    return f".{hashlib.sha256(setup.own.encode()).hexdigest()[:8]}" if setup.variant == OPERATED else ""


def _role(name: str) -> str:
    return name.partition(".")[0]
