"""The law of postures: a MUST that keeps bad credentials out is asked wherever a server claims to look at them.

A requirement that is asked in one posture only is a false pass in the others: nothing there is sent that could fail.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from harness.catalogue import Catalogue
from harness.catalogue.registry import catalogue
from harness.model.case import GOOD
from harness.model.catalogue import Cells, Requirement, Server
from harness.model.claims import Protection
from harness.model.vocabulary import Level, Posture
from harness.tests.catalogue.support import Suites

# The check of a block -> the credential that it says is verified.  ``refused`` says it of neither: both are bad there.
_KEEPS_OUT: Mapping[str, Protection] = {
    "token-refused": Protection.TOKEN,
    "certificate-refused": Protection.CERTIFICATE,
}


def unasked(known: Catalogue) -> list[str]:
    """Each MUST, server and posture that breaks the law, with the classes that are not asked there."""
    return [text for row in known.requirements if row.level is Level.MUST for text in _row(known, row)]


def _row(known: Catalogue, row: Requirement) -> Iterator[str]:
    asked: defaultdict[tuple[str, Protection, str], set[Posture]] = defaultdict(set)
    for block in row.cells:
        servers = {known.flows[name].server.name for name in block.flows}
        if protection := _KEEPS_OUT.get(block.expect):
            for key in ((server, protection, name) for server in servers for name in _classes(block, protection)):
                asked[key] |= set(block.postures)
    missing: defaultdict[tuple[str, Posture], list[str]] = defaultdict(list)
    for (server, protection, name), postures in asked.items():
        for posture in _claimed(known.servers[server], protection, row) - postures:
            missing[server, posture].append(name)
    for (server, posture), names in missing.items():
        yield f"{row.id} asks {server} nothing in {posture} of: {', '.join(names)}"


def _claimed(server: Server, protection: Protection, row: Requirement) -> set[Posture]:
    return {posture for posture in server.verifying(protection) if posture not in row.not_in}


def _classes(block: Cells, protection: Protection) -> tuple[str, ...]:
    """The bad credentials of that kind; what goes wrong around a good one where there is none."""
    named = block.tokens if protection is Protection.TOKEN else block.certificates
    return tuple(name for name in named if name != GOOD) or tuple(name for name in block.transports if name != GOOD)


def test_each_must_is_asked_in_every_posture_in_which_a_server_claims_it() -> None:
    assert unasked(catalogue()) == []


def test_a_reason_is_for_a_posture_that_would_be_asked(real: Catalogue) -> None:
    """One that no longer leaves anything out is gone with what it was for."""
    for row in real.requirements:
        for posture in row.not_in:
            without = Requirement(**{**vars(row), "not_in": {}})
            assert any(f" in {posture} " in text for text in _row(real, without)), (row.id, posture)


@pytest.fixture(scope="module")
def real() -> Catalogue:
    return catalogue()


@pytest.fixture
def suites(tmp_path: Path) -> Suites:
    suites = Suites(tmp_path)
    suites.topology["servers"]["portal"]["postures"] = ["default", "mtls", "jwt", "both"]
    return suites


def test_a_posture_left_out_is_named(suites: Suites) -> None:
    assert unasked(suites.load()) == ["REQ-1 asks portal nothing in both of: forged, stale"]


def test_no_server_claims_it_there(suites: Suites) -> None:
    suites.topology["servers"]["portal"]["ignores_token_under_mtls"] = True
    assert unasked(suites.load()) == []


def test_a_reason_will_do(suites: Suites) -> None:
    suites.requirement["not_in"] = {"both": "the manual says nothing of it"}
    assert unasked(suites.load()) == []


def test_what_is_no_must_may_be_asked_anywhere(suites: Suites) -> None:
    suites.requirement["level"] = "SHOULD"
    assert unasked(suites.load()) == []
