"""pytest glue: hands the collected cases to the engine, lets each test wait for its own verdict.  Judges nothing.

A suite's test takes the fixture ``verdict``; it is parameterised over the cases of the folder it stands in.  Options
are those of ``hopproof run``; given to pytest itself they carry the prefix ``--hopproof-``.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import allure
import pytest
from allure_commons.types import ParameterMode

from harness.catalogue.glossary import sent
from harness.checks import CHECKS
from harness.config import OPTIONS, refuse_former_names, resolve
from harness.errors import HopproofError, UsageError
from harness.model.case import Case
from harness.model.record import Row
from harness.model.vocabulary import BROKEN, Outcome
from harness.run.run import Run
from harness.writers.findings import known_words
from harness.writers.summary import Console

RUN = pytest.StashKey[Run]()
PROGRESS = pytest.StashKey[Console]()


class HarnessError(Exception):
    """A case ended in HARNESS_ERROR: neither passed nor failed."""


class Verdict:
    """The verdict of one case, as a test sees it."""

    def __init__(self, case: Case, row: Row | None, sent: Sequence[str] = ()) -> None:
        self.case, self.row, self.sent = case, row, sent

    def hold(self) -> None:
        """Pass, fail, skip or break, as the row says."""
        if self.row is None:
            raise HarnessError("the run ended without a row for this case")
        dynamic: Any = allure.dynamic  # no annotations; what a fixture sets of these would not last
        dynamic.title(self.case.id)
        dynamic.description(_description(self.case, self.row, self.sent))
        outcome, reason = self.row["outcome"], self.row["reason"]
        if excuse := self.row.get("known"):
            pytest.skip(f"{known_words(excuse)}: {reason}")
        if outcome in BROKEN:
            pytest.fail(f"{outcome}: {reason}", pytrace=False)
        if outcome == Outcome.HARNESS_ERROR:
            raise HarnessError(reason)
        if outcome != Outcome.PASS:
            pytest.skip(f"{outcome}: {reason}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of ``hopproof run``."""
    group = parser.getgroup("hopproof")
    for option in OPTIONS:
        group.addoption(f"--hopproof-{option.flag}", dest=f"hopproof_{option.name}", **option.arguments())


def pytest_configure(config: pytest.Config) -> None:
    """Resolve options and catalogue before anything is collected."""
    if hasattr(config, "workerinput") or config.getoption("numprocesses", None):
        raise pytest.UsageError("the engine already runs cases in parallel: do not use pytest-xdist (-n)")
    if RUN in config.stash:
        return
    flags = {option.name: config.getoption(f"hopproof_{option.name}") for option in OPTIONS}
    try:
        refuse_former_names(Path.cwd(), os.environ)
        run = Run(resolve(flags, Path.cwd()))
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[RUN] = run


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parameterise ``verdict`` over the selected cases of the suite's own folder."""
    if "verdict" in metafunc.fixturenames:
        area = metafunc.definition.path.parent.name
        cases = [case for case in metafunc.config.stash[RUN].cases if case.requirement.area == area]
        metafunc.parametrize("verdict", cases, ids=[case.id for case in cases], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Drop the placeholder pytest makes for a suite of which no case is selected."""
    items[:] = [item for item in items if _case(item) or "verdict" not in getattr(item, "fixturenames", ())]


@pytest.fixture
def verdict(request: pytest.FixtureRequest) -> Verdict:
    """The verdict of the case this test stands for; waits until it is there."""
    run = request.config.stash[RUN]
    case: Case = request.param
    row = run.wait(case)
    if row is None:
        return Verdict(case, None)
    _label(run.catalogue.product, case, row)
    return Verdict(case, row, () if case.reads_files else tuple(sent(run.catalogue, case)))


def _description(case: Case, row: Row, sent: Sequence[str]) -> str:
    """What the requirement asks, where it is written, what is sent, what must happen, and the steps of a script."""
    asked = [*(f"- {line}" for line in sent), f"- what must happen: {CHECKS[case.expected].summary}"]
    steps = [f"{number}. {step}" for number, step in enumerate(case.params.script, start=1)]
    parts = [case.requirement.text, f"{row['source']} ({row['basis']})", "\n".join(asked), "\n".join(steps)]
    return "\n\n".join(part for part in parts if part)


@dataclass(frozen=True)
class _Plain:
    """A text that Allure shows without quotes: of anything but a string it shows the ``repr``."""

    text: str

    def __repr__(self) -> str:
        return self.text


def _label(product: str, case: Case, row: Row) -> None:
    dynamic: Any = allure.dynamic  # its methods carry no annotations
    dynamic.epic(product)
    dynamic.feature(case.flow.name)
    dynamic.story(case.requirement.id)
    dynamic.severity(allure.severity_level.CRITICAL if row["level"] == "MUST" else allure.severity_level.NORMAL)
    dynamic.tag(row["outcome"], row["posture"], row["path"], row["stimulus"])
    # The fixture's own parameter tells one case's history from another's, and says nothing that the title does not.
    dynamic.parameter("verdict", case, mode=ParameterMode.HIDDEN)
    words = {"path": row["path"], "authentication": row["modes"] or row["posture"], "sent": row["stimulus"]}
    for name, value in words.items():
        dynamic.parameter(name, _Plain(value), excluded=True)
    allure.attach(json.dumps(row, indent=1), name="row", attachment_type=allure.attachment_type.JSON)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A suite that cannot be collected must not look like one that has no cases."""
    if report.failed:
        pytest.exit(f"{report.nodeid}: {report.longreprtext}", returncode=3)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the engine on exactly what was collected."""
    run = session.config.stash[RUN]
    planned = [case for item in session.items if (case := _case(item))]
    if session.config.getoption("collectonly") or not planned:
        return
    console = session.config.stash.setdefault(PROGRESS, Console())
    run.progress = console.progress
    try:
        console.begin(run.header(), len(planned))
        run.start(planned)
    except HopproofError as error:
        raise pytest.UsageError(str(error)) from error


def _case(item: pytest.Item) -> Case | None:
    param = getattr(getattr(item, "callspec", None), "params", {}).get("verdict")
    return param if isinstance(param, Case) else None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Complete the record; the exit status is the run's, not pytest's."""
    run = session.config.stash.get(RUN, None)
    if run is None or not run.planned:
        return
    # Taking down takes a moment; a second Ctrl-C in it would leave processes and keys behind.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        if exitstatus == pytest.ExitCode.INTERRUPTED:
            run.interrupt()
        session.exitstatus = run.finish()
    finally:
        signal.signal(signal.SIGINT, before)
    session.config.stash[PROGRESS].end(run.header(), run.rows, run.footer(), run.options.report)
