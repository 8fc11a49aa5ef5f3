"""What is particular to a product, as one frozen record.  The lab, targets, writers and checks ask it and name none.

A product's topology (servers, flows) and its requirements are data under suites/; how its subsystems behave is code
under harness/subsystems/.  What lies between - which secrets there are, what an operator writes to configure a server,
what a client under test is asked to do - is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce
from pathlib import Path as FilePath
from typing import Any, Protocol, TypeVar

from harness import paths
from harness.errors import CatalogueError
from harness.model.catalogue import Cells, Requirement, Server
from harness.model.protocol import Behaviours
from harness.model.vocabulary import CertificateEncoding, Path, Posture
from harness.pki.deployment import Blueprint
from harness.products.rules import FileRules

Settings = Mapping[str, Any]
"""Settings of a configuration file or a balancer, as they are written down; None removes one."""

_Row = TypeVar("_Row")
EXTERNAL, IN_CLUSTER = "external", "in-cluster"


@dataclass(frozen=True)
class KeyEndpoint:
    """Where keys are published: *host*, the secret with its certificate, the URL's *path*, and how a server's
    configuration names the CA that it must trust for that (*ca_setting*: *ca_secret*)."""

    host: str
    secret: str
    path: str
    ca_setting: str
    ca_secret: str

    def jwks_url(self, port: int) -> str:
        """The JWKS URL, when the key server listens on *port*."""
        return f"https://{self.host}:{port}{self.path}"


class Platform(StrEnum):
    """The key server that a setup's server gets its keys from."""

    USUAL = ""
    IMPOSTOR = "impostor"  # vouched for by another CA
    WRONG_NAME = "wrong-name"  # its certificate is for another name
    IN_CLUSTER = "in-cluster"  # reached as a service, under its own CA
    IN_CLUSTER_WRONG_CA = "in-cluster-wrong-ca"  # the same, with a certificate of the external CA
    OTHER_KINDS = "other-kinds"  # publishes keys of other kinds beside its own


class ServerCertificate(StrEnum):
    """What is wrong with the certificate of a setup's server."""

    GOOD = ""
    WRONG_CA = "server-wrong-ca"
    WRONG_NAME = "server-wrong-name"
    EXPIRED = "server-expired"


@dataclass(frozen=True)
class Variant:
    """What else can differ in a setup besides posture, path and fault.

    ``platform`` is the key server, ``server`` the server's certificate, ``balancer`` how the balancer behaves,
    ``foreign_front`` says that its own certificate is under another CA; ``spec`` is what the server's configuration
    says besides, ``client_spec`` what that of the client under test says.
    """

    platform: Platform = Platform.USUAL
    server: ServerCertificate = ServerCertificate.GOOD
    balancer: Behaviours = field(default_factory=Behaviours)
    holds_client_key: bool = False
    foreign_front: bool = False
    spec: Settings = field(default_factory=dict)
    client_spec: Settings = field(default_factory=dict)


Configure = Callable[[Server, Posture, KeyEndpoint, int, Settings], str]
"""``(server, posture, keys, port, changes)`` -> the text of the server's configuration file.

Its keys come from *keys*, which listens on *port*; *changes* are settings that differ."""


class Declared(Protocol):
    """An endpoint as a target file declares it."""

    @property
    def name(self) -> str:
        """Its name in the file."""
        ...

    @property
    def posture(self) -> Posture:
        """How it authenticates its clients."""
        ...

    @property
    def flows(self) -> tuple[str, ...]:
        """The documented flows that end there."""
        ...


Contradictions = Callable[[str, Declared], Iterable[str]]
"""``(version, endpoint)`` -> what the product's documents forbid of such an endpoint, each with the rule it breaks."""


def _allowed(_version: str, _endpoint: Declared) -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Gateway:
    """A gateway as a target file declares it: the ``modes`` of its API, by way of authentication, and the ``flow`` of
    the catalogue whose API has the same.  ``header`` is where its client sets the certificate itself, '' where the
    client shows it in the handshake; ``encoding`` is how."""

    flow: str
    modes: Mapping[str, str]
    header: str
    path: Path
    encoding: CertificateEncoding = CertificateEncoding.PEM


Asked = Callable[[Requirement, Gateway], Iterable[Cells]]
"""The blocks of a requirement as they are asked of a gateway of somebody's own; their flows are left out."""


def _nothing_asked(_row: Requirement, _gateway: Gateway) -> Iterable[Cells]:
    return ()


