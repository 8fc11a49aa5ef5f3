"""Runs as a user starts them: exit statuses, records that are whole, interruptions, and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.tests.command import PATIENCE, ROOT, Running, hopproof, python
from harness.tests.conftest import SEED, Finished
from harness.writers import record
from harness.writers.rows import canonical

RUN = ("run", "--report", "report")


def quiet(errors: str) -> bool:
    return "Traceback" not in errors and "INTERNALERROR" not in errors


def test_a_run_that_conforms(conforming: Finished) -> None:
    assert conforming.process.returncode == 0, conforming.process.stdout + conforming.process.stderr
    assert quiet(conforming.process.stderr)
    header, rows, footer = record.read(conforming.report)
    assert sorted(header["planned"]) == sorted(item["case"] for item in rows)
    assert (
        rows and {item["outcome"] for item in rows} == {"PASS"} and {item["requirement"] for item in rows} == {"FLW-5"}
    )
    assert (footer["exit_status"], footer["trustworthy"], footer["cases"]) == (0, True, len(rows))
    assert str(header["seed"]) == SEED
    message = conforming.process.stdout
    assert "says nothing yet about your deployment" in message.partition("cases")[0]
    assert "the selected cases conform (exit status 0)" in message and "Next: " in message.splitlines()[-1]


def test_progress_is_reported(conforming: Finished) -> None:
    count = len(record.read(conforming.report)[1])
    message = [line.strip() for line in conforming.process.stdout.splitlines() if line.endswith(f"/{count} cases")]
    assert message == [f"{done}/{count} cases" for done in range(1, count + 1)]


def test_the_same_seed_gives_the_same_report_whatever_the_environment_adds(
    conforming: Finished, tmp_path: Path
) -> None:
    again = hopproof(
        *("run", "--only", "FLW-5", "--seed", SEED, "--report", "report"),
        cwd=tmp_path,
        PYTEST_ADDOPTS="-k nothing --maxfail=1 -p no:logging",
        PYTEST_PLUGINS="no_such_plugin",
    )
    assert again.returncode == 0, again.stdout + again.stderr
    first, second = record.read(conforming.report), record.read(tmp_path / "report")
    assert canonical(first[1]) == canonical(second[1])
    assert first[0]["planned"] == second[0]["planned"]
    nonces = [{item["case"]: item["evidence"]["nonce"] for item in rows} for _, rows, _ in (first, second)]
    assert nonces[0] == nonces[1]


def test_a_fault_is_caught(tmp_path: Path) -> None:
    found = hopproof("run", "--fault", "ignores-token", "--only", "JWT-3", "--report", "report", cwd=tmp_path)
    assert found.returncode == 1, found.stdout + found.stderr
    header, rows, footer = record.read(tmp_path / "report")
    assert header["fault"] == "ignores-token" and footer["exit_status"] == 1 and footer["trustworthy"]
    assert Counter(item["outcome"] for item in rows)["FAIL"] > 0
    assert "ignores-token" in found.stdout and "does not conform (exit status 1)" in found.stdout
    assert "hopproof explain" in found.stdout.splitlines()[-1]


def test_pytest_on_the_suites_gives_the_same_rows(conforming: Finished, tmp_path: Path) -> None:
    report = tmp_path / "report"
    found = python("-m", "pytest", "suites", "-k", "FLW-5 and not CERTIFICATE", f"--hopproof-report={report}", cwd=ROOT)
    assert found.returncode == 0, found.stdout + found.stderr
    assert canonical(record.read(report)[1]) == canonical(record.read(conforming.report)[1])


def test_pytest_xdist_is_refused(tmp_path: Path) -> None:
    found = python("-m", "pytest", "suites", "-n", "2", "-k", "FLW-5", f"--hopproof-report={tmp_path}", cwd=ROOT)
    assert found.returncode != 0
    assert "do not use pytest-xdist" in found.stdout + found.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_report_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    found = hopproof("run", "--only", "FLW-5", "--report", "file/report", cwd=tmp_path)
    assert (found.returncode, quiet(found.stderr)) == (2, True)


def test_replay(conforming: Finished) -> None:
    case = record.read(conforming.report)[1][0]["case"]
    found = hopproof("replay", case.replace("/", "__"), "--report", str(conforming.report), cwd=conforming.report)
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.splitlines()[-1] == "then PASS (as required), now PASS (as required)"
    header, rows, _ = record.read(conforming.report / "replay")
    assert [item["case"] for item in rows] == [case]
    assert str(header["seed"]) == SEED


def test_a_reader_who_has_seen_enough(tmp_path: Path) -> None:
    running = Running([*RUN, "--only", "FLW-5"], tmp_path)
    assert running.process.stdout is not None and running.process.stderr is not None
    running.process.stdout.close()
    errors = running.process.stderr.read()
    running.process.stderr.close()
    assert (running.process.wait(PATIENCE), quiet(errors)) == (0, True)
    assert record.read(tmp_path / "report")


# Half-way

MANY = (*RUN, "--only", "flows/FLW-2/management-to-portal", "--only", "flows/JWT-1")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def begin(*arguments: str) -> Running:
        if not Path("/proc/self/environ").exists():
            pytest.skip("needs /proc")
        started.append(Running(arguments, tmp_path))
        return started[-1]

    yield begin
    for running in started:
        running.give_up()


def left_nothing(running: Running) -> bool:
    return not running.marked() and not running.folders() and not (running.report / ".run.jsonl.part").exists()


def test_interrupted(start: Callable[..., Running]) -> None:
    running = start(*MANY)
    running.until_rows()
    assert len(running.marked()) == 3 and len(running.folders()) == 1
    running.process.send_signal(signal.SIGINT)
    status, output, errors = running.end()
    assert status == 3 and quiet(errors)
    assert left_nothing(running)
    header, rows, footer = record.read(running.report)
    assert {item["case"] for item in rows} == set(header["planned"])
    outcomes = Counter(item["outcome"] for item in rows)
    assert outcomes["PASS"] and outcomes["HARNESS_ERROR"] and set(outcomes) == {"PASS", "HARNESS_ERROR"}
    assert footer["trustworthy"] is False and footer["trouble"][0] == "the run was interrupted"
    assert "the run is not trustworthy (exit status 3)" in output
    assert "not run (the run was interrupted)" in output and "HARNESS_ERROR" not in output
    assert output.splitlines()[-1].startswith("Next: hopproof run --only ")


def test_ended_and_interrupted_while_ending(start: Callable[..., Running]) -> None:
    running = start(*MANY)
    running.until_rows()
    folders = running.folders()
    running.process.send_signal(signal.SIGTERM)
    threading.Event().wait(0.05)  # nothing shows that the first signal was taken
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGINT)
    status, _, errors = running.end()
    left = left_nothing(running)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    assert status == 3 and quiet(errors) and left
    assert record.read(running.report)[2]["trustworthy"] is False


@pytest.mark.parametrize("module", ["harness.subsystems", "mitm_addons.balancer"])
def test_a_process_of_the_lab_that_is_killed(start: Callable[..., Running], module: str) -> None:
    running = start(*MANY)
    running.until_rows()
    (victim,) = (pid for pid, command in running.marked().items() if f"-m {module}" in command)
    os.kill(victim, signal.SIGKILL)
    status, output, errors = running.end()
    assert status == 3 and quiet(errors)
    assert left_nothing(running)
    header, rows, footer = record.read(running.report)
    assert {item["case"] for item in rows} == set(header["planned"])
    failed = [item for item in rows if item["outcome"] == "HARNESS_ERROR"]
    assert failed and any(module in item["reason"] for item in failed)
    assert {item["outcome"] for item in rows} <= {"PASS", "HARNESS_ERROR"}
    assert footer["trustworthy"] is False and "HARNESS_ERROR" in json.dumps(footer["trouble"])
    assert "not trustworthy" in output


def test_serve(start: Callable[..., Running]) -> None:
    running = start("serve", "--flow", "management-to-portal")
    message = running.until_told("Press Ctrl-C to stop")
    assert "curl " in message and str(running.folders()[0]) in message
    assert len(running.marked()) == 3
    running.process.send_signal(signal.SIGINT)
    status, _, errors = running.end()
    assert (status, errors) == (0, "")
    assert left_nothing(running)


def test_serve_one_product(start: Callable[..., Running]) -> None:
    running = start("serve", "--product", "microservices")
    message = running.until_told("Press Ctrl-C to stop")
    assert "identity-provider: " in message and "/oauth2/token" in message
    assert "management-to-" not in message and "client-to-mtls-" not in message
    running.process.send_signal(signal.SIGINT)
    assert running.end()[0] == 0


def test_serve_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    for flags in (("--product", "nope"), ("--product", "apk", "--flow", "client-to-service")):
        finished = hopproof("serve", *flags, cwd=tmp_path)
        assert (finished.returncode, finished.stdout) == (2, "") and quiet(finished.stderr)


def test_a_capture_that_cannot_be_made_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    for flags, message in (("--capture", "neither is on PATH"), ("--keylog", "belongs to --capture")):
        finished = hopproof(*RUN, "--only", "FLW-5", flags, cwd=tmp_path)
        assert (finished.returncode, finished.stdout) == (2, "") and quiet(finished.stderr)
        assert message in finished.stderr
        assert not (tmp_path / "report" / "run.jsonl").exists()
