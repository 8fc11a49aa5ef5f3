"""The loader: what it reads, and everything it refuses, saying where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.catalogue import load
from harness.errors import CatalogueError, UsageError
from harness.model.catalogue import Source
from harness.model.params import Params
from harness.model.vocabulary import Basis, Depth, Level, Posture, Reason
from harness.model.vocabulary import Path as FlowPath
from harness.tests.catalogue.support import KNOWN, Suites


@pytest.fixture
def suites(tmp_path: Path) -> Suites:
    return Suites(tmp_path)


def refused(suites: Suites) -> str:
    with pytest.raises(CatalogueError) as caught:
        suites.load()
    assert str(suites.folder) in caught.value.where
    assert caught.value.exit_status == 2
    return caught.value.what


def test_what_is_read(suites: Suites) -> None:
    found = suites.load()
    (row,) = found.requirements
    assert (row.id, row.area, row.level, row.basis) == ("REQ-1", "tokens", Level.MUST, Basis.DOCUMENT)
    assert row.text == "A forged token is refused."
    assert row.source == Source("The manual", "chapter 1")
    assert str(row.source) == "The manual, chapter 1"
    refuse, serve = row.cells
    assert refuse.flows == ("to-portal", "to-portal-again")
    assert refuse.certificates == refuse.transports == ("good",)
    assert refuse.paths == (FlowPath.DIRECT, FlowPath.TERMINATING)
    assert (refuse.depth, serve.depth) == (Depth.QUICK, Depth.FULL)
    assert serve.params == Params(statuses=frozenset({403}))
    assert found.flows["to-portal"].server is found.servers["portal"]
    assert found.servers["portal"].postures == (Posture.DEFAULT, Posture.MTLS, Posture.JWT)
    assert found.classes["stale"].acceptable_reasons == {Reason.TOKEN_EXPIRED, Reason.TOKEN_CLAIMS}
    assert found.classes["stale"].summary == "expired"
    assert found.breaks("lets-in") == ("REQ-1",) and found.breaks("no-fault") == ()
    assert len(found.sha256) == 64


def test_the_digest_is_of_what_the_files_say(suites: Suites) -> None:
    before = suites.load().sha256
    assert suites.load().sha256 == before
    suites.requirement["why"] = "For another reason."
    assert suites.load().sha256 != before


def test_a_source_need_not_be_a_listed_document(suites: Suites) -> None:
    suites.requirement["source"] = ["RFC 7519", "section 4"]
    assert suites.load().requirements[0].source == Source("RFC 7519", "section 4")


# What is refused in a requirement


@pytest.mark.parametrize("key", ["text", "why"])
@pytest.mark.parametrize("value", ["", "  \n ", None])
def test_empty_words(suites: Suites, key: str, value: str | None) -> None:
    suites.requirement[key] = value
    assert key in refused(suites)


@pytest.mark.parametrize("key", ["id", "level", "basis", "source", "text", "why", "cells"])
def test_something_missing(suites: Suites, key: str) -> None:
    del suites.requirement[key]
    refused(suites)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("level", "must"),
        ("level", "SHALL"),
        ("basis", "hearsay"),
        ("source", "manual"),
        ("source", ["manual"]),
        ("source", ["manual", "chapter 1", "page 2"]),
        ("faults", ["lets-in", "lets-in-sometimes"]),
        ("faults", []),
        ("cells", []),
        ("id", ""),
        ("severity", "high"),
    ],
)
def test_a_wrong_value(suites: Suites, key: str, value: object) -> None:
    suites.requirement[key] = value
    refused(suites)


def test_only_a_must_needs_a_fault(suites: Suites) -> None:
    row = suites.again()
    del row["faults"]
    assert "fault" in refused(suites)
    for level in ("SHOULD", "MAY", "stated"):
        row["level"] = level
        assert suites.load().requirements[1].faults == ()


def test_an_unknown_thing_is_named(suites: Suites) -> None:
    suites.requirement["faults"] = ["lets-in-sometimes"]
    assert "'lets-in-sometimes'" in refused(suites)
    with pytest.raises(CatalogueError, match="REQ-1"):
        suites.load()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("expect", "rejected"),
        ("expect", None),
        ("flows", ["to-nobody"]),
        ("postures", ["jwt", "none"]),
        ("paths", ["sideways"]),
        ("tokens", ["no-such-token"]),
        ("tokens", ["no-cert"]),
        ("certificates", ["no-such-cert"]),
        ("transports", ["no-such-trick"]),
        ("depth", "deep"),
        ("token", ["forged"]),
    ],
)
def test_a_wrong_cell(suites: Suites, key: str, value: object) -> None:
    suites.cells[key] = value
    refused(suites)


def test_a_cell_without_an_expectation(suites: Suites) -> None:
    del suites.cells["expect"]
    refused(suites)


@pytest.mark.parametrize("key", ["postures", "paths"])
def test_a_block_that_covers_nothing(suites: Suites, key: str) -> None:
    del suites.cells[key]
    refused(suites)


# What is refused between rows and files


def test_two_requirements_with_one_id(suites: Suites) -> None:
    suites.again()["id"] = "REQ-1"
    assert "'REQ-1' is defined twice" in refused(suites)


def test_two_areas_with_one_id(suites: Suites) -> None:
    suites.write("other")
    for kind in suites.area.pop("classes"):
        assert kind in KNOWN.stimuli
    assert "'REQ-1' is defined twice" in refused(suites)


def test_two_areas_with_one_class(suites: Suites) -> None:
    suites.write("other")
    suites.requirement["id"] = "REQ-2"
    assert "is defined twice" in refused(suites)


def test_a_class_that_no_code_presents(suites: Suites) -> None:
    suites.area["classes"]["token"]["imagined"] = ["token-missing"]
    assert "'imagined'" in refused(suites)


def test_a_class_of_another_kind(suites: Suites) -> None:
    suites.area["classes"]["transport"]["stale"] = suites.area["classes"]["token"].pop("stale")
    assert "'stale'" in refused(suites)


@pytest.mark.parametrize("acceptable_reasons", ["token-missing", None, ["token-odd"], {"token-missing": 1}])
def test_a_class_with_wrong_reasons(suites: Suites, acceptable_reasons: object) -> None:
    suites.area["classes"]["token"]["forged"] = acceptable_reasons
    refused(suites)


def test_a_fault_that_breaks_nothing_proves_nothing(suites: Suites) -> None:
    suites.requirement["faults"] = ["lets-in"]
    assert "'keeps-out'" in refused(suites)


@pytest.mark.parametrize("key", ["requirements", "documents"])
def test_an_area_with_a_misspelt_key(suites: Suites, key: str) -> None:
    suites.write("first")
    suites.area.pop("classes")
    suites.requirement["id"] = "REQ-2"
    suites.area[f"{key}s"] = suites.area.pop(key)
    refused(suites)


def test_an_id_that_would_break_the_ids_of_its_cases(suites: Suites) -> None:
    suites.requirement["id"] = "REQ/1"
    refused(suites)


# Topology


@pytest.mark.parametrize("key", ["kind", "endpoint", "host", "secret", "postures", "default"])
def test_a_server_that_lacks_something(suites: Suites, key: str) -> None:
    del suites.topology["servers"]["portal"][key]
    assert key in refused(suites)


@pytest.mark.parametrize("key", ["client", "server", "request", "effect"])
def test_a_flow_that_lacks_something(suites: Suites, key: str) -> None:
    del suites.topology["flows"]["to-portal"][key]
    assert key in refused(suites)


@pytest.mark.parametrize("needed", ["mystery", "portal"])
def test_a_server_that_could_never_be_started(suites: Suites, needed: str) -> None:
    suites.topology["servers"]["portal"]["keys_from"] = needed
    assert f"needs '{needed}'" in refused(suites)


def test_a_flow_to_nowhere(suites: Suites) -> None:
    suites.topology["flows"]["to-portal"]["server"] = "mystery"
    assert "mystery" in refused(suites)


@pytest.mark.parametrize(("key", "value"), [("default", "open"), ("postures", ["mtls", "open"])])
def test_a_server_in_no_posture(suites: Suites, key: str, value: object) -> None:
    suites.topology["servers"]["portal"][key] = value
    assert "'open'" in refused(suites)


@pytest.mark.parametrize(
    "change",
    [
        lambda suites: suites.topology.pop("servers"),
        lambda suites: suites.topology.pop("product"),
        lambda suites: suites.topology["servers"].update(portal="a string"),
        lambda suites: suites.area.update(requirements=None),
        lambda suites: suites.area.update(classes=["forged"]),
        lambda suites: suites.area["requirements"].append("REQ-2"),
        lambda suites: suites.requirement.update(cells=[None]),
        lambda suites: suites.requirement.update(faults=None),
    ],
)
def test_a_wrong_shape_is_reported_not_raised(suites: Suites, change: Callable[[Suites], object]) -> None:
    change(suites)
    refused(suites)


# Files


def test_no_topology(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="topology.yaml"):
        load([tmp_path], KNOWN)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2", "not valid YAML"),
        ("requirements: !!python/object:os.system {}", "not valid YAML"),
        ("- a list", "mapping at the top"),
        ("", "mapping at the top"),
        ("requirements: []\nrequirements: []\n", "duplicate key 'requirements'"),
        ("classes:\n  token:\n    forged: []\n    forged: []\n", "duplicate key 'forged'"),
        ("requirements:\n- {id: A, text: x, id: B}\n", "duplicate key 'id'"),
    ],
)
def test_a_file_that_is_no_catalogue(suites: Suites, text: str, message: str) -> None:
    suites.write()
    (suites.folder / "tokens" / "catalogue.yaml").write_text(text, "utf-8")
    with pytest.raises(CatalogueError, match=message) as caught:
        load([suites.folder], KNOWN)
    assert caught.value.where.endswith("catalogue.yaml")


def test_bytes_that_are_no_text(suites: Suites) -> None:
    suites.write()
    (suites.folder / "tokens" / "catalogue.yaml").write_bytes(b"a: \xff\xfe\x00")
    with pytest.raises(CatalogueError, match="not valid YAML"):
        load([suites.folder], KNOWN)


def test_a_file_that_cannot_be_read(suites: Suites) -> None:
    suites.write()
    file = suites.folder / "tokens" / "catalogue.yaml"
    file.unlink()
    file.mkdir()
    with pytest.raises(CatalogueError, match="cannot read"):
        load([suites.folder], KNOWN)
