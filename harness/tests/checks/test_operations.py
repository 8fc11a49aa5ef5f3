"""The checks that only labs with an operator can ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, cast

import pytest

from harness.catalogue import expand
from harness.catalogue.params import read_params
from harness.catalogue.registry import catalogue
from harness.checks import CHECKS, Question
from harness.model.case import Case
from harness.model.exchange import Exchange
from harness.model.observations import Observations
from harness.model.script_facts import AnsweredLate, Change, Facts, LoadResult

LOAD = {"under_load": "move server", "outage_below": 30}
RELOAD = {**LOAD, "restarts": False}
UNDISTURBED = LoadResult(9, 0, 0.1, Change(restarted=False, forgotten=0, change_s=0.1))
BROKEN = LoadResult(9, 3, 1.5)
SLOW = {"slow": 1}
CUT = {"cut_off": "kill server", "then": "cut-off"}


@cache
def _case(check: str) -> Case:
    known = catalogue()
    return next(case for case in expand(known, known.features)[0] if case.expected == check)


def _found(check: str, case: Case, extra: Mapping[str, Any], effect: bool = False) -> list[tuple[str, str]]:
    findings = CHECKS[check].function(
        Question(case, Exchange("n", extra=cast("Observations", dict(extra)), effect=effect), catalogue().classes)
    )
    return [(str(finding.kind).rpartition(".")[2].lower(), finding.code) for finding in findings]


def _scripted(steps: Sequence[object], facts: Sequence[Facts]) -> list[tuple[str, str]]:
    case = replace(_case("as-scripted"), params=read_params({"steps": steps}, "a test"))
    question = Question(case, Exchange("n", steps=tuple(facts)), catalogue().classes)
    return [(str(finding.kind), finding.code) for finding in CHECKS["as-scripted"].function(question)]


LATE = AnsweredLate(_case("as-scripted").flow.success, "", effect=True, in_time=True, early=False)
UNANSWERED = AnsweredLate(None, "", effect=False, in_time=True)


@pytest.mark.parametrize(
    ("step", "facts", "expected"),
    [
        (LOAD, BROKEN, [("note", "outage")]),
        (LOAD, replace(BROKEN, outage_s=31.0), [("violation", "long-outage")]),
        (LOAD, replace(BROKEN, outage_s=None), [("violation", "not-back")]),
        (RELOAD, UNDISTURBED, [("note", "outage")]),
        (
            RELOAD,
            replace(UNDISTURBED, change=Change(restarted=True, forgotten=0, change_s=0.1)),
            [("violation", "restarted")],
        ),
        (RELOAD, BROKEN, [("unobserved", "no-change-seen")]),
        (RELOAD, replace(UNDISTURBED, lost=1), [("violation", "disturbed")]),
        (
            RELOAD,
            replace(UNDISTURBED, change=Change(restarted=False, forgotten=1, change_s=0.1)),
            [("violation", "disturbed")],
        ),
        (SLOW, LATE, []),
        (SLOW, replace(LATE, early=None), [("unobserved", "not-looked")]),
        (SLOW, replace(LATE, early=True), [("violation", "acted-upon")]),
        (SLOW, replace(LATE, in_time=False), [("unobserved", "too-soon")]),
        (SLOW, replace(LATE, status=401), [("violation", "not-served")]),
        (CUT, UNANSWERED, []),
        (CUT, replace(UNANSWERED, status=202), [("violation", "accepted")]),
        (CUT, replace(UNANSWERED, effect=True), [("violation", "acted-upon")]),
        (CUT, replace(UNANSWERED, status=401, in_time=False), [("unobserved", "too-late")]),
    ],
)
def test_scripts(step: Mapping[str, Any], facts: Facts, expected: list[tuple[str, str]]) -> None:
    assert _scripted([step], [facts]) == expected


def test_a_note_does_not_end_a_script() -> None:
    played = [BROKEN, replace(BROKEN, outage_s=None)]
    assert _scripted([LOAD, LOAD], played) == [("note", "outage"), ("violation", "not-back")]


NOBODY = {"status": None, "error": "no route", "local_port": None}


@pytest.mark.parametrize(
    ("past", "act", "effect", "expected"),
    [
        ([NOBODY], 201, False, []),
        ([NOBODY, {**NOBODY, "status": 201}], 201, False, [("violation", "bypassed")]),
        ([{**NOBODY, "local_port": 4711}], 201, False, [("violation", "bypassed")]),
        ([NOBODY], 201, True, [("violation", "bypassed")]),
        ([NOBODY], None, False, [("unobserved", "no-twin")]),
        ([], 201, False, [("unobserved", "not-tried")]),
    ],
)
def test_bypassing(past: list[Any], act: int | None, effect: bool, expected: list[tuple[str, str]]) -> None:
    case = _case("not-bypassed")
    status = case.flow.success if act else None
    assert _found("not-bypassed", case, {"past": past, "act": {"status": status}}, effect) == expected
