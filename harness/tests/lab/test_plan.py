"""Planning is pure: it is given no folder and no key, and a plan says what is to be made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.catalogue import expand
from harness.catalogue.registry import FAULTS, catalogue
from harness.lab.folders import Folders
from harness.lab.plan import FolderKind, FolderSpec, Plan
from harness.lab.protocol import Entrypoint
from harness.lab.reference import ReferenceLab
from harness.model.case import Setup
from harness.model.vocabulary import Path as FlowPath
from harness.model.vocabulary import Posture
from harness.pki.deployment import Pki
from harness.products.registry import reference
from harness.tests.subsystems.conftest import signing_key

__all__ = ["signing_key"]
KEYS = reference().key_server
PORTAL = "portal-admin"


def setups(fault: str = "") -> set[Setup]:
    cases = expand(catalogue(), reference().features | {"containers"})[0]
    return {setup for setup in (case.setup(fault) for case in cases) if setup.server in catalogue().servers}


def plan() -> Plan:
    return Plan(reference(), catalogue().servers, FAULTS)


@pytest.mark.parametrize("fault", ["", "ignores-token", "publishes-private-key"])
def test_many_setups_share_few_instances(fault: str) -> None:
    names = {plan().server_name(setup) for setup in setups(fault)}
    assert 50 < len(names) < len(setups(fault))
    assert len({plan().management_name(setup) for setup in setups(fault)} - names) < len(names)


@pytest.mark.parametrize("product", ["microservices", "apk"])
def test_one_product_is_planned_without_the_servers_of_the_others(product: str) -> None:
    known = catalogue()
    own = {name: server for name, server in known.servers.items() if server.product == product}
    alone = Plan(reference(), own, FAULTS)
    for setup in (setup for setup in setups() if setup.server in own):
        assert alone.management(setup).config


def test_a_name_is_its_instances() -> None:
    for setup in setups():
        assert plan().management(setup).name == plan().management_name(setup)
        if setup.server != KEYS.server:
            assert plan().server(setup, 1).name == plan().server_name(setup)


def test_every_kind_of_folder_is_planned_for() -> None:
    servers = [plan().server(setup, 1) for setup in setups() if setup.server != KEYS.server]
    assert {item.folder.kind for item in (*servers, *map(plan().management, setups()))} == set(FolderKind)


def test_asking_what_a_server_saw_makes_nothing(lab: ReferenceLab) -> None:
    setup = Setup("portal", Posture.JWT, FlowPath.DIRECT, own="a case that never ran")
    entrypoint = lab.open([Setup("portal", Posture.JWT, FlowPath.DIRECT)])
    opened = next(item for item in entrypoint.values() if isinstance(item, Entrypoint))
    before = sorted(lab.folder.rglob("*"))
    assert lab.views(Entrypoint(setup, opened.address, opened.ca), None, "fp-none", 0.0) == (None, None)
    assert lab.effects([setup]) == {setup: frozenset()}
    assert sorted(lab.folder.rglob("*")) == before


@pytest.mark.parametrize("kind", list(FolderKind))
def test_each_folder_differs_in_one_thing(kind: FolderKind, tmp_path: Path, signing_key: object) -> None:
    pki = Pki.create(reference().pki, signing_key=signing_key)  # type: ignore[arg-type]
    folders = Folders(tmp_path, pki)
    of = "" if kind in (FolderKind.DEPLOYMENT, FolderKind.IMPOSTOR, FolderKind.OTHER_KINDS) else PORTAL
    made = folders.make(FolderSpec(kind, of))
    assert made == folders.make(FolderSpec(kind, of))
    differing = {
        path.parent.name
        for secret in (made / "secrets").iterdir()
        for path in [secret / "tls.crt"]
        if path.read_bytes() != (folders.deployment / path.relative_to(made)).read_bytes()
    }
    everything = {path.name for path in (folders.deployment / "secrets").iterdir()}
    one = {FolderKind.WRONG_NAME, FolderKind.EXPIRED, FolderKind.EXTERNAL_CA}
    assert differing == (everything if kind is FolderKind.IMPOSTOR else {PORTAL} if kind in one else set())
    published = [json.loads((folder / "jwt" / "jwks.json").read_bytes()) for folder in (made, folders.deployment)]
    assert (published[0] != published[1]) == (kind is FolderKind.OTHER_KINDS)


def test_a_configuration_names_certificates_and_gets_them(tmp_path: Path, signing_key: object) -> None:
    pki = Pki.create(reference().pki, signing_key=signing_key)  # type: ignore[arg-type]
    text = Folders(tmp_path, pki).complete(f"cert: '{{{{secrets/{PORTAL}/tls.crt}}}}'\nkey: {{{{secrets/x/tls.key}}}}")
    assert "BEGIN CERTIFICATE" in text and text.endswith("{{secrets/x/tls.key}}")
