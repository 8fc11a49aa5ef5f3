"""What a server that does not conform behaves like: its failures against every known fault's.  Judges nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from harness import paths
from harness.catalogue.registry import FAULTS
from harness.decode import strictyaml
from harness.model.record import Likeness, Row
from harness.model.vocabulary import BROKEN, Outcome

FILE = paths.FIXTURES / "diagnosis" / "signatures.yaml"
REMEDIES = paths.FIXTURES / "diagnosis" / "remedies.yaml"

Signature = dict[str, dict[str, dict[str, str]]]
"""Posture, or modes of a gateway -> requirement -> stimulus -> reason code, of every case that does not pass."""

_Key = tuple[str, str]
_RIGHT = ""
_ALIKE, _ENOUGH = 0.75, 4
"""A fault that shows in part is named only where this share of at least so many cases fits."""


@dataclass(frozen=True)
class FaultMatch:
    """One server in one posture behaves like one of *faults*, which look the same there.

    ``seen`` of the ``of`` cases that were judged and that such a server gets wrong were got wrong in the same way.
    """

    flow: str
    posture: str
    faults: tuple[str, ...]
    seen: int
    of: int
    summary: str
    change: str

    def to_json(self) -> Likeness:
        """As it is written in a record's footer."""
        return {
            "flow": self.flow,
            "posture": self.posture,
            "faults": list(self.faults),
            "seen": self.seen,
            "of": self.of,
            "summary": self.summary,
            "change": self.change,
        }


@cache
def signatures() -> Mapping[str, Signature]:
    """The signatures that travel with the code."""
    found: Mapping[str, Signature] = strictyaml.read(FILE, "the signatures of the faults")
    return found


@cache
def remedies() -> Mapping[str, str]:
    """What to change, by fault."""
    found: Mapping[str, str] = strictyaml.read(REMEDIES, "what to change")
    return found


def diagnose(rows: Iterable[Row]) -> list[FaultMatch]:
    """The fewest likenesses that explain the failures among *rows*, whole ones first; [] where nothing fits."""
    groups: defaultdict[tuple[str, str, str], dict[_Key, str]] = defaultdict(dict)
    for row in rows:
        if row["outcome"] == Outcome.PASS or row["outcome"] in BROKEN:
            # Why, not only that: a server that falls over a forged token has not accepted it.
            how = _RIGHT if row["outcome"] == Outcome.PASS else str(row["reason_code"])
            groups[row["flow"], row["posture"], row.get("modes", "")][row["requirement"], row["stimulus"]] = how
    return [likeness for location, judged in groups.items() for likeness in _of(location, judged)]


def _of(place: tuple[str, str, str], judged: Mapping[_Key, str]) -> Iterable[FaultMatch]:
    unexplained = {key for key, how in judged.items() if how != _RIGHT}
    if not unexplained:
        return
    shown = {fault: _shown(signature, place[1:], judged) for fault, signature in signatures().items()}
    while unexplained:
        alike = {
            fault: observed
            for fault, (observed, of) in shown.items()
            if observed & unexplained and _convincing(len(observed), len(of))
        }
        if not alike:
            return
        best = max(alike, key=lambda fault: _rank(*shown[fault], unexplained))
        same = tuple(fault for fault in alike if shown[fault] == shown[best])
        yield _likeness(place[:2], same, *shown[best])
        unexplained -= alike[best]


def _shown(
    signature: Signature, places: Iterable[str], judged: Mapping[_Key, str]
) -> tuple[frozenset[_Key], frozenset[_Key]]:
    """The cases of *signature* that went the same way here, and those of it that were judged here at all."""
    expected = {
        (requirement, stimulus): how
        for place in places
        for requirement, stimuli in signature.get(place, {}).items()
        for stimulus, how in stimuli.items()
        if (requirement, stimulus) in judged
    }
    return frozenset(key for key, how in expected.items() if judged[key] == how), frozenset(expected)


def _convincing(seen: int, of: int) -> bool:
    return seen == of or (of >= _ENOUGH and seen >= _ALIKE * of)


def _rank(seen: frozenset[_Key], of: frozenset[_Key], unexplained: set[_Key]) -> tuple[bool, int, float]:
    return seen == of, len(seen & unexplained), len(seen) / len(of)


def _likeness(
    place: tuple[str, str], faults: tuple[str, ...], seen: frozenset[_Key], of: frozenset[_Key]
) -> FaultMatch:
    summary = "; or ".join(FAULTS[fault].summary for fault in faults)
    change = " Or: ".join(dict.fromkeys(remedies()[fault] for fault in faults))
    return FaultMatch(*place, faults, len(seen), len(of), summary, change)
