"""Cases: their ids, that they never change, and which are withheld; of a small catalogue and of the real one."""

from __future__ import annotations

import copy
import re
from collections import Counter
from pathlib import Path

import pytest

from harness.catalogue import Catalogue, expand
from harness.catalogue.glossary import explain
from harness.catalogue.registry import FAULTS, catalogue
from harness.checks import CHECKS
from harness.errors import CatalogueError
from harness.model.case import CAPTURE, LOADED
from harness.model.params import Params
from harness.model.vocabulary import Depth, Level, Posture
from harness.model.vocabulary import Path as FlowPath
from harness.targets.builtin import CONTAINERS, EMBEDDED
from harness.tests.catalogue.support import Suites

FLOWS, PATHS, TOKENS = ("to-portal", "to-portal-again"), ("direct", "terminating"), ("forged", "stale")
REFUSED = [f"{flow}/jwt/{path}/{token}" for flow in FLOWS for path in PATHS for token in TOKENS]
SERVED = [f"to-portal/{posture}/direct/good" for posture in ("default", "mtls")]


@pytest.fixture
def suites(tmp_path: Path) -> Suites:
    return Suites(tmp_path)


def test_ids_come_from_place_and_content(suites: Suites) -> None:
    cases, withheld = expand(suites.load(), ())
    assert [case.id for case in cases] == [f"tokens/REQ-1/{rest}" for rest in REFUSED + SERVED]
    assert withheld == ()
    assert {case.expected for case in cases} == {"token-refused", "served"}
    assert [case.depth for case in cases[-2:]] == [Depth.FULL, Depth.FULL]
    assert cases[-1].params == Params(statuses=frozenset({403}))


def test_a_stimulus_is_named_by_what_deviates(suites: Suites) -> None:
    suites.cells.update(certificates=["good", "no-cert"], tokens=["good", "forged"], transports=["good", "clear"])
    cases, _ = expand(suites.load(), ())
    names = {case.stimulus.id for case in cases}
    assert names == {"good", "no-cert", "forged", "clear", "no-cert+forged", "no-cert+clear", "forged+clear",
                     "no-cert+forged+clear"}  # fmt: skip


def test_the_same_ids_whatever_else_is_there(suites: Suites) -> None:
    before = {case.id for case in expand(suites.load(), ())[0]}
    row = suites.again()
    suites.area["requirements"].remove(row)
    suites.area["requirements"].insert(0, row)
    assert before < {case.id for case in expand(suites.load(), ())[0]}


def test_two_blocks_that_make_one_case(suites: Suites) -> None:
    suites.requirement["cells"].append({**copy.deepcopy(suites.cells), "expect": "served"})
    loaded = suites.load()
    with pytest.raises(CatalogueError, match="tokens/REQ-1/to-portal/jwt/direct/forged"):
        expand(loaded, ())


def test_two_blocks_that_make_one_withheld_case(suites: Suites) -> None:
    suites.requirement["needs"] = ["gateways"]
    suites.requirement["cells"].append(copy.deepcopy(suites.cells))
    loaded = suites.load()
    with pytest.raises(CatalogueError, match="two blocks"):
        expand(loaded, ())


def test_withheld_where_the_target_lacks_a_feature(suites: Suites) -> None:
    suites.again()["needs"] = ["gateways", "events"]
    loaded = suites.load()
    cases, withheld = expand(loaded, ["events"])
    assert len(cases) == len(withheld) == len(REFUSED + SERVED)
    assert {item.reason for item in withheld} == {"the target does not have gateways"}
    assert all(item.case.id.startswith("tokens/REQ-2/") for item in withheld)
    assert expand(loaded, ["gateways", "events"])[1] == ()


def test_a_posture_the_server_lacks_is_withheld_not_forgotten(suites: Suites) -> None:
    suites.cells["postures"] = ["jwt", "both"]
    cases, withheld = expand(suites.load(), ())
    assert len(cases) + len(withheld) == 2 * len(REFUSED) + len(SERVED)


# The real catalogue


@pytest.fixture(scope="module")
def real() -> Catalogue:
    return catalogue()


def test_the_real_catalogue(real: Catalogue) -> None:
    cases, withheld = expand(real, EMBEDDED.features)
    ids = [case.id for case in cases] + [item.case.id for item in withheld]
    assert len(cases) > 500
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    areas, flows = {row.area for row in real.requirements}, set(real.flows) | {"exports"}
    for name in ids:
        area, row, flow, posture, path, stimulus = name.split("/")
        assert area in areas and flow in flows
        assert re.fullmatch(r"[A-Z]+-[0-9]+(-[A-Z]+)*", row), name
        assert Posture(posture) and FlowPath(path)
        assert re.fullmatch(r"[a-z0-9-]+(\+[a-z0-9-]+)*", stimulus), name


def test_the_reference_withholds_nothing_but_what_no_target_can_have(real: Catalogue) -> None:
    assert real.features <= {*CONTAINERS.features, *EMBEDDED.features, CAPTURE, LOADED}
    lacking = [item for item in expand(real, CONTAINERS.features)[1] if "does not have" in item.reason]
    assert {item.reason for item in lacking} <= {"the target does not have embedded"}
    assert {item.case.requirement.area for item in lacking} <= {"microservices"}


def test_on_loopback_only_what_needs_containers_is_withheld(real: Catalogue) -> None:
    assert set(CONTAINERS.features) - set(EMBEDDED.features) == {"containers"}
    lacking = [item for item in expand(real, EMBEDDED.features)[1] if "does not have" in item.reason]
    assert {item.case.requirement.area for item in lacking} == {"operations"}


def test_ids_are_stable_from_run_to_run(real: Catalogue) -> None:
    assert [case.id for case in expand(real, ())[0]] == [case.id for case in expand(real, ())[0]]


def test_every_requirement_has_cases(real: Catalogue) -> None:
    cases, _ = expand(real, real.features)
    having = Counter(case.requirement.id for case in cases)
    assert [row.id for row in real.requirements if not having[row.id]] == []
    assert {case.depth for case in cases} == {Depth.QUICK, Depth.FULL}


def test_every_check_and_fault_is_used(real: Catalogue) -> None:
    assert {cells.expect for row in real.requirements for cells in row.cells} == set(CHECKS)
    assert {fault for row in real.requirements for fault in row.faults} == set(FAULTS)
    assert all(row.faults for row in real.requirements if row.level is Level.MUST)


def test_everything_can_be_explained(real: Catalogue) -> None:
    for row in real.requirements:
        assert row.text in explain(real, row.id)
    one_of_a_kind = {(case.expected, case.posture): case for case in expand(real, real.features)[0]}
    for case in one_of_a_kind.values():
        assert explain(real, case.id.replace("/", "__")).startswith(case.id)


def test_every_refusal_has_a_sentence_for_when_it_does_not_come(real: Catalogue) -> None:
    refusals = {check for check in CHECKS if "refused" in check} | {
        *("flow-broken", "no-clear-text", "token-lost", "nothing-passed-on", "nothing-sent")
    }
    asked = [row for row in real.requirements if refusals & {cells.expect for cells in row.cells}]
    without = [row.id for row in asked if not row.finding]
    assert without == [], "add `finding:` - one sentence on what it means that somebody gets in who must not"
    # A sentence, not a label: it says who gets in, and ends like one in a list.
    assert all(row.finding[0].isupper() and not row.finding.endswith(".") for row in asked)
