"""Expected results: what a file may say, and what is told of rows that it did not foresee."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml

from harness.errors import UsageError
from harness.model.record import Row
from harness.run.expectations import Expectations, entries_for
from harness.tests import builders

CASES = ["a/B/f/jwt/direct/x", "a/B/f/jwt/direct/y"]
KNOWN = "expected:\n- {case: a/B/f/jwt/direct/x, outcome: FAIL, reason: documented}\n"


def read(tmp_path: Path, text: str) -> Expectations:
    file = tmp_path / "expected.yaml"
    file.write_text(text, "utf-8")
    return Expectations.read(str(file), CASES, date(2027, 1, 31))


def row(case: str, outcome: str) -> Row:
    return builders.row(case, outcome, reason="r")


def test_without_a_file_every_row_should_pass() -> None:
    nothing = Expectations.read(None, CASES)
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
        "expected: [{case: a/B/f/jwt/direct/x, outcome: FAIL, reason: r, expires: soon}]",
        "expected: [{case: a/B/f/jwt/direct/x, outcome: FAIL, reason: r, expires: 2027-01-31 10:00:00}]",
        "expected: [{case: a/B/f/jwt/direct/x, outcome: FAIL, reason: r, owner: 1}]",
        "expected: [{case: a/B/f/jwt/direct/x, outcome: FAIL, reason: r, until: 2027-01-31}]",
    ],
)
def test_a_broken_file_is_reported(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        read(tmp_path, text)


def test_entries_are_ready_to_edit(tmp_path: Path) -> None:
    text = entries_for([row(CASES[0], "PASS"), row(CASES[1], "FAIL")], read(tmp_path, KNOWN))
    assert text.splitlines()[0] == f"# {CASES[0]} passes now: remove its entry"
    entries = yaml.safe_load(text)
    assert [(entry["case"], entry["outcome"]) for entry in entries] == [(CASES[1], "FAIL")]
    with pytest.raises(UsageError, match="says why"):
        read(tmp_path, f"expected:\n{text}")


def test_an_exception_says_why_by_whom_and_how_long(tmp_path: Path) -> None:
    found = read(tmp_path, KNOWN.replace("documented}", "documented, owner: me, expires: 2027-01-31}"))
    excuse = found.excuse(row(CASES[0], "FAIL"))
    assert excuse is not None and excuse.to_json() == {"reason": "documented", "owner": "me", "expires": "2027-01-31"}
    assert found.excuse(row(CASES[0], "PASS")) is None and found.excuse(row(CASES[1], "FAIL")) is None
    plain = read(tmp_path, KNOWN).excuse(row(CASES[0], "FAIL"))
    assert plain is not None and plain.to_json() == {"reason": "documented", "owner": None, "expires": None}


@pytest.mark.parametrize("written", ["2027-01-30", '"2027-01-30"'])
def test_an_expired_exception_excuses_nothing_and_is_named(tmp_path: Path, written: str) -> None:
    found = read(tmp_path, KNOWN.replace("documented}", f"documented, expires: {written}}}"))
    failed = row(CASES[0], "FAIL")
    assert not found.met(failed) and found.excuse(failed) is None
    assert found.lapsed(failed) == "; the exception expired on 2027-01-30 (documented)"
    assert found.lapsed(row(CASES[1], "FAIL")) == ""
    assert not found.met(row(CASES[0], "PASS"))  # it is still listed as failing


def test_no_known_failure_is_another_thing_than_no_file(tmp_path: Path) -> None:
    nothing = read(tmp_path, "expected: []")
    assert nothing.known and not nothing.met(row(CASES[0], "FAIL"))
    with pytest.raises(UsageError, match="cannot read the file of known failures: No such file"):
        Expectations.read(str(tmp_path / "missing.yaml"), CASES)
    with pytest.raises(UsageError, match="cannot read the file of known failures: Is a directory"):
        Expectations.read(str(tmp_path), CASES)
    with pytest.raises(UsageError, match="the file is empty"):
        read(tmp_path, "# nothing yet")
    with pytest.raises(UsageError, match="names no file"):
        Expectations.read("", CASES)


def test_an_entry_about_no_case_of_the_run_is_named(tmp_path: Path) -> None:
    found = read(tmp_path, KNOWN.replace("direct/x", "*"))
    assert found.idle(["a/B/f/mtls/direct/x"]) == ["a/B/f/jwt/*"]
    assert found.idle(CASES) == []
