"""Two records side by side."""

from __future__ import annotations

from harness.model.record import Row
from harness.tests.builders import row
from harness.writers.compare import compare


def rows(**outcomes: str) -> list[Row]:
    return [row(outcome=outcome, case=case, reason="r") for case, outcome in outcomes.items()]


def test_what_changed() -> None:
    old = rows(a="PASS", b="FAIL", c="PASS", d="PASS", e="FAIL", g="FAIL")
    new = rows(a="FAIL", b="PASS", c="UNOBSERVED", e="WRONG_REASON", f="PASS", g="FAIL", h="FAIL")
    found = compare(old, new)
    assert [line.partition(":")[0] for line in found.newly_failing] == ["a", "h"]
    assert [line.partition(":")[0] for line in found.newly_passing] == ["b"]
    assert [line.partition(":")[0] for line in found.other] == ["c", "e"]
    assert [line.partition(":")[0] for line in found.newly_applicable] == ["f"]
    assert found.gone == ("d: was PASS",)
    assert found.same == 1
    assert "newly failing: 2" in found.text()


def test_nothing_changed() -> None:
    found = compare(rows(a="PASS"), rows(a="PASS"))
    assert (found.newly_failing, found.newly_passing, found.other, found.gone, found.same) == ((), (), (), (), 1)
