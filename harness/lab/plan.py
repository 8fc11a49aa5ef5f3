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

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.model.case import Setup
from harness.model.catalogue import Flow, Server
from harness.model.fault import Fault
from harness.model.vocabulary import Path, Posture
from harness.products.product import EXTERNAL, IN_CLUSTER, KeyEndpoint, Platform, Product, ServerCertificate, Variant


class FolderKind(StrEnum):
    """In what a folder that a subsystem reads differs from the deployment's."""

    DEPLOYMENT = "deployment"  # in nothing
    OWN = "own"  # published keys that can be changed without touching those of other servers
    IMPOSTOR = "impostor"  # everything, but for the key that signs tokens: only who vouches for its servers differs
    OTHER_KINDS = "other-kinds"  # the published key stands among keys of other kinds
    EXTERNAL_CA = "under-external-ca"  # an in-cluster service's certificate is of the external CA
    WRONG_NAME = "server-wrong-name"  # a server's certificate is for another name
    EXPIRED = "server-expired"  # a server's certificate is out of date


@dataclass(frozen=True)
class FolderSpec:
    """A folder that :class:`harness.lab.folders.Folders` makes once something is started that reads it.

    ``of`` is the instance that has it to itself, or the secret that differs.
    """

    kind: FolderKind = FolderKind.DEPLOYMENT
    of: str = ""


@dataclass(frozen=True)
class Instance:
    """One subsystem to run.

    ``config`` is its custom resource (YAML), in which ``{{secrets/NAME/tls.crt}}`` stands for a certificate that is
    issued only when the lab starts; ``folder`` is the deployment folder it reads.
    """

    name: str
    kind: str
    config: str
    folder: FolderSpec
    faults: tuple[str, ...] = ()


_SAME = FolderSpec()
_IMPOSTOR = FolderSpec(FolderKind.IMPOSTOR)
_CERTIFICATES = {
    ServerCertificate.WRONG_NAME: FolderKind.WRONG_NAME,
    ServerCertificate.EXPIRED: FolderKind.EXPIRED,
}
_IN_CLUSTER = (Platform.IN_CLUSTER, Platform.IN_CLUSTER_WRONG_CA)


