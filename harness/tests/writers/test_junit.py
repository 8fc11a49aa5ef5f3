"""JUnit: counts that add up, and XML that any reader takes, whatever a target said."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from harness.errors import ReportError
from harness.model.vocabulary import Outcome
from harness.tests.builders import footer, row
from harness.writers import junit

ROWS = [row(f"flows/REQ-{n}/a/mtls/direct/good", str(outcome), reason=f"why {n}") for n, outcome in enumerate(Outcome)]

FOOTER = footer()


def suite(folder: Path) -> ET.Element:
    found = ET.parse(folder / junit.NAME).getroot().find("testsuite")
    assert found is not None
    return found


def test_outcomes(tmp_path: Path) -> None:
    assert junit.write(tmp_path, ROWS, FOOTER) == tmp_path / junit.NAME
    top = suite(tmp_path)
    assert {key: top.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "6",
        "failures": "2",
        "errors": "1",
        "skipped": "2",
    }
    message = {case.get("name"): [child.tag for child in case] for case in top.iter("testcase")}
    expected = {
        "PASS": [],
        "FAIL": ["failure"],
        "WRONG_REASON": ["failure"],
        "UNOBSERVED": ["skipped"],
        "UNSUPPORTED": ["skipped"],
        "HARNESS_ERROR": ["error"],
    }
    assert message == {item["case"]: expected[item["outcome"]] for item in ROWS}
    assert os.listdir(tmp_path) == [junit.NAME]


def test_a_failure_says_why_and_from_where(tmp_path: Path) -> None:
    junit.write(tmp_path, [row(outcome="FAIL", reason="answered 201")], FOOTER)
    failure = suite(tmp_path).find("testcase/failure")
    assert failure is not None
    assert (failure.get("message"), failure.get("type")) == ("REQ-1 is broken: answered 201", "FAIL")
    assert failure.text == "A document, section 1\nanswered 201"


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("<b>&amp;\"']]>", "<b>&amp;\"']]>"),
        ("nul \x00 bell \x07 escape \x1b", "nul \ufffd bell \ufffd escape \ufffd"),
        ("surrogate \ud800 end", "surrogate \ufffd end"),
        ("not a character \uffff \ufffe", "not a character \ufffd \ufffd"),
        ("caf\xe9 \u4e2d \U0001f512", "caf\xe9 \u4e2d \U0001f512"),
        ("\x85\x9f", "\x85\x9f"),
    ],
)
def test_hostile_characters(tmp_path: Path, reason: str, shown: str) -> None:
    junit.write(tmp_path, [row(outcome="FAIL", reason=reason)], FOOTER)
    failure = suite(tmp_path).find("testcase/failure")
    assert failure is not None and failure.get("message") == f"REQ-1 is broken: {shown}"


def test_no_rows(tmp_path: Path) -> None:
    junit.write(tmp_path, [], FOOTER)
    assert suite(tmp_path).get("tests") == "0"


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    junit.write(tmp_path, ROWS, FOOTER)
    junit.write(tmp_path, ROWS[:1], FOOTER)
    assert suite(tmp_path).get("tests") == "1"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("", "utf-8")
    for folder in (file, tmp_path / "missing"):
        with pytest.raises(ReportError, match="cannot write JUnit"):
            junit.write(folder, ROWS, FOOTER)


def test_a_full_disk(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    (tmp_path / f".{junit.NAME}.part").symlink_to("/dev/full")
    with pytest.raises(ReportError, match="No space left"):
        junit.write(tmp_path, ROWS, FOOTER)
    assert not (tmp_path / junit.NAME).exists()


KNOWN = {"reason": "until the upgrade", "owner": "the platform team", "expires": "2027-01-31"}


@pytest.mark.parametrize(
    ("changes", "strict", "element", "message"),
    [
        (
            {"known": KNOWN, "as_expected": True},
            True,
            "skipped",
            "known failure (until the upgrade; owner the platform",
        ),
        ({"level": "SHOULD"}, False, "skipped", "recommendation not followed (SHOULD): REQ-1 is broken: answered 201"),
        ({"level": "SHOULD"}, True, "failure", "recommendation not followed (SHOULD): REQ-1 is broken"),
        ({"outcome": "UNOBSERVED", "finding": ""}, False, "skipped", "answered 201"),
        ({"outcome": "UNOBSERVED", "finding": ""}, True, "failure", "answered 201"),
        ({"outcome": "PASS", "finding": ""}, True, "failure", "passes now, but is listed as a known failure"),
    ],
)
def test_what_leaves_the_exit_status_alone_is_no_failure(
    tmp_path: Path, changes: dict[str, object], strict: bool, element: str, message: str
) -> None:
    failed: dict[str, Any] = {"outcome": "FAIL", "reason": "answered 201", "as_expected": False}
    junit.write(tmp_path, [row(**{**failed, "finding": "REQ-1 is broken", **changes})], FOOTER, strict=strict)
    top = suite(tmp_path)
    found = top.find(f"testcase/{element}")
    assert found is not None and str(found.get("message")).startswith(message)
    assert (top.get("failures"), top.get("skipped")) == (("1", "0") if element == "failure" else ("0", "1"))


GAP = {
    "flow": "client-to-service",
    "posture": "jwt",
    "protection": "token",
    "missing": ["exp-past"],
    "why": "needs <the key>",
    "give": "tokens.signing_key",
}


@pytest.mark.parametrize(("answer", "element"), [("not-shown", "error"), ("does-not-conform", "skipped")])
def test_what_is_not_shown_is_no_green_run(tmp_path: Path, answer: str, element: str) -> None:
    junit.write(tmp_path, [row()], footer(answer=answer, not_shown=[GAP]))
    found = suite(tmp_path)
    assert (found.get("tests"), found.get("errors")) == ("2", "1" if element == "error" else "0")
    assert [item.get("value") for item in found.iter("property") if item.get("name") == "answer"] == [answer]
    (case,) = (item for item in found.iter("testcase") if item.get("classname") == "hopproof.answer")
    (message,) = case.iter(element)
    assert case.get("name") == "shown: client-to-service/jwt/token"
    assert "exp-past: needs <the key>" in str(message.get("message")) and "Give tokens.signing_key" in str(message.text)


def test_what_makes_a_run_untrustworthy_is_an_error(tmp_path: Path) -> None:
    junit.write(tmp_path, [row()], footer(answer="untrustworthy", trouble=["a \x00 row is missing"]))
    found = suite(tmp_path)
    assert (found.get("errors"), found.get("failures")) == ("1", "0")
    assert [item.get("message") for item in found.iter("error")] == ["a \N{REPLACEMENT CHARACTER} row is missing"]
