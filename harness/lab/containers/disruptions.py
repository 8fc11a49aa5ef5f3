"""What an operator, or an accident, does to a deployment while it runs: containers stop, hang, die, are cut off, get a
changed configuration.  Does it, and says what it did; whether that was survived is judged elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from harness.errors import LabError
from harness.lab.containers.container import remove
from harness.lab.containers.lab import PLATFORM, ContainerLab, Housed
from harness.lab.folders import file_name
from harness.lab.plan import Instance
from harness.lab.protocol import Entrypoint
from harness.model.case import Setup
from harness.model.catalogue import Flow
from harness.model.observations import DrivenClient
from harness.model.protocol import Reload
from harness.model.script import Action, Part, Verb
from harness.model.script_facts import Change
from harness.pki.private_files import private_file


class OperatedLab(ContainerLab):
    """A container lab with an operator: a :class:`harness.lab.disruptions.Operated`."""

    def _begin(self) -> None:
        self._keys_at: dict[str, str] = {}
        super()._begin()

    def operate(self, setup: Setup, action: Action) -> Change | None:
        """See :class:`harness.lab.disruptions.Operated`."""
        actions: Mapping[Verb, Callable[[Setup, Part], Change | None]] = {
            Verb.PAUSE: self._pause,
            Verb.RESUME: self._resume,
            Verb.STOP: self._stop,
            Verb.START: self._start_again,
            Verb.KILL: self._kill,
            Verb.CUT: self._cut,
            Verb.MEND: self._mend,
            Verb.MOVE: self._move,
        }
        with self._docker.asked(f"cannot {action}"):
            return actions[action.verb](setup, action.part)

    def past_balancer(self, entrypoint: Entrypoint, flow: Flow, nonce: str) -> list[DrivenClient]:
        """See :class:`harness.lab.disruptions.Operated`."""
        server, client = self._housed[self._home(entrypoint.setup)], self._client(entrypoint.setup, flow)
        if flow.name in self.product.registered:
            self._register(entrypoint, client)
        port = self._ports[self._plan.server_name(entrypoint.setup)]
        return [
            self._request(client, flow, nonce, entrypoint, (address, port))
            for address in sorted(set(server.link.addresses.values()))
        ]

    def _which(self, setup: Setup, what: Part) -> tuple[str, str, Housed | None]:
        """Site name, instance name and container of *what*, a part of this setup."""
        if what == Part.KEY_SERVER:
            name, instance = self._management_home(setup), self._plan.management_name(setup)
        else:
            name, instance = self._home(setup), self._plan.server_name(setup)
        return name, instance, self._housed.get(name)

    def _running(self, setup: Setup, what: Part) -> Housed:
        name, _, housed = self._which(setup, what)
        if housed is None:
            raise LabError(f"{name} does not run")
        return housed

    def _pause(self, setup: Setup, what: Part) -> None:
        self._running(setup, what).link.container.pause()

    def _resume(self, setup: Setup, what: Part) -> None:
        self._running(setup, what).link.container.unpause()

    def _stop(self, setup: Setup, what: Part) -> None:
        """In order: it is asked to end, and is removed."""
        name, instance, _ = self._which(setup, what)
        self._running(setup, what).site.worker.close()
        self._lost(name, instance)

    def _kill(self, setup: Setup, what: Part) -> None:
        """As a node that fails: without closing its connections."""
        name, instance, _ = self._which(setup, what)
        housed = self._running(setup, what)
        housed.site.worker.expect_end()
        remove(housed.link.container, self._docker)
        housed.site.worker.close()
        self._lost(name, instance)

    def _lost(self, name: str, instance: str) -> None:
        del self._housed[name]
        self._down.add(instance)

    def _start_again(self, setup: Setup, what: Part) -> None:
        """A new container with the same configuration, at the same port."""
        _, instance, _ = self._which(setup, what)
        planned: Instance
        if what == Part.KEY_SERVER:
            planned = self._plan.management(setup)
        else:
            planned = self._server(setup, self._keys_at.get(instance, ""))
        self._start([(setup, planned)], self._ports.pop(instance))
        if instance in self._refused:
            raise LabError(f"{instance} did not start again: {self._refused[instance]}")
        self._down.discard(instance)
        self.set_clock(setup, self._offsets.get(setup, 0.0))
        self._entrypoints[setup] = self._door(setup)

    def _cut(self, setup: Setup, what: Part) -> None:
        self._platform.disconnect(self._running(setup, what).link.container)

    def _mend(self, setup: Setup, what: Part) -> None:
        housed = self._running(setup, what)
        alias = [housed.site.name] if what == Part.KEY_SERVER else None
        self._platform.connect(housed.link.container, aliases=alias)

    @property
    def _platform(self) -> Any:
        return self._networks[PLATFORM]._unwrap_network

    def _move(self, setup: Setup, what: Part) -> Change:
        """The operator changes the server's jwksUrl to another address of the platform API.

        A kind that cannot take it over as it runs is restarted.  Docker says whether it was, not the server.
        """
        if what == Part.KEY_SERVER:
            raise LabError("management has no jwksUrl")
        _, instance, _ = self._which(setup, what)
        management = self._plan.management(setup)
        other = replace(management, name=f"{management.name}|moved")
        self._start([(setup, other)])
        # Back and forth between two addresses, so that each move is a change.
        there = self._keys_at.get(instance) == other.name
        self._keys_at[instance] = management.name if there else other.name
        process, done = self._process(setup, what), set(self.effects([setup])[setup])
        begun = time.monotonic()
        if not self._reload(setup, what):
            self._stop(setup, what)
            self._start_again(setup, what)
        return Change(
            restarted=self._process(setup, what) != process,
            forgotten=len(done - set(self.effects([setup])[setup])),
            change_s=round(time.monotonic() - begun, 3),
        )

    def _reload(self, setup: Setup, what: Part) -> bool:
        _, instance, _ = self._which(setup, what)
        planned, site = self._server(setup, self._keys_at[instance]), self._running(setup, what).site
        config = private_file(self.folder / f"{file_name(instance)}.yaml", planned.config.encode())
        self._deliver(site, [config])
        return site.worker.call(Reload(instance, str(config)))["reloaded"]

    def _process(self, setup: Setup, what: Part) -> tuple[str, ...]:
        container = self._running(setup, what).link.container
        container.reload()
        state = container.attrs["State"]
        return str(container.id), str(state["Pid"]), str(state["StartedAt"])
