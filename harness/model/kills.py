"""The form of ``mutants.json``, which the kill matrix writes and the page reads.  Standard library only, no I/O."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class KilledFault(TypedDict):
    """What one fault did: ids of cases, and the requirements that it should have broken and did not."""

    fault: str
    killed_by: list[str]
    also_failed: list[str]
    unbroken: NotRequired[list[str]]


class Kills(TypedDict):
    """The whole matrix."""

    faults: int
    killed: int
    survivors: list[str]
    false_alarms: list[str]
    harness_errors: NotRequired[list[str]]
    cases: NotRequired[int]
    area: NotRequired[str]
    catalogue_sha256: str
    rows: list[KilledFault]
