"""Two records side by side: what broke, what was mended, what is new, what is gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.model.record import Row
from harness.model.vocabulary import BROKEN, Outcome


@dataclass(frozen=True)
class Difference:
    """Lines ``case: old -> new``; ``other`` are changes that are neither a new failure nor a new pass."""

    newly_failing: tuple[str, ...]
    newly_passing: tuple[str, ...]
    other: tuple[str, ...]
    newly_applicable: tuple[str, ...]
    gone: tuple[str, ...]
    same: int

    def text(self) -> str:
        """For people."""
        parts = []
        for title, lines in (
            ("newly failing", self.newly_failing),
            ("newly passing", self.newly_passing),
            ("changed otherwise", self.other),
            ("newly applicable", self.newly_applicable),
            ("gone", self.gone),
        ):
            parts += [f"{title}: {len(lines)}", *(f"  {line}" for line in lines)]
        return "\n".join([*parts, f"the same: {self.same}"])


def compare(old: Iterable[Row], new: Iterable[Row]) -> Difference:
    """What *new* says that *old* did not, by case id."""
    before, after = ({row["case"]: row for row in rows} for rows in (old, new))
    changed = [case for case in after if case in before and after[case]["outcome"] != before[case]["outcome"]]
    fresh = [case for case in after if case not in before]
    words = {case: _words(before.get(case), after[case]) for case in (*changed, *fresh)}
    failing = [
        case for case in (*changed, *fresh) if after[case]["outcome"] in BROKEN and not _broken(before.get(case))
    ]
    passing = [case for case in changed if after[case]["outcome"] == Outcome.PASS]
    return Difference(
        newly_failing=tuple(words[case] for case in failing),
        newly_passing=tuple(words[case] for case in passing),
        other=tuple(words[case] for case in changed if case not in (*failing, *passing)),
        newly_applicable=tuple(words[case] for case in fresh if case not in failing),
        gone=tuple(f"{case}: was {before[case]['outcome']}" for case in before if case not in after),
        same=len(after) - len(changed) - len(fresh),
    )


def _broken(row: Row | None) -> bool:
    return row is not None and row["outcome"] in BROKEN


def _words(old: Row | None, new: Row) -> str:
    was = f"{old['outcome']} -> " if old else ""
    return f"{new['case']}: {was}{new['outcome']} ({new['reason']})"
