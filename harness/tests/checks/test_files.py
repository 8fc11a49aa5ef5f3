"""The checks on exported files: what passes, what fails, and what was not looked at."""

from __future__ import annotations

from typing import Any

import pytest

from harness.judge import judge
from harness.model.vocabulary import Outcome
from harness.tests.builders import ask, case, exchange

FOUND = {
    "severity": "error",
    "file": "a.yaml",
    "line": 3,
    "object": "B ns/b",
    "path": "spec.x",
    "message": "m",
    "fix": "f",
}
READ: dict[str, Any] = {"judged_as": ["x"], "checked": 1, "not_checked": "", "findings": []}
SERVER = {
    "flow": "a-to-b",
    "object": "B ns/b",
    "file": "b.yaml",
    "line": 1,
    "said_certificate": True,
    "said_token": False,
}


def outcome(expected: str, **files: object) -> tuple[Outcome, str]:
    verdict = judge(ask(case(expected), exchange(extra={"files": {**READ, **files}})))
    return verdict.outcome, verdict.reason


def test_an_error_breaks_the_rule_and_says_where() -> None:
    assert outcome("files-conform", findings=[FOUND]) == (Outcome.FAIL, "a.yaml:3: B ns/b, spec.x: m")


def test_a_warning_does_not_break_a_must() -> None:
    assert outcome("files-conform", findings=[{**FOUND, "severity": "warning"}])[0] is Outcome.PASS


def test_what_was_not_checked_does_not_pass() -> None:
    assert outcome("files-conform", checked=0, not_checked="no portal") == (Outcome.UNOBSERVED, "no portal")


@pytest.mark.parametrize(("certificate", "token"), [(False, False), (False, True), (True, True)])
def test_a_server_that_is_configured_otherwise(certificate: bool, token: bool) -> None:
    other = {**SERVER, "certificate": certificate, "token": token}
    assert outcome("as-configured", configured=[other])[0] is Outcome.FAIL


def test_one_of_two_objects_may_be_the_server() -> None:
    same, other = {**SERVER, "certificate": True, "token": False}, {**SERVER, "certificate": False, "token": True}
    assert outcome("as-configured", configured=[other, same])[0] is Outcome.PASS


def test_a_client_that_was_let_in_disproves_the_files() -> None:
    let_in = {**SERVER, "certificate": True, "token": False, "let_in": "flows/X"}
    found, reason = outcome("as-configured", configured=[let_in])
    assert found is Outcome.FAIL and "flows/X" in reason
