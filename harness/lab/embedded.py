"""The embedded lab: reference subsystems in one child process, balancers in another, all on loopback.

Needs no Docker and no root.  Keys live in a private temporary folder that goes with the lab; one that a killed run left
behind goes at the next start.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from harness.decode.certificates import view
from harness.errors import LabError
from harness.lab.balancing import Before, listener
from harness.lab.base import ConfigurationRefused, Door
from harness.lab.folders import Folders, file_name, publish
from harness.lab.plan import MANAGEMENT, PLATFORM_API, Instance, Plan
from harness.lab.worker import Mailbox, Worker
from harness.model.case import Setup
from harness.model.catalogue import Flow, Server
from harness.model.exchange import BalancerView, ServerView
from harness.model.fault import Fault
from harness.model.vocabulary import Grade, Path
from harness.wire.files import private_file
from harness.wire.pki import Pki
from harness.wire.send import Address

LOOPBACK = "127.0.0.1"
RECORD_SECONDS = 5.0
_FOLDER = "flowproof-"
# What the client under test is told to do, by the server at which its flow ends.
_ACTIONS = {
    "portal": "register-portal",
    "analytics": "publish-event",
    "api-gateway": "register-gateway",
    "v5c-gateway": "register-gateway",
    "event-gateway": "register-gateway",
    PLATFORM_API: "call-platform",
}


class EmbeddedLab:
    """A :class:`harness.lab.base.Lab` on loopback.

    *servers* and *faults* are the catalogue's; ``pki`` is the deployment's, ``folder`` holds its files and the
    processes' logs.
    """

    grade = Grade.BOTH_SIDES

    def __init__(self, servers: Mapping[str, Server], flows: Mapping[str, Flow], faults: Mapping[str, Fault]) -> None:
        sweep()
        self._servers, self._flows, self._faults = servers, flows, faults
        self.folder = FilePath(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-"))
        self._mailbox = Mailbox()
        self._ports: dict[str, int] = {}
        self._refused: dict[str, str] = {}
        self._doors: dict[Setup, Door | ConfigurationRefused] = {}
        self._offsets: dict[Setup, float] = {}
        self._down: set[str] = set()
        self._registered: set[str] = set()
        self._numbers = itertools.count()
        # Cases run side by side, and some bring up what they need as they go.
        self._changing = threading.RLock()
        self._workers: list[Worker] = []
        try:
            # Both start at once: what they import takes longer than making the keys they wait for.
            self._subsystems = self._worker("harness.subsystems")
            self._balancers = self._worker("mitm_addons.balancer")
            self.pki = Pki.create()
            self._folders = Folders(self.folder, self.pki)
            self._plan = Plan(servers, faults, self._folders)
        except BaseException:
            self.close()
            raise

    def _worker(self, module: str) -> Worker:
        worker = Worker(module, self._mailbox.put, self.folder / f"{module}.log")
        self._workers.append(worker)
        return worker

    @property
    def secrets(self) -> FilePath:
        """The folder of the deployment's secrets."""
        return self._folders.deployment / "secrets"

    # What runs

    def open(self, setups: Iterable[Setup]) -> Mapping[Setup, Door | ConfigurationRefused]:
        """See :meth:`harness.lab.base.Lab.open`."""
        wanted = list(dict.fromkeys(setups))
        fresh = [setup for setup in wanted if setup not in self._doors]
        self._start([self._plan.management(setup) for setup in fresh])
        served = [setup for setup in fresh if setup.server != PLATFORM_API]
        self._start([self._plan.server(setup, self._ports[self._plan.management(setup).name]) for setup in served])
        self._start_balancers([setup for setup in fresh if setup.path is not Path.DIRECT])
        for setup in fresh:
            self._doors[setup] = self._door(setup)
        return {setup: self._doors[setup] for setup in wanted}

    def _start(self, wanted: Iterable[Instance], port: int = 0) -> None:
        """Start what is not running yet, all at once."""
        with self._changing:
            self._start_missing(wanted, port)

    def _start_missing(self, wanted: Iterable[Instance], port: int) -> None:
        known = self._ports.keys() | self._refused.keys()
        instances = {instance.name: instance for instance in wanted if instance.name not in known}
        hosts = dict.fromkeys(self._plan.hosts, LOOPBACK)
        orders = [instance.order(self._config(instance), hosts, port) for instance in instances.values()]
        if not orders:
            return
        for name, result in self._subsystems.call("start", instances=orders).items():
            if "port" in result:
                self._ports[name] = result["port"]
            else:
                self._refused[name] = result["refused"]

    def _config(self, instance: Instance) -> FilePath:
        return private_file(self.folder / f"{file_name(instance.name)}.yaml", instance.config.encode())

    def _start_balancers(self, setups: Iterable[Setup]) -> None:
        listeners = []
        for setup in setups:
            instance = self._plan.server_name(setup)
            if instance not in self._refused:
                server = self._servers[setup.server]
                clients = (flow.client_secret for flow in self._flows.values() if flow.server.name == server.name)
                before = Before(server, self._ports[instance], self.secrets, next(clients), self._folders.impostor)
                listeners.append(listener(self._listener_id(setup), setup, before))
        if listeners:
            for name, result in self._balancers.call("listen", listeners=listeners).items():
                self._ports[name] = result["port"]

    def _door(self, setup: Setup) -> Door | ConfigurationRefused:
        instance = self._plan.server_name(setup)
        if instance in self._refused:
            return ConfigurationRefused(self._refused[instance])
        server = self._servers[setup.server]
        port = self._ports[instance if setup.path is Path.DIRECT else self._listener_id(setup)]
        leaf = self.pki.secrets[server.secret].chain[0]
        ca = self.secrets / server.secret / "ca.crt"
        return Door(setup, Address(LOOPBACK, port, server.host), ca, view(leaf).sha256)

    def release(self, setups: Iterable[Setup]) -> None:
        """See :meth:`harness.lab.base.Lab.release`."""
        gone = [setup for setup in setups if self._doors.pop(setup, None) is not None]
        kept = {self._plan.server_name(setup) for setup in self._doors}
        listeners = [self._listener_id(setup) for setup in gone if self._listener_id(setup) in self._ports]
        instances = {self._plan.server_name(setup) for setup in gone} - kept
        if listeners:
            self._balancers.call("close", listeners=listeners)
        instances |= {self._plan.management(setup).name for setup in gone if setup.own}
        stopped = sorted(name for name in instances if name in self._ports and name not in self._down)
        if stopped:
            self._subsystems.call("stop", instances=stopped)
        for name in (*listeners, *instances):
            self._ports.pop(name, None)
            self._refused.pop(name, None)
        self._down -= instances

    # What happened

    def views(self, door: Door, client_port: int | None) -> tuple[BalancerView | None, ServerView | None]:
        """See :meth:`harness.lab.base.Lab.views`."""
        balancer: BalancerView | None = None
        upstream = client_port
        if client_port is None:
            self._check_alive()  # nobody could be reached: is there anybody left?
            return None, None
        if door.setup.path is not Path.DIRECT:
            record = self._record(self._listener_id(door.setup), door.address.port, client_port)
            if record is None:
                return None, None
            balancer = BalancerView.from_json(record)
            upstream = balancer.upstream_port
            if upstream is None:
                return balancer, None
        instance = self._plan.server_name(door.setup)
        record = self._record(instance, self._ports[instance], upstream or 0)
        return balancer, ServerView.from_json(record) if record else None

    def _record(self, listener_id: str, local_port: int, peer_port: int) -> Mapping[str, Any] | None:
        record = self._mailbox.take(listener_id, local_port, peer_port, RECORD_SECONDS)
        if record is None:
            self._check_alive()
        return record

    def _check_alive(self) -> None:
        for worker in self._workers:
            if not worker.alive:
                worker.call("ping")  # raises, with what the process said last

    def effects(self, setups: Iterable[Setup]) -> Mapping[Setup, Collection[str]]:
        """See :meth:`harness.lab.base.Lab.effects`."""
        names = {setup: self._plan.server_name(setup) for setup in setups}
        asked = sorted({name for name in names.values() if name in self._ports})
        states = self._subsystems.call("state", instances=asked) if asked else {}
        return {setup: frozenset(states.get(name, {}).get("effects", ())) for setup, name in names.items()}

    def act(self, door: Door, flow: Flow, nonce: str) -> Mapping[str, Any]:
        """See :meth:`harness.lab.base.Lab.act`."""
        url = f"https://{door.address.server_name}:{door.address.port}"
        target = {"url": url, "connect": LOOPBACK}
        client = self._plan.client(door.setup, flow)
        self._start([client])
        if flow.server.name == "analytics" and flow.client != MANAGEMENT:
            self._register(door, client)
        action = "fetch-keys" if flow.path.endswith("/certs") else _ACTIONS[flow.server.name]
        return dict(self._subsystems.call("act", instance=client.name, action=action, target=target, nonce=nonce))

    def _register(self, door: Door, gateway: Instance) -> None:
        """Let management register *gateway*, which gives it what it presents to analytics; the JWT is switched on."""
        management = self._plan.management(door.setup)
        with self._changing:
            if gateway.name in self._registered:
                return
            host = self._servers[gateway.kind].host
            target = {"url": f"https://{host}:{self._ports[gateway.name]}", "connect": LOOPBACK, "with_jwt": True}
            nonce = f"registration-{next(self._numbers)}"
            result = self._subsystems.call(
                "act", instance=management.name, action="register-gateway", target=target, nonce=nonce
            )
            if result["status"] != 201:
                raise LabError(f"{gateway.name} could not be registered: {result['error'] or result['status']}")
            self._registered.add(gateway.name)

    def now(self) -> float:
        """The lab's clock, seconds since the epoch."""
        return time.time()

    # Servers that a case has to itself

    def set_clock(self, setup: Setup, offset: float) -> None:
        """See :meth:`harness.lab.base.Lab.set_clock`."""
        names = (self._plan.server_name(setup), self._plan.management(setup).name)
        running = [name for name in names if name not in self._down]
        self._offsets[setup] = offset
        self._subsystems.call("clock", offset=offset, instances=running)

    def set_management(self, setup: Setup, *, up: bool) -> None:
        """See :meth:`harness.lab.base.Lab.set_management`."""
        management = self._plan.management(setup)
        if not up:
            self._subsystems.call("stop", instances=[management.name])
            self._down.add(management.name)
            return
        self._start([management], self._ports.pop(management.name))
        self._down.discard(management.name)
        self.set_clock(setup, self._offsets.get(setup, 0.0))

    def publish_keys(self, setup: Setup, keys: Sequence[rsa.RSAPrivateKey]) -> None:
        """See :meth:`harness.lab.base.Lab.publish_keys`."""
        publish(self._plan.management(setup).folder, keys)

    def renew(self, setup: Setup, secret: str) -> str:
        """See :meth:`harness.lab.base.Lab.renew`."""
        return self._folders.renew(self._plan.management(setup).folder, secret)

    def register(self, door: Door, flow: Flow) -> None:
        """See :meth:`harness.lab.base.Lab.register`."""
        gateway = self._plan.client(door.setup, flow)
        self._start([gateway])
        self._registered.discard(gateway.name)
        self._register(door, gateway)

    def counters(self, setup: Setup) -> Mapping[str, int]:
        """See :meth:`harness.lab.base.Lab.counters`."""
        name = self._plan.server_name(setup)
        counted: Mapping[str, int] = self._subsystems.call("state", instances=[name])[name]["counters"]
        return counted

    def close(self) -> None:
        """End both processes, remove the keys."""
        for worker in reversed(self._workers):
            worker.close()
        self._workers.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    # Names

    def _listener_id(self, setup: Setup) -> str:
        return "|".join((self._plan.server_name(setup), setup.path, setup.variant, setup.fault))


def sweep() -> None:
    """Remove folders with keys whose run is gone: a killed harness cannot clean up after itself."""
    for folder in FilePath(tempfile.gettempdir()).glob(f"{_FOLDER}*-*"):
        owner = folder.name.removeprefix(_FOLDER).partition("-")[0]
        if owner.isdigit() and not _running(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError as error:
        # Somebody else's process: not ours to sweep.
        return not isinstance(error, ProcessLookupError)
    return True
