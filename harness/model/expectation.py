"""What must happen to a request of a script."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.model.vocabulary import Reason


class Presented(StrEnum):
    """The certificate that the client under test presents: the one before, or the one after it was renewed."""

    OLD = "old"
    RENEWED = "renewed"


@dataclass(frozen=True)
class MustBeServed:
    """The request succeeds and has its effect; ``presents`` is the certificate that the client must have shown."""

    presents: Presented | None = None

    def __str__(self) -> str:
        return "then served" + (f", presents {self.presents}" if self.presents else "")


@dataclass(frozen=True)
class MustBeRefused:
    """The request is turned away, for one of ``acceptable_reasons``."""

    acceptable_reasons: tuple[Reason, ...]

    def __str__(self) -> str:
        return "then refused" + (f": {' or '.join(self.acceptable_reasons)}" if self.acceptable_reasons else "")


Expectation = MustBeServed | MustBeRefused
