"""``hopproof run`` on exported files: alone, and beside live servers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness import paths
from harness.config import validated
from harness.errors import UsageError
from harness.model.vocabulary import Outcome
from harness.products.registry import file_rules
from harness.run.engine import Result
from harness.run.files import FileJudge, of_servers
from harness.run.run import Run
from harness.targets.reference_exports import reference_exports

EXPORTS = paths.FIXTURES / "exports"


def run(report: Path, *targets: str, only: tuple[str, ...] = ()) -> Run:
    found = Run(validated({"target": list(targets), "report": str(report), "only": list(only)}))
    found.start(found.cases)
    found.finish()
    return found


def outcomes(found: Run) -> dict[str, str]:
    return {row["requirement"]: row["outcome"] for row in found.rows}


def test_files_alone(tmp_path: Path) -> None:
    found = run(tmp_path, f"exports:{EXPORTS / 'sound' / 'kubernetes'}")
    assert outcomes(found)["CFG-1"] == Outcome.PASS and outcomes(found)["CFG-8"] == Outcome.UNOBSERVED
    assert {row["grade"] for row in found.rows} == {"config"}
    # What was not checked is not called conforming.
    assert found.status == 3 and "CFG-8" in found.not_shown[0].missing


def test_what_was_checked_conforms(tmp_path: Path) -> None:
    found = run(tmp_path, f"exports:{EXPORTS / 'sound' / 'kubernetes'}", only=("CFG-1", "CFG-2", "CFG-6"))
    assert found.status == 0


def test_a_broken_export(tmp_path: Path) -> None:
    found = run(tmp_path, f"exports:{EXPORTS / 'broken' / 'CFG-1.yaml'}")
    assert found.status == 1 and outcomes(found)["CFG-1"] == Outcome.FAIL
    row = next(json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines() if '"CFG-1"' in line)
    assert row["evidence"]["extra"]["files"]["findings"][0]["line"] == 7


def test_beside_servers_of_ours_nothing_is_compared(tmp_path: Path) -> None:
    found = run(tmp_path, "embedded", f"exports:{EXPORTS / 'sound' / 'jwt'}", only=("CFG-10",))
    assert "CFG-19" not in outcomes(found)
    assert {row["grade"] for row in found.rows} == {"config", "both-sides"}


@pytest.mark.parametrize("target", ["exports:", "exports:/no/such/folder", ["embedded", "containers"]])
def test_wrong_usage(target: object, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Run(validated({"target": target, "report": str(tmp_path)}))


def test_an_unreadable_manifest_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: PortalCluster\nspec: [\n")
    (tmp_path / "b.yaml").write_bytes((EXPORTS / "sound" / "jwt" / "others.yaml").read_bytes())
    with pytest.raises(UsageError, match="cannot be read"):
        Run(validated({"target": f"exports:{tmp_path}", "report": str(tmp_path / "report")}))


def test_what_cannot_be_judged_is_no_pass(tmp_path: Path) -> None:
    found = Run(validated({"target": "embedded", "report": str(tmp_path), "only": ["CFG-8"]}))
    results: list[Result] = []

    def source(_product: str) -> object:
        raise UsageError("gone")

    FileJudge(source, found.catalogue.classes).run(found.cases, results.append)  # type: ignore[arg-type]
    assert {result.verdict.outcome for result in results} == {Outcome.HARNESS_ERROR}


@pytest.mark.parametrize("fault", sorted(file_rules()["apic"].faults))
def test_a_fault_of_files_breaks_what_it_names(fault: str, tmp_path: Path) -> None:
    found = Run(validated({"target": "embedded", "fault": fault, "report": str(tmp_path), "only": ["exports"]}))
    results: list[Result] = []
    FileJudge(reference_exports, found.catalogue.classes).run(found.cases, results.append, fault)
    broken = {result.case.requirement.id for result in results if result.verdict.outcome is Outcome.FAIL}
    assert set(found.catalogue.breaks(fault)) <= broken
    assert of_servers(fault) == ""