class Plan:
    """Plans for one lab of *product*, with the catalogue's *servers* and *faults*."""

    def __init__(self, product: Product, servers: Mapping[str, Server], faults: Mapping[str, Fault]) -> None:
        self._product, self._servers, self._faults = product, servers, faults
        self._keys = product.key_server

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host name that a subsystem may look up."""
        return (*self._keys.hosts, *(server.host for server in self._servers.values()))

    def management_name(self, setup: Setup) -> str:
        """The name of :meth:`management`; asking for it makes no folder and no key."""
        variant, faults = self._product.variants[setup.variant], self._faults_on(self._keys.subsystem, setup)
        if setup.server == self._keys.server:
            return "|".join((self._keys.subsystem, *faults, variant.server, *self._reached(setup)))
        own = (setup.own, setup.own and setup.fault)
        return "|".join((self._keys.subsystem, *faults, variant.platform, *own))

    def management(self, setup: Setup) -> Instance:
        """The management that serves *setup*: the deployment's, a faulty one, an impostor, or one of its own."""
        variant, name = self._product.variants[setup.variant], self.management_name(setup)
        kind, faults = self._keys.subsystem, self._faults_on(self._keys.subsystem, setup)
        if setup.server == self._keys.server:
            folder, endpoint = self._server_folder(setup, variant), self._keys_of(setup)
        else:
            folder, endpoint = self._platform(setup, variant)
        return Instance(name, kind, self._keys.configure(endpoint), folder, faults)

    def entrance(self, setup: Setup) -> tuple[str, str]:
        """The host name under which *setup*'s flow ends, and the secret with the certificate for it."""
        if setup.server == self._keys.server:
            return self._keys_of(setup).host, self._keys_of(setup).secret
        return self._servers[setup.server].host, self._servers[setup.server].secret

    def _keys_of(self, setup: Setup) -> KeyEndpoint:
        """Where the key server is reached by flows that end there."""
        return self._keys.endpoints[IN_CLUSTER if self._reached(setup) else EXTERNAL]

    def _reached(self, setup: Setup) -> tuple[str, ...]:
        """How a flow to the key server differs from the usual one, as a part of instances' names."""
        in_cluster = self._product.variants[setup.variant].platform is Platform.IN_CLUSTER
        return (IN_CLUSTER,) if in_cluster and setup.server == self._keys.server else ()

    def _platform(self, setup: Setup, variant: Variant) -> tuple[FolderSpec, KeyEndpoint]:
        external, internal = self._keys.endpoints[EXTERNAL], self._keys.endpoints[IN_CLUSTER]
        own = FolderSpec(FolderKind.OWN, self.server_name(setup)) if setup.own else _SAME
        wrong_name = FolderSpec(FolderKind.WRONG_NAME, external.secret)
        return {
            Platform.USUAL: (own, external),
            Platform.IMPOSTOR: (_IMPOSTOR, external),
            Platform.WRONG_NAME: (wrong_name, external),
            Platform.OTHER_KINDS: (FolderSpec(FolderKind.OTHER_KINDS), external),
            Platform.IN_CLUSTER: (_SAME, internal),
            Platform.IN_CLUSTER_WRONG_CA: (FolderSpec(FolderKind.EXTERNAL_CA, internal.secret), internal),
        }[variant.platform]

    def server_name(self, setup: Setup) -> str:
        """The name of the instance in which *setup*'s flow ends."""
        if setup.server == self._keys.server:
            return self.management_name(setup)
        variant = self._product.variants[setup.variant]
        # Behind a balancer that differs, the server is the same.
        same = not (variant.platform or variant.server or variant.spec)
        parts = (setup.server, self._keys.subsystem, *self._beneath(setup.server))
        touched = setup.own or any(self._faults_on(part, setup) for part in parts)
        fault = setup.fault if touched else ""
        return "|".join((setup.server, setup.posture, fault, "" if same else setup.variant, setup.own))

    def upstreams(self, setup: Setup) -> tuple[Setup, ...]:
        """The servers that *setup*'s server fetches keys from or calls itself, each as it usually is."""
        found = (self._servers[name] for name in self._servers[setup.server].upstreams)
        return tuple(Setup(server.name, server.default, Path.DIRECT, setup.fault) for server in found)

    def _beneath(self, server: str) -> Iterator[str]:
        """All servers that *server* needs, and those that these need."""
        for name in self._servers[server].upstreams if server in self._servers else ():
            yield name
            yield from self._beneath(name)

    def server(self, setup: Setup, platform_port: int, ports: Mapping[str, int] | None = None) -> Instance:
        """The server in which *setup*'s flow ends; *platform_port* is where its management listens, *ports* where its
        upstreams do."""
        server, variant = self._servers[setup.server], self._product.variants[setup.variant]
        ports = ports or {}
        in_cluster = variant.platform in _IN_CLUSTER
        platform = self._keys.endpoints[IN_CLUSTER] if in_cluster else self._keys.endpoints[EXTERNAL]
        if server.keys_from:
            platform, platform_port = self._product.published[server.keys_from], ports.get(server.keys_from, 0)
        urls = {name: f"https://{self._servers[name].host}:{ports.get(name, 0)}" for name in server.calls}
        changes = {**variant.spec, **({"upstreams": urls} if urls else {})}
        text = self._product.configure[server.kind](server, setup.posture, platform, platform_port, changes)
        folder = self._server_folder(setup, variant)
        return Instance(self.server_name(setup), server.name, text, folder, self._faults_on(server.name, setup))

    def _server_folder(self, setup: Setup, variant: Variant) -> FolderSpec:
        if variant.server is ServerCertificate.WRONG_CA:
            return _IMPOSTOR
        if variant.server in _CERTIFICATES:
            return FolderSpec(_CERTIFICATES[variant.server], self._servers[setup.server].secret)
        return FolderSpec(FolderKind.OWN, self.server_name(setup)) if setup.own else _SAME

    def client(self, setup: Setup, flow: Flow) -> Instance:
        """The subsystem that is *flow*'s client under test, with the fault, if the fault is one of a client's."""
        if flow.client == self._keys.subsystem:
            plain = Setup(setup.server, setup.posture, setup.path, setup.fault, own=setup.own)
            return self.management(plain) if setup.server != self._keys.server else self.management(setup)
        variant = self._product.variants[setup.variant]
        faults = self._faults_on(flow.client, setup)
        spec = setup.variant if variant.client_spec else ""
        name = "|".join(("client", flow.client, *faults, spec, setup.own, *self._reached(setup)))
        server = self._servers[flow.client]
        text = self._product.configure[server.kind](
            server, Posture.DEFAULT, self._keys_of(setup), 0, variant.client_spec
        )
        folder = FolderSpec(FolderKind.OWN, self.server_name(setup)) if setup.own else _SAME
        return Instance(name, flow.client, text, folder, faults)

    def _faults_on(self, kind: str, setup: Setup) -> tuple[str, ...]:
        fault = self._faults.get(setup.fault)
        return (fault.name,) if fault and fault.where == "subsystem" and kind in fault.on else ()
