"""Findings: one for each cause, the serious first, recommendations and exceptions apart."""

from __future__ import annotations

from harness.model.record import Row
from harness.tests.builders import row
from harness.writers.findings import findings, known


def failed(requirement: str, stimulus: str, **changes: object) -> Row:
    name = f"tokens/{requirement}/f/jwt/direct/{stimulus}"
    return row(name, "FAIL", **{"reason_code": "accepted", "finding": f"{requirement} lets them in", **changes})


def test_rows_of_one_cause_are_one_finding() -> None:
    rows = [failed("A", "x"), failed("A", "y", flow="g"), failed("A", "z", finding="A is refused"), row()]
    found = findings(rows)
    assert [(one.sentence, len(one.rows)) for one in found] == [("A lets them in", 2), ("A is refused", 1)]
    assert [one.weight for one in found] == ["MUST, 2 cases of 2 flows", "MUST, 1 case"]


def test_the_serious_comes_first() -> None:
    rows = [
        failed("SHOULDS", "str-no-token", level="SHOULD"),
        failed("REFUSES", "claim-unknown", reason_code="not-served"),
        failed("HOLDERS", "exp-past"),
        failed("FORGERS", "alg-none"),
        failed("ANYBODY", "str-no-token"),
    ]
    order = ["ANYBODY", "FORGERS", "HOLDERS", "REFUSES", "SHOULDS"]
    assert [one.requirement for one in findings(rows)] == order
    assert [one.binding for one in findings(rows)] == [True] * 4 + [False]


def test_what_is_excused_is_no_finding() -> None:
    excuse = {"reason": "r", "owner": None, "expires": None}
    rows = [failed("A", "x", known=excuse), failed("A", "y", known=dict(excuse)), failed("B", "x")]
    assert [one.requirement for one in findings(rows)] == ["B"]
    assert known(rows) == [(excuse, rows[:2])]


def test_a_record_from_before_there_were_sentences() -> None:
    old = failed("A", "x")
    del old["finding"], old["known"]
    assert [one.sentence for one in findings([old])] == ["A is not met"]
