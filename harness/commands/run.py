"""``hopproof run``: judges a target.  pytest does the running; the plugin is handed the run resolved here."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness import paths
from harness.commands.verb import Arguments, Verbs, verb
from harness.config import OPTIONS, Options, resolve
from harness.errors import HopproofError, UsageError
from harness.plugin import RUN
from harness.probes.intrusiveness import intrusiveness
from harness.products.registry import reference
from harness.run.run import Run
from harness.targets.single_service import Service, of_flags
from harness.writers.folder import report_folder

_SERVICE = (
    "ca",
    "audience",
    "issuer",
    "jwks",
    "cert",
    "key",
    "token_env",
    "connect",
    "client_ca",
    "client_ca_key",
    "subject",
)


def add(verbs: Verbs) -> None:
    """Add ``run``."""
    run = verb(verbs, "run", _run, "judge a target, by default the built-in reference subsystems")
    for option in OPTIONS:
        run.add_argument(f"--{option.flag}", **option.arguments())
    _service_flags(run)


def _service_flags(run: argparse.ArgumentParser) -> None:
    """The flags of ``hopproof run`` for a server that is not ours."""
    run.add_argument("--dry-run", action="store_true", help="list what would be sent, and send nothing")
    one = run.add_argument_group("one service, without a target file")
    one.add_argument("--url", help="https://host:port/path of a request that succeeds")
    one.add_argument("--connect", metavar="HOST:PORT", help="connect to this address instead of the URL's host")
    one.add_argument("--ca", metavar="FILE", help="the CA that the server's certificate chains to")
    one.add_argument("--audience", metavar="AUD", help="the audience (aud) of its tokens")
    one.add_argument("--issuer", metavar="ISS", help="the issuer (iss) of its tokens")
    one.add_argument(
        "--jwks", metavar="ours|URL|FILE", help="the service's JWKS; ours: served by Hopproof on 127.0.0.1:9901"
    )
    one.add_argument("--token-env", metavar="NAME", help="an environment variable that holds one good token")
    one.add_argument("--cert", metavar="FILE", help="the client's certificate")
    one.add_argument("--key", metavar="FILE", help="its key")
    one.add_argument("--client-ca", metavar="FILE", help="the CA that issued it, if not --ca")
    one.add_argument(
        "--client-ca-key", metavar="FILE", help="that CA's key (labs only), so that every bad certificate can be made"
    )
    one.add_argument("--subject", metavar="DN", help="the subject DN of the only client that the service accepts")


def _run(arguments: Arguments) -> int:
    flags = {option.name: getattr(arguments, option.name) for option in OPTIONS}
    options = _at(arguments, resolve(flags, Path.cwd()))
    try:
        run = Run(options)
    except UsageError as error:
        if arguments.url is None:
            raise
        raise of_flags(error, Path(options.target)) from error
    return _dry_run(run) if arguments.dry_run else execute(run)


def execute(run: Run) -> int:
    """Run pytest on the suites, on nothing but our own configuration; returns the exit status."""
    options = run.options
    report_folder(options.report)  # before anything is started
    run.prepare()
    # Whatever the environment would add could deselect cases or change what a test does.
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    suites = str(paths.SUITES)
    folders = [str(folder) for folder in reference().suites]
    results = str(options.report / "allure-results")
    allure = ["-p", "allure_pytest.plugin", "--alluredir", results, "--clean-alluredir"]
    # Nothing is captured: progress is printed while a test waits for its row.
    own = ["-c", f"{suites}/pytest.ini", "--rootdir", suites, "--capture=no"]
    status = pytest.main([*own, *allure, *folders], plugins=[_Injected(run), _Quiet()])
    if not run.planned:
        return 2 if status == pytest.ExitCode.USAGE_ERROR else 3
    left_out = {case.id for case in run.cases} - {case.id for case in run.planned}
    if left_out:
        raise HopproofError(f"{len(left_out)} selected cases were not planned, such as {min(left_out)}")
    return run.status


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


def _at(arguments: Arguments, options: Options) -> Options:
    """*options*, with the target file that ``--url`` and its companions stand for."""
    given = {name: getattr(arguments, name) for name in _SERVICE if getattr(arguments, name)}
    if arguments.url is None:
        if given:
            raise UsageError(f"--{min(given).replace('_', '-')} belongs to --url")
        return options
    if arguments.target:
        raise UsageError("--url and --target name different targets", hint="use one of them")
    return replace(options, target=str(Service(arguments.url, **{"ca": "", **given}).write(options.report)))


def _dry_run(run: Run) -> int:
    """List what *run* would send."""
    for case in run.cases:
        stimulus = case.stimulus
        if case.reads_files:
            print(f"{case.id}: reads files, sends nothing")  # noqa: T201
            continue
        flow, parts = case.flow, (stimulus.certificate, stimulus.token, stimulus.transport)
        certificate, token, transport = parts
        authority = run.target.authorities.get(flow.server.name, flow.server.host)
        print(  # noqa: T201
            f"{case.id}: {flow.method} https://{authority}{flow.path} certificate={certificate} token={token} "
            f"transport={transport} effect={intrusiveness(case)}"
        )
    counts = Counter(str(intrusiveness(case)) for case in run.cases)
    message = ", ".join(f"{number} {name}" for name, number in counts.items())
    print("\n".join(run.counts().lines()))  # noqa: T201
    print(f"In this run: {message}, and their controls. Nothing was sent.")  # noqa: T201
    return 0
