"""The checks that only labs with an operator can ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from harness.catalogue import expand
from harness.catalogue.registry import catalogue
from harness.checks import CHECKS, Question
from harness.model.case import Case
from harness.model.exchange import Exchange

LOAD = {"under_load": "move server", "outage_below": 30}
RELOAD = {**LOAD, "restarts": False}
UNDISTURBED = {"served": 9, "lost": 0, "outage_s": 0.1, "restarted": False, "forgotten": 0}
SLOW = {"slow": 1}
CUT = {"cut_off": "kill server", "then": "cut-off"}


@cache
def _case(check: str) -> Case:
    known = catalogue()
    return next(case for case in expand(known, known.features)[0] if case.expected == check)


def _found(check: str, case: Case, extra: Mapping[str, Any], effect: bool = False) -> list[tuple[str, str]]:
    findings = CHECKS[check].function(
        Question(case, Exchange("n", extra=dict(extra), effect=effect), catalogue().classes)
    )
    return [(str(finding.kind).rpartition(".")[2].lower(), finding.code) for finding in findings]


def _scripted(step: Mapping[str, Any], facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    case = replace(_case("as-scripted"), params={"steps": [step]})
    return _found("as-scripted", case, {"steps": [facts]})


LATE = {
    "status": _case("as-scripted").flow.success,
    "effect": True,
    "early": False,
    "in_time": True,
    "reason": "",
    "ended": "",
}


@pytest.mark.parametrize(
    ("step", "facts", "expected"),
    [
        (LOAD, {"served": 9, "lost": 3, "outage_s": 1.5}, [("note", "outage")]),
        (LOAD, {"served": 9, "lost": 3, "outage_s": 31.0}, [("violation", "long-outage")]),
        (LOAD, {"served": 9, "lost": 3, "outage_s": None}, [("violation", "not-back")]),
        (RELOAD, UNDISTURBED, [("note", "outage")]),
        (RELOAD, {**UNDISTURBED, "restarted": True}, [("violation", "restarted")]),
        (RELOAD, {**UNDISTURBED, "lost": 1}, [("violation", "disturbed")]),
        (RELOAD, {**UNDISTURBED, "forgotten": 1}, [("violation", "disturbed")]),
        (SLOW, LATE, []),
        (SLOW, {**LATE, "early": True}, [("violation", "acted-upon")]),
        (SLOW, {**LATE, "in_time": False}, [("unobserved", "too-soon")]),
        (SLOW, {**LATE, "status": 401}, [("violation", "not-served")]),
        (CUT, {"status": None, "effect": False, "in_time": True}, []),
        (CUT, {"status": 202, "effect": False, "in_time": True}, [("violation", "accepted")]),
        (CUT, {"status": None, "effect": True, "in_time": True}, [("violation", "acted-upon")]),
        (CUT, {"status": 401, "effect": False, "in_time": False}, [("unobserved", "too-late")]),
    ],
)
def test_scripts(step: Mapping[str, Any], facts: Mapping[str, Any], expected: list[tuple[str, str]]) -> None:
    assert _scripted(step, facts) == expected


def test_a_note_does_not_end_a_script() -> None:
    case = replace(_case("as-scripted"), params={"steps": [LOAD, LOAD]})
    steps = [{"served": 9, "lost": 3, "outage_s": 1.5}, {"served": 9, "lost": 3, "outage_s": None}]
    assert _found("as-scripted", case, {"steps": steps}) == [("note", "outage"), ("violation", "not-back")]


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
