"""The answer in words: what is said of a run, and of a flow, and that it is the same wherever it is said."""

from __future__ import annotations

from typing import Any

import pytest

from harness.model.record import Footer, Row
from harness.model.vocabulary import Outcome
from harness.tests import builders
from harness.tests.builders import row
from harness.writers import answer
from harness.writers.conformance import report

ONE, TWO = (f"flows/REQ-{n}/management-to-portal/mtls/direct/good" for n in (1, 2))
GAP = {
    "flow": "management-to-portal",
    "posture": "mtls",
    "protection": "certificate",
    "missing": ["tls-no-cert", "ta-unknown-ca"],
    "why": "there is no client",
    "give": "client.certificate and client.key",
}
CLAIM = {"flow": "management-to-portal", "posture": "mtls", "path": "direct", "certificate": True, "token": False}
OPEN = {**CLAIM, "posture": "tls-only", "certificate": False}


def footer(answer: str, status: int, **more: Any) -> Footer:
    return builders.footer(answer=answer, exit_status=status, trustworthy=answer != "untrustworthy", **more)


def old_footer(status: int) -> Footer:
    """Of a record from before it held the answer."""
    found = footer("", status)
    del found["answer"]
    return found


@pytest.mark.parametrize(
    ("header", "rows", "found", "words"),
    [
        ({}, [row(ONE)], footer("conforms", 0), "conforms"),
        ({"only": ["FLW-1"]}, [row(ONE)], footer("conforms", 0), "the selected cases conform"),
        ({}, [row(ONE), row(TWO, "UNOBSERVED")], footer("conforms", 0), "what could be observed conforms"),
        (
            {"only": ["x"]},
            [row(ONE), row(TWO, "UNOBSERVED")],
            footer("conforms", 0),
            "what could be observed of the selected cases conforms",
        ),
        ({"claims": [CLAIM]}, [row(ONE)], footer("conforms", 0), "conforms"),
        ({"claims": [OPEN]}, [row(ONE)], footer("conforms", 0), "conforms; it claims no client authentication"),
        ({}, [row(ONE, "FAIL")], footer("does-not-conform", 1), "does not conform"),
        (
            {},
            [row(ONE, "FAIL")],
            footer("does-not-conform", 0),
            "as expected, but does not conform: 1 known failure of a MUST",
        ),
        ({}, [row(ONE)], footer("not-as-expected", 1), "not as expected"),
        ({}, [row(ONE, "UNOBSERVED")], footer("not-shown", 3, not_shown=[GAP]), "not shown"),
        ({}, [row(ONE)], footer("untrustworthy", 3), "the run is not trustworthy"),
        ({}, [row(ONE)], old_footer(0), "conforms"),
        ({}, [row(ONE)], old_footer(3), "the run is not trustworthy"),
    ],
)
def test_the_headline(header: dict[str, Any], rows: list[Row], found: Footer, words: str) -> None:
    assert answer.headline(builders.header(**header), rows, found).words == words


def test_only_conforming_is_green() -> None:
    message = [("conforms", 0), ("does-not-conform", 1), ("not-as-expected", 1), ("not-shown", 3), ("untrustworthy", 3)]
    colours = [answer.headline(builders.header(), [row(ONE)], footer(*one)).colour for one in message]
    assert colours == ["s0", "s1", "s1", "s3", "s3"]


@pytest.mark.parametrize(
    ("rows", "found", "words", "outcome"),
    [
        ([row(ONE)], footer("conforms", 0), "yes", Outcome.PASS),
        ([row(ONE), row(TWO, "FAIL", level="SHOULD")], footer("conforms", 0), "yes", Outcome.PASS),
        ([row(ONE), row(TWO, "FAIL")], footer("does-not-conform", 1), "no (1)", Outcome.FAIL),
        ([row(ONE), row(TWO, "UNOBSERVED")], footer("conforms", 0), "as far as observed", Outcome.UNOBSERVED),
        ([row(ONE, "UNOBSERVED")], footer("conforms", 0), "not shown", Outcome.UNOBSERVED),
        ([row(ONE, level="SHOULD")], footer("conforms", 0), "not shown", Outcome.UNOBSERVED),
        ([row(ONE, level="stated")], footer("conforms", 0), "as stated", Outcome.PASS),
        ([row(ONE, "FAIL", level="stated")], footer("conforms", 0), "not shown", Outcome.UNOBSERVED),
        ([row(ONE, level="stated")], footer("not-shown", 3, not_shown=[GAP]), "not shown", Outcome.UNOBSERVED),
        ([row(ONE, level="stated"), row(TWO, level="SHOULD")], footer("conforms", 0), "not shown", Outcome.UNOBSERVED),
        ([row(ONE)], footer("not-shown", 3, not_shown=[GAP]), "not shown", Outcome.UNOBSERVED),
        (
            [row(ONE)],
            footer("not-shown", 3, not_shown=[{**GAP, "flow": "management-to-analytics"}]),
            "yes",
            Outcome.PASS,
        ),
        ([row(ONE)], footer("untrustworthy", 3), "not trustworthy", Outcome.HARNESS_ERROR),
        ([row(ONE), row(TWO, "HARNESS_ERROR", level="MAY")], old_footer(3), "not trustworthy", Outcome.HARNESS_ERROR),
    ],
)
def test_what_is_said_of_a_flow(rows: list[Row], found: Footer, words: str, outcome: Outcome) -> None:
    assert answer.of_flow(rows, found) == answer.FlowAnswer(words, outcome)


def test_a_gap_in_words() -> None:
    ((text, give),) = answer.gaps(footer("not-shown", 3, not_shown=[GAP]))
    assert text == (
        "management-to-portal (mtls): that client certificates are verified; not tested: tls-no-cert, "
        "ta-unknown-ca: there is no client"
    )
    assert give == "client.certificate and client.key"


@pytest.mark.parametrize(
    ("answer", "only", "conforms"),
    [("conforms", [], True), ("conforms", ["FLW-1"], False), ("not-shown", [], False), ("untrustworthy", [], False)],
)
def test_the_conformance_report_says_it(answer: str, only: list[str], conforms: bool) -> None:
    status = 0 if answer == "conforms" else 3
    gaps = [GAP] if answer == "not-shown" else []
    said = report(builders.header(claims=[OPEN], only=only), [row(ONE)], footer(answer, status, not_shown=gaps), b"")
    assert (said["answer"], said["conforms"], said["not_shown"]) == (answer, conforms, gaps)
    assert said["claims_no_client_authentication"] == [
        "management-to-portal (tls-only) claims no client authentication"
    ]
