"""What an operator, or an accident, does to a deployment while it runs: containers stop, hang, die, are cut off, get a
changed configuration.  Does it, and says what it did; whether that was survived is judged elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from harness.errors import LabError
from harness.lab.containers.container import remove
from harness.lab.containers.placement import ContainerPlacement, Housed
from harness.lab.protocol import Entrypoint
from harness.lab.reference import ReferenceLab
from harness.model.case import Setup
from harness.model.catalogue import Flow
from harness.model.observations import DrivenClient
from harness.model.protocol import Reload
from harness.model.script import Action, Part, Verb
from harness.model.script_facts import Change


class ContainerOperator:
    """A :class:`harness.lab.disruptions.Operator` of *lab*, which runs in *placement*."""

    def __init__(self, lab: ReferenceLab, placement: ContainerPlacement) -> None:
        self._lab, self._placement, self._instances = lab, placement, lab.instances
        self._keys_at: dict[str, str] = {}

    def operate(self, setup: Setup, action: Action) -> Change | None:
        """See :class:`harness.lab.disruptions.Operator`."""
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
        with self._placement.docker.asked(f"cannot {action}"):
            return actions[action.verb](setup, action.part)

    def past_balancer(self, entrypoint: Entrypoint, flow: Flow, nonce: str) -> list[DrivenClient]:
        """See :class:`harness.lab.disruptions.Operator`."""
        server = self._housed(self._placement.home(entrypoint.setup))
        client = self._lab.registered_client(entrypoint, flow)
        port = self._instances.port(self._lab.plan.server_name(entrypoint.setup))
        return [
            self._lab.request(client, flow, nonce, entrypoint, (address, port))
            for address in sorted(set(server.link.addresses.values()))
        ]

    def _names(self, setup: Setup, part: Part) -> tuple[str, str]:
        """Of *part* of this setup: the names of its site and of its instance."""
        if part == Part.KEY_SERVER:
            return self._placement.management_home(setup), self._lab.plan.management_name(setup)
        return self._placement.home(setup), self._lab.plan.server_name(setup)

    def _housed(self, name: str) -> Housed:
        housed = self._placement.housed(name)
        if housed is None:
            raise LabError(f"{name} does not run")
        return housed

    def _running(self, setup: Setup, part: Part) -> Housed:
        return self._housed(self._names(setup, part)[0])

    def _pause(self, setup: Setup, part: Part) -> None:
        self._running(setup, part).link.container.pause()

    def _resume(self, setup: Setup, part: Part) -> None:
        self._running(setup, part).link.container.unpause()

    def _stop(self, setup: Setup, part: Part) -> None:
        """In order: it is asked to end, and is removed."""
        self._running(setup, part).site.worker.close()
        self._lost(*self._names(setup, part))

    def _kill(self, setup: Setup, part: Part) -> None:
        """As a node that fails: without closing its connections."""
        housed = self._running(setup, part)
        housed.site.worker.expect_end()
        remove(housed.link.container, self._placement.docker)
        housed.site.worker.close()
        self._lost(*self._names(setup, part))

    def _lost(self, site: str, instance: str) -> None:
        self._placement.gone(site)
        self._instances.note_down(instance)

    def _start_again(self, setup: Setup, part: Part) -> None:
        """A new container with the same configuration, at the same port."""
        _, name = self._names(setup, part)
        if part == Part.KEY_SERVER:
            instance = self._lab.plan.management(setup)
        else:
            instance = self._instances.server(setup, self._keys_at.get(name, ""))
        self._instances.start_again(setup, instance)
        self._instances.turn_clock(setup)
        self._instances.look_again(setup)

    def _cut(self, setup: Setup, part: Part) -> None:
        self._placement.platform.disconnect(self._running(setup, part).link.container)

    def _mend(self, setup: Setup, part: Part) -> None:
        housed = self._running(setup, part)
        alias = [housed.site.name] if part == Part.KEY_SERVER else None
        self._placement.platform.connect(housed.link.container, aliases=alias)

    def _move(self, setup: Setup, part: Part) -> Change:
        """The operator changes the server's jwksUrl to another address of the platform API.

        A kind that cannot take it over as it runs is restarted.  Docker says whether it was, not the server.
        """
        if part == Part.KEY_SERVER:
            raise LabError("management has no jwksUrl")
        _, instance = self._names(setup, part)
        management = self._lab.plan.management(setup)
        other = replace(management, name=f"{management.name}|moved")
        self._instances.start([(setup, other)])
        # Back and forth between two addresses, so that each move is a change.
        there = self._keys_at.get(instance) == other.name
        self._keys_at[instance] = management.name if there else other.name
        process, done = self._process(setup, part), set(self._lab.effects([setup])[setup])
        begun = time.monotonic()
        if not self._reload(setup, part):
            self._stop(setup, part)
            self._start_again(setup, part)
        return Change(
            restarted=self._process(setup, part) != process,
            forgotten=len(done - set(self._lab.effects([setup])[setup])),
            change_s=round(time.monotonic() - begun, 3),
        )

    def _reload(self, setup: Setup, part: Part) -> bool:
        _, name = self._names(setup, part)
        site = self._running(setup, part).site
        config = self._instances.write_config(self._instances.server(setup, self._keys_at[name]))
        self._placement.deliver(site, [config])
        return site.worker.call(Reload(name, str(config)))["reloaded"]

    def _process(self, setup: Setup, part: Part) -> tuple[str, ...]:
        container = self._running(setup, part).link.container
        container.reload()
        state = container.attrs["State"]
        return str(container.id), str(state["Pid"]), str(state["StartedAt"])
