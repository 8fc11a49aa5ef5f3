"""Expected results: what a file may say, and what is told of rows that it did not foresee."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.errors import UsageError
from harness.expected import Expectations, entries_for

CASES = ["a/B/f/jwt/direct/x", "a/B/f/jwt/direct/y"]
KNOWN = "expected:\n- {case: a/B/f/jwt/direct/x, outcome: FAIL, reason: documented}\n"


def read(tmp_path: Path, text: str) -> Expectations:
    file = tmp_path / "expected.yaml"
    file.write_text(text, "utf-8")
    return Expectations.read(str(file), CASES)


def row(case: str, outcome: str) -> dict[str, str]:
    return {"case": case, "outcome": outcome, "reason": "r"}


def test_without_a_file_every_row_should_pass() -> None:
    nothing = Expectations.read("", CASES)
    assert not nothing.known
    assert nothing.met(row(CASES[0], "PASS"))
    assert not nothing.met(row(CASES[0], "FAIL"))


def test_a_known_failure_is_met_and_its_pass_is_not(tmp_path: Path) -> None:
    found = read(tmp_path, KNOWN)
    assert found.known
    assert found.met(row(CASES[0], "FAIL"))
    assert not found.met(row(CASES[0], "PASS"))
    assert not found.met(row(CASES[0], "UNOBSERVED"))
    assert found.met(row(CASES[1], "PASS"))


def test_a_glob_means_all_it_matches(tmp_path: Path) -> None:
    found = read(tmp_path, KNOWN.replace("direct/x", "direct/*"))
    assert found.met(row(CASES[1], "FAIL"))


@pytest.mark.parametrize(
    "text",
    [
        "expected: 1",
        "[]",
        "expected: [{case: a/B/f/jwt/direct/x, outcome: FAIL}]",
        "expected: [{case: a/B/f/jwt/direct/x, outcome: FAIL, reason: ''}]",
        "expected: [{case: a/B/f/jwt/direct/x, outcome: FAIL, reason: TODO why}]",
        "expected: [{case: a/B/f/jwt/direct/x, outcome: PASS, reason: fine}]",
        "expected: [{case: a/B/f/jwt/direct/x, outcome: FAILED, reason: documented}]",
        "expected: [{case: a/B/f/jwt/direct/z, outcome: FAIL, reason: documented}]",
        "expected: [",
    ],
)
def test_a_broken_file_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        read(tmp_path, text)


def test_entries_are_ready_to_edit(tmp_path: Path) -> None:
    text = entries_for([row(CASES[0], "PASS"), row(CASES[1], "FAIL")], read(tmp_path, KNOWN))
    assert text.splitlines()[0] == f"# {CASES[0]} passes now: take its entry out"
    entries = yaml.safe_load(text)
    assert [(entry["case"], entry["outcome"]) for entry in entries] == [(CASES[1], "FAIL")]
    with pytest.raises(UsageError, match="says why"):
        read(tmp_path, f"expected:\n{text}")
