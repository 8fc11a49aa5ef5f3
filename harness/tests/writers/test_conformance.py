"""The report a project publishes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from harness.model.record import Footer, Row
from harness.tests import builders
from harness.writers import conformance


def row(case: str, requirement: str, outcome: str, **changes: Any) -> Row:
    same = {"source": "s", "reason": "why", "grade": "client-only", "flow": "f"}
    return builders.row(outcome=outcome, case=case, requirement=requirement, **same, **changes)


HEADER = builders.header(
    product="nginx 1.22.1",
    depth="full",
    withheld=[{"case": "x", "reason": "posture"}, {"case": "y", "reason": "posture"}],
)


def footer(status: int) -> Footer:
    """Of a record from before there were answers."""
    found = builders.footer(exit_status=status)
    del found["answer"]
    return found


def test_counts_reasons_and_digests(tmp_path: Path) -> None:
    rows = [row("a", "R-1", "PASS"), row("b", "R-1", "FAIL"), row("c", "R-2", "UNOBSERVED")]
    message = yaml.safe_load(conformance.write(tmp_path, HEADER, rows, footer(1), b"record").read_text("utf-8"))
    assert message["implementation"] == "nginx 1.22.1"
    assert message["conforms"] is False
    assert message["counts"] == {"PASS": 1, "FAIL": 1, "UNOBSERVED": 1}
    assert message["requirements"]["R-1"]["counts"] == {"PASS": 1, "FAIL": 1}
    assert [item["case"] for item in message["requirements"]["R-1"]["not_met"]] == ["b"]
    assert "not_met" not in message["requirements"]["R-2"]
    assert message["unobserved"] == {"why": 1}
    assert message["withheld"] == {"posture": 2}
    assert len(message["record_sha256"]) == 64


def test_the_notes_of_a_run_are_in_it() -> None:
    noted = builders.footer(notes=["HTTP/2 was not judged"])
    assert conformance.report(HEADER, [row("a", "R-1", "PASS")], noted, b"")["notes"] == ["HTTP/2 was not judged"]


def test_a_run_that_conforms_says_so() -> None:
    message = conformance.report(HEADER, [row("a", "R-1", "PASS")], footer(0), b"")
    assert message["conforms"] is True and message["only"] == []
    assert conformance.report({**HEADER, "only": ["R-1"]}, [row("a", "R-1", "PASS")], footer(0), b"")["only"] == ["R-1"]


def test_an_expected_failure_is_still_one() -> None:
    message = conformance.report(HEADER, [row("a", "R-1", "FAIL")], footer(0), b"")
    assert message["as_expected"] is True
    assert message["conforms"] is False


def test_findings_recommendations_and_known_failures_stand_apart() -> None:
    excuse = {"reason": "until the upgrade", "owner": "me", "expires": None}
    rows = [
        row("a", "R-1", "FAIL", finding="Anybody gets in"),
        row("b", "R-1", "FAIL", finding="Anybody gets in"),
        row("c", "R-2", "WRONG_REASON", finding="Odd", level="SHOULD"),
        row("d", "R-3", "FAIL", finding="Too old", known=excuse),
    ]
    message = conformance.report(HEADER, rows, footer(1), b"")
    one = {"finding": "Anybody gets in", "level": "MUST", "requirement": "R-1", "cases": ["a", "b"]}
    assert message["does_not_conform"] == [one]
    assert [item["finding"] for item in message["recommendations_not_followed"]] == ["Odd"]
    cases = [{"case": "d", "outcome": "FAIL"}]
    assert message["known_failures"] == [{"reason": "until the upgrade", "owner": "me", "cases": cases}]
