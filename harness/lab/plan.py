"""Which instances a setup needs and how each is configured.  Pure planning: starts nothing, knows no process.

An instance is a subsystem with its custom resource, its folder and its faults; its name says what makes it different,
so that setups that need the same one share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from harness.lab.folders import Folders
from harness.model.case import Setup
from harness.model.catalogue import Flow, Server
from harness.model.fault import Fault
from harness.model.vocabulary import Posture
from harness.products.apic import manifests
from harness.products.apic.variants import VARIANTS, Variant

MANAGEMENT = "management"
PLATFORM_API = "platform-api"


@dataclass(frozen=True)
class Instance:
    """One subsystem to run: ``config`` is its custom resource (YAML), ``folder`` its deployment folder."""

    name: str
    kind: str
    config: str
    folder: FilePath
    faults: tuple[str, ...] = ()

    def order(self, config: FilePath, hosts: Mapping[str, str], port: int = 0) -> dict[str, Any]:
        """The order to start it, as the subsystem process takes it; *config* is the file that holds its resource."""
        return {
            "id": self.name,
            "kind": self.kind,
            "config": str(config),
            "folder": str(self.folder),
            "hosts": dict(hosts),
            "faults": list(self.faults),
            "port": port,
        }


class Plan:
    """Plans for one lab: the catalogue's *servers* and *faults*, the folders its subsystems read."""

    def __init__(self, servers: Mapping[str, Server], faults: Mapping[str, Fault], folders: Folders) -> None:
        self._servers, self._faults, self._folders = servers, faults, folders

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host name that a subsystem may look up."""
        return (manifests.PLATFORM.host, manifests.SERVICE.host, *(server.host for server in self._servers.values()))

    def management(self, setup: Setup) -> Instance:
        """The management that serves *setup*: the deployment's, a faulty one, an impostor, or one of its own."""
        variant = VARIANTS[setup.variant]
        faults = self._faults_on(MANAGEMENT, setup)
        if setup.server == PLATFORM_API:
            folder = self._server_folder(setup, variant)
            name = "|".join((MANAGEMENT, *faults, variant.server))
            return Instance(name, MANAGEMENT, manifests.management_resource(), folder, faults)
        folder, endpoint = self._platform(setup, variant)
        name = "|".join((MANAGEMENT, *faults, variant.platform, setup.own, setup.own and setup.fault))
        return Instance(name, MANAGEMENT, manifests.management_resource(endpoint), folder, faults)

    def _platform(self, setup: Setup, variant: Variant) -> tuple[FilePath, manifests.Endpoint]:
        if variant.platform == "impostor":
            return self._folders.impostor(), manifests.PLATFORM
        if variant.platform == "wrong-name":
            return self._folders.bad_server(self._servers[PLATFORM_API], "server-wrong-name"), manifests.PLATFORM
        if variant.platform == "other-kinds":
            return self._folders.other_kinds(), manifests.PLATFORM
        if variant.platform == "in-cluster":
            return self._folders.deployment, manifests.SERVICE
        if variant.platform == "in-cluster-wrong-ca":
            return self._folders.service_under_ingress_ca(manifests.SERVICE.secret), manifests.SERVICE
        own = self._folders.own(self.server_name(setup)) if setup.own else self._folders.deployment
        return own, manifests.PLATFORM

    def server_name(self, setup: Setup) -> str:
        """The name of the instance in which *setup*'s flow ends."""
        if setup.server == PLATFORM_API:
            return self.management(setup).name
        variant = VARIANTS[setup.variant]
        # Behind a balancer that differs, the server is the same.
        same = not (variant.platform or variant.server or variant.spec)
        touched = setup.own or self._faults_on(setup.server, setup) or self._faults_on(MANAGEMENT, setup)
        fault = setup.fault if touched else ""
        return "|".join((setup.server, setup.posture, fault, "" if same else setup.variant, setup.own))

    def server(self, setup: Setup, platform_port: int) -> Instance:
        """The server in which *setup*'s flow ends; *platform_port* is where its management listens."""
        server, variant = self._servers[setup.server], VARIANTS[setup.variant]
        in_cluster = variant.platform.startswith("in-cluster")
        platform = manifests.SERVICE if in_cluster else manifests.PLATFORM
        text = manifests.custom_resource(server, setup.posture, platform, platform_port, variant.spec)
        folder = self._server_folder(setup, variant)
        return Instance(self.server_name(setup), server.name, text, folder, self._faults_on(server.name, setup))

    def _server_folder(self, setup: Setup, variant: Variant) -> FilePath:
        if variant.server:
            return self._folders.bad_server(self._servers[setup.server], variant.server)
        return self._folders.own(self.server_name(setup)) if setup.own else self._folders.deployment

    def client(self, setup: Setup, flow: Flow) -> Instance:
        """The subsystem that is *flow*'s client under test, with the fault, if the fault is one of a client's."""
        if flow.client == MANAGEMENT:
            plain = Setup(setup.server, setup.posture, setup.path, setup.fault, own=setup.own)
            return self.management(plain) if setup.server != PLATFORM_API else self.management(setup)
        variant = VARIANTS[setup.variant]
        faults = self._faults_on(flow.client, setup)
        spec = setup.variant if variant.client_spec else ""
        name = "|".join(("client", flow.client, *faults, spec, setup.own))
        server = self._servers[flow.client]
        text = manifests.custom_resource(server, Posture.DEFAULT, manifests.PLATFORM, 0, variant.client_spec)
        folder = self._folders.own(self.server_name(setup)) if setup.own else self._folders.deployment
        return Instance(name, flow.client, text, folder, faults)

    def _faults_on(self, kind: str, setup: Setup) -> tuple[str, ...]:
        fault = self._faults.get(setup.fault)
        return (fault.name,) if fault and fault.where == "subsystem" and kind in fault.on else ()
