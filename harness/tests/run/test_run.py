"""A whole run on a lab that runs nothing: its record, and how it fails closed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.catalogue.registry import catalogue
from harness.config import Options, Skip
from harness.errors import LabError, ReportError, UsageError
from harness.probes import live
from harness.run import run as module
from harness.run.run import Run
from harness.targets import builtin
from harness.targets.builtin import EMBEDDED
from harness.tests.fakes import FakeLab, bench
from harness.writers import record

Make = Callable[..., Run]


class Lab(FakeLab):
    """A fake that can be closed, or cannot."""

    closed = 0

    def close(self) -> None:
        """Count it."""
        self.closed += 1
        self._break("close")


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    made = Lab()
    target = replace(EMBEDDED, bench=lambda _catalogue, seed: bench(made, seed))
    monkeypatch.setattr(live, "send", made.send)
    monkeypatch.setattr(module, "target_of", lambda _name: target)
    return made


@pytest.fixture
def make(lab: Lab, tmp_path: Path) -> Make:
    def made(*only: str, **options: Any) -> Run:
        return Run(Options(only=only or ("FLW-5",), seed=7, report=tmp_path / "report", **options))

    return made


def finished(run: Run) -> int:
    run.start(run.cases)
    return run.finish()


def raising(error: Exception) -> Callable[..., Any]:
    def broken(*_arguments: object) -> Any:
        raise error

    return broken


def test_a_run_that_conforms(lab: Lab, make: Make, tmp_path: Path) -> None:
    run = make()
    message: list[tuple[str, int, int]] = []
    run.progress = lambda item, done, planned: message.append((item["case"], done, planned))
    assert finished(run) == 0
    header, rows, footer = record.read(tmp_path / "report")
    planned = [case.id for case in run.cases]
    assert header["planned"] == planned and len(planned) > 3
    assert (header["seed"], header["target"], header["depth"], header["fault"]) == (7, "embedded", "quick", None)
    assert header["only"] == ["FLW-5"]
    assert sorted(item["case"] for item in rows) == sorted(planned) == sorted(name for name, _, _ in message)
    assert [(done, count) for _, done, count in message] == [(n + 1, len(planned)) for n in range(len(planned))]
    assert (footer["cases"], footer["exit_status"], footer["trustworthy"], footer["trouble"]) == (
        len(planned),
        0,
        True,
        [],
    )
    assert footer["outcomes"]["PASS"] == len(planned)
    assert (tmp_path / "report" / "junit.xml").exists()
    assert lab.closed == 1


def test_a_run_that_does_not(lab: Lab, make: Make, tmp_path: Path) -> None:
    lab.serves = lambda _setup, _stimulus, _number: False
    assert finished(make()) == 1
    assert record.read(tmp_path / "report")[2]["exit_status"] == 1


def test_what_was_skipped_is_in_the_header(make: Make, tmp_path: Path) -> None:
    run = make("FLW-5", "FLW-1", skip=(Skip("FLW-1", "known"),))
    run.start(run.cases[:1])
    run.finish()
    header, rows, _ = record.read(tmp_path / "report")
    assert header["skipped"] and {item["reason"] for item in header["skipped"]} == {"known"}
    assert all("/FLW-1/" in item["case"] for item in header["skipped"])
    assert header["planned"] == [rows[0]["case"]]


def test_an_unknown_fault(make: Make) -> None:
    with pytest.raises(UsageError, match="no-such-fault"):
        make(fault="no-such-fault")


def test_a_report_folder_that_cannot_be_written(lab: Lab, make: Make, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("in the way", "utf-8")
    run = make()
    with pytest.raises(UsageError, match="cannot be written"):
        run.start(run.cases)
    assert run.finish() == 3
    assert lab.closed == 0


# Fail closed


def test_a_bench_that_cannot_be_had_leaves_no_lab(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    monkeypatch.setattr(builtin, "embedded_lab", lambda *_: lab)
    monkeypatch.setattr(builtin, "Stimuli", raising(OSError("disk full")))
    monkeypatch.setattr(builtin, "HeldTokenIssuer", SimpleNamespace(of=lambda *_: None, others=lambda *_: None))
    for name in ("pki", "folder"):
        monkeypatch.setattr(lab, name, Path(), raising=False)
    with pytest.raises(OSError, match="disk full"):
        builtin.embedded_bench(catalogue(), 1)
    assert lab.closed == 1


def test_a_lab_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch, make: Make, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "target_of", lambda _name: replace(EMBEDDED, bench=raising(LabError("no ports left"))))
    run = make()
    assert finished(run) == 3
    _, rows, footer = record.read(tmp_path / "report")
    assert {item["outcome"] for item in rows} == {"HARNESS_ERROR"} and len(rows) == len(run.cases)
    assert any("no ports left" in text for text in footer["trouble"]) and footer["trustworthy"] is False


def test_an_error_of_usage_under_way_is_reported(monkeypatch: pytest.MonkeyPatch, make: Make) -> None:
    monkeypatch.setattr(module, "target_of", lambda _name: replace(EMBEDDED, bench=raising(UsageError("no such host"))))
    run = make()
    assert finished(run) == 2
    assert any("no such host" in text for text in run.trouble)


def test_a_bug_of_ours_is_reported_as_one(monkeypatch: pytest.MonkeyPatch, make: Make) -> None:
    monkeypatch.setattr(module, "target_of", lambda _name: replace(EMBEDDED, bench=raising(ZeroDivisionError("x"))))
    run = make()
    assert finished(run) == 3
    assert any("internal error: ZeroDivisionError" in text for text in run.trouble)


def test_a_record_that_cannot_be_written_under_way(monkeypatch: pytest.MonkeyPatch, make: Make, tmp_path: Path) -> None:
    run = make()
    run.start([])
    monkeypatch.setattr(record.Recorder, "write", raising(ReportError("disk full")))
    run.planned = list(run.cases)
    assert run.finish() == 3
    assert any("disk full" in text for text in run.trouble)
    assert list((tmp_path / "report").iterdir()) == []


def test_the_record_says_what_the_command_does(make: Make, tmp_path: Path) -> None:
    (tmp_path / "report" / "junit.xml").mkdir(parents=True)
    assert finished(make()) == 3
    footer = record.read(tmp_path / "report")[2]
    assert (footer["exit_status"], footer["trustworthy"]) == (3, False)


def test_nothing_planned(make: Make) -> None:
    assert make().finish() == 3


def test_interrupted(lab: Lab, make: Make, tmp_path: Path) -> None:
    run = make("FLW-5", "FLW-1")
    run.progress = lambda _item, done, _planned: run.interrupt() if done == 1 else None
    assert finished(run) == 3
    _, rows, footer = record.read(tmp_path / "report")
    assert footer["trouble"][0] == "the run was interrupted"
    assert len(rows) == len(run.cases)
    assert {item["reason"] for item in rows if item["outcome"] == "HARNESS_ERROR"} == {"interrupted before it ran"}
    assert lab.closed == 1


def test_interrupted_before_it_began(lab: Lab, make: Make) -> None:
    run = make()
    run.interrupt()
    assert finished(run) == 3
    assert lab.nonces == []


# Waiting


def waits(run: Run) -> tuple[threading.Event, threading.Event]:
    """Waits for the last case in another thread: set when it is about to, and when that is over."""
    begun, over = threading.Event(), threading.Event()

    def wait() -> None:
        with run._changed:
            begun.set()
            run.wait(run.cases[-1])
        over.set()

    threading.Thread(target=wait, daemon=True).start()
    return begun, over


def release(run: Run) -> None:
    """Let go of whoever still waits."""
    with run._changed:
        run._changed.notify_all()


def test_a_row_is_waited_for(lab: Lab, make: Make) -> None:
    run, go = make(), threading.Event()
    lab.broken["open"] = lambda: go.wait(10)
    run.start(run.cases)
    begun, over = waits(run)
    assert begun.wait(10) and not over.is_set()
    go.set()
    assert over.wait(10)
    found = run.wait(run.cases[-1])
    assert found is not None and found["case"] == run.cases[-1].id
    run.finish()


def test_a_row_that_never_comes(make: Make) -> None:
    run = make()
    run.start(run.cases[:1])
    assert run.wait(run.cases[-1]) is None
    run.finish()


def test_the_end_is_reported_whatever_the_thread_still_does(make: Make) -> None:
    run, linger = make(), threading.Event()

    def work() -> None:
        run._work()
        linger.wait(10)

    run._thread = threading.Thread(target=work, daemon=True)
    run.start(run.cases[:1])
    _, over = waits(run)
    try:
        assert over.wait(0.5)
    finally:
        linger.set()
        run.finish()
        release(run)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_end_is_reported_even_if_the_lab_cannot_be_closed(lab: Lab, make: Make) -> None:
    run, begun = make(), threading.Event()

    def close() -> None:
        begun.wait(10)
        with run._changed:  # free again once the other waits
            raise OSError("busy")

    lab.broken["close"] = close
    run.start(run.cases[:1])
    begins, over = waits(run)
    begins.wait(10)
    begun.set()
    try:
        assert over.wait(0.5)
    finally:
        run.finish()
        release(run)
