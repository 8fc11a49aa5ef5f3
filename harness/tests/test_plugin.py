"""What a test says of a row: each outcome in pytest's words."""

from __future__ import annotations

import pytest
from allure_commons.types import ParameterMode

from harness.checks import CHECKS
from harness.plugin import HarnessError, Verdict, _label
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


def test_allure_shows_what_is_sent_and_what_must_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    described: list[str] = []
    monkeypatch.setattr("allure.dynamic.description", described.append)
    Verdict(case(), row(), ["token: exp-past - expired"]).hold()
    assert "- token: exp-past - expired" in described[0] and CHECKS[case().expected].summary in described[0]


def test_allure_shows_no_python_among_the_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[str, tuple[str, object]] = {}

    def parameter(name: str, value: object, *, excluded: bool = False, mode: object = None) -> None:
        shown[name] = repr(value), mode  # what Allure shows of anything but a string
        assert excluded == (name != "verdict"), "only the case itself tells its history from another's"

    monkeypatch.setattr("allure.dynamic.parameter", parameter)
    monkeypatch.setattr("allure.attach", lambda *_given, **_named: None)
    _label("a product", case(), row())
    assert shown.pop("verdict")[1] is ParameterMode.HIDDEN
    assert {value for value, _mode in shown.values()} == {row()["path"], row()["posture"], row()["stimulus"]}


def test_no_row_is_no_pass() -> None:
    with pytest.raises(HarnessError, match="without a row"):
        Verdict(case(), None).hold()
