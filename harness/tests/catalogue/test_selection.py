"""Which cases a run takes: globs, depth, faults, skips; and selections that mean nothing."""

from __future__ import annotations

from typing import Any

import pytest

from harness.catalogue.selection import matches, select
from harness.config import Options, Skip
from harness.errors import UsageError
from harness.model.case import Case, Stimulus
from harness.model.vocabulary import Depth, Path, Posture
from harness.tests.builders import OTHER_FLOW, case, requirement

FLW = requirement("FLW-5", faults=("lets-in",))
FLW_50 = requirement("FLW-50", faults=("keeps-out",))
GOOD = case(row=FLW)
FORGED = case(
    "token-refused", row=FLW, posture=Posture.JWT, path=Path.TERMINATING, stimulus=Stimulus(token="bad-token")
)
OTHER = case(row=FLW_50, flow=OTHER_FLOW)
DEEP = case(row=FLW, stimulus=Stimulus("odd-cert"), depth=Depth.FULL)
DEEP_OTHER = case(row=FLW_50, stimulus=Stimulus("odd-cert"), depth=Depth.FULL)
CASES = [GOOD, FORGED, OTHER, DEEP, DEEP_OTHER]


def selected(**options: Any) -> list[Case]:
    return select(CASES, Options(**options))[0]


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("FLW-5", [GOOD, FORGED, DEEP]),
        ("FLW-50", [OTHER, DEEP_OTHER]),
        ("flows", CASES),
        ("flows/FLW-5", [GOOD, FORGED, DEEP]),
        ("flows/FLW-5/", [GOOD, FORGED, DEEP]),
        ("flows/FLW-5/*/jwt", [FORGED]),
        ("terminating", [FORGED]),
        ("management-to-analytics", [OTHER]),
        ("*/jwt/*", [FORGED]),
        ("*/bad-token", [FORGED]),
        ("flows__FLW-5__management-to-portal__jwt", [FORGED]),
        (GOOD.id, [GOOD]),
        (GOOD.id.replace("/", "__"), [GOOD]),
        ("FLW", []),
        ("flw-5", []),
        ("FLW-5/management-to-portal", []),
        ("", []),
        ("/", []),
    ],
)
def test_matches(glob: str, found: list[Case]) -> None:
    assert [one for one in CASES if matches(one, glob)] == found


@pytest.mark.parametrize("glob", ["FLW-*", "bad-*"])
def test_a_glob_may_mean_a_part(glob: str) -> None:
    assert any(matches(one, glob) for one in CASES)


def test_quick_leaves_out_what_is_deep() -> None:
    assert selected() == [GOOD, FORGED, OTHER]
    assert selected(depth=Depth.FULL) == CASES


def test_only() -> None:
    assert selected(only=("FLW-5",)) == [GOOD, FORGED]
    assert selected(only=("FLW-5",), depth=Depth.FULL) == [GOOD, FORGED, DEEP]
    assert selected(only=("FLW-50", "terminating")) == [FORGED, OTHER]


def test_a_case_that_is_named_runs_at_any_depth() -> None:
    assert selected(only=(DEEP.id,)) == [DEEP]


def test_a_case_that_is_named_as_a_file_runs_at_any_depth() -> None:
    assert selected(only=(DEEP.id.replace("/", "__"),)) == [DEEP]


def test_a_fault_adds_the_cases_it_breaks_whatever_the_depth() -> None:
    assert selected(fault="lets-in") == [GOOD, FORGED, OTHER, DEEP]
    assert selected(fault="keeps-out") == [GOOD, FORGED, OTHER, DEEP_OTHER]


def test_a_fault_adds_nothing_to_what_only_names() -> None:
    assert selected(fault="lets-in", only=("FLW-50",)) == [OTHER]
    assert selected(fault="lets-in", only=("FLW-5",)) == [GOOD, FORGED, DEEP]


def test_a_skip_is_listed_with_its_reason() -> None:
    skips = (Skip("FLW-5", "known"), Skip("*", "the rest"))
    left, skipped = select(CASES, Options(only=("FLW-5", "FLW-50"), skip=skips[:1]))
    assert left == [OTHER]
    assert skipped == [(GOOD, skips[0]), (FORGED, skips[0])]


def test_the_first_skip_gives_the_reason() -> None:
    skips = (Skip("terminating", "first"), Skip("FLW-5", "second"))
    left, skipped = select(CASES, Options(skip=skips))
    assert left == [OTHER]
    assert [(one, skip.reason) for one, skip in skipped] == [(GOOD, "second"), (FORGED, "first")]


@pytest.mark.parametrize(
    "options",
    [
        Options(only=("no-such-thing",)),
        Options(only=("FLW-5", "no-such-thing")),
        Options(only=("",)),
        Options(skip=(Skip("no-such-thing", "why"),)),
        Options(skip=(Skip("*", "everything"),)),
        Options(only=("odd-cert",)),
    ],
)
def test_a_selection_that_means_nothing(options: Options) -> None:
    with pytest.raises(UsageError):
        select(CASES, options)


def test_no_cases_at_all() -> None:
    with pytest.raises(UsageError):
        select([], Options())


def test_the_glob_that_means_nothing_is_named() -> None:
    with pytest.raises(UsageError, match="no-such-thing"):
        select(CASES, Options(only=("FLW-5", "no-such-thing")))
