"""``--expected FILE``: the rows that are known not to pass, each with its reason.  Says what was not foreseen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from harness.decode import strictyaml
from harness.errors import UsageError
from harness.model.record import Excuse, Row
from harness.model.vocabulary import Outcome

UNEXPECTED = "unexpected.yaml"
_KEYS = {"case", "outcome", "reason"}
_MAY = {"owner", "expires"}


@dataclass(frozen=True)
class Entry:
    """One known row (or several, by glob): why it is accepted, by whom, and through which day."""

    case: str
    outcome: Outcome
    reason: str
    owner: str = ""
    expires: date | None = None

    def matches(self, case: str) -> bool:
        """Whether it is about *case*."""
        return fnmatchcase(case, self.case)

    def to_json(self) -> Excuse:
        """As it stands in the rows that it excuses."""
        return {
            "reason": self.reason,
            "owner": self.owner or None,
            "expires": self.expires.isoformat() if self.expires else None,
        }


class Expectations:
    """What is known of a target; without a file every row is expected to pass.  An expired entry excuses nothing."""

    def __init__(self, entries: Iterable[Entry] = (), *, known: bool = False, today: date | None = None) -> None:
        self._entries = sorted(entries, key=lambda entry: "*" in entry.case)
        self._today = today or datetime.now(UTC).date()
        self.known = known

    @classmethod
    def read(cls, file: str | None, cases: Collection[str], today: date | None = None) -> Expectations:
        """From *file* (None = none); raises :class:`UsageError` for a broken file or an entry for none of *cases*."""
        if file is None:
            return cls()
        if not file:
            raise UsageError("--expected names no file", hint="leave the option out where nothing is known")
        entries = [_entry(file, number, row) for number, row in enumerate(_rows(file), start=1)]
        for entry in entries:
            if not any(entry.matches(case) for case in cases):
                raise UsageError(
                    f"no case {entry.case!r}", where=file, hint="take the entry out, or see hopproof list cases"
                )
        return cls(entries, known=True, today=today)

    def _entry(self, case: str) -> Entry | None:
        return next((entry for entry in self._entries if entry.matches(case)), None)

    def _expired(self, entry: Entry) -> bool:
        return entry.expires is not None and entry.expires < self._today

    def of(self, case: str) -> Outcome:
        """The outcome that *case* is expected to have."""
        entry = self._entry(case)
        return entry.outcome if entry and not self._expired(entry) else Outcome.PASS

    def met(self, row: Row) -> bool:
        """Whether *row* came out as expected.  An entry whose row passes is never met, even once it has expired."""
        entry = self._entry(row["case"])
        if entry and row["outcome"] == Outcome.PASS:
            return False
        return row["outcome"] == self.of(row["case"])

    def excuse(self, row: Row) -> Entry | None:
        """The entry that excuses *row* today."""
        entry = self._entry(row["case"])
        return entry if entry and row["outcome"] != Outcome.PASS and self.met(row) else None

    def lapsed(self, row: Row) -> str:
        """What to add to the reason of *row*, whose entry would excuse it had it not expired; '' elsewhere."""
        entry = self._entry(row["case"])
        if entry is None or not self._expired(entry) or row["outcome"] != entry.outcome:
            return ""
        return f"; the exception expired on {entry.expires} ({_whose(entry)})"

    def idle(self, cases: Collection[str]) -> list[str]:
        """The cases of the entries that are about none of *cases*."""
        return [entry.case for entry in self._entries if not any(entry.matches(case) for case in cases)]


def _whose(entry: Entry) -> str:
    return ", ".join(filter(None, (entry.reason, entry.owner and f"owner {entry.owner}")))


def _rows(file: str) -> list[Any]:
    data = strictyaml.read(
        Path(file), "the file of known failures", hint="name the file of --expected, or leave the option out"
    )
    if data is None:
        raise UsageError("the file is empty", where=file, hint="write `expected: []` where no failure is known")
    rows = data.get("expected") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        raise UsageError(
            "the file must hold a list under `expected`",
            where=file,
            hint="write `expected: []` where no failure is known",
        )
    return rows


def _entry(file: str, number: int, row: Any) -> Entry:
    where = f"{file}, entry {number}"
    if not isinstance(row, dict) or not _KEYS <= set(row) <= _KEYS | _MAY:
        raise UsageError("an entry has case, outcome and reason, and may have owner and expires", where=where)
    if not all(isinstance(row[key], str) for key in (*_KEYS, "owner") if key in row):
        raise UsageError("case, outcome, reason and owner are texts", where=where)
    if not row["reason"].strip() or row["reason"].startswith("TODO"):
        raise UsageError("an entry says why, in its reason", where=where)
    try:
        outcome = Outcome(row["outcome"])
    except ValueError:
        raise UsageError(f"unknown outcome {row['outcome']!r}", where=where) from None
    if outcome is Outcome.PASS:
        raise UsageError("PASS needs no entry", where=where, hint="take the entry out")
    return Entry(row["case"], outcome, row["reason"].strip(), row.get("owner", "").strip(), _day(where, row))


def _day(where: str, row: Mapping[str, Any]) -> date | None:
    if "expires" not in row:
        return None
    value = row["expires"]
    try:
        # YAML reads an unquoted date as one; with a time of day it makes a datetime, which is a date as well.
        day = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        day = None
    if type(day) is not date:
        raise UsageError("expires is a day, the last on which the entry counts, such as 2027-01-31", where=where)
    return day


def entries_for(rows: Iterable[Row], expectations: Expectations) -> str:
    """Ready-to-edit entries for the rows that were not foreseen; what should go from the file comes first."""
    surprising = [row for row in rows if not expectations.met(row) and row["outcome"] != Outcome.HARNESS_ERROR]
    lines = [f"# {row['case']} passes now: remove its entry" for row in surprising if row["outcome"] == Outcome.PASS]
    fresh = [
        {"case": row["case"], "outcome": row["outcome"], "reason": f"TODO why ({row['reason']})"}
        for row in surprising
        if row["outcome"] != Outcome.PASS
    ]
    if fresh:
        lines.append(yaml.safe_dump(fresh, sort_keys=False, width=110).rstrip())
    return "\n".join(lines)
