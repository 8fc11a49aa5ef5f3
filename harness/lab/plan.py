"""Which instances a setup needs and how each is configured.  Pure planning: starts nothing, knows no process.

Names, sharing and correlation
------------------------------

An instance is a subsystem with its configuration, its folder and its faults.  A quick run has over a thousand cases and
a few dozen setups, so instances are shared; the rule for sharing is the instance's *name*.  It consists of everything
that makes the instance different - server, posture, fault, variant, the case that has it to itself - and of nothing
else, so that two setups that need the same server get the same name and therefore the same process.  Two consequences:

* What is left out of a name is shared.  The path is left out: the direct, the passthrough and the terminating path lead
  to the same server, which is why a difference between them is the balancer's.  A fault is left out of the names of
  subsystems that cannot have it, so a fault of the portal does not start a second analytics.
* What changes an instance must be in its name.  A case that moves the clock, stops the key server or rotates keys would
  disturb its neighbours; its id becomes part of the name (``Setup.own``) and it gets an instance of its own.

A request is found again on the server's side in two ways.  One that reached HTTP carries the nonce of its case.  One
that was rejected inside TLS carries nothing, so it is found by its two ports: the client's local port is recorded by
the sender, the same number is the peer's port in the server's record, and on a path with a balancer the balancer's
record links the two pairs.  Ports are unique only within one network namespace; :mod:`harness.lab.containers.ports`
says how the container lab keeps them apart.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath

from harness.lab.folders import Folders
from harness.model.case import Setup
from harness.model.catalogue import Flow, Server
from harness.model.fault import Fault
from harness.model.protocol import InstanceOrder
from harness.model.vocabulary import Posture
from harness.products.product import EXTERNAL, IN_CLUSTER, KeyEndpoint, Product, Variant

_PEM_OF = re.compile(r"'?\{\{secrets/(?P<secret>[a-z0-9-]+)/(?P<file>(tls|ca)\.crt)(?P<encoded> \| b64)?\}\}'?")
"""Where a configuration file is to hold a certificate that is issued only when the lab starts; never a key."""


@dataclass(frozen=True)
class Instance:
    """One subsystem to run: ``config`` is its custom resource (YAML), ``folder`` its deployment folder."""

    name: str
    kind: str
    config: str
    folder: FilePath
    faults: tuple[str, ...] = ()

    def order(self, config: FilePath, hosts: Mapping[str, str], address: str, port: int = 0) -> InstanceOrder:
        """The order to start it; *config* is the file that holds its resource."""
        return InstanceOrder(
            self.name, self.kind, str(config), str(self.folder), dict(hosts), self.faults, port, address
        )


class Plan:
    """Plans for one lab of *product*: the catalogue's *servers* and *faults*, the folders its subsystems read."""

    def __init__(
        self, product: Product, servers: Mapping[str, Server], faults: Mapping[str, Fault], folders: Folders
    ) -> None:
        self._product, self._servers, self._faults, self._folders = product, servers, faults, folders
        self._keys = product.key_server

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host name that a subsystem may look up."""
        return (*self._keys.hosts, *(server.host for server in self._servers.values()))

    def management_name(self, setup: Setup) -> str:
        """The name of :meth:`management`; asking for it makes no folder and no key."""
        variant, faults = self._product.variants[setup.variant], self._faults_on(self._keys.subsystem, setup)
        if setup.server == self._keys.server:
            return "|".join((self._keys.subsystem, *faults, variant.server))
        own = (setup.own, setup.own and setup.fault)
        return "|".join((self._keys.subsystem, *faults, variant.platform, *own))

    def management(self, setup: Setup) -> Instance:
        """The management that serves *setup*: the deployment's, a faulty one, an impostor, or one of its own."""
        variant, name = self._product.variants[setup.variant], self.management_name(setup)
        kind, faults = self._keys.subsystem, self._faults_on(self._keys.subsystem, setup)
        if setup.server == self._keys.server:
            folder, endpoint = self._server_folder(setup, variant), self._keys.endpoints[EXTERNAL]
        else:
            folder, endpoint = self._platform(setup, variant)
        return Instance(name, kind, self._keys.configure(endpoint), folder, faults)

    def _platform(self, setup: Setup, variant: Variant) -> tuple[FilePath, KeyEndpoint]:
        if variant.platform == "impostor":
            return self._folders.impostor(), self._keys.endpoints[EXTERNAL]
        if variant.platform == "wrong-name":
            return self._folders.bad_server(
                self._servers[self._keys.server], "server-wrong-name"
            ), self._keys.endpoints[EXTERNAL]
        if variant.platform == "other-kinds":
            return self._folders.other_kinds(), self._keys.endpoints[EXTERNAL]
        if variant.platform == "in-cluster":
            return self._folders.deployment, self._keys.endpoints[IN_CLUSTER]
        if variant.platform == "in-cluster-wrong-ca":
            return self._folders.service_under_external_ca(
                self._keys.endpoints[IN_CLUSTER].secret
            ), self._keys.endpoints[IN_CLUSTER]
        own = self._folders.own(self.server_name(setup)) if setup.own else self._folders.deployment
        return own, self._keys.endpoints[EXTERNAL]

    def server_name(self, setup: Setup) -> str:
        """The name of the instance in which *setup*'s flow ends."""
        if setup.server == self._keys.server:
            return self.management_name(setup)
        variant = self._product.variants[setup.variant]
        # Behind a balancer that differs, the server is the same.
        same = not (variant.platform or variant.server or variant.spec)
        touched = setup.own or self._faults_on(setup.server, setup) or self._faults_on(self._keys.subsystem, setup)
        fault = setup.fault if touched else ""
        return "|".join((setup.server, setup.posture, fault, "" if same else setup.variant, setup.own))

    def server(self, setup: Setup, platform_port: int) -> Instance:
        """The server in which *setup*'s flow ends; *platform_port* is where its management listens."""
        server, variant = self._servers[setup.server], self._product.variants[setup.variant]
        in_cluster = variant.platform.startswith("in-cluster")
        platform = self._keys.endpoints[IN_CLUSTER] if in_cluster else self._keys.endpoints[EXTERNAL]
        text = self._product.configure[server.kind](server, setup.posture, platform, platform_port, variant.spec)
        text = _PEM_OF.sub(self._pem, text)
        folder = self._server_folder(setup, variant)
        return Instance(self.server_name(setup), server.name, text, folder, self._faults_on(server.name, setup))

    def _pem(self, named: re.Match[str]) -> str:
        """A public certificate of the deployment, as a scalar of YAML: as text, or in Base64 as a Secret has it."""
        content = (self._folders.deployment / "secrets" / named["secret"] / named["file"]).read_bytes()
        return json.dumps((base64.b64encode(content) if named["encoded"] else content).decode("ascii"))

    def _server_folder(self, setup: Setup, variant: Variant) -> FilePath:
        if variant.server:
            return self._folders.bad_server(self._servers[setup.server], variant.server)
        return self._folders.own(self.server_name(setup)) if setup.own else self._folders.deployment

    def client(self, setup: Setup, flow: Flow) -> Instance:
        """The subsystem that is *flow*'s client under test, with the fault, if the fault is one of a client's."""
        if flow.client == self._keys.subsystem:
            plain = Setup(setup.server, setup.posture, setup.path, setup.fault, own=setup.own)
            return self.management(plain) if setup.server != self._keys.server else self.management(setup)
        variant = self._product.variants[setup.variant]
        faults = self._faults_on(flow.client, setup)
        spec = setup.variant if variant.client_spec else ""
        name = "|".join(("client", flow.client, *faults, spec, setup.own))
        server = self._servers[flow.client]
        text = self._product.configure[server.kind](
            server, Posture.DEFAULT, self._keys.endpoints[EXTERNAL], 0, variant.client_spec
        )
        folder = self._folders.own(self.server_name(setup)) if setup.own else self._folders.deployment
        return Instance(name, flow.client, text, folder, faults)

    def _faults_on(self, kind: str, setup: Setup) -> tuple[str, ...]:
        fault = self._faults.get(setup.fault)
        return (fault.name,) if fault and fault.where == "subsystem" and kind in fault.on else ()
