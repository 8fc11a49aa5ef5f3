"""What the harness could not do: what went wrong, where, and what to try.  Knows nothing of cases or verdicts.

Every error a person can see derives from :class:`HopproofError` and carries the exit status the command ends with, so
that no part of the program has to guess it (contract: 2 = usage or configuration, 3 = the run is not trustworthy).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class HopproofError(Exception):
    """An error in three parts: *what* happened, *where*, and what to *try* (both optional)."""

    exit_status = 3

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  try: {self.hint}" if self.hint else text


class UsageError(HopproofError):
    """Bad input: a flag, a selection, a file the user wrote.  Exit status 2."""

    exit_status = 2


class Mistakes(UsageError):
    """Several mistakes of one input, each reported as if it were the only one."""

    def __init__(self, errors: Sequence[UsageError], where: str = "") -> None:
        self.errors = tuple(errors)
        lines = "\n".join(f"  - {error!s}".replace("\n", "\n  ") for error in errors)
        super().__init__(f"{len(errors)} mistakes\n{lines}", where=where)


def refuse(errors: Iterable[UsageError], where: str = "") -> None:
    """Raise what *errors* come to, if there are any; duplicates are reported once."""
    message = list({str(error): error for error in errors}.values())
    if len(message) == 1:
        raise message[0]
    if message:
        raise Mistakes(message, where)


class CatalogueError(UsageError):
    """The catalogue contradicts itself or names something unknown.  Exit status 2."""


class LabError(HopproofError):
    """The lab (subsystems, balancers, their processes) failed: never a pass, never a fail.  Exit status 3."""


class CannotJudge(LabError):
    """What was to be judged cannot be: for its credentials, its request or its posture, none of which is the lab's."""


class DemandsCertificate(CannotJudge):
    """The server of *flow* turns away a client without a certificate, in a posture in which tokens alone count."""

    def __init__(self, flow: str, what: str, *, where: str, hint: str) -> None:
        self.flow = flow
        super().__init__(what, where=where, hint=hint)


class EffectUnseen(LabError):
    """Whether a server acted upon one request cannot be decided: that request's verdict cannot rest on it."""


class ReportError(HopproofError):
    """The record of a run could not be written.  Exit status 3."""
