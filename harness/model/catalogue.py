"""What is required and of whom: topology (servers, flows), requirements, faults.  Plain data, loaded from suites/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.model.claims import Protection
from harness.model.params import Params
from harness.model.vocabulary import Basis, CertificateEncoding, Depth, Level, Path, Posture, Reason


@dataclass(frozen=True)
class Source:
    """Where a requirement is written: a document's title and section, or an RFC clause."""

    title: str
    section: str

    def __str__(self) -> str:
        return f"{self.title}, {self.section}" if self.section else self.title


@dataclass(frozen=True)
class Server:
    """A server endpoint: it has *one* posture, which every flow that ends here inherits.

    ``secret`` names its TLS secret (certificate and key) and ``host`` the DNS name in it; ``subject`` is the client
    subject DN it is configured with, ``issuer`` and ``audience`` what a token must name ('' = it compares none).
    ``ignores_token_under_mtls`` says that in the posture ``both`` it verifies the certificate alone; ``product`` is
    the name of the product that it belongs to.  ``certificate_header`` is where it reads its client's certificate
    instead of in the handshake; a balancer that ends TLS in front of it sets it ('': there is no such header).
    ``certificate_encoding`` is how the certificate stands in that header;
    ``certificate_in_handshake`` says that a client shows it in the handshake all the same, without a balancer of ours.
    ``keys_from`` names the server that publishes the keys of its issuer ('': the lab's key server does), ``calls`` the
    servers that it calls to answer a request.
    """

    name: str
    kind: str
    endpoint: str
    host: str
    secret: str
    postures: tuple[Posture, ...]
    default: Posture
    subject: str = ""
    issuer: str = ""
    audience: str = ""
    ignores_token_under_mtls: bool = False
    product: str = ""
    certificate_header: str = ""
    certificate_encoding: CertificateEncoding = CertificateEncoding.PEM
    certificate_in_handshake: bool = False
    keys_from: str = ""
    calls: tuple[str, ...] = ()

    @property
    def upstreams(self) -> tuple[str, ...]:
        """The servers that must run before this one."""
        return (*filter(None, (self.keys_from,)), *self.calls)

    def verifies(self, protection: Protection, posture: Posture) -> bool:
        """Whether the server, in *posture*, verifies that credential of its clients."""
        configured = self.default if posture is Posture.DEFAULT else posture
        if protection is Protection.CERTIFICATE:
            return configured in (Posture.MTLS, Posture.BOTH)
        both = configured is Posture.BOTH and not self.ignores_token_under_mtls
        return protection is Protection.TOKEN and (configured is Posture.JWT or both)

    def verifying(self, protection: Protection) -> tuple[Posture, ...]:
        """The postures of this server in which it verifies that credential."""
        return tuple(posture for posture in self.postures if self.verifies(protection, posture))


@dataclass(frozen=True)
class Flow:
    """One documented flow.  ``request`` is how a harmless, effective request is made; ``{nonce}`` in path or body is
    replaced.  ``client_secret`` names the client's TLS secret, '' where it has none.  ``any_service`` says that what
    is asked of it holds for any service, whatever the product.  ``needs`` and ``posture_needs`` are features
    without which a target does not have this flow, or not in that posture.  ``modes`` maps each way of authentication
    that what is called there is configured with to ``mandatory``, ``optional`` or ``disabled``."""

    name: str
    client: str
    server: Server
    client_secret: str
    method: str
    path: str
    body: str
    success: int
    effect: str
    needs: tuple[str, ...] = ()
    posture_needs: Mapping[Posture, tuple[str, ...]] = field(default_factory=dict, hash=False)
    any_service: bool = False
    modes: Mapping[str, str] = field(default_factory=dict, hash=False)

    def needed(self, posture: Posture) -> tuple[str, ...]:
        """The features a target must have for this flow to be in *posture*."""
        return (*self.needs, *self.posture_needs.get(posture, ()))


@dataclass(frozen=True)
class CataloguedClass:
    """A class of credential or transport trick, as the catalogue lists it.

    ``acceptable_reasons`` are those for which a server may rightly reject it (empty: it must be accepted).
    """

    name: str
    kind: str
    summary: str
    acceptable_reasons: frozenset[Reason] = frozenset()


@dataclass(frozen=True)
class Cells:
    """One block of a requirement: which cells of the grid it covers, what a conforming product does there.

    ``exports`` names the product whose exported files are judged; such a block covers no flow.
    """

    expect: str
    flows: tuple[str, ...]
    postures: tuple[Posture, ...]
    paths: tuple[Path, ...]
    certificates: tuple[str, ...]
    tokens: tuple[str, ...]
    transports: tuple[str, ...] = ()
    depth: Depth = Depth.QUICK
    params: Params = field(default_factory=Params)
    exports: str = ""


@dataclass(frozen=True)
class Requirement:
    """A row of the catalogue.  ``finding`` says in one sentence what it means that a client gets in that must not;
    ``profile`` names the reading of the documents in which it holds ('' in every one), ``not_in`` why it is not asked
    in a posture in which servers of its flows verify what it is about."""

    id: str
    area: str
    text: str
    why: str
    level: Level
    source: Source
    basis: Basis
    cells: tuple[Cells, ...]
    faults: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    note: str = ""
    finding: str = ""
    profile: str = ""
    not_in: Mapping[Posture, str] = field(default_factory=dict, hash=False)
