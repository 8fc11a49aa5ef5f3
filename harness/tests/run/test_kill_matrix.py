"""The kill matrix: what counts as a kill, as a survivor, as a false alarm; and its form."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from harness import cli
from harness.catalogue import expand
from harness.catalogue.registry import FAULTS, catalogue
from harness.commands import mutants
from harness.errors import UsageError
from harness.model.case import CAPTURE, Case
from harness.model.exchange import Exchange
from harness.model.verdict import Verdict
from harness.model.vocabulary import Grade, Outcome
from harness.run import kill_matrix
from harness.run.engine import Result
from harness.run.kill_matrix import Kill, Matrix, _kill, matrix

KILLED = Kill("lets-in", ("a/A/1",), ("a/B/1",), (), ())
SURVIVOR = Kill("keeps-out", (), (), ("A",), ())
HALF = Kill("both", ("a/A/1",), (), ("B",), ())
ALARMING = Kill("loud", ("a/A/1",), ("a/C/1",), (), ("a/C/1",))


@pytest.mark.parametrize(
    ("found", "holds"),
    [
        (Matrix([KILLED]), True),
        (Matrix([]), False),
        (Matrix([KILLED, SURVIVOR]), False),
        (Matrix([KILLED, HALF]), False),
        (Matrix([KILLED, ALARMING]), False),
        (Matrix([KILLED], reference=["a/A/1"]), False),
        (Matrix([KILLED], errors=["lets-in: a/A/1: it died"]), False),
    ],
)
def test_when_it_holds(found: Matrix, holds: bool) -> None:
    assert found.holds is holds


def test_the_form() -> None:
    made = Matrix([KILLED, SURVIVOR, HALF, ALARMING], reference=["a/A/2"], cases=9).to_json()
    assert json.loads(json.dumps(made)) == made
    assert (made["faults"], made["killed"], made["survivors"]) == (4, 2, ["keeps-out", "both"])
    assert made["false_alarms"] == ["reference: a/A/2", "loud: a/C/1"]
    assert {"fault", "killed_by", "also_failed"} <= set(made["rows"][0])
    assert (made["rows"][0]["killed_by"], made["rows"][0]["also_failed"]) == (["a/A/1"], ["a/B/1"])


FAULT = FAULTS["ignores-token"]


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    """A case of each requirement."""
    known = catalogue()
    return {case.requirement.id: case for case in expand(known, known.features)[0]}


def results(cases: Iterable[Case], outcome: Outcome) -> list[Result]:
    verdict = Verdict(outcome, "code", "reason", Grade.BOTH_SIDES)
    return [Result(case, Exchange(""), None, verdict, 0.0) for case in cases]


def test_a_kill_needs_a_case_of_every_requirement_it_breaks(cases: dict[str, Case]) -> None:
    breaks = catalogue().breaks(FAULT.name)
    assert len(breaks) > 1
    caught = [cases[name] for name in breaks]
    whole = _kill(catalogue(), FAULT, results(caught, Outcome.FAIL))
    assert whole.killed and whole.alarms == whole.also_failed == whole.unbroken == ()
    assert set(whole.killed_by) == {case.id for case in caught}
    assert _kill(catalogue(), FAULT, results(caught, Outcome.WRONG_REASON)).killed
    part = _kill(catalogue(), FAULT, results(caught[1:], Outcome.FAIL))
    assert not part.killed and part.unbroken == (breaks[0],)


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {Outcome.FAIL, Outcome.WRONG_REASON}))
def test_nothing_else_is_a_kill(cases: dict[str, Case], outcome: Outcome) -> None:
    breaks = catalogue().breaks(FAULT.name)
    found = _kill(catalogue(), FAULT, results([cases[name] for name in breaks], outcome))
    assert not found.killed and set(found.unbroken) == set(breaks)


def test_a_failure_elsewhere_is_a_false_alarm_unless_it_is_implied(cases: dict[str, Case]) -> None:
    elsewhere = cases["CFG-1"]
    found = _kill(catalogue(), FAULT, results([elsewhere], Outcome.FAIL))
    assert found.also_failed == found.alarms == (elsewhere.id,)
    implying = next(fault for fault in FAULTS.values() if any(name in cases for name in fault.implies))
    implied = cases[next(name for name in implying.implies if name in cases)]
    found = _kill(catalogue(), implying, results([implied], Outcome.FAIL))
    assert found.also_failed == (implied.id,) and found.alarms == ()


def test_every_fault_implies_what_there_is(cases: dict[str, Case]) -> None:
    known = set(cases) | set(FAULTS)
    loose = {name for fault in FAULTS.values() for name in fault.implies if "*" not in name and name not in known}
    assert loose == set()


def test_an_area_without_faults() -> None:
    with pytest.raises(UsageError, match="no-such-area"):
        matrix("no-such-area", 1, lambda *_: None)


@pytest.mark.parametrize(("found", "status"), [(Matrix([KILLED], cases=3), 0), (Matrix([SURVIVOR]), 1)])
@pytest.mark.parametrize("form", [["--json"], []])
def test_the_verb(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    found: Matrix,
    status: int,
    form: list[str],
) -> None:
    monkeypatch.setattr(mutants, "matrix", lambda *_, **_options: found)
    assert cli._parser().parse_args(["mutants"]).area == ""
    arguments = cli._parser().parse_args(["mutants", "--report", str(tmp_path / "new"), *form])
    assert arguments.verb(arguments) == status
    message = capsys.readouterr().out
    assert json.loads((tmp_path / "new" / "mutants.json").read_text("utf-8")) == found.to_json()
    assert json.loads(message) == found.to_json() if form else "1 fault, " in message


def test_what_a_capture_lost_is_captured_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    known, _ = expand(catalogue(), {*catalogue().features, CAPTURE})
    seen, lost = [case for case in known if case.reads_packets][:2]
    asked: list[list[str]] = []

    def once(_engine: object, cases: list[Case]) -> list[Result]:
        asked.append([case.id for case in cases])
        missing = Outcome.UNOBSERVED if len(asked) == 1 else Outcome.FAIL
        return [item for case in cases for item in results([case], missing if case == lost else Outcome.PASS)]

    monkeypatch.setattr(kill_matrix, "_once_captured", once)
    engine: Any = None
    found = kill_matrix._captured(engine, [seen, lost])
    assert asked == [[seen.id, lost.id], [lost.id]]
    assert {item.case.id: item.verdict.outcome for item in found} == {seen.id: Outcome.PASS, lost.id: Outcome.FAIL}
