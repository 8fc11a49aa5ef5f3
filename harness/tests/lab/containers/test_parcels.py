"""Which files reach which container."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness.lab.containers import secret_sync as module
from harness.lab.containers.secret_sync import Parcels
from harness.lab.folders import Folders, publish
from harness.lab.plan import FolderKind, FolderSpec
from harness.pki.deployment import Pki
from harness.products.registry import reference
from harness.tests.subsystems.conftest import signing_key

__all__ = ["signing_key"]
OWN = FolderSpec(FolderKind.OWN, "a case")


@pytest.fixture
def folders(tmp_path: Path, signing_key: object) -> Folders:
    return Folders(tmp_path, Pki.create(reference().pki, signing_key=signing_key))  # type: ignore[arg-type]


def _packed(archive: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as found:
        return {entry.name: entry for entry in found if not entry.isdir()}


def test_a_server_gets_its_own_key_and_everybodys_authority(folders: Folders, tmp_path: Path) -> None:
    names = _packed(Parcels(tmp_path, ["portal-admin"]).pack([])).keys()
    assert "deployment/secrets/portal-admin/tls.key" in names
    assert "deployment/secrets/ingress-ca/ca.crt" in names
    keys = {name for name in names if name.endswith((".key", "combined.pem"))}
    assert {Path(name).parent.name for name in keys} == {"portal-admin"}


def test_of_a_caller_a_service_gets_the_certificate_alone(folders: Folders, tmp_path: Path) -> None:
    names = _packed(Parcels(tmp_path, [], certificates=["portal-admin"]).pack([])).keys()
    assert "deployment/secrets/portal-admin/tls.crt" in names
    assert not [name for name in names if name.endswith(".key")]


def test_only_management_can_sign(folders: Folders, tmp_path: Path) -> None:
    assert "deployment/jwt/signing.key" in _packed(Parcels(tmp_path, [], signs=True).pack([]))
    assert not [name for name in _packed(Parcels(tmp_path, []).pack([])) if "/jwt/" in name]


def test_an_issuer_gets_its_own_signing_key_and_the_public_keys_of_those_it_trusts(
    folders: Folders, tmp_path: Path
) -> None:
    parcels = Parcels(tmp_path, [], issues="sts", key_sets=["partner-sts"])
    names = {name.removeprefix("deployment/jwt/") for name in _packed(parcels.pack([])) if "/jwt/" in name}
    assert names == {"sts/signing.key", "sts/jwks.json", "partner-sts/jwks.json"}


def test_a_balancer_gets_the_credentials_it_is_configured_with(folders: Folders, tmp_path: Path) -> None:
    front = folders.deployment / "secrets" / "front-portal-admin" / "tls-combined.pem"
    names = _packed(Parcels(tmp_path, []).pack([front]))
    assert [name for name in names if not name.endswith("ca.crt")] == [str(front.relative_to(tmp_path))]


def test_links_stay_links_and_lead_nowhere_else(folders: Folders, tmp_path: Path) -> None:
    own = folders.make(OWN)
    entry = _packed(Parcels(tmp_path, ["portal-admin"]).pack([]))[f"{own.name}/secrets/portal-admin"]
    assert entry.issym() and entry.linkname == str(folders.deployment / "secrets" / "portal-admin")


def test_a_renewed_secret_takes_the_place_of_the_link(folders: Folders, tmp_path: Path) -> None:
    parcels, own = Parcels(tmp_path, ["portal-admin"]), folders.make(OWN)
    house = tmp_path.parent / f"{tmp_path.name}-house"
    house.mkdir()
    for _ in range(2):
        subprocess.run(["tar", "-x", "-C", house], input=parcels.pack([]), check=True)
        folders.renew(own, "portal-admin")
    unpacked = house / own.name / "secrets" / "portal-admin"
    assert unpacked.is_dir() and not unpacked.is_symlink()
    assert sorted(path.name for path in unpacked.iterdir()) == ["ca.crt", "tls.crt", "tls.key"]


def test_what_goes_while_it_is_packed_is_left_out(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = folders.make(OWN) / "secrets" / "portal-admin"
    found = list(module._entries(tmp_path))
    assert link in found
    link.unlink()
    monkeypatch.setattr(module, "_entries", lambda _home: found)
    monkeypatch.setattr(Parcels, "may_read", lambda *_: True)
    assert str(link.relative_to(tmp_path)) not in _packed(Parcels(tmp_path, []).pack([]))


def test_what_was_sent_is_not_sent_again_until_it_changes(folders: Folders, tmp_path: Path) -> None:
    parcels = Parcels(tmp_path, [], signs=True)
    assert parcels.pack([])
    assert parcels.pack([]) == b""
    publish(folders.deployment, [])
    assert list(_packed(parcels.pack([]))) == ["deployment/jwt/jwks.json"]


def test_what_is_packed_is_private_and_the_containers_user_s(folders: Folders, tmp_path: Path) -> None:
    entries = _packed(Parcels(tmp_path, ["portal-admin"], signs=True).pack([])).values()
    files = [entry for entry in entries if entry.isfile()]
    assert {(entry.mode & 0o777, entry.uid) for entry in files} == {(0o600, 10001)}


def test_a_draft_has_no_owner(folders: Folders, tmp_path: Path) -> None:
    (folders.deployment / "jwt" / ".jwks.json.1e7db3ad").write_text("{")
    assert not [name for name in _packed(Parcels(tmp_path, [], signs=True).pack([])) if ".jwks" in name]
