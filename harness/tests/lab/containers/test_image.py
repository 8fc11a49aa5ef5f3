"""What the image is built from."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.lab.containers import image
from harness.tests.command import ROOT


@pytest.fixture(autouse=True)
def _no_wheelhouse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(image.WHEELHOUSE, raising=False)


def test_the_context_has_the_code_its_data_and_no_tests(tmp_path: Path) -> None:
    image.write_context(tmp_path)
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert {
        "Dockerfile",
        "requirements.txt",
        "wheels",
        "code/harness/subsystems/__main__.py",
        "code/mitm_addons/balancer.py",
        "code/harness/_data/suites/apic.topology.yaml",
        "code/harness/_data/fixtures/images/Dockerfile",
        "code/harness/_data/schema/run.schema.json",
    } <= names
    assert not [name for name in names if "/tests" in name or name.endswith((".pyc", ".key", ".pem", ".crt"))]
    assert "mitmproxy" in (tmp_path / "requirements.txt").read_text()


def test_the_tag_says_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tags = [image.write_context(tmp_path / str(number)) for number in range(2)]
    assert tags[0] == tags[1]
    monkeypatch.setattr(image, "_TESTS", ("another",))
    assert image.write_context(tmp_path / "other") != tags[0]


def test_wheels_come_from_the_house_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = tmp_path / "house"
    house.mkdir()
    monkeypatch.setenv(image.WHEELHOUSE, str(house))
    with pytest.raises(UsageError, match="no wheels"):
        image.write_context(tmp_path / "empty")
    (house / "a-1-py3-none-any.whl").write_bytes(b"wheel")
    image.write_context(tmp_path / "full")
    assert [wheel.name for wheel in (tmp_path / "full" / "wheels").iterdir()] == ["a-1-py3-none-any.whl"]


def test_the_image_for_tests_has_what_running_them_takes() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    checked_only = ("mypy", "ruff", "tox", "types-")
    assert sorted(image._TESTS) == sorted(item for item in extras["dev"] if not item.startswith(checked_only))
