"""What a target file claims of an endpoint, what a run could not show of it, and the answer to the whole run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.model import record


class Answer(StrEnum):
    """What a run says of its target as a whole; ``NOT_AS_EXPECTED`` only beside a file of expected results."""

    CONFORMS = "conforms"
    DOES_NOT_CONFORM = "does-not-conform"
    NOT_AS_EXPECTED = "not-as-expected"
    NOT_SHOWN = "not-shown"
    UNTRUSTWORTHY = "untrustworthy"


class Protection(StrEnum):
    """What an endpoint can be claimed to verify of its clients; ``SERVICE`` is only that it serves some client,
    ``CONFIGURATION`` that its files were judged, ``EXCHANGE`` that a token service issues only right tokens."""

    CERTIFICATE = "certificate"
    TOKEN = "token"
    SERVICE = "service"
    CONFIGURATION = "configuration"
    EXCHANGE = "exchange"


@dataclass(frozen=True)
class Claim:
    """How one flow is protected, as the target file declares it; neither certificate nor token: not at all.

    ``optional`` says that a client may leave its certificate out, and must not show a wrong one.  ``exchange`` says
    that its client exchanges tokens at a token service, ``policy`` that some are refused there.
    """

    flow: str
    posture: str
    path: str
    certificate: bool = False
    token: bool = False
    audience: bool = False
    issuer: bool = False
    optional: bool = False
    exchange: bool = False
    policy: bool = False

    def to_json(self) -> record.Claim:
        """As it is written in a record's header."""
        return {
            "flow": self.flow,
            "posture": self.posture,
            "path": self.path,
            "certificate": self.certificate,
            "token": self.token,
            "audience": self.audience,
            "issuer": self.issuer,
            "exchange": self.exchange,
            "policy": self.policy,
        }


@dataclass(frozen=True)
class Gap:
    """A claimed protection that was not shown: the classes that nothing was seen of, why, and what to give."""

    flow: str
    posture: str
    protection: Protection
    missing: tuple[str, ...]
    why: str
    give: str

    def to_json(self) -> record.Gap:
        """As it is written in a record's footer."""
        return {
            "flow": self.flow,
            "posture": self.posture,
            "protection": str(self.protection),
            "missing": list(self.missing),
            "why": self.why,
            "give": self.give,
        }
