"""A run that is given the record of a load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.checks.load import comparisons
from harness.config import Options
from harness.errors import UsageError
from harness.model.case import LOADED
from harness.targets.load_record import read
from harness.targets.named import target_of
from harness.tests.checks.test_load import measured, record
from harness.writers.load import as_json


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = record(measured(0, 100), measured(1, 50), measured(0, 100), measured(1, 40))
    assert comparisons(made)
    (tmp_path / "load.json").write_text(as_json(made))
    return tmp_path / "load.json"


def test_what_hopproof_load_writes_is_read(file: Path) -> None:
    found = read(file)
    assert [(item["posture"], item["served"]) for item in found["arms"]] == [("mtls", 200), ("jwt", 90)]
    assert "between jwt and mtls" in found["sentences"][0]
    target = target_of(Options(load=str(file)))
    assert LOADED in target.features and LOADED not in target_of(Options()).features


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense", '{"flow": 1}', "[" * 100_000])
def test_another_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(UsageError):
        read(tmp_path / "x")


def test_members_of_another_kind(file: Path) -> None:
    data: dict[str, Any] = json.loads(file.read_text())
    file.write_text(json.dumps({**data, "users": "many"}))
    with pytest.raises(UsageError, match="not the record of a load"):
        read(file)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the load"):
        target_of(Options(load=str(tmp_path / "none")))


def test_the_load_of_another_target(file: Path) -> None:
    file.write_text(file.read_text().replace('"embedded"', '"containers"'))
    with pytest.raises(UsageError, match="the load was sent to containers, but this run judges embedded"):
        target_of(Options(load=str(file)))
