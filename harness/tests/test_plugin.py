"""What a test says of a row: each outcome in pytest's words."""

from __future__ import annotations

import pytest

from harness.plugin import HarnessError, Verdict
from harness.tests.builders import case, row


def test_a_pass() -> None:
    Verdict(case(), row()).hold()


@pytest.mark.parametrize(
    ("outcome", "raised"),
    [
        ("FAIL", pytest.fail.Exception),
        ("WRONG_REASON", pytest.fail.Exception),
        ("UNOBSERVED", pytest.skip.Exception),
        ("UNSUPPORTED", pytest.skip.Exception),
        ("HARNESS_ERROR", HarnessError),
    ],
)
def test_anything_else(outcome: str, raised: type[BaseException]) -> None:
    with pytest.raises(raised, match="because of this"):
        Verdict(case(), row(outcome=outcome, reason="because of this")).hold()


def test_allure_is_told_the_requirement_where_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("allure.dynamic.description", said.append)
    Verdict(case(), row()).hold()
    assert len(said) == 1
    assert case().requirement.text in said[0] and row()["source"] in said[0]


def test_no_row_is_no_pass() -> None:
    with pytest.raises(HarnessError, match="without a row"):
        Verdict(case(), None).hold()
