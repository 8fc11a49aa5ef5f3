"""Cells that say what a server verifies in place of postures, and reasons for a posture that is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import CatalogueError
from harness.tests.catalogue.support import Suites


@pytest.fixture
def suites(tmp_path: Path) -> Suites:
    return Suites(tmp_path)


def refused(suites: Suites) -> str:
    with pytest.raises(CatalogueError) as caught:
        suites.load()
    return caught.value.what


def _blocks(suites: Suites, what: str) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    del suites.cells["postures"]
    suites.cells["verifies"] = what
    suites.requirement["cells"] = suites.requirement["cells"][:1]
    return [(block.postures, block.paths) for block in suites.load().requirements[0].cells]


def test_a_token_is_asked_for_where_it_is_verified(suites: Suites) -> None:
    suites.topology["servers"]["portal"]["postures"] = ["default", "mtls", "jwt", "both", "tls-only"]
    assert _blocks(suites, "token") == [(("jwt",), ("direct", "terminating")), (("both",), ("direct",))]


def test_a_certificate_is_asked_for_where_it_is_verified(suites: Suites) -> None:
    suites.topology["servers"]["portal"]["postures"] = ["default", "mtls", "jwt", "both", "tls-only"]
    found = _blocks(suites, "certificate")
    assert found == [(("default",), ("direct",)), (("mtls",), ("direct",)), (("both",), ("direct",))]


def test_a_server_that_ignores_the_token_under_mtls_is_not_asked_for_it_there(suites: Suites) -> None:
    suites.topology["servers"]["portal"] |= {"postures": ["jwt", "both"], "ignores_token_under_mtls": True}
    assert _blocks(suites, "token") == [(("jwt",), ("direct", "terminating"))]


def test_a_default_without_mtls_asks_for_no_certificate(suites: Suites) -> None:
    suites.topology["servers"]["portal"]["default"] = "tls-only"
    assert _blocks(suites, "certificate") == [(("mtls",), ("direct",))]


@pytest.mark.parametrize("change", [{"verifies": "nothing"}, {"verifies": "service"}, {"verifies": "token"}])
def test_verifies_what_it_cannot(suites: Suites, change: dict[str, str]) -> None:
    """Not a protection, or beside postures, which say the same otherwise."""
    if change != {"verifies": "token"}:
        del suites.cells["postures"]
    suites.cells.update(change)
    refused(suites)


def test_a_server_that_verifies_it_in_no_posture(suites: Suites) -> None:
    suites.topology["servers"]["portal"]["postures"] = ["mtls"]
    del suites.cells["postures"]
    suites.cells["verifies"] = "token"
    assert "does not verify a token in any posture" in refused(suites)


@pytest.mark.parametrize("reasons", [{"both": ""}, {"never": "it says so"}, ["both"]])
def test_a_reason_that_is_none(suites: Suites, reasons: object) -> None:
    suites.requirement["not_in"] = reasons
    refused(suites)
