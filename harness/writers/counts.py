"""How many cases there are, each counted once: record, terminal, page and ``target check`` say it in the same words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.model import record
from harness.model.record import Header, Row
from harness.model.vocabulary import BROKEN, INTERRUPTED, Outcome
from harness.model.words import counted


@dataclass(frozen=True)
class Counts:
    """``catalogue`` = ``apply`` + ``withheld``; ``apply`` = ``run`` + ``deeper`` + ``unselected`` + ``skipped``.

    The catalogue is what it has for this target's flows, at every depth.  ``deeper`` cases need ``--depth full``,
    ``unselected`` ones match no ``--only``, ``skipped`` ones match a ``--skip``.
    """

    catalogue: int
    withheld: int
    apply: int
    run: int
    deeper: int = 0
    unselected: int = 0
    skipped: int = 0

    def to_json(self) -> record.Counts:
        """As it is written in a record's header."""
        return {
            "catalogue": self.catalogue,
            "withheld": self.withheld,
            "apply": self.apply,
            "run": self.run,
            "deeper": self.deeper,
            "unselected": self.unselected,
            "skipped": self.skipped,
        }

    def lines(self) -> list[str]:
        """In words."""
        left = {
            "left for --depth full": self.deeper,
            "not selected (--only)": self.unselected,
            "skipped (--skip)": self.skipped,
        }
        parts = [f"{self.run} in this run", *(f"{number} {why}" for why, number in left.items() if number)]
        return [self.here(), f"Of the {self.apply} that apply: {', '.join(parts)}."]

    def here(self) -> str:
        """The first line: what of the catalogue applies to the target."""
        whole = f"In the catalogue for this target: {counted(self.catalogue, 'case')}"
        return f"{whole}; {self.apply} apply, {self.withheld} withheld."


def of_header(header: Header) -> Counts | None:
    """What a record's header says; None for one from before it was counted."""
    found = header.get("counts")
    return Counts(**found) if found else None


def was_interrupted(row: Row) -> bool:
    """Whether *row* is of a case that an interrupted run did not come to."""
    return row["outcome"] == Outcome.HARNESS_ERROR and row["reason"] == INTERRUPTED


def of_rows(rows: Iterable[Row]) -> str:
    """What became of the cases of a run, in words: ``Of the 24 in this run: 14 judged, 10 unobserved.``"""
    rows = list(rows)
    outcomes = [row["outcome"] for row in rows]
    not_run = sum(map(was_interrupted, rows))
    kinds = {
        "judged": sum(outcome == Outcome.PASS or outcome in BROKEN for outcome in outcomes),
        "unobserved": outcomes.count(Outcome.UNOBSERVED),
        "unsupported": outcomes.count(Outcome.UNSUPPORTED),
        "not run, because the run was interrupted": not_run,
        "not judged, because Hopproof or its lab failed": outcomes.count(Outcome.HARNESS_ERROR) - not_run,
    }
    message = ", ".join(f"{number} {kind}" for kind, number in kinds.items() if number)
    return f"Of the {len(outcomes)} in this run: {message}." if outcomes else "No case was run."
