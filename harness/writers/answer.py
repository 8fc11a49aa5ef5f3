"""The answer of a run, and of each flow in it, in words: summary, page and all the reports say the same.

Decides nothing: the answer and what is not shown stand in the record's footer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.model.claims import Answer
from harness.model.record import Claim, Footer, Gap, Header, Row
from harness.model.vocabulary import BROKEN, Grade, Level, Outcome
from harness.model.words import counted

_OF_STATUS = {0: Answer.CONFORMS, 1: Answer.DOES_NOT_CONFORM}
"""What records from before they held the answer let one say."""
_SYMBOLS = {
    Answer.CONFORMS: ("✓", "s0"),
    Answer.DOES_NOT_CONFORM: ("✗", "s1"),
    Answer.NOT_AS_EXPECTED: ("✗", "s1"),
    Answer.NOT_SHOWN: ("?", "s3"),
    Answer.UNTRUSTWORTHY: ("!", "s3"),
}
_PROTECTIONS = {
    "certificate": "that client certificates are verified",
    "token": "that tokens are verified",
    "exchange": "that the token service issues only correct tokens",
    "configuration": "that the files meet every requirement",
}


@dataclass(frozen=True)
class Headline:
    """The answer in a few words, a sentence more, a symbol, and the class of its colour."""

    words: str
    text: str
    symbol: str
    colour: str


def answer(footer: Footer) -> Answer:
    """The answer that *footer* holds."""
    message = footer.get("answer")
    return Answer(message) if message else _OF_STATUS.get(footer.get("exit_status", 3), Answer.UNTRUSTWORTHY)


def headline(header: Header, rows: Sequence[Row], footer: Footer) -> Headline:
    """What to say first, and last."""
    found = answer(footer)
    if found is Answer.CONFORMS and _broken_musts(rows):
        found = Answer.DOES_NOT_CONFORM  # a record from before it held the answer
    if found is Answer.CONFORMS:
        return _conforming(header, rows)
    known = _broken_musts(rows) if footer.get("exit_status", 3) == 0 or found is Answer.NOT_SHOWN else 0
    also = f" Besides, {known} known failures break a MUST." if known else ""
    words, text = {
        Answer.DOES_NOT_CONFORM: ("does not conform", "At least one MUST is broken."),
        Answer.NOT_AS_EXPECTED: ("not as expected", "Some rows differ from the file of known failures."),
        Answer.NOT_SHOWN: (_unshown(footer), f"A claimed protection was not tested: see what is missing.{also}"),
        Answer.UNTRUSTWORTHY: (
            "the run is not trustworthy",
            "Do not rely on this run until the problems below are fixed.",
        ),
    }[found]
    if found is Answer.DOES_NOT_CONFORM and known:
        words = f"as expected, but does not conform: {counted(known, 'known failure')} of a MUST"
        text = f"A MUST is broken in {counted(known, 'case')}, as expected (--expected)."
    return Headline(words, text, *_SYMBOLS[found])


def _nothing_of(header: Header) -> int:
    """How many MUSTs on files were not asked, since the files have nothing that they are about."""
    left_out = (item["case"] for item in header["withheld"] if item.get("level") == Level.MUST)
    return len({case.split("/")[1] for case in left_out})


def _is_file_must(row: Row) -> bool:
    return row["grade"] == Grade.CONFIG and row["level"] == Level.MUST and row["outcome"] != Outcome.UNOBSERVED


def _unshown(footer: Footer) -> str:
    return "not shown: it cannot be judged" if footer.get("cannot_judge") else "not shown"


def _conforming(header: Header, rows: Sequence[Row]) -> Headline:
    """Exit status 0 is a wide word: of a selection, of what could be observed, of an endpoint that claims nothing."""
    only, unseen = bool(header.get("only")), _unseen_musts(rows)
    words = "the selected cases conform" if only else "conforms"
    text = "Every MUST that was judged is met."
    if (nothing := _nothing_of(header)) and not only:
        checked = len({row["requirement"] for row in rows if _is_file_must(row)})
        words = "what is in the files conforms" if all(row["grade"] == Grade.CONFIG for row in rows) else words
        words += f": {checked} MUSTs on files were checked, {nothing} had nothing to check"
    if unseen:
        words = f"what could be observed{' of the selected cases' if only else ''} conforms"
        text = f"{counted(unseen, 'case')} of a MUST could not be observed."
    claims = header.get("claims", ())
    if claims and not any(_claims_something(claim) for claim in claims):
        words += "; it claims no client authentication"
    symbol, colour = ("?", "s3") if unseen else _SYMBOLS[Answer.CONFORMS]
    return Headline(words, text, symbol, colour)


def unclaimed(header: Header) -> list[str]:
    """A line for each flow that is declared open: no row can show a protection there."""
    return [
        f"{claim['flow']} ({claim['posture']}) claims no client authentication"
        for claim in header.get("claims", ())
        if not _claims_something(claim)
    ]


def _claims_something(claim: Claim) -> bool:
    return bool(claim["certificate"] or claim["token"] or claim.get("exchange"))


def gaps(footer: Footer) -> list[tuple[str, str]]:
    """What is not shown, and what to give, in words."""
    cannot = bool(footer.get("cannot_judge"))
    return [
        (_gap(item, cannot), "what is listed above" if cannot else str(item["give"]))
        for item in footer.get("not_shown", ())
    ]


def _gap(item: Gap, cannot: bool) -> str:
    what = _PROTECTIONS.get(str(item["protection"]), "that any client is served")
    missing = ", ".join(map(str, item["missing"]))
    why = "" if cannot else f": {item['why']}"  # that is said once, above
    return f"{item['flow']} ({item['posture']}): {what}; not tested: {missing}{why}"


@dataclass(frozen=True)
class FlowAnswer:
    """What is said of one flow, or of one flow in a posture, and the outcome whose colour and symbol fit it."""

    words: str
    outcome: str


def of_flow(rows: Iterable[Row], footer: Footer) -> FlowAnswer:
    """Whether the MUSTs among *rows*, all of one flow, are met; ``yes`` only where that was seen and counts."""
    rows = list(rows)
    musts = [row["outcome"] for row in rows if row["level"] == Level.MUST]
    if broken := sum(outcome in BROKEN for outcome in musts):
        return FlowAnswer(f"no ({broken})", Outcome.FAIL)
    failed = any(row["outcome"] == Outcome.HARNESS_ERROR for row in rows)
    if failed or answer(footer) is Answer.UNTRUSTWORTHY:
        return FlowAnswer("not trustworthy", Outcome.HARNESS_ERROR)
    places = {(row["flow"], row["posture"]) for row in rows}
    gap = any((item["flow"], item["posture"]) in places for item in footer.get("not_shown", ()))
    if not gap and {(row["level"], row["outcome"]) for row in rows} == {(Level.STATED, Outcome.PASS)}:
        # No MUST is about this flow: what the documents state of it was seen.
        return FlowAnswer("as stated", Outcome.PASS)
    if gap or Outcome.PASS not in musts:
        return FlowAnswer("not shown", Outcome.UNOBSERVED)
    if Outcome.UNOBSERVED in musts:
        return FlowAnswer("as far as observed", Outcome.UNOBSERVED)
    return FlowAnswer("yes", Outcome.PASS)


def verified_in_part(footer: Footer, flow: str, posture: str) -> set[str]:
    """The protections of which not even the core was judged there: ``certificate``, ``token``."""
    location = (flow, posture)
    return {
        str(item["protection"]) for item in footer.get("not_shown", ()) if (item["flow"], item["posture"]) == location
    }


def _broken_musts(rows: Iterable[Row]) -> int:
    return sum(row["level"] == Level.MUST and row["outcome"] in BROKEN for row in rows)


def _unseen_musts(rows: Iterable[Row]) -> int:
    return sum(row["level"] == Level.MUST and row["outcome"] == Outcome.UNOBSERVED for row in rows)
