"""A product that lives in this folder alone is registered, run, killed and rendered without an edit anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.catalogue.registry import FAULTS, catalogue
from harness.config import Options
from harness.errors import CatalogueError, UsageError
from harness.model.vocabulary import Outcome
from harness.products import registry
from harness.products.apic import APIC
from harness.run.kill_matrix import matrix
from harness.run.run import Run
from harness.tests.products.tiny.product import TINY
from harness.writers import page


@pytest.fixture
def tiny() -> Iterator[None]:
    registry.register(TINY)
    try:
        yield
    finally:
        registry.unregister(TINY)


@pytest.mark.usefixtures("tiny")
def test_it_is_registered() -> None:
    assert registry.product("tiny") is TINY
    assert {"shelf", "desk"} <= catalogue().servers.keys() and "reader-to-shelf" in catalogue().flows
    assert FAULTS["shelf-is-open"].on == ("shelf",)
    assert catalogue().servers["shelf"].product == "tiny"
    with pytest.raises(CatalogueError, match="called 'tiny' already"):
        registry.register(TINY)


def _run(folder: Path, **options: Any) -> Run:
    run = Run(Options(only=("tiny/*",), report=folder, seed=1, **options))
    run.start(run.cases)
    run.finish()
    return run


@pytest.mark.usefixtures("tiny")
def test_it_is_run_and_rendered(tmp_path: Path) -> None:
    run = _run(tmp_path)
    assert (run.status, run.trouble) == (0, [])
    assert len(run.rows) == 5 and {row["outcome"] for row in run.rows} == {Outcome.PASS}
    shown = (tmp_path / page.NAME).read_text("utf-8")
    assert "TINY-1" in shown and "reader-to-shelf" in shown


@pytest.mark.usefixtures("tiny")
def test_its_fault_is_caught(tmp_path: Path) -> None:
    run = _run(tmp_path, fault="shelf-is-open")
    assert run.status == 1 and "tls-no-cert" in {row["stimulus"] for row in run.rows if row["outcome"] == Outcome.FAIL}


@pytest.mark.usefixtures("tiny")
def test_its_fault_is_killed() -> None:
    found = matrix("tiny", 1, lambda *_: None)
    assert (found.errors, found.false_alarms, [kill.fault for kill in found.kills if kill.killed]) == (
        [],
        [],
        ["shelf-is-open"],
    )


def test_without_it_nothing_is_left() -> None:
    assert "shelf" not in catalogue().servers and "shelf-is-open" not in FAULTS
    with pytest.raises(UsageError, match="unknown product 'tiny'"):
        registry.product("tiny")
    assert registry.product("apic") is APIC
