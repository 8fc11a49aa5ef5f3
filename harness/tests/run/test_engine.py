"""The engine on a lab that runs nothing: controls, failures of the lab, cancelling, servers of one's own."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import pytest

from harness.errors import LabError, ReportError
from harness.model.case import Case, Setup, Stimulus
from harness.model.vocabulary import Outcome, Path, Posture
from harness.probes import live
from harness.run import engine as module
from harness.run.engine import Engine, Result
from harness.tests.builders import CLASSES, OTHER_FLOW, case
from harness.tests.fakes import FakeLab, bench

BAD_CERT = Stimulus("bad-cert")
GOOD = case()
REFUSED = case("certificate-refused", stimulus=BAD_CERT)
JWT_REFUSED = case("token-refused", posture=Posture.JWT, stimulus=Stimulus(token="bad-token"))
ELSEWHERE = case("certificate-refused", flow=OTHER_FLOW, stimulus=BAD_CERT)


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> FakeLab:
    made = FakeLab()
    monkeypatch.setattr(live, "send", made.send)
    return made


def run(lab: FakeLab, cases: Iterable[Case], *, fault: str = "", threads: int = 1, seed: int = 1) -> list[Result]:
    results: list[Result] = []

    def done(result: Result) -> None:
        lab.log.append("done")
        results.append(result)

    Engine(bench(lab, seed), CLASSES, fault=fault, threads=threads).run(cases, done)
    return results


def outcomes(results: Iterable[Result]) -> dict[str, tuple[Outcome, str]]:
    return {result.case.id: (result.verdict.outcome, result.verdict.code) for result in results}


PASS = (Outcome.PASS, "as-required")
CONTROL_FAILED = (Outcome.UNOBSERVED, "control-failed")
LAB = (Outcome.HARNESS_ERROR, "lab")


# Law 5: controls


def test_a_row_comes_after_its_closing_control(lab: FakeLab) -> None:
    other = case("certificate-refused", stimulus=Stimulus("no-cert"))
    results = run(lab, [REFUSED, other])
    setup = REFUSED.setup()
    assert lab.log == [(setup, "good"), (setup, "bad-cert"), (setup, "no-cert"), (setup, "good"), "done", "done"]
    assert outcomes(results)[REFUSED.id] == PASS
    assert results[0].controls is not None and results[0].controls.failed == ""


@pytest.mark.parametrize(("number", "end"), [(1, "before:"), (3, "after:")])
def test_a_failed_control_makes_a_rejection_unobserved(lab: FakeLab, number: int, end: str) -> None:
    lab.serves = lambda _setup, stimulus, turn: stimulus.id == "good" and turn != number
    (result,) = run(lab, [REFUSED])
    assert outcomes([result]) == {REFUSED.id: CONTROL_FAILED}
    assert end in result.verdict.reason and "answered 401" in result.verdict.reason


def test_a_failed_control_does_not_excuse_an_acceptance(lab: FakeLab) -> None:
    lab.serves = lambda _setup, stimulus, _turn: stimulus.id != "good"
    assert outcomes(run(lab, [REFUSED])) == {REFUSED.id: (Outcome.FAIL, "accepted")}


def test_an_unseen_control_is_a_failed_one(lab: FakeLab) -> None:
    lab.broken["effects"] = lambda _asked: lab._effects.clear()
    (result,) = run(lab, [REFUSED])
    assert outcomes([result]) == {REFUSED.id: CONTROL_FAILED}


def test_one_failed_control_does_not_touch_other_batches(lab: FakeLab) -> None:
    lab.serves = lambda setup, stimulus, _turn: stimulus.id == "good" and setup.posture is Posture.MTLS
    assert outcomes(run(lab, [REFUSED, JWT_REFUSED])) == {REFUSED.id: PASS, JWT_REFUSED.id: CONTROL_FAILED}


@pytest.mark.parametrize(
    "alone", [GOOD, case("start-refused", posture=Posture.TLS_ONLY, stimulus=Stimulus(transport="start"))]
)
def test_what_has_no_twin_gets_none(lab: FakeLab, alone: Case) -> None:
    (result,) = run(lab, [alone])
    assert result.controls is None
    assert len([entry for entry in lab.log if entry != "done"]) <= 1


def test_the_twin_of_an_mtls_case_behind_a_terminating_balancer_goes_directly(lab: FakeLab) -> None:
    behind = case("flow-broken", path=Path.TERMINATING, stimulus=BAD_CERT)
    run(lab, [behind])
    assert [(entry[0].path, entry[1]) for entry in lab.log if entry != "done"] == [
        (Path.DIRECT, "good"),
        (Path.TERMINATING, "bad-cert"),
        (Path.DIRECT, "good"),
    ]


def test_the_twin_of_a_jwt_case_goes_the_same_way(lab: FakeLab) -> None:
    behind = case("token-refused", posture=Posture.JWT, path=Path.TERMINATING, stimulus=Stimulus(token="bad-token"))
    run(lab, [behind])
    assert {entry[0].path for entry in lab.log if entry != "done"} == {Path.TERMINATING}


def test_the_twin_meets_no_impostor(lab: FakeLab) -> None:
    about = case(
        "token-refused", posture=Posture.JWT, stimulus=Stimulus(transport="j-tls-untrusted"), variant="impostor"
    )
    run(lab, [about])
    assert [entry[0].variant for entry in lab.log if entry != "done"] == ["", "impostor", ""]


def test_a_large_group_is_controlled_in_between(lab: FakeLab) -> None:
    many = [case("certificate-refused", stimulus=Stimulus("bad-cert", f"t{n}")) for n in range(module.BATCH + 1)]
    assert len(run(lab, many)) == module.BATCH + 1
    sent = [entry[1] for entry in lab.log if entry != "done"]
    assert [number for number, name in enumerate(sent) if name == "good"] == [
        0,
        module.BATCH + 1,
        module.BATCH + 2,
        module.BATCH + 4,
    ]


# Setups


def test_a_script_has_its_own_server_and_no_twin(lab: FakeLab) -> None:
    scripts = [
        case("as-scripted", posture=Posture.JWT, stimulus=Stimulus(transport=name), steps=[{"fetches": 0}])
        for name in ("j-cache-hit", "j-cache-expiry")
    ]
    results = run(lab, [*scripts, JWT_REFUSED])
    assert set(outcomes(results).values()) == {PASS}
    assert {setup.own for setup in lab.opened} == {scripts[0].id, scripts[1].id, ""}
    assert [result.controls is None for result in results] == [True, True, False]
    assert {entry[0].own for entry in lab.log if entry != "done"} == {""}


def test_a_fault_is_in_every_setup(lab: FakeLab) -> None:
    run(lab, [GOOD, REFUSED, JWT_REFUSED], fault="lets-in")
    assert {setup.fault for setup in lab.opened} == {"lets-in"}


def test_everything_is_opened_at_once(lab: FakeLab) -> None:
    run(lab, [REFUSED, ELSEWHERE])
    needed = {REFUSED.setup(), ELSEWHERE.setup()}
    assert set(lab.opened) == needed
    assert len(lab.opened) == len(needed)


def test_a_server_that_refuses_to_start(lab: FakeLab) -> None:
    about = case("start-refused", posture=Posture.TLS_ONLY, stimulus=Stimulus(transport="start"))
    lab.refused[about.setup()] = "mtlsValidateClient is false and there is no jwksUrl"
    assert outcomes(run(lab, [about])) == {about.id: PASS}
    assert lab.asked_for_effects == []
    lab.refused.clear()
    assert outcomes(run(lab, [about])) == {about.id: (Outcome.FAIL, "started")}


def test_a_server_that_wrongly_refuses_to_start_is_at_fault_itself(lab: FakeLab) -> None:
    lab.refused[GOOD.setup()] = "both is not supported"
    (result,) = run(lab, [GOOD])
    assert result.verdict.outcome is Outcome.FAIL and "both is not supported" in result.verdict.reason


def test_the_client_under_test_is_driven(lab: FakeLab) -> None:
    about = case("token-sent", stimulus=Stimulus(transport="initiated"))
    assert outcomes(run(lab, [about])) == {about.id: PASS}
    assert [entry[1] for entry in lab.log if entry != "done"] == ["good", "act", "good"]


# Names


def test_nonces_are_opaque_and_never_the_same(lab: FakeLab) -> None:
    run(lab, [REFUSED, JWT_REFUSED, GOOD])
    first = list(lab.nonces)
    assert len(first) == len(set(first)) == 7
    assert all(nonce.startswith("fp-") and nonce[3:].isalnum() and len(nonce) == 23 for nonce in first)
    run(lab, [REFUSED, JWT_REFUSED, GOOD])
    assert lab.nonces[7:] == first
    run(lab, [REFUSED, JWT_REFUSED, GOOD], seed=2)
    assert not set(lab.nonces[14:]) & set(first)


# Failures of the lab


def _raise(error: Exception) -> Any:
    def broken(*_arguments: object) -> None:
        raise error

    return broken


def test_a_lab_that_does_not_open(lab: FakeLab) -> None:
    lab.broken["open"] = _raise(LabError("no ports left", where="embedded"))
    results = run(lab, [GOOD, REFUSED, JWT_REFUSED])
    assert set(outcomes(results).values()) == {LAB} and len(results) == 3
    assert "no ports left" in results[0].verdict.reason
    assert lab.nonces == []


@pytest.mark.parametrize("method", ["send", "views", "effects"])
@pytest.mark.parametrize("error", [LabError("it died"), RuntimeError("it died")])
def test_a_lab_that_fails_under_way(lab: FakeLab, method: str, error: Exception) -> None:
    def broken(about: Any, *_rest: object) -> None:
        setups: list[Setup] = about if isinstance(about, list) else [about]
        if any(setup.posture is Posture.MTLS for setup in setups):
            raise error

    lab.broken[method] = broken
    results = run(lab, [REFUSED, GOOD, JWT_REFUSED])
    found = outcomes(results)
    assert (found[REFUSED.id], found[GOOD.id], found[JWT_REFUSED.id]) == (LAB, LAB, PASS)
    message = next(result.verdict.reason for result in results if result.case is REFUSED)
    assert "it died" in message and ("RuntimeError" in message) == isinstance(error, RuntimeError)


def test_a_report_that_cannot_be_written_ends_the_run(lab: FakeLab) -> None:
    with pytest.raises(ReportError):
        Engine(bench(lab), CLASSES, threads=2).run([REFUSED, JWT_REFUSED], _raise(ReportError("disk full")))


# Many at a time


def test_every_case_has_exactly_one_result(lab: FakeLab) -> None:
    stimuli = [Stimulus("bad-cert", f"t{n}") for n in range(40)]
    cases = [
        case("certificate-refused", posture=posture, flow=flow, stimulus=stimulus)
        for posture in (Posture.MTLS, Posture.BOTH, Posture.DEFAULT)
        for flow in (GOOD.flow, OTHER_FLOW)
        for stimulus in stimuli
    ]
    results = run(lab, cases, threads=4)
    assert len(results) == len(cases) == 240
    assert set(outcomes(results).values()) == {PASS} and len(outcomes(results)) == 240
    assert all(result.ms >= 0 for result in results)


def test_cancelled_before_it_began(lab: FakeLab) -> None:
    engine = Engine(bench(lab), CLASSES)
    engine.cancel()
    engine.run([REFUSED], lambda _result: pytest.fail("a result"))
    assert lab.nonces == []


def test_cancelled_under_way(lab: FakeLab) -> None:
    engine = Engine(bench(lab), CLASSES, threads=1)
    results: list[Result] = []

    def done(result: Result) -> None:
        results.append(result)
        engine.cancel()

    second = case("certificate-refused", stimulus=Stimulus("no-cert"))
    engine.run([REFUSED, second, JWT_REFUSED, ELSEWHERE], done)
    assert set(outcomes(results)) == {REFUSED.id, second.id}


def test_no_thread_is_left(lab: FakeLab) -> None:
    run(lab, [REFUSED, JWT_REFUSED], threads=4)
    assert [thread for thread in threading.enumerate() if thread.name.startswith("hopproof")] == []
