"""Each mistake with a credential is seen in the posture ``both`` too, where the other credential is good."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.catalogue import expand
from harness.catalogue.registry import FAULTS, catalogue
from harness.model.case import GOOD, Case
from harness.model.vocabulary import BROKEN, Posture
from harness.model.vocabulary import Path as FlowPath
from harness.probes.live import Bench
from harness.run.engine import Engine, Result
from harness.targets.builtin import EMBEDDED
from harness.tests.command import hopproof

_REFUSALS = ("token-refused", "certificate-refused")
_AREAS = ("tokens", "chains")
# Not of one credential: whether any is looked at, and when.
_ANY = ("ignores-token", "acts-before-verifying", "portal-skips-jwt-when-both", "portal-skips-mtls-when-both")


def _cases(fault: str) -> list[Case]:
    """What in ``both`` asks for *fault*, of the servers that can have it; one credential is good in each."""
    everything, _ = expand(catalogue(), EMBEDDED.features)
    return [
        case
        for case in everything
        if fault in case.requirement.faults
        and (case.posture, case.path) == (Posture.BOTH, FlowPath.DIRECT)
        and case.expected in _REFUSALS
        and case.flow.server.name in FAULTS[fault].on
        and GOOD in (case.stimulus.certificate, case.stimulus.token)
    ]


def _faults() -> list[str]:
    """Every fault of a credential's verification for which some row says that the credential is refused."""
    rows = [item for item in catalogue().requirements if any(cells.expect in _REFUSALS for cells in item.cells)]
    named = {fault for item in rows for fault in item.faults}
    return sorted(name for name in named if FAULTS[name].area in _AREAS or name in _ANY)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    made = EMBEDDED.bench(catalogue(), 7)
    yield made
    made.lab.close()


def _run(bench: Bench, cases: list[Case], fault: str) -> list[Result]:
    found: list[Result] = []
    Engine(bench, catalogue().classes, fault=fault, threads=1).run(cases, found.append)
    bench.lab.release({case.setup(fault) for case in cases})
    return found


@pytest.mark.parametrize("fault", _faults())
def test_the_fault_is_seen_where_both_are_asked_for(bench: Bench, fault: str) -> None:
    """For every requirement that it breaks, and on every server that can have it."""
    cases = _cases(fault)
    broken = [result.case for result in _run(bench, cases, fault) if result.verdict.outcome in BROKEN]
    assert broken
    assert {case.requirement.id for case in broken} == {case.requirement.id for case in cases}
    assert {case.flow.server.name for case in broken} == {case.flow.server.name for case in cases}


def test_there_is_such_a_case_for_the_faults_that_an_attacker_tries_first() -> None:
    assert {"accepts-alg-none", "accepts-missing-token", "skips-signature", "trusts-any-ca", "ignores-audience"} <= set(
        _faults()
    )


def test_as_a_user_asks_for_it(tmp_path: Path) -> None:
    """Exit status 1, and the sentence says what got in."""
    asked = ("--fault", "accepts-alg-none", "--only", "*/both/*")
    found = hopproof("run", *asked, "--report", "report", cwd=tmp_path)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "JWT-13-ALGORITHM" in found.stdout and "alg-none" in found.stdout
