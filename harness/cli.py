"""The command ``hopproof``: verbs only; what they do is elsewhere."""

from __future__ import annotations

import argparse
import functools
import json
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.utils import CryptographyDeprecationWarning

from harness import __version__, paths
from harness.catalogue.registry import catalogue
from harness.commands import lint, packets, target
from harness.commands.inspect import InspectOptions, inspect
from harness.commands.list import LISTS
from harness.commands.serve import serve
from harness.config import OPTIONS, Options, refuse_former_names, resolve, validated
from harness.errors import HopproofError, UsageError
from harness.lab.reference import OwnLab
from harness.plugin import RUN
from harness.products.registry import reference
from harness.run.kill_matrix import Matrix, matrix
from harness.run.page_guide import guide
from harness.run.run import Run
from harness.targets import builtin
from harness.writers import allure_html, conformance, junit, page, record
from harness.writers.folder import report_folder

Arguments = argparse.Namespace


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb; returns the exit status (contract: 0, 1, 2, 3).  Never a traceback for bad input."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    # What is odd about a certificate that somebody uses is no news to a user, and is no sentence of ours.
    warnings.filterwarnings("ignore", "Parsed a (negative serial number|serial number)", CryptographyDeprecationWarning)
    warnings.filterwarnings("ignore", "Attribute's length must be", UserWarning)
    arguments = _parser().parse_args(argv)
    try:
        refuse_former_names(Path.cwd(), os.environ)
        verb: Callable[[Arguments], int] = arguments.verb
        return verb(arguments)
    except HopproofError as error:
        print(f"hopproof: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_status
    except BrokenPipeError:
        # Whoever read our output has seen enough; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("hopproof: interrupted; nothing was judged", file=sys.stderr)  # noqa: T201
        return 3


def _as_interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hopproof",
        description="Proves that every flow between subsystems is protected the way its documentation says.",
        epilog="Exit status: 0 conforms; 1 a MUST is broken; 2 usage or configuration; 3 not shown or not trustworthy.",
    )
    parser.add_argument("--version", action="version", version=f"hopproof {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    run = _verb(verbs, "run", _run, "judge a target, by default the built-in reference subsystems")
    for option in OPTIONS:
        run.add_argument(f"--{option.flag}", **option.arguments())
    target.add_flags(run)
    show = _verb(verbs, "list", _list, "what there is to judge")
    show.add_argument("what", choices=list(LISTS))
    show.add_argument("--json", action="store_true")
    words = _verb(verbs, "explain", _explain, "a requirement or a case in words")
    words.add_argument("id")
    words.add_argument("--target", metavar="FILE", help="as it is for this target file")
    words.add_argument("--report", type=Path, metavar="DIR", help="as it was for the target of this record")
    kill = _verb(verbs, "mutants", _mutants, "the kill matrix: prove that every check can fail")
    kill.add_argument("--area", default="", help="only the faults of one area")
    kill.add_argument("--json", action="store_true")
    kill.add_argument("--report", type=Path, metavar="DIR", help="also write mutants.json there, for the page")
    up = _verb(verbs, "serve", _serve, "bring the reference topology up: addresses, files, curl lines")
    up.add_argument("--flow", default="", help="only this flow")
    up.add_argument("--target", choices=["embedded", "containers"], default="embedded")
    form = _verb(verbs, "report", _report, "write a report from a record")
    form.add_argument("dir", type=Path, metavar="DIR")
    form.add_argument("--format", choices=list(_FORMATS), default="page")
    look = _verb(verbs, "inspect", _inspect, "watch a flow's traffic: every exchange is marked as it passes")
    look.add_argument("--flow", help="which flow (default the first)")
    look.add_argument("--target", default="embedded", help="embedded (default), or a target file: its server behind")
    look.add_argument("--posture", default="", help="how our own server is configured (default jwt)")
    look.add_argument("--fault", default="", metavar="NAME", help="put a known fault into the server, to see it marked")
    look.add_argument("--ui", choices=["web", "console", "none"], default="none")
    look.add_argument("--port", type=int, default=8443, help="where web and console listen (default 8443)")
    look.add_argument("--web-port", type=int, default=8081, help="where mitmweb's own page is (default 8081)")
    look.add_argument("--rules", type=Path, metavar="FILE", help="payload rules (YAML)")
    look.add_argument("--record", type=Path, metavar="DIR", help="keep redacted .mitm and HAR recordings there")
    look.add_argument("--save", type=Path, metavar="FILE", help="only write the session, for mitmweb -s inspector.py")
    look.add_argument("--as-client", action="store_true", help="show the server the client's own certificate")
    look.add_argument("--exercise", action="store_true", help="send good and bad requests through it, to have some")
    target.add_verbs(functools.partial(_verb, verbs))
    lint.add_verbs(functools.partial(_verb, verbs))
    packets.add_verb(functools.partial(_verb, verbs))
    again = _verb(verbs, "replay", _replay, "one case of a record once more, with a fresh twin")
    again.add_argument("case", metavar="CASE")
    again.add_argument("--report", type=Path, metavar="DIR", required=True)
    again.add_argument(
        "--write", type=Path, metavar="FOLDER", help="write its token and certificate there, and print a line of curl"
    )
    return parser


def _verb(verbs: Any, name: str, function: Callable[[Arguments], int], text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(verb=function)
    return parser


class _Injected:
    """Gives the pytest plugin the run that was resolved here."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[RUN] = self._run

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        if isinstance(excinfo.value, pytest.exit.Exception):
            print(f"hopproof: {excinfo.value.msg}", file=sys.stderr)  # noqa: T201


class _Quiet:
    """Takes pytest's own report off the terminal, once pytest has put it there."""

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.unregister(name="terminalreporter")


def _run(arguments: Arguments) -> int:
    flags = {option.name: getattr(arguments, option.name) for option in OPTIONS}
    options = target.at(arguments, resolve(flags, Path.cwd()))
    return target.dry_run(Run(options)) if arguments.dry_run else execute(Run(options))


def execute(run: Run) -> int:
    """Run pytest on the suites, on nothing but our own configuration; returns the exit status."""
    options = run.options
    report_folder(options.report)  # before anything is started
    # Whatever the environment would add could deselect cases or change what a test does.
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    suites = str(paths.SUITES)
    folders = [str(folder) for folder in reference().suites]
    results = str(options.report / "allure-results")
    allure = ["-p", "allure_pytest.plugin", "--alluredir", results, "--clean-alluredir"]
    # Nothing is captured: progress is told while a test waits for its row.
    own = ["-c", f"{suites}/pytest.ini", "--rootdir", suites, "--capture=no"]
    status = pytest.main([*own, *allure, *folders], plugins=[_Injected(run), _Quiet()])
    if not run.planned:
        return 2 if status == pytest.ExitCode.USAGE_ERROR else 3
    left_out = {case.id for case in run.cases} - {case.id for case in run.planned}
    if left_out:
        raise HopproofError(f"{len(left_out)} selected cases were never planned, such as {min(left_out)}")
    return run.status


def _list(arguments: Arguments) -> int:
    rows = LISTS[arguments.what]()
    if arguments.json:
        print(json.dumps(rows, indent=1))  # noqa: T201
    else:
        for row in rows:
            print("  ".join(str(value) for value in row.values() if value not in (None, [], "")))  # noqa: T201
    return 0


def _explain(arguments: Arguments) -> int:
    print(target.explained(arguments))  # noqa: T201
    return 0


def _serve(arguments: Arguments) -> int:
    known, end, lab = catalogue(), threading.Event(), None
    try:
        lab = builtin.find(arguments.target).bench(known, 0).lab
        assert isinstance(lab, OwnLab)
        serve(known, lab, arguments.flow, lambda line: print(line, flush=True), end)  # noqa: T201
    except KeyboardInterrupt:
        return 0
    finally:
        # Taking containers down takes a moment; a second Ctrl-C in it would leave some of them.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        if lab is not None:
            lab.close()
        signal.signal(signal.SIGINT, before)
    return 0


def _mutants(arguments: Arguments) -> int:
    found = matrix(arguments.area, Options().seeded().seed, _mutant_progress(arguments.json))
    text = json.dumps(found.to_json(), indent=1)
    if arguments.report:
        _write(arguments.report / "mutants.json", text)
    print(text if arguments.json else _matrix_in_words(found))  # noqa: T201
    return 3 if found.errors else 0 if found.holds else 1


def _mutant_progress(quiet: bool) -> Callable[[str, int, int], None]:
    def told(what: str, number: int, total: int) -> None:
        if not quiet:
            print(f"  {number}/{total} {what}", flush=True)  # noqa: T201

    return told


def _matrix_in_words(found: Matrix) -> str:
    lines = []
    for kill in found.kills:
        state = (
            f"killed by {len(kill.killed_by)} cases"
            if kill.killed
            else f"SURVIVES (unbroken: {', '.join(kill.unbroken)})"
        )
        lines.append(f"{kill.fault}: {state}, also failed: {len(kill.also_failed)}")
    lines += [f"false alarm: {text}" for text in found.false_alarms]
    lines += [f"harness error: {text}" for text in found.errors]
    facts = found.to_json()
    lines.append(
        f"{facts['faults']} faults, {facts['killed']} killed, {len(facts['survivors'])} survivors, "
        f"{len(facts['false_alarms'])} false alarms; {found.cases} cases"
    )
    return "\n".join(lines)


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", where=str(file), hint="name another folder") from error


def _report(arguments: Arguments) -> int:
    folder = arguments.dir if arguments.dir.is_dir() else arguments.dir.parent
    print(_FORMATS[arguments.format](folder, record.read(arguments.dir)))  # noqa: T201
    return 0


_FORMATS: dict[str, Callable[[Path, record.Record], Path]] = {
    "page": lambda folder, read: page.write(folder, *read, guide()),
    "allure": lambda folder, read: allure_html.generate(folder, read[0], read[2]),
    "junit": lambda folder, read: junit.write(folder, read[1], read[2], strict=bool(read[0].get("expected"))),
    "conformance": lambda folder, read: conformance.write(folder, *read, (folder / record.NAME).read_bytes()),
}


def _inspect(arguments: Arguments) -> int:
    requested = InspectOptions(**{name: value for name, value in vars(arguments).items() if name != "verb"})
    return inspect(requested, lambda line: print(line, flush=True))  # noqa: T201


def _replay(arguments: Arguments) -> int:
    header, rows, _ = record.read(arguments.report)
    requested = arguments.case.replace("__", "/")
    old = next((row for row in rows if row["case"] == requested), None)
    if old is None:
        raise UsageError(f"no case {requested!r} in the record", where=str(arguments.report))
    folder = arguments.report if arguments.report.is_dir() else arguments.report.parent
    recorded = {name: header[name] for name in ("fault", "seed", "target") if header.get(name) is not None}
    options = validated({**recorded, "only": [requested], "depth": "full", "report": str(folder / "replay")})
    if arguments.write:
        options = replace(options, keep=target.kept(requested, options, arguments.write))
    status = execute(Run(options))
    _, again, _ = record.read(folder / "replay")
    print(f"then {old['outcome']} ({old['reason']}), now {again[0]['outcome']} ({again[0]['reason']})")  # noqa: T201
    if arguments.write:
        print(target.written(again[0], arguments.write))  # noqa: T201
    return status
