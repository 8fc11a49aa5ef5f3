"""The judge: which finding wins, what a failed control does to a verdict, and what a whole run exits with."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from harness import judge as module
from harness.catalogue.registry import catalogue
from harness.checks import Check, Question, registered
from harness.judge import Controls, conclude, judge
from harness.model.case import Stimulus
from harness.model.claims import Answer, Gap, Protection
from harness.model.record import Row
from harness.model.verdict import Finding, FindingKind
from harness.model.vocabulary import Grade, Outcome, Reason
from harness.tests.builders import ask, case, client, exchange, rejecting, row

VIOLATION, WRONG, UNOBSERVED, NOTE = (
    Finding(kind, f"code-{kind}", f"text of {kind}")
    for kind in (FindingKind.VIOLATION, FindingKind.WRONG_REASON, FindingKind.UNOBSERVED, FindingKind.NOTE)
)


@pytest.mark.parametrize(
    ("findings", "outcome", "code"),
    [
        ([], Outcome.PASS, "as-required"),
        ([NOTE], Outcome.PASS, "as-required"),
        ([WRONG], Outcome.WRONG_REASON, WRONG.code),
        ([WRONG, UNOBSERVED], Outcome.UNOBSERVED, UNOBSERVED.code),
        ([NOTE, UNOBSERVED, WRONG, VIOLATION], Outcome.FAIL, VIOLATION.code),
        ([VIOLATION, Finding(FindingKind.VIOLATION, "second", "later")], Outcome.FAIL, VIOLATION.code),
    ],
)
def test_precedence(monkeypatch: pytest.MonkeyPatch, findings: list[Finding], outcome: Outcome, code: str) -> None:
    monkeypatch.setattr(module, "CHECKS", registered(Check("served", lambda _question: findings, "served")))
    verdict = judge(ask(case(), exchange(), Grade.CONFIG))
    assert (verdict.outcome, verdict.code, verdict.grade) == (outcome, code, Grade.CONFIG)
    assert verdict.notes == tuple(item.text for item in findings if item is NOTE)


def test_a_check_that_raises_is_the_harnesss_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_question: object) -> list[Finding]:
        raise KeyError("extra")

    monkeypatch.setattr(module, "CHECKS", registered(Check("served", broken, "served")))
    verdict = judge(ask(case(), exchange()))
    assert (verdict.outcome, verdict.code) == (Outcome.HARNESS_ERROR, "check-raised")
    assert "served" in verdict.reason and "KeyError" in verdict.reason


def test_an_unknown_check_is_the_harnesss_fault() -> None:
    assert judge(ask(case("no-such-check"), exchange())).outcome is Outcome.HARNESS_ERROR


def test_a_fault_of_the_lab_comes_before_every_check() -> None:
    verdict = judge(ask(case(), exchange(lab_fault="the process died")))
    assert (verdict.outcome, verdict.code, verdict.reason) == (Outcome.HARNESS_ERROR, "lab", "the process died")


# Controls

REJECTED = ask(
    case("certificate-refused", stimulus=Stimulus("bad-cert")),
    exchange(client(None, alert="unknown_ca"), rejecting(Reason.CERTIFICATE_UNTRUSTED, tls=True), effect=False),
)
MISTAKEN = ask(
    case("certificate-refused", stimulus=Stimulus("bad-cert")),
    exchange(client(403), rejecting(Reason.BAD_REQUEST), effect=False),
)
ACCEPTED = ask(case("certificate-refused", stimulus=Stimulus("bad-cert")), exchange())
UNSEEN = ask(case("certificate-refused", stimulus=Stimulus("bad-cert")), exchange(client(403), effect=False))
CONTROLS = [Controls(opening="not served"), Controls(closing="not served"), Controls("not served", "nor then")]


@pytest.mark.parametrize("controls", CONTROLS)
def test_a_rejection_without_a_served_twin_proves_nothing(controls: Controls) -> None:
    for question in (REJECTED, MISTAKEN):
        verdict = judge(question, controls)
        assert (verdict.outcome, verdict.code) == (Outcome.UNOBSERVED, "control-failed")
        assert controls.failed in verdict.reason


@pytest.mark.parametrize("controls", CONTROLS)
def test_an_acceptance_stands_by_itself(controls: Controls) -> None:
    assert judge(ACCEPTED, controls).outcome is Outcome.FAIL


def test_what_was_not_seen_keeps_its_own_code() -> None:
    assert judge(UNSEEN, CONTROLS[0]).code == "server-silent"


def test_a_served_twin_changes_nothing() -> None:
    assert judge(REJECTED, Controls()).outcome is Outcome.PASS
    assert judge(REJECTED, None).outcome is Outcome.PASS


def test_a_service_needs_no_other_service_to_vouch_for_it() -> None:
    for name in ("served", "token-sent", "start-refused"):
        extra = {"act": {"status": 201}, "now": 0, "start": {"refused": "mtlsValidateClient, jwksUrl"}}
        question = ask(case(name), exchange(server_view=rejecting("", tls=False), extra=extra))
        assert judge(question, CONTROLS[0]).code != "control-failed"


def test_controls_tell_which_end_failed() -> None:
    assert Controls().failed == ""
    assert Controls("a", "").failed == "before: a"
    assert Controls("", "b").failed == "after: b"
    assert Controls("a", "b").failed == "before: a; after: b"


# Everybody is let in

LET_IN = {
    "everybody_let_in": (
        "a.test answers 201 to a client without credentials and one with an untrusted credential alike"
    )
}


@pytest.mark.parametrize(
    ("expected", "stimulus", "status", "outcome", "code"),
    [
        ("certificate-refused", Stimulus("tls-no-cert"), 201, Outcome.FAIL, "accepted"),
        ("certificate-refused", Stimulus("ta-unknown-ca", "sig-wrong-key"), 201, Outcome.FAIL, "accepted"),
        ("token-refused", Stimulus(token="str-no-token"), 201, Outcome.FAIL, "accepted"),
        # Whoever holds something is let in as everybody is, or turned away though everybody else is not.
        ("token-refused", Stimulus(token="exp-past"), 201, Outcome.UNOBSERVED, "everybody-let-in"),
        ("token-refused", Stimulus(token="exp-past"), 401, Outcome.UNOBSERVED, "everybody-let-in"),
        ("token-refused", Stimulus(token="sig-wrong-key"), 401, Outcome.UNOBSERVED, "everybody-let-in"),
        ("served", Stimulus(), 201, Outcome.UNOBSERVED, "everybody-let-in"),
        # A server that falls over is at fault whomever else it serves.
        ("token-refused", Stimulus(token="exp-past"), 500, Outcome.FAIL, "server-error"),
    ],
)
def test_where_everybody_is_let_in_only_strangers_show_it(
    expected: str, stimulus: Stimulus, status: int, outcome: Outcome, code: str
) -> None:
    found = exchange(client(status), None, effect=None, extra=LET_IN)
    question = Question(case(expected, stimulus=stimulus), found, catalogue().classes, Grade.CLIENT_ONLY)
    verdict = judge(question, Controls())
    assert (verdict.outcome, verdict.code) == (outcome, code)
    assert ("every client is let in" in verdict.reason) is (code != "server-error")


# A whole run

ONE, TWO, THREE = (f"flows/REQ-{n}/management-to-portal/mtls/direct/good" for n in (1, 2, 3))
ELSEWHERE = "flows/REQ-9/management-to-analytics/jwt/direct/good"


def status(rows: Iterable[Row], planned: Iterable[str] | None = None, *, own_lab: bool = True) -> tuple[int, list[str]]:
    rows = list(rows)
    planned = [str(item["case"]) for item in rows] if planned is None else planned
    found = conclude(rows, planned, own_lab=own_lab)
    return found.status, list(found.trouble)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row(ONE)], 0),
        ([row(ONE, "FAIL")], 1),
        ([row(ONE, "WRONG_REASON")], 1),
        ([row(ONE, "FAIL", level="SHOULD")], 0),
        ([row(ONE, "WRONG_REASON", level="MAY")], 0),
        ([row(ONE, "UNSUPPORTED", level="MAY")], 0),
        ([row(ONE, "UNOBSERVED")], 3),
        ([row(ONE, "UNOBSERVED", level="SHOULD")], 0),
        ([row(ONE, "UNOBSERVED", level="SHOULD", reason_code="control-failed")], 3),
        ([row(ONE, "HARNESS_ERROR")], 3),
        ([row(ONE, "HARNESS_ERROR", level="MAY")], 3),
        # 3 before 1 before 0
        ([row(ONE, "FAIL"), row(TWO, "HARNESS_ERROR")], 3),
        ([row(ONE, "FAIL"), row(ELSEWHERE, "UNOBSERVED")], 3),
        ([row(ONE, "FAIL"), row(TWO)], 1),
    ],
)
def test_exit_status(rows: list[Row], expected: int) -> None:
    found, message = status(rows)
    assert found == expected
    assert bool(message) == (expected == 3)


def test_what_could_not_be_seen_is_explained_by_a_failure_beside_it() -> None:
    assert status([row(ONE, "FAIL"), row(TWO, "UNOBSERVED", reason_code="control-failed")])[0] == 1


@pytest.mark.parametrize("code", ["control-failed", "server-silent"])
def test_a_broken_should_does_not_make_an_unobserved_must_conform(code: str) -> None:
    assert status([row(ONE, "FAIL", level="SHOULD"), row(TWO, "UNOBSERVED", reason_code=code)])[0] == 3


@pytest.mark.parametrize("rows", [[], [row(TWO)]])
def test_a_planned_case_without_a_row(rows: list[Row]) -> None:
    found, message = status(rows, [ONE, TWO])
    assert found == 3
    assert any(ONE in text for text in message)


@pytest.mark.parametrize("rows", [[row(ONE), row(TWO)], [row(ONE), row(ONE, "FAIL", level="MAY")]])
def test_a_row_that_was_not_planned_or_two_of_one_case(rows: list[Row]) -> None:
    assert status(rows, [ONE])[0] == 3


def test_a_must_cannot_be_unsupported() -> None:
    assert status([row(ONE, "UNSUPPORTED")])[0] == 3


def test_zero_rows() -> None:
    assert status([], []) == (3, ["no case was run"])


def test_trouble_counts_and_gives_an_example() -> None:
    rows = [row(ONE, "HARNESS_ERROR", reason="it died"), row(TWO, "HARNESS_ERROR", reason="it died too")]
    (text,) = status(rows)[1]
    assert text.startswith("2 cases") and ONE in text and "it died" in text


# Elsewhere, what is claimed must have been put to the test

GAP = Gap("management-to-portal", "mtls", Protection.CERTIFICATE, ("tls-no-cert",), "no key", "client.key")


@pytest.mark.parametrize(
    ("rows", "known", "answer", "status"),
    [
        ([row(ONE)], False, Answer.NOT_SHOWN, 3),
        # What is broken is proven, whatever else could not be seen.
        ([row(ONE, "FAIL"), row(TWO, "UNOBSERVED")], False, Answer.DOES_NOT_CONFORM, 1),
        ([row(ONE, "FAIL", level="SHOULD")], False, Answer.NOT_SHOWN, 3),
        ([row(ONE, "FAIL"), row(TWO, "HARNESS_ERROR")], False, Answer.UNTRUSTWORTHY, 3),
        # Known failures do not make it not shown; what was not seen does.
        ([row(ONE, "FAIL", as_expected=True)], True, Answer.NOT_SHOWN, 3),
        ([row(ONE), row(TWO, "UNOBSERVED", as_expected=True)], True, Answer.NOT_SHOWN, 3),
        ([row(ONE), row(TWO, "UNOBSERVED", as_expected=False)], True, Answer.NOT_SHOWN, 3),
        ([row(ONE, as_expected=False)], True, Answer.NOT_AS_EXPECTED, 1),
    ],
)
def test_what_is_not_shown_replaces_0_and_never_1(rows: list[Row], known: bool, answer: Answer, status: int) -> None:
    planned = [str(item["case"]) for item in rows]
    found = conclude(rows, planned, own_lab=False, gaps=[GAP], expected_known=known)
    assert (found.answer, found.status) == (answer, status)
    assert bool(found.trouble) == (answer is Answer.UNTRUSTWORTHY)


@pytest.mark.parametrize(
    ("rows", "known", "answer", "status"),
    [
        ([row(ONE), row(TWO, "UNOBSERVED")], False, Answer.CONFORMS, 0),
        ([row(ONE), row(TWO, "FAIL", as_expected=True)], True, Answer.DOES_NOT_CONFORM, 0),
        ([row(ONE), row(TWO, "FAIL", level="SHOULD", as_expected=False)], True, Answer.NOT_AS_EXPECTED, 1),
        ([row(ONE), row(TWO, "UNOBSERVED", as_expected=False)], True, Answer.NOT_AS_EXPECTED, 1),
    ],
)
def test_the_answer_where_everything_is_shown(rows: list[Row], known: bool, answer: Answer, status: int) -> None:
    found = conclude(rows, [str(item["case"]) for item in rows], own_lab=False, expected_known=known)
    assert (found.answer, found.status, found.trouble) == (answer, status, ())


def test_trouble_from_elsewhere_makes_a_run_untrustworthy() -> None:
    found = conclude([row(ONE)], [ONE], own_lab=True, trouble=["the lab went away"])
    assert (found.answer, found.status, found.trouble) == (Answer.UNTRUSTWORTHY, 3, ("the lab went away",))
