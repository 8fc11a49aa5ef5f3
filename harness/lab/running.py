"""What every lab of our own runs: the instances and listeners that setups need.

A *site* is where they run: a worker process and the address it is reached at.  Which sites there are, and what they
are given to read, is for the labs that derive from this; what runs in them is the same everywhere.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from harness.decode.certificates import view
from harness.lab import deployment
from harness.lab.balancing import BALANCER_FAULTS, listener
from harness.lab.base import ConfigurationRefused, Door
from harness.lab.folders import BAD_SERVER_VARIANTS, IMPOSTOR, Folders, file_name, new_home, sweep
from harness.lab.worker import Mailbox, Worker
from harness.model.case import Setup
from harness.model.catalogue import Flow, Server
from harness.model.fault import Fault
from harness.model.vocabulary import Path
from harness.wire.files import private_file
from harness.wire.pki import Pki
from harness.wire.send import Address

LOOPBACK = "127.0.0.1"
MANAGEMENT = "management"
_KINDS = {"PortalCluster": "portal", "AnalyticsCluster": "analytics"}


@dataclass(frozen=True)
class Site:
    """Where instances or listeners run: *worker* obeys, the harness reaches them at *address*, which they listen on."""

    name: str
    worker: Worker = field(compare=False)
    address: str = field(default=LOOPBACK, compare=False)


@dataclass(frozen=True)
class Management:
    """A management instance: its name, its fault or '', the deployment folder it reads, and the site it runs at."""

    name: str
    fault: str
    folder: FilePath
    site: str = MANAGEMENT


class Running:
    """What runs in a lab of our own.

    *servers* and *faults* are the catalogue's; ``pki`` is the deployment's, ``folder`` holds its files and the
    processes' logs.
    """

    def __init__(self, servers: Mapping[str, Server], flows: Mapping[str, Flow], faults: Mapping[str, Fault]) -> None:
        sweep(FilePath(tempfile.gettempdir()))
        self._servers, self._flows, self._faults = servers, flows, faults
        self.folder = new_home()
        self._mailbox = Mailbox()
        self._ports: dict[str, int] = {}
        self._refused: dict[str, str] = {}
        self._places: dict[str, Site] = {}
        self._doors: dict[Setup, Door | ConfigurationRefused] = {}
        self._offsets: dict[Setup, float] = {}
        self._down: set[str] = set()
        try:
            self._begin()
            self.pki = Pki.create()
            self._folders = Folders(self.folder, self.pki)
        except BaseException:
            self.close()
            raise

    # What a lab decides for itself

    def _begin(self) -> None:
        """Start what takes longer than making the keys."""

    def _prepare(self, setups: Sequence[Setup]) -> None:
        """Bring up the sites that *setups* need."""

    def _site(self, name: str) -> Site:
        """The site called *name*: ``management``, that of a server, or that of the balancers on a path."""
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

    def open(self, setups: Iterable[Setup]) -> Mapping[Setup, Door | ConfigurationRefused]:
        """See :meth:`harness.lab.base.Lab.open`."""
        wanted = list(dict.fromkeys(setups))
        fresh = [setup for setup in wanted if setup not in self._doors]
        self._prepare(fresh)
        self._start_managements({self._management(setup): None for setup in fresh})
        self._start_servers(fresh)
        self._start_balancers([setup for setup in fresh if setup.path is not Path.DIRECT])
        for setup in fresh:
            self._doors[setup] = self._door(setup)
        return {setup: self._doors[setup] for setup in wanted}

    def _start_managements(self, wanted: Iterable[Management]) -> None:
        orders: defaultdict[Site, list[dict[str, Any]]] = defaultdict(list)
        for management in wanted:
            if management.name not in self._ports:
                site = self._site(management.site)
                orders[site].append(self._management_instance(site, management))
        for site, instances in orders.items():
            self._start(site, instances)

    def _management_instance(self, site: Site, management: Management, port: int = 0) -> dict[str, Any]:
        config = private_file(self.folder / "management.yaml", deployment.management_resource().encode())
        faults = [management.fault] if management.fault else []
        order = self._instance(site, management.name, MANAGEMENT, config, faults, management)
        return {**order, "port": port}

    def _start_servers(self, setups: Iterable[Setup]) -> None:
        wanted = {self._instance_id(setup): setup for setup in setups}
        started = self._ports.keys() | self._refused.keys()
        instances: defaultdict[Site, list[dict[str, Any]]] = defaultdict(list)
        for name, setup in wanted.items():
            if name not in started:
                site = self._site(self._home(setup))
                instances[site].append(self._server_instance(site, name, setup))
        for site, orders in instances.items():
            self._start(site, orders)

    def _server_instance(self, site: Site, name: str, setup: Setup, keys_at: str = "") -> dict[str, Any]:
        """*keys_at* names the management whose platform API it is told to fetch keys from, if not the setup's own."""
        server, management = self._servers[setup.server], self._management(setup)
        url = deployment.jwks_url(self._ports[keys_at or management.name])
        text = deployment.custom_resource(server, setup.posture, url)
        config = private_file(self.folder / f"{file_name(name)}.yaml", text.encode())
        faults = self._faults_on(_KINDS[server.kind], setup)
        order = self._instance(site, name, _KINDS[server.kind], config, faults, management)
        return {**order, "folder": str(self._server_folder(setup))}

    def _instance(
        self, site: Site, name: str, kind: str, config: FilePath, faults: list[str], management: Management
    ) -> dict[str, Any]:
        hosts = dict.fromkeys((server.host for server in self._servers.values()), LOOPBACK)
        return {
            "id": name,
            "kind": kind,
            "config": str(config),
            "folder": str(management.folder),
            "hosts": {**hosts, deployment.PLATFORM_HOST: self._seen(site, self._site(management.site))},
            "faults": faults,
            "address": site.address,
        }

    def _start(self, site: Site, instances: list[dict[str, Any]]) -> None:
        if not instances:
            return
        self._deliver(site, [FilePath(instance["config"]) for instance in instances])
        for name, result in site.worker.call("start", instances=instances).items():
            self._places[name] = site
            if "port" in result:
                self._ports[name] = result["port"]
            else:
                self._refused[name] = result["refused"]

    def _start_balancers(self, setups: Iterable[Setup]) -> None:
        listeners: defaultdict[Site, list[dict[str, Any]]] = defaultdict(list)
        for setup in setups:
            if self._instance_id(setup) not in self._refused:
                site = self._site(str(setup.path))
                listeners[site].append(self._listener(site, setup))
        for site, orders in listeners.items():
            keys = [order["behaviours"].get("client_certificate") for order in orders]
            keys += [order[name] for order in orders for name in ("certificate", "upstream_ca")]
            self._deliver(site, [FilePath(key) for key in keys if key])
            for name, result in site.worker.call("listen", listeners=orders).items():
                self._ports[name] = result["port"]
                self._places[name] = site

    def _listener(self, site: Site, setup: Setup) -> dict[str, Any]:
        server, instance = self._servers[setup.server], self._instance_id(setup)
        fault = setup.fault if setup.fault in BALANCER_FAULTS else ""
        client = next(flow.client_secret for flow in self._flows.values() if flow.server.name == server.name)
        name, port = self._listener_id(setup), self._ports[instance]
        order = listener(name, setup.path, server, port, self.secrets, client, fault)
        return {**order, "host": site.address, "upstream_host": self._seen(site, self._places[instance])}

    def _door(self, setup: Setup) -> Door | ConfigurationRefused:
        instance = self._instance_id(setup)
        if instance in self._refused:
            return ConfigurationRefused(self._refused[instance])
        server = self._servers[setup.server]
        entered = instance if setup.path is Path.DIRECT else self._listener_id(setup)
        leaf = self.pki.secrets[server.secret].chain[0]
        ca = self.secrets / server.secret / "ca.crt"
        address = Address(self._places[entered].address, self._ports[entered], server.host)
        return Door(setup, address, ca, view(leaf).sha256)

    def release(self, setups: Iterable[Setup]) -> None:
        """See :meth:`harness.lab.base.Lab.release`."""
        gone = [setup for setup in setups if self._doors.pop(setup, None) is not None]
        kept = {self._instance_id(setup) for setup in self._doors}
        listeners = [self._listener_id(setup) for setup in gone if self._listener_id(setup) in self._ports]
        instances = {self._instance_id(setup) for setup in gone} - kept
        for site, names in self._by_site(listeners).items():
            site.worker.call("close", listeners=names)
        instances |= {self._management(setup).name for setup in gone if setup.own}
        running = sorted(name for name in instances if name in self._ports and name not in self._down)
        for site, names in self._by_site(running).items():
            site.worker.call("stop", instances=names)
        for name in (*listeners, *instances):
            self._ports.pop(name, None)
            self._refused.pop(name, None)
            self._places.pop(name, None)
        self._down -= instances

    def _by_site(self, names: Iterable[str]) -> Mapping[Site, list[str]]:
        found: defaultdict[Site, list[str]] = defaultdict(list)
        for name in names:
            found[self._places[name]].append(name)
        return found

    # The end

    def close(self) -> None:
        """End the processes, remove the keys; may be called twice."""
        for site in self._sites():
            site.worker.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # Names

    def _home(self, setup: Setup) -> str:
        """The name of the site at which this setup's server runs."""
        return setup.server

    def _faults_on(self, kind: str, setup: Setup) -> list[str]:
        fault = self._faults.get(setup.fault)
        return [fault.name] if fault and fault.where == "subsystem" and kind in fault.on else []

    def _management(self, setup: Setup) -> Management:
        """Which management serves this setup: the deployment's, a faulty one, an impostor, or one of its own."""
        if setup.variant == IMPOSTOR:
            return Management(IMPOSTOR, "", self._folders.impostor())
        fault = next(iter(self._faults_on("management", setup)), "")
        folder = self._folders.own(self._instance_id(setup)) if setup.own else self._folders.deployment
        return Management(f"management|{fault}|{setup.own}|{setup.own and setup.fault}", fault, folder)

    def _server_folder(self, setup: Setup) -> FilePath:
        if setup.variant in BAD_SERVER_VARIANTS:
            return self._folders.bad_server(self._servers[setup.server], setup.variant)
        return self._management(setup).folder if setup.own else self._folders.deployment

    def _instance_id(self, setup: Setup) -> str:
        parts = [setup.server, str(setup.posture), setup.fault, setup.variant, setup.own]
        return "|".join(parts)

    def _listener_id(self, setup: Setup) -> str:
        return f"{self._instance_id(setup)}|{setup.path}"
