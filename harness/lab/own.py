"""What every lab of our own shares: what runs in it (:mod:`harness.lab.running`), what it tells, how it is changed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from harness.lab.base import Door
from harness.lab.folders import publish
from harness.lab.running import LOOPBACK, MANAGEMENT, Management, Running, Site
from harness.model.case import Setup
from harness.model.catalogue import Flow
from harness.model.exchange import BalancerView, ServerView
from harness.model.vocabulary import Grade, Path

__all__ = ["LOOPBACK", "MANAGEMENT", "Management", "OwnLab", "Site"]

RECORD_SECONDS = 5.0
_ACTIONS = {"management-to-portal": "register-portal", "management-to-analytics": "publish-event"}


class OwnLab(Running):
    """Most of a :class:`harness.lab.base.Lab` of our own."""

    grade = Grade.BOTH_SIDES
    features: Collection[str] = frozenset()

    def _initiator(self, _door: Door, management: Management) -> Site:
        """Where the management that sends a request of its own through *_door* runs."""
        return self._places[management.name]

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
        for site in self._sites():
            if not site.worker.alive:
                site.worker.call("ping")  # raises, with what the process said last

    def _states(self, names: Iterable[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for site, here in self._by_site(names).items():
            found |= site.worker.call("state", instances=here)
        return found

    def effects(self, setups: Iterable[Setup]) -> Mapping[Setup, Collection[str]]:
        """See :meth:`harness.lab.base.Lab.effects`."""
        names = {setup: self._instance_id(setup) for setup in setups}
        states = self._states(sorted({name for name in names.values() if name in self._ports} - self._down))
        return {setup: frozenset(states.get(name, {}).get("effects", ())) for setup, name in names.items()}

    def act(self, door: Door, flow: Flow, nonce: str) -> Mapping[str, Any]:
        """See :meth:`harness.lab.base.Lab.act`."""
        management = self._management(door.setup)
        site = self._initiator(door, management)
        entered = self._instance_id(door.setup) if door.setup.path is Path.DIRECT else self._listener_id(door.setup)
        address = (self._seen(site, self._places[entered]), door.address.port)
        return self._request(site, management, flow, nonce, door, address)

    def _request(
        self, site: Site, management: Management, flow: Flow, nonce: str, door: Door, address: tuple[str, int]
    ) -> Mapping[str, Any]:
        """*management*'s own account of the request it makes, from *site*, for the name of *door* at *address*."""
        target = {"url": f"https://{door.address.server_name}:{address[1]}", "connect": address[0]}
        action = _ACTIONS[flow.name]
        return dict(site.worker.call("act", instance=management.name, action=action, target=target, nonce=nonce))

    def now(self) -> float:
        """The lab's clock, seconds since the epoch."""
        return time.time()

    # Servers that a case has to itself

    def set_clock(self, setup: Setup, offset: float) -> None:
        """See :meth:`harness.lab.base.Lab.set_clock`."""
        running = [name for name in (self._instance_id(setup), self._management(setup).name) if name not in self._down]
        self._offsets[setup] = offset
        for site, names in self._by_site(running).items():
            site.worker.call("clock", offset=offset, instances=names)

    def set_management(self, setup: Setup, *, up: bool) -> None:
        """See :meth:`harness.lab.base.Lab.set_management`."""
        management = self._management(setup)
        site = self._places[management.name]
        if not up:
            site.worker.call("stop", instances=[management.name])
            self._down.add(management.name)
            return
        self._start(site, [self._management_instance(site, management, self._ports[management.name])])
        self._down.discard(management.name)
        self.set_clock(setup, self._offsets.get(setup, 0.0))

    def publish_keys(self, setup: Setup, keys: Sequence[rsa.RSAPrivateKey]) -> None:
        """See :meth:`harness.lab.base.Lab.publish_keys`."""
        management = self._management(setup)
        publish(management.folder, keys)
        self._deliver(self._places[management.name], [])

    def counters(self, setup: Setup) -> Mapping[str, int]:
        """See :meth:`harness.lab.base.Lab.counters`."""
        name = self._instance_id(setup)
        counted: Mapping[str, int] = self._states([name])[name]["counters"]
        return counted

    # What is left

    def keep_logs(self, folder: FilePath) -> None:
        """See :class:`harness.lab.base.KeepsLogs`."""
        for log in self.folder.glob("*.log"):
            if log.stat().st_size:
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(log, folder / log.name)
