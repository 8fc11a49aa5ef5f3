"""A server of somebody else's that drops a connection now and then is asked again; our own lab is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.judge import DROPPED
from harness.model.case import Case, Stimulus
from harness.model.exchange import ClientView
from harness.model.vocabulary import Grade, Outcome, Posture
from harness.probes import live
from harness.run.engine import Engine, Result
from harness.tests.builders import CLASSES, case
from harness.tests.fakes import FakeLab, bench

GOOD = case()
REFUSED = case("certificate-refused", stimulus=Stimulus("bad-cert"))
JWT_REFUSED = case("token-refused", posture=Posture.JWT, stimulus=Stimulus(token="bad-token"))
PASS = (Outcome.PASS, "as-required")

Dropping = Callable[..., FakeLab]


@pytest.fixture
def dropping(monkeypatch: pytest.MonkeyPatch) -> Dropping:
    """A lab of somebody else's whose requests with these numbers, from 1, get neither an alert nor a response."""

    def made(*numbers: int, grade: Grade = Grade.CLIENT_ONLY) -> FakeLab:
        lab = FakeLab()
        monkeypatch.setattr(lab, "grade", grade)

        def send(*given: Any) -> ClientView:
            view = lab.send(*given)
            return replace(view, response=None, closed=True) if len(lab.log) in numbers else view

        monkeypatch.setattr(live, "send", send)
        return lab

    return made


def run(lab: FakeLab, judged: Case) -> tuple[Result, list[str]]:
    """The result of the one case, and the notes of the run."""
    results: list[Result] = []
    asked = bench(lab)
    Engine(asked, CLASSES, threads=1).run([judged], results.append)
    (result,) = results
    return result, asked.notes


def outcome(result: Result) -> tuple[Outcome, str]:
    return result.verdict.outcome, result.verdict.code


@pytest.mark.parametrize(("judged", "number"), [(GOOD, 1), (REFUSED, 2), (JWT_REFUSED, 2)])
def test_a_dropped_connection_is_tried_again(dropping: Dropping, judged: Case, number: int) -> None:
    result, notes = run(dropping(number), judged)
    assert outcome(result) == PASS and DROPPED in result.verdict.notes
    assert notes == [
        "a server closed connections without an alert or a response and answered when tried again "
        f"(1, the first in {judged.id}): it does not answer reliably"
    ]


def test_what_is_dropped_twice_is_judged_as_it_is(dropping: Dropping) -> None:
    result, notes = run(dropping(1, 2), GOOD)
    assert outcome(result) == (Outcome.FAIL, "not-served")
    assert DROPPED not in result.verdict.notes and notes == []


@pytest.mark.parametrize("number", [1, 3])
def test_a_control_that_is_dropped_is_tried_again(dropping: Dropping, number: int) -> None:
    assert outcome(run(dropping(number), REFUSED)[0]) == PASS


def test_our_own_lab_gets_no_second_try(dropping: Dropping) -> None:
    lab = dropping(1, grade=Grade.BOTH_SIDES)
    assert outcome(run(lab, GOOD)[0]) == (Outcome.FAIL, "not-served")
    assert len(lab.nonces) == 1


def test_an_acceptance_at_the_second_try_fails(dropping: Dropping) -> None:
    lab = dropping(2)
    lab.serves = lambda _setup, _stimulus, _turn: True
    assert outcome(run(lab, REFUSED)[0]) == (Outcome.FAIL, "accepted")
