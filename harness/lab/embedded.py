"""The embedded lab: reference subsystems in one child process, balancers in another, all on loopback.

Needs no Docker and no root.  Keys live in a private temporary folder that goes with the lab; one that a killed run left
behind goes at the next start.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from harness.decode.certificates import view
from harness.lab import deployment
from harness.lab.balancing import BALANCER_FAULTS, listener
from harness.lab.base import ConfigurationRefused, Door
from harness.lab.folders import BAD_SERVER_VARIANTS, IMPOSTOR, Folders, file_name, publish
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
_KINDS = {"PortalCluster": "portal", "AnalyticsCluster": "analytics"}
_ACTIONS = {"management-to-portal": "register-portal", "management-to-analytics": "publish-event"}


@dataclass(frozen=True)
class _Management:
    """A management instance: its name, its fault or '', and the deployment folder it reads."""

    name: str
    fault: str
    folder: FilePath


class EmbeddedLab:
    """A :class:`harness.lab.base.Lab` on loopback.

    *servers* and *faults* are the catalogue's; ``pki`` is the deployment's, ``folder`` holds its files and the
    processes' logs.
    """

    grade = Grade.BOTH_SIDES
    features: Collection[str] = frozenset()

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
        self._workers: list[Worker] = []
        try:
            # Both start at once: what they import takes longer than making the keys they wait for.
            self._subsystems = self._worker("harness.subsystems")
            self._balancers = self._worker("mitm_addons.balancer")
            self.pki = Pki.create()
            self._folders = Folders(self.folder, self.pki)
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
        self._start_managements({self._management(setup): None for setup in fresh})
        self._start_servers(fresh)
        self._start_balancers([setup for setup in fresh if setup.path is not Path.DIRECT])
        for setup in fresh:
            self._doors[setup] = self._door(setup)
        return {setup: self._doors[setup] for setup in wanted}

    def _start_managements(self, wanted: Iterable[_Management]) -> None:
        missing = [management for management in wanted if management.name not in self._ports]
        if missing:
            config = private_file(self.folder / "management.yaml", deployment.management_resource().encode())
            self._start([self._management_instance(management, config) for management in missing])

    def _management_instance(self, management: _Management, config: FilePath, port: int = 0) -> dict[str, Any]:
        faults = [management.fault] if management.fault else []
        return {**self._instance(management.name, "management", config, faults, management.folder), "port": port}

    def _start_servers(self, setups: Iterable[Setup]) -> None:
        wanted = {self._instance_id(setup): setup for setup in setups}
        started = self._ports.keys() | self._refused.keys()
        instances = []
        for name, setup in wanted.items():
            if name not in started:
                server = self._servers[setup.server]
                url = deployment.jwks_url(self._ports[self._management(setup).name])
                text = deployment.custom_resource(server, setup.posture, url)
                config = private_file(self.folder / f"{file_name(name)}.yaml", text.encode())
                faults = self._faults_on(_KINDS[server.kind], setup)
                folder = self._server_folder(setup)
                instances.append(self._instance(name, _KINDS[server.kind], config, faults, folder))
        self._start(instances)

    def _instance(self, name: str, kind: str, config: FilePath, faults: list[str], folder: FilePath) -> dict[str, Any]:
        return {
            "id": name,
            "kind": kind,
            "config": str(config),
            "folder": str(folder),
            "hosts": dict.fromkeys((deployment.PLATFORM_HOST, *self._hosts()), LOOPBACK),
            "faults": faults,
        }

    def _hosts(self) -> list[str]:
        return [server.host for server in self._servers.values()]

    def _start(self, instances: list[dict[str, Any]]) -> None:
        if not instances:
            return
        for name, result in self._subsystems.call("start", instances=instances).items():
            if "port" in result:
                self._ports[name] = result["port"]
            else:
                self._refused[name] = result["refused"]

    def _start_balancers(self, setups: Iterable[Setup]) -> None:
        listeners = []
        for setup in setups:
            instance = self._instance_id(setup)
            if instance in self._refused:
                continue
            server = self._servers[setup.server]
            fault = setup.fault if setup.fault in BALANCER_FAULTS else ""
            client = next(flow.client_secret for flow in self._flows.values() if flow.server.name == server.name)
            name, port = self._listener_id(setup), self._ports[instance]
            listeners.append(listener(name, setup.path, server, port, self.secrets, client, fault))
        if listeners:
            for name, result in self._balancers.call("listen", listeners=listeners).items():
                self._ports[name] = result["port"]

    def _door(self, setup: Setup) -> Door | ConfigurationRefused:
        instance = self._instance_id(setup)
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
        kept = {self._instance_id(setup) for setup in self._doors}
        listeners = [self._listener_id(setup) for setup in gone if self._listener_id(setup) in self._ports]
        instances = {self._instance_id(setup) for setup in gone} - kept
        if listeners:
            self._balancers.call("close", listeners=listeners)
        instances |= {self._management(setup).name for setup in gone if setup.own}
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
            return None, None
        if door.setup.path is not Path.DIRECT:
            record = self._record(self._listener_id(door.setup), door.address.port, client_port)
            if record is None:
                return None, None
            balancer = BalancerView.from_json(record)
            upstream = balancer.upstream_port
            if upstream is None:
                return balancer, None
        instance = self._instance_id(door.setup)
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
        names = {setup: self._instance_id(setup) for setup in setups}
        asked = sorted({name for name in names.values() if name in self._ports})
        states = self._subsystems.call("state", instances=asked) if asked else {}
        return {setup: frozenset(states.get(name, {}).get("effects", ())) for setup, name in names.items()}

    def act(self, door: Door, flow: Flow, nonce: str) -> Mapping[str, Any]:
        """See :meth:`harness.lab.base.Lab.act`."""
        url = f"https://{door.address.server_name}:{door.address.port}"
        target = {"url": url, "connect": LOOPBACK}
        name = self._management(door.setup).name
        result = self._subsystems.call("act", instance=name, action=_ACTIONS[flow.name], target=target, nonce=nonce)
        return dict(result)

    def now(self) -> float:
        """The lab's clock, seconds since the epoch."""
        return time.time()

    # Servers that a case has to itself

    def set_clock(self, setup: Setup, offset: float) -> None:
        """See :meth:`harness.lab.base.Lab.set_clock`."""
        running = [name for name in (self._instance_id(setup), self._management(setup).name) if name not in self._down]
        self._offsets[setup] = offset
        self._subsystems.call("clock", offset=offset, instances=running)

    def set_management(self, setup: Setup, *, up: bool) -> None:
        """See :meth:`harness.lab.base.Lab.set_management`."""
        management = self._management(setup)
        if not up:
            self._subsystems.call("stop", instances=[management.name])
            self._down.add(management.name)
            return
        config = self.folder / "management.yaml"
        self._start([self._management_instance(management, config, self._ports[management.name])])
        self._down.discard(management.name)
        self.set_clock(setup, self._offsets.get(setup, 0.0))

    def publish_keys(self, setup: Setup, keys: Sequence[rsa.RSAPrivateKey]) -> None:
        """See :meth:`harness.lab.base.Lab.publish_keys`."""
        publish(self._management(setup).folder, keys)

    def counters(self, setup: Setup) -> Mapping[str, int]:
        """See :meth:`harness.lab.base.Lab.counters`."""
        name = self._instance_id(setup)
        counted: Mapping[str, int] = self._subsystems.call("state", instances=[name])[name]["counters"]
        return counted

    def close(self) -> None:
        """End both processes, remove the keys."""
        for worker in reversed(self._workers):
            worker.close()
        self._workers.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    # Names

    def _faults_on(self, kind: str, setup: Setup) -> list[str]:
        fault = self._faults.get(setup.fault)
        return [fault.name] if fault and fault.where == "subsystem" and kind in fault.on else []

    def _management(self, setup: Setup) -> _Management:
        """Which management serves this setup: the deployment's, a faulty one, an impostor, or one of its own."""
        if setup.variant == IMPOSTOR:
            return _Management(IMPOSTOR, "", self._folders.impostor())
        fault = next(iter(self._faults_on("management", setup)), "")
        folder = self._folders.own(self._instance_id(setup)) if setup.own else self._folders.deployment
        return _Management(f"management|{fault}|{setup.own}|{setup.own and setup.fault}", fault, folder)

    def _server_folder(self, setup: Setup) -> FilePath:
        if setup.variant in BAD_SERVER_VARIANTS:
            return self._folders.bad_server(self._servers[setup.server], setup.variant)
        return self._management(setup).folder if setup.own else self._folders.deployment

    def _instance_id(self, setup: Setup) -> str:
        parts = [setup.server, str(setup.posture), setup.fault, setup.variant, setup.own]
        return "|".join(parts)

    def _listener_id(self, setup: Setup) -> str:
        return f"{self._instance_id(setup)}|{setup.path}"


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
