"""The embedded lab for rehearsals: the deployment's secrets are issued again and parts restart, while requests come."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import LabError
from harness.lab.embedded import EmbeddedLab
from harness.lab.plan import Instance
from harness.lab.protocol import Entrypoint
from harness.model.case import Setup
from harness.model.catalogue import Flow


class RenewalLab(EmbeddedLab):
    """An embedded lab whose deployment changes."""

    def reissue(self, secrets: Iterable[str]) -> None:
        """Issue *secrets* of the deployment again, with other keys; what runs keeps what it has read."""
        for secret in secrets:
            self.pki.renew(secret, self._folders.deployment)

    def restart_server(self, setup: Setup) -> None:
        """Restart the server of *setup* at its port; raises LabError if it does not start."""
        if setup.server == self._keys.server:
            self._restart(setup, self._plan.management(setup))
        else:
            self._restart(setup, self._server(setup))

    def restart_client(self, setup: Setup, flow: Flow) -> None:
        """Restart the client under test of *flow*; a gateway loses what its registration brought."""
        self._restart(setup, self._plan.client(setup, flow))

    def _restart(self, setup: Setup, instance: Instance) -> None:
        with self._changing:  # nobody else may start it in between
            self._end([instance.name])
            self._registered.pop(instance.name, None)
            self._start([(setup, instance)], self._ports.pop(instance.name))
            if instance.name in self._refused:
                raise LabError(f"{instance.name} does not start again: {self._refused[instance.name]}")

    def try_to_register(self, entrypoint: Entrypoint, flow: Flow) -> str:
        """Register *flow*'s client once more; why that failed, or ''."""
        try:
            self.register(entrypoint, flow)
        except LabError as error:
            return error.what
        return ""
