"""Case: requirement x flow x posture x path x stimulus.  Its id comes from place and content and never changes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from harness.model.catalogue import Flow, Requirement, Server
from harness.model.claims import Protection
from harness.model.params import Params
from harness.model.record import LeftOut
from harness.model.vocabulary import Depth, Grade, Path, Posture

GOOD = "good"
EXPORTED = "exported-files"
"""The stimulus of a case that sends nothing: it judges files."""
CAPTURE = "capture"
"""What a requirement needs whose cases are judged from captured packets."""
LOADED = "load-record"
"""What a requirement needs that is about a load: the record of one."""
AS_CONFIGURED = "as-configured"
"""The check that compares what files configure with what servers do."""


@dataclass(frozen=True)
class Stimulus:
    """What the client presents: a certificate class, a token class, a transport trick; ``good`` where nothing is wrong.

    >>> Stimulus("tls-no-cert").id, Stimulus(token="exp-past").id, Stimulus().id
    ('tls-no-cert', 'exp-past', 'good')
    """

    certificate: str = GOOD
    token: str = GOOD
    transport: str = GOOD

    @property
    def id(self) -> str:
        """The class ids of what deviates, joined by ``+``."""
        return "+".join(part for part in (self.certificate, self.token, self.transport) if part != GOOD) or GOOD


@dataclass(frozen=True)
class Setup:
    """What must be running for a case: a server in a posture, with a fault or none, behind a path.

    ``variant`` names what else differs in its surroundings (an impostor in the platform API's place), ``own`` is '' for
    a shared instance, else the id of the case it exists for.
    """

    server: str
    posture: Posture
    path: Path
    fault: str = ""
    variant: str = ""
    own: str = ""


@dataclass(frozen=True, repr=False)
class Case:
    """One executable case.  ``expected`` names the check that judges it."""

    requirement: Requirement
    flow: Flow
    posture: Posture
    path: Path
    stimulus: Stimulus
    expected: str
    depth: Depth = Depth.QUICK
    params: Params = field(default_factory=Params, hash=False)

    def __repr__(self) -> str:
        # By this Allure tells one case from another in its history: it must not change.
        return f"Case({self.id!r})"

    @property
    def id(self) -> str:
        """``AREA/REQUIREMENT/flow/posture/path/stimulus``."""
        row = self.requirement
        return f"{row.area}/{row.id}/{self.flow.name}/{self.posture}/{self.path}/{self.stimulus.id}"

    def setup(self, fault: str = "") -> Setup:
        """What must be running for this case, *fault* included."""
        own = self.id if self.params.script else ""
        return Setup(self.flow.server.name, self.posture, self.path, fault, self.params.variant, own)

    @property
    def reads_files(self) -> bool:
        """Whether files are judged, and no server is asked."""
        return self.stimulus.transport == EXPORTED

    @property
    def reads_packets(self) -> bool:
        """Whether captured packets are judged: what ends of the connection report counts only to find them."""
        return CAPTURE in self.requirement.needs

    def graded(self, live: Grade) -> Grade:
        """What kind of evidence its verdict rests on, where a live case's rests on *live*."""
        return Grade.CONFIG if self.reads_files else Grade.PACKETS if self.reads_packets else live

    @property
    def compares_files(self) -> bool:
        """Whether what files configure is compared with how the servers are protected."""
        return self.expected == AS_CONFIGURED

    @property
    def asks_certificate(self) -> bool:
        """Whether the server, in this posture, asks its client for a certificate."""
        return self.flow.server.verifies(Protection.CERTIFICATE, self.posture)

    def control(self, fault: str = "") -> Setup | None:
        """Where this case's positive twin runs: the same server, in the same posture, reached with everything good.

        None where no such twin exists: a posture that must not start, a case that is itself the positive, or a script,
        which has its positives among its steps.  A terminating balancer cannot carry mTLS, so the twin of those cases
        goes directly.
        """
        positive = self.stimulus.id == GOOD and self.path is not Path.TERMINATING
        if self.posture is Posture.TLS_ONLY or positive or self.params.script:
            return None
        same = replace(self.setup(fault), variant="")
        return replace(same, path=Path.DIRECT) if self.path is Path.TERMINATING and self.asks_certificate else same


def exports_of(product: str) -> Flow:
    """The stand-in for a flow where exported files of *product* are judged."""
    server = Server(
        name="exports",
        kind="files",
        endpoint="exported files",
        host="",
        secret="",
        postures=(Posture.DEFAULT,),
        default=Posture.TLS_ONLY,
        product=product,
    )
    return Flow("exports", "", server, "", "", "", "", 0, "")


@dataclass(frozen=True)
class Withheld:
    """A case that does not apply here, and why; decided once, listed in the header."""

    case: Case
    reason: str

    def to_json(self) -> LeftOut:
        """As it is written in a record's header."""
        found: LeftOut = {"case": self.case.id, "reason": self.reason}
        if self.case.reads_files and not self.case.compares_files:
            found["level"] = str(self.case.requirement.level)
        return found
