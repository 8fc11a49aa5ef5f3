"""What a target is asked that has another flow than the one on which our own lab asks its server."""

from __future__ import annotations

import pytest

from harness.catalogue import Catalogue, expand
from harness.catalogue.registry import catalogue
from harness.catalogue.widen import asked_by, widened
from harness.model.case import Case
from harness.model.vocabulary import Path, Posture

AREAS = ("tokens", "chains")
USUAL, OTHER = "management-to-analytics", "v5c-gateway-to-analytics"


@pytest.fixture(scope="module")
def real() -> Catalogue:
    return catalogue()


def _asked(known: Catalogue, flow: str, posture: Posture) -> dict[str, Case]:
    cases = expand(known, known.features)[0]
    return {
        f"{case.requirement.id} {case.path} {case.stimulus.id}": case
        for case in cases
        if (case.flow.name, case.posture) == (flow, posture) and case.requirement.area in AREAS
    }


@pytest.mark.parametrize("posture", [Posture.DEFAULT, Posture.MTLS, Posture.BOTH])
def test_whatever_is_asked_of_a_server_is_asked_on_the_flow_that_there_is(real: Catalogue, posture: Posture) -> None:
    requested = _asked(real, USUAL, posture)
    before, after = _asked(real, OTHER, posture), _asked(asked_by(real, AREAS, [OTHER]), OTHER, posture)
    assert set(before) < set(after) and set(requested) <= set(after)
    assert all(after[name].expected == case.expected for name, case in requested.items())


def test_once_is_enough(real: Catalogue) -> None:
    assert asked_by(real, AREAS, [OTHER, USUAL]) == asked_by(real, AREAS, [USUAL, OTHER]) == real


def test_other_areas_are_about_their_own_flows(real: Catalogue) -> None:
    assert asked_by(real, ("chains",), [OTHER]).requirements != real.requirements
    assert asked_by(real, (), [OTHER]) == real


def test_analytics_is_asked_for_no_token_under_mtls(real: Catalogue) -> None:
    for flow in (USUAL, OTHER, "api-gateway-to-analytics"):
        asked = _asked(asked_by(real, AREAS, [flow]), flow, Posture.BOTH)
        assert asked and not [name for name, case in asked.items() if case.expected == "token-refused"]


def test_certificate_and_token_are_not_asked_for_behind_a_terminating_balancer(real: Catalogue) -> None:
    def cells(known: Catalogue) -> set[tuple[str, str]]:
        rows = (row for row in known.requirements if row.area == "tokens")
        blocks = (block for row in rows for block in row.cells)
        return {(posture, path) for block in blocks for posture in block.postures for path in block.paths}

    wider = widened(real, {"tokens": [Path.TERMINATING, Path.PASSTHROUGH]})
    assert cells(wider) > {(Posture.JWT, Path.TERMINATING), (Posture.BOTH, Path.PASSTHROUGH)}
    assert not cells(wider) & {(Posture.BOTH, Path.TERMINATING), (Posture.MTLS, Path.TERMINATING)}
