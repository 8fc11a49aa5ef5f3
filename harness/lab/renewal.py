"""What a rehearsal does to a reference lab: secrets are issued again and parts restart, while requests come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness.errors import LabError
from harness.lab.plan import FolderKind, FolderSpec, Instance
from harness.lab.protocol import Entrypoint
from harness.lab.reference import ReferenceLab
from harness.model.case import Setup
from harness.model.catalogue import Flow


class Renewals:
    """Changes the deployment of *lab*."""

    def __init__(self, lab: ReferenceLab) -> None:
        self._lab, self._instances = lab, lab.instances

    def reissue(self, secrets: Iterable[str]) -> None:
        """Issue *secrets* of the deployment again, with other keys; what runs keeps what it has read."""
        for secret in secrets:
            self._lab.pki.renew(secret, self._instances.folders.deployment)

    def restart_server(self, setup: Setup, *, other_ca: bool = False) -> None:
        """Restart the server of *setup* at its port; raises LabError if it does not start.

        With *other_ca* all that it reads is of CAs with the deployment's names and other keys.
        """
        self._restart(setup, self._instances.server(setup), other_ca)

    def restart_client(self, setup: Setup, flow: Flow, *, other_ca: bool = False) -> None:
        """Restart the client under test of *flow*; a gateway loses what its registration brought."""
        self._restart(setup, self._lab.plan.client(setup, flow), other_ca)

    def _restart(self, setup: Setup, instance: Instance, other_ca: bool) -> None:
        if other_ca:
            instance = replace(instance, folder=FolderSpec(FolderKind.IMPOSTOR))
        with self._instances.changing:  # a registration must not come in between
            self._lab.forget_registration(instance)
            self._instances.restart(setup, instance)

    def try_to_register(self, entrypoint: Entrypoint, flow: Flow) -> str:
        """Register *flow*'s client once more; why that failed, or ''."""
        try:
            self._lab.register(entrypoint, flow)
        except LabError as error:
            return error.what
        return ""
