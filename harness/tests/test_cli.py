"""The command line: what it refuses with status 2 and without a traceback, and the forms that others read."""

from __future__ import annotations

import json
import os
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import cli, commands
from harness.catalogue.registry import FAULTS, catalogue
from harness.cli import VERBS, main
from harness.model.vocabulary import Level
from harness.model.vocabulary import Path as FlowPath
from harness.tests.builders import row
from harness.tests.command import PATIENCE, ROOT, environment, python
from harness.tests.conftest import Finished
from harness.writers import junit, record

Call = Callable[..., int]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """Calls ``main`` in an empty folder; gives the exit status."""
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)

    def called(*arguments: str) -> int:
        try:
            return main(arguments)
        except SystemExit as end:  # argparse ends this way, the entry point too
            assert isinstance(end.code, int)
            return end.code

    yield called
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no-such-verb"],
        ["lint"],
        ["run", "--target", "the-moon"],
        ["run", "--target", "no-such-file.yaml"],
        ["run", "--fault", "no-such-fault"],
        ["run", "--only", "no-such-case"],
        ["run", "--only", "FLW-5", "--only", "no-such-case"],
        ["run", "--only", "JWT-13-STRUCTURE"],
        ["run", "--skip", "FLW-5"],
        ["run", "--skip", "no-such-case=why"],
        ["run", "--skip", "*=all of it"],
        ["run", "--seed", "seven"],
        ["run", "--seed", "-1"],
        ["run", "--seed", str(2**31)],
        ["run", "--depth", "deep"],
        ["run", "--colour"],
        ["run", "surplus"],
        ["list"],
        ["list", "planets"],
        ["explain"],
        ["explain", "FLW-99"],
        ["explain", "FLW-3", "--target", "nowhere"],
        ["explain", "flows/FLW-5/no/such/case/good"],
        ["mutants", "--area", "no-such-area"],
        ["report", "nowhere"],
        ["report", "."],
        ["report", ".", "--format", "carvings"],
        ["replay", "a/case", "--report", "nowhere"],
        ["replay", "a/case"],
    ],
    ids=" ".join,
)
def test_refused(call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert call(*arguments) == 2
    message = capsys.readouterr()
    assert message.err.startswith(("hopproof: ", "usage: hopproof")) and message.out == ""
    assert "Traceback" not in message.err
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "text", ["depth = ", "speed = 3", "seed = -1", "target = 'the-moon'", "fault = 'no-such-fault'"]
)
def test_a_bad_file_of_options(call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (tmp_path / "hopproof.toml").write_text(text, "utf-8")
    assert call("run") == 2
    assert capsys.readouterr().err.startswith("hopproof: ")


def test_an_error_says_what_to_try(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    call("run", "--fault", "no-such-fault")
    assert capsys.readouterr().err == ("hopproof: unknown fault 'no-such-fault'\n  try: see hopproof list faults\n")


def test_version(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--version") == 0
    assert capsys.readouterr().out.startswith("hopproof 0.")


def test_an_interruption_while_the_verbs_are_imported(
    call: Call, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "import_module", interrupted)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert call("list", "faults") == 3
    assert capsys.readouterr().err == "hopproof: interrupted before there was a result\n"


def test_a_second_interruption_does_not_stop_the_taking_down() -> None:
    interruptions = cli._Interruptions()
    with pytest.raises(KeyboardInterrupt):
        interruptions.take(signal.SIGINT, None)
    interruptions.take(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        interruptions.take(signal.SIGINT, None)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_interpreter_ends_changes_no_status(number: int) -> None:
    program = f"""
import os, sys
from harness.cli import main

class Late:
    def __del__(self, kill=os.kill, pid=os.getpid()):
        kill(pid, {int(number)})  # when Python has put signals back to their defaults

late = Late()
sys.argv = ["hopproof", "explain", "FLW-1"]
sys.exit(main())
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (ended.returncode, ended.stderr) == (0, "") and "FLW-1" in ended.stdout


def test_a_reader_that_has_gone_is_no_failure() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "harness", "list", "cases"]
    ended = subprocess.run(
        command, stdout=writer, stderr=subprocess.PIPE, cwd=ROOT, env=environment(), text=True, check=False
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_broken_pipe_that_is_not_our_output_is_no_result(tmp_path: Path) -> None:
    """Such as that of a process of ours that has ended: status 0 would say that something conforms."""
    lines = ("import sys", "from harness import cli", "def broken(_): raise BrokenPipeError", "cli._run = broken")
    ended = python("-c", "\n".join([*lines, "sys.exit(cli.main())"]), cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert ended.returncode == 3 and "ended early: there is no result" in ended.stderr


def test_what_takes_long_to_import_is_imported_where_an_interruption_is_caught(tmp_path: Path) -> None:
    heavy = "('harness.', 'cryptography', 'pytest')"
    code = f"import sys, harness.cli; print(sorted(name for name in sys.modules if name.startswith({heavy})))"
    assert python("-c", code, cwd=tmp_path, PYTHONPATH=str(ROOT)).stdout == "['harness.cli', 'harness.errors']\n"


# Lists


@pytest.fixture
def listed(call: Call, capsys: pytest.CaptureFixture[str]) -> Callable[[str], list[dict[str, Any]]]:
    def rows(what: str) -> list[dict[str, Any]]:
        assert call("list", what, "--json") == 0
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
        assert found or what == "features"
        return found

    return rows


Listed = Callable[[str], list[dict[str, Any]]]


def test_list_cases(listed: Listed) -> None:
    rows = listed("cases")
    for item in rows:
        assert {"id", "requirement", "level", "flow", "posture", "path", "stimulus", "withheld"} <= set(item)
        assert item["withheld"] is None or item["withheld"].strip()
    known = catalogue()
    assert {item["requirement"] for item in rows} == {requirement.id for requirement in known.requirements}
    assert {item["flow"] for item in rows} <= set(known.flows) | {"exports"}
    assert {item["path"] for item in rows} == set(FlowPath)
    assert len({item["id"] for item in rows}) == len(rows)


def test_list_requirements(listed: Listed) -> None:
    rows = listed("requirements")
    for item in rows:
        assert {"id", "level", "basis", "source", "cases", "faults"} <= set(item)
        assert item["source"] and (item["faults"] or item["level"] != "MUST")
    assert {item["level"] for item in rows} <= set(Level)
    assert sum(item["cases"] for item in rows) == sum(item["withheld"] is None for item in listed("cases"))


def test_list_faults(listed: Listed) -> None:
    rows = listed("faults")
    known = {requirement.id for requirement in catalogue().requirements}
    for item in rows:
        assert {"name", "area", "breaks", "summary"} <= set(item)
        assert item["summary"] and item["breaks"] and set(item["breaks"]) <= known
    assert {item["name"] for item in rows} == set(FAULTS)


def test_list_flows_and_features(listed: Listed) -> None:
    assert {item["flow"] for item in listed("flows")} == set(catalogue().flows) | {"exports"}
    assert all({"feature", "requirements"} <= set(item) for item in listed("features"))


@pytest.mark.parametrize("what", ["cases", "requirements", "faults", "flows"])
def test_a_line_each(call: Call, listed: Listed, capsys: pytest.CaptureFixture[str], what: str) -> None:
    count = len(listed(what))
    assert call("list", what) == 0
    assert len(capsys.readouterr().out.splitlines()) == count


def test_explain(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    known = catalogue()
    requirement = next(item for item in known.requirements if item.id == "FLW-3")
    for name in ("FLW-3", "flows/FLW-3", "flows/FLW-3/management-to-portal/mtls/terminating/good"):
        assert call("explain", name) == 0
        text = capsys.readouterr().out
        assert all(word in text for word in (requirement.text, requirement.why, str(requirement.source)))
        assert all(fault in text for fault in requirement.faults)


def test_a_script_is_explained_step_by_step(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    case = "microservices/STS-13/order-processing-to-inventory/jwt/direct/x-encrypted"
    assert call("explain", case) == 0
    text = capsys.readouterr().out
    assert "set up as: encrypted" in text
    assert " 6. call the server with sealed, then served\n" in text
    assert "as the real client does (token good)" not in text


def test_a_reader_who_has_seen_enough() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "list", "cases", "--json"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == b"[\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(PATIENCE) == 0


# Records


def test_report_writes_junit_again(
    call: Call, capsys: pytest.CaptureFixture[str], conforming: Finished, tmp_path: Path
) -> None:
    for location in (conforming.report, conforming.report / record.NAME):
        (conforming.report / junit.NAME).unlink()
        assert call("report", str(location), "--format", "junit") == 0
        assert capsys.readouterr().out.strip() == str(conforming.report / junit.NAME)
        assert (conforming.report / junit.NAME).exists()


WHOLE = [
    {"kind": "header", "seed": 1, "target": "embedded", "fault": None, "planned": [row()["case"]]},
    row(),
    {"kind": "footer", "cases": 1},
]
BROKEN = [
    pytest.param("not json", id="no JSON"),
    pytest.param("", id="empty"),
    pytest.param("".join(json.dumps(line) + "\n" for line in WHOLE[:-1]), id="no footer"),
    pytest.param("".join(json.dumps(line) + "\n" for line in WHOLE)[:-3], id="cut"),
    pytest.param('{"kind":"header"}\n{"kind":"row"}\n{"kind":"footer"}\n', id="empty row"),
]


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("verb", [["report"], ["replay", row()["case"], "--report"]], ids=lambda verb: verb[0])
def test_a_broken_record(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: list[str], text: str
) -> None:
    (tmp_path / record.NAME).write_text(text, "utf-8")
    assert call(*verb, str(tmp_path)) == 2
    assert capsys.readouterr().err.startswith("hopproof: ")
    assert os.listdir(tmp_path) == [record.NAME]


def test_a_case_that_is_not_in_the_record(call: Call, conforming: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("replay", "flows/FLW-5/no/such/case/good", "--report", str(conforming.report)) == 2
    assert "no case" in capsys.readouterr().err


def test_every_module_with_a_verb_is_dispatched_to() -> None:
    found = {item.name for item in pkgutil.iter_modules(commands.__path__)} - {"verb"}
    assert sorted(VERBS) == sorted(found)
