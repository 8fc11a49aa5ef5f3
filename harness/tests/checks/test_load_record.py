"""JWT-12: the comparison was made; nothing is compared with a figure of ours."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks import CHECKS
from harness.judge import judge
from harness.model.exchange import Exchange
from harness.model.observations import Loaded, LoadedArm
from harness.model.verdict import FindingKind
from harness.model.vocabulary import Outcome
from harness.tests.builders import ask, case

SAID = "jwt serves 50 % fewer events per second than mtls"


def arm(posture: str, served: int = 100, path: str = "direct", connections: str = "kept") -> LoadedArm:
    return {
        "posture": posture,
        "path": path,
        "connections": connections,
        "served": served,
        "per_second": served / 2,
        "p95": 1.5,
    }


def load(*arms: LoadedArm, **changed: Any) -> Loaded:
    usual: Loaded = {
        "flow": "management-to-portal",
        "target": "embedded",
        "rate": 0.0,
        "users": 8,
        "stopped": "",
        "arms": list(arms),
        "sentences": [SAID],
        "remarks": [],
    }
    usual.update(changed)  # type: ignore[typeddict-item]  # the names are those of the members
    return usual


def judged(found: Loaded) -> tuple[str, str]:
    verdict = judge(ask(case("compared-under-load"), Exchange("fp-1", extra={"load": found})))
    return str(verdict.outcome), verdict.code


def test_the_figures_are_told_and_not_judged() -> None:
    question = ask(case("compared-under-load"), Exchange("fp-1", extra={"load": load(arm("mtls"), arm("jwt", 1))}))
    verdict = judge(question)
    assert verdict.outcome is Outcome.PASS and SAID in verdict.notes
    assert "jwt, direct, kept: 0.5 events per second (8 clients at full load)" in verdict.notes
    assert {item.kind for item in CHECKS["compared-under-load"].function(question)} == {FindingKind.NOTE}


@pytest.mark.parametrize(
    ("found", "outcome", "code"),
    [
        (load(arm("mtls"), arm("jwt", 0)), "FAIL", "never-served"),
        (load(arm("mtls"), arm("jwt"), stopped="nothing was served"), "FAIL", "load-stopped"),
        (load(arm("mtls"), arm("both")), "UNOBSERVED", "not-compared"),
        (load(arm("mtls"), arm("jwt", path="terminating")), "UNOBSERVED", "not-compared"),
        (load(arm("mtls"), arm("jwt", connections="new")), "UNOBSERVED", "not-compared"),
        (load(arm("mtls"), arm("jwt"), sentences=[]), "UNOBSERVED", "too-short"),
        (load(arm("mtls"), arm("jwt"), flow="management-to-analytics"), "UNOBSERVED", "another-flow"),
    ],
)
def test_what_is_no_comparison(found: Loaded, outcome: str, code: str) -> None:
    assert judged(found) == (outcome, code)
