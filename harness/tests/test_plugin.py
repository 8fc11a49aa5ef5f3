"""What a test says of a row: each outcome in pytest's words."""

from __future__ import annotations

import pytest
from _pytest.outcomes import Failed, Skipped

from harness.plugin import HarnessError, Verdict
from harness.tests.builders import case, row


def test_a_pass() -> None:
    Verdict(case(), row()).hold()


@pytest.mark.parametrize(
    ("outcome", "raised"),
    [
        ("FAIL", Failed),
        ("WRONG_REASON", Failed),
        ("UNOBSERVED", Skipped),
        ("UNSUPPORTED", Skipped),
        ("HARNESS_ERROR", HarnessError),
    ],
)
def test_anything_else(outcome: str, raised: type[BaseException]) -> None:
    with pytest.raises(raised, match="because of this"):
        Verdict(case(), row(outcome=outcome, reason="because of this")).hold()


def test_no_row_is_no_pass() -> None:
    with pytest.raises(HarnessError, match="without a row"):
        Verdict(case(), None).hold()
