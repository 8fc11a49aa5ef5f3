"""How a run is compared with the right verdict on a server."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tools.interop import shapes
from tools.interop.field import FIELD
from tools.interop.verdicts import RunResult, Verdict, differences, runs

TABLES = (FIELD / "expected.yaml", FIELD / "servers" / "expected.yaml")


def row(name: str, outcome: str = "FAIL", level: str = "MUST") -> dict[str, Any]:
    requirement, _, stimulus = name.partition("/")
    return {"requirement": requirement, "stimulus": stimulus, "outcome": outcome, "level": level}


def result(*rows: dict[str, Any], exit_status: int = 1, seconds: float = 1.0, text: str = "") -> RunResult:
    return RunResult(exit_status, rows, seconds, text)


RIGHT, BROKEN = Verdict((0,)), Verdict((1,), fails=("PKI-16-ANCHOR",))
KNOWN = Verdict((0,), known={"JWT-13-KEY-ID/*": "a hint only"})


@pytest.mark.parametrize(
    ("verdict", "seen"),
    [
        (RIGHT, result(row("A/x", "PASS"), *[row("A/y", "UNOBSERVED")] * 3, exit_status=0)),
        (BROKEN, result(row("PKI-16-ANCHOR/ta-unknown-ca"), row("FLW-2/other"))),
        (Verdict((1,), fails=("X|PKI-*/ta-*",)), result(row("PKI-16-ANCHOR/ta-unknown-ca"))),
        (KNOWN, result(row("JWT-13-KEY-ID/kid-case", level="SHOULD"), exit_status=0)),
        (Verdict((2, 3), says=("Clock",)), result(exit_status=3, text="the clock is wrong")),
        (Verdict((1,), spares=("STS-5",)), result(row("STS-5-ISSUER/x"))),
    ],
)
def test_what_is_right_differs_in_nothing(verdict: Verdict, seen: RunResult) -> None:
    assert differences(verdict, seen) == []


@pytest.mark.parametrize(
    ("verdict", "seen", "said"),
    [
        (RIGHT, result(exit_status=1), "exit 1, not 0"),
        (RIGHT, result(row("A/x", level="SHOULD"), exit_status=0), "fails without a reason: A/x"),
        (RIGHT, result(*[row("A/x", "UNOBSERVED")] * 4, exit_status=0), "4 UNOBSERVED, not 3 at most"),
        (RIGHT, result(exit_status=0, seconds=101.0), "took 101 s, not 100 at most"),
        (RIGHT, result(row("A/x", "HARNESS_ERROR"), exit_status=0), "1 HARNESS_ERROR"),
        (BROKEN, result(row("PKI-16-ANCHOR/x", "PASS")), "PKI-16-ANCHOR does not fail"),
        (BROKEN, result(row("PKI-16-ANCHOR/x", level="SHOULD")), "PKI-16-ANCHOR does not fail"),
        (KNOWN, result(exit_status=0), "JWT-13-KEY-ID/* no longer fails"),
        (Verdict((3,), says=("clock",)), result(exit_status=3), "does not say 'clock'"),
        (Verdict((1,), spares=("STS-5",)), result(row("STS-5/x", "WRONG_REASON")), "STS-5 fails: STS-5/x"),
        (Verdict((2,)), result(exit_status=2, text="Traceback (most recent call last):"), "says 'Traceback"),
    ],
)
def test_what_differs_is_reported(verdict: Verdict, seen: RunResult, said: str) -> None:
    (found,) = differences(verdict, seen)
    assert found.startswith(said)


@pytest.mark.parametrize("file", TABLES, ids=("cases", "servers"))
def test_each_table_names_what_exists(file: Any) -> None:
    found = list(runs(yaml.safe_load(file.read_text("utf-8"))))
    assert len({run.name for run in found}) == len(found)
    for run in found:
        assert run.shape in shapes.SHAPES
        assert (FIELD / "targets" / f"{run.target}.yaml").exists()
        for server in run.servers:
            folder = file.parent / run.case.partition("@")[0]
            (name,) = (value for key, value in server.items() if key != "port")
            assert (folder / name).resolve().is_file(), f"{run.name}: {name}"


@pytest.mark.parametrize("file", TABLES, ids=("cases", "servers"))
def test_what_is_broken_names_the_requirement(file: Any) -> None:
    for run in runs(yaml.safe_load(file.read_text("utf-8"))):
        if run.verdict.exit == (1,) and not run.verdict.known:
            assert run.verdict.fails, run.name


def test_a_run_that_went_wrong_is_explained() -> None:
    unobserved = {"case": "tokens/A/y", "reason": "the connection was closed", "evidence": {"client": {"closed": True}}}
    seen = result(row("A/x", "PASS"), {**row("A/y", "UNOBSERVED"), **unobserved})
    assert list(seen.explained()) == ['UNOBSERVED tokens/A/y: the connection was closed: {"closed": true}']
    assert list(result(text="no such file").explained()) == ["no record; printed: no such file"]