@dataclass(frozen=True)
class KeyServer:
    """The subsystem that publishes the keys which servers verify tokens with.

    ``subsystem`` is its name as a client, ``server`` its endpoint's name in the topology, ``endpoints`` where it is
    reached (:data:`EXTERNAL`, :data:`IN_CLUSTER`), ``configure`` writes its configuration for one of them.
    """

    subsystem: str
    server: str
    endpoints: Mapping[str, KeyEndpoint]
    configure: Callable[[KeyEndpoint], str]

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every name it is reached by."""
        return tuple(endpoint.host for endpoint in self.endpoints.values())


@dataclass(frozen=True)
class Holding:
    """What a server holds besides its own secret: other ``secrets``, others' ``certificates``, which are public, the
    signing key of its own as an issuer of tokens (``issues``), and the ``key_sets`` of other issuers."""

    secrets: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    issues: bool = False
    key_sets: tuple[str, ...] = ()


@dataclass(frozen=True)
class SampleRequest:
    """A request that shows a person how a server is used at which no flow ends: a form sent to ``path``.

    ``client`` authenticates with the digest of the key in ``secret``; ``token`` names the parameter that gets the good
    token for the server ``of``.  Without a form it is a GET.
    """

    path: str
    form: Mapping[str, str] = field(default_factory=dict)
    client: str = ""
    secret: str = ""
    token: str = ""
    of: str = ""


@dataclass(frozen=True, eq=False)
class Product:
    """One product, or several in one lab (:func:`together`).

    ``pki`` says which authorities and secrets a deployment has, ``keys`` who publishes keys (None: another product of
    the lab does), ``configure`` writes a server's configuration by its kind, ``actions`` says by flow what a client
    under test is asked to do, ``registered`` are the flows whose client must be registered before it can act,
    ``subsystems`` the module with the kinds of reference subsystem, ``features`` what the reference has, ``suites``
    the folders with its topology and catalogues, ``out_of_scope`` what its documents describe and nothing here judges,
    ``contradictions`` what they forbid of an endpoint in a target file, ``ingestion`` the flow whose throughput counts,
    ``holdings`` what servers hold besides their own secrets, ``issuers`` the servers that sign tokens with a key of
    their own, by the issuer that they are, ``published`` where such a server publishes its keys, ``packages`` what its
    reference imports only where it needs it, ``samples`` requests to show of servers at which no flow ends,
    ``files`` what can be said of its manifests and certificates (of a product alone; a lab runs none),
    ``certificate_header`` in which header its servers read the client's certificate unless another is configured,
    ``switched`` that two settings of its resources, mtlsValidateClient and jwksUrl, make its postures, ``profiles`` the
    readings of its documents, by name, each with the mode that it takes for granted of every way of
    authentication (the first is usual; none where the documents have one reading), ``asked`` what of its catalogue is
    asked of a gateway whose modes a target file names.
    """

    name: str
    title: str
    pki: Blueprint
    keys: KeyServer | None
    configure: Mapping[str, Configure]
    variants: Mapping[str, Variant] = field(default_factory=dict)
    actions: Mapping[str, str] = field(default_factory=dict)
    registered: frozenset[str] = frozenset()
    registration: str = ""
    subsystems: tuple[str, ...] = ()
    features: frozenset[str] = frozenset()
    suites: tuple[FilePath, ...] = (paths.SUITES,)
    out_of_scope: str = ""
    ingestion: str = ""
    contradictions: Contradictions = _allowed
    holdings: Mapping[str, Holding] = field(default_factory=dict)
    issuers: Mapping[str, str] = field(default_factory=dict)
    published: Mapping[str, KeyEndpoint] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    samples: Mapping[str, tuple[SampleRequest, ...]] = field(default_factory=dict)
    files: FileRules | None = None
    certificate_header: str = ""
    switched: bool = False
    profiles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    asked: Asked = _nothing_asked

    @property
    def key_server(self) -> KeyServer:
        """Who publishes keys; raises :class:`CatalogueError` where there is no publisher."""
        if self.keys is None:
            raise CatalogueError(f"no product of this lab publishes keys ({self.title})")
        return self.keys


def together(products: Iterable[Product]) -> Product:
    """*products* as one lab runs them; raises :class:`CatalogueError` where two contradict each other."""
    return reduce(_joined, products)


def _joined(one: Product, other: Product) -> Product:
    if one.keys and other.keys:
        raise CatalogueError(f"both {one.title} and {other.title} publish keys; a lab has one key server")
    return Product(
        name=f"{one.name}+{other.name}",
        title=f"{one.title}, {other.title}",
        pki=one.pki.with_(other.pki),
        keys=one.keys or other.keys,
        configure=_union("kind of server", one.configure, other.configure),
        variants=_union("variant", one.variants, other.variants),
        actions=_union("flow", one.actions, other.actions),
        registered=one.registered | other.registered,
        registration=one.registration or other.registration,
        subsystems=(*one.subsystems, *other.subsystems),
        features=one.features | other.features,
        suites=tuple(dict.fromkeys((*one.suites, *other.suites))),
        out_of_scope=" ".join(filter(None, (one.out_of_scope, other.out_of_scope))),
        ingestion=one.ingestion or other.ingestion,
        holdings={**one.holdings, **other.holdings},
        issuers={**one.issuers, **other.issuers},
        published={**one.published, **other.published},
        samples={**one.samples, **other.samples},
        packages=tuple(dict.fromkeys((*one.packages, *other.packages))),
        contradictions=lambda version, endpoint: [
            *one.contradictions(version, endpoint),
            *other.contradictions(version, endpoint),
        ],
    )


def _union(what: str, one: Mapping[str, _Row], other: Mapping[str, _Row]) -> Mapping[str, _Row]:
    twice = sorted(name for name in one.keys() & other.keys() if one[name] != other[name])
    if twice:
        raise CatalogueError(f"two products have a {what} called {twice[0]!r}")
    return {**one, **other}
