"""``--expected FILE``: the rows that are known not to pass, each with its reason.  Says what was not foreseen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from harness.catalogue import strictyaml
from harness.errors import UsageError
from harness.model.vocabulary import Outcome

_KEYS = {"case", "outcome", "reason"}


@dataclass(frozen=True)
class Entry:
    """One known row (or several, by glob)."""

    case: str
    outcome: Outcome
    reason: str


class Expectations:
    """What is known of a target; without a file every row is expected to pass."""

    def __init__(self, entries: Iterable[Entry] = (), *, known: bool = False) -> None:
        self._exact = {entry.case: entry for entry in entries if "*" not in entry.case}
        self._globs = [entry for entry in entries if "*" in entry.case]
        self.known = known

    @classmethod
    def read(cls, file: str, cases: Collection[str]) -> Expectations:
        """From *file* ('' = none); raises :class:`UsageError` for a broken file or an entry for none of *cases*."""
        if not file:
            return cls()
        entries = [_entry(file, number, row) for number, row in enumerate(_rows(file), start=1)]
        for entry in entries:
            if not any(fnmatchcase(case, entry.case) for case in cases):
                raise UsageError(
                    f"no case {entry.case!r}", where=file, attempt="take the entry out, or see hopproof list cases"
                )
        return cls(entries, known=True)

    def of(self, case: str) -> Outcome:
        """The outcome that *case* is expected to have."""
        entry = self._exact.get(case) or next((item for item in self._globs if fnmatchcase(case, item.case)), None)
        return entry.outcome if entry else Outcome.PASS

    def met(self, row: Mapping[str, Any]) -> bool:
        """Whether *row* came out as expected."""
        return bool(row["outcome"] == self.of(row["case"]))


def _rows(file: str) -> list[Any]:
    data = strictyaml.read(Path(file), "the expected results")
    rows = data.get("expected") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        raise UsageError("expected a mapping with the list `expected`", where=file)
    return rows


def _entry(file: str, number: int, row: Any) -> Entry:
    where = f"{file}, entry {number}"
    if not isinstance(row, dict) or set(row) != _KEYS or not all(isinstance(row[key], str) for key in _KEYS):
        raise UsageError("an entry has exactly case, outcome and reason", where=where)
    if not row["reason"].strip() or row["reason"].startswith("TODO"):
        raise UsageError("an entry says why, in its reason", where=where)
    try:
        outcome = Outcome(row["outcome"])
    except ValueError:
        raise UsageError(f"unknown outcome {row['outcome']!r}", where=where) from None
    if outcome is Outcome.PASS:
        raise UsageError("PASS needs no entry", where=where, attempt="take the entry out")
    return Entry(row["case"], outcome, row["reason"])


def entries_for(rows: Iterable[Mapping[str, Any]], expectations: Expectations) -> str:
    """Ready-to-edit entries for the rows that were not foreseen; what should go from the file comes first."""
    surprising = [row for row in rows if not expectations.met(row) and row["outcome"] != Outcome.HARNESS_ERROR]
    lines = [f"# {row['case']} passes now: take its entry out" for row in surprising if row["outcome"] == Outcome.PASS]
    fresh = [
        {"case": row["case"], "outcome": row["outcome"], "reason": f"TODO why ({row['reason']})"}
        for row in surprising
        if row["outcome"] != Outcome.PASS
    ]
    if fresh:
        lines.append(yaml.safe_dump(fresh, sort_keys=False, width=110).rstrip())
    return "\n".join(lines)
