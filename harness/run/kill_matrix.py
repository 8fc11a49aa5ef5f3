"""The kill matrix: every fault against the checks, every check against the reference.  Drives the engine, not pytest.

Why a suite that passes is no evidence, and what is
---------------------------------------------------

A check that always passes looks exactly like a check on a server that conforms.  The only way to tell them apart is to
break the server and watch.  Each fault replaces one decision of a reference subsystem or balancer with a plausible
mistake ("accepts tokens of any age"); for each, the matrix runs the cases of the requirements that the fault breaks,
and of all others that the same setups reach.

* *Killed*: a case of **every** requirement that names the fault turned to FAIL or WRONG_REASON.  One requirement out of
  three is not enough, or the other two could have checks that cannot fail.  HARNESS_ERROR is no kill: a suite that
  falls over has noticed nothing.
* *Survivor*: some requirement stayed green.  Its check is blind, or the fault is not the mistake that it claims to be.
* *Also failed*: a case of another requirement failed.  A server without token checks cannot pass the tests of expiry,
  so this is normal where the fault ``implies`` it.
* *False alarm*: a failure outside the requirements of the fault and of those it implies, or any failure of the unbroken
  reference.  The check reports something that is not there.

The matrix holds only without survivors and without false alarms.  Faults are as small as can be, since a fault that
breaks everything is caught by anything and proves little about one check.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path as FilePath
from typing import Any

from harness.catalogue import Catalogue, expand
from harness.catalogue.registry import FAULTS, catalogue
from harness.errors import UsageError
from harness.model.case import CAPTURE, Case
from harness.model.fault import Fault
from harness.model.kills import Kills
from harness.model.vocabulary import BROKEN, Depth, Outcome, Path
from harness.pki.temporary import prefix
from harness.probes.live import Bench
from harness.run.engine import Engine, Result
from harness.run.files import FileJudge
from harness.run.packets import PacketJudge
from harness.targets.builtin import EMBEDDED
from harness.targets.reference_exports import reference_exports
from harness.wire.packets.reader import read
from harness.wire.packets.recorder import Recorder, between_ephemeral_ports

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Kill:
    """What one fault did.  ``unbroken`` are requirements it should have broken and did not; ``alarms`` false ones."""

    fault: str
    killed_by: tuple[str, ...]
    also_failed: tuple[str, ...]
    unbroken: tuple[str, ...]
    alarms: tuple[str, ...]

    @property
    def killed(self) -> bool:
        """Whether every requirement the fault breaks has a case that caught it."""
        return bool(self.killed_by) and not self.unbroken


@dataclass
class Matrix:
    """All kills, what the reference failed, and where the harness itself failed, which does not count as a kill."""

    kills: list[Kill] = field(default_factory=list)
    reference: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    cases: int = 0
    area: str = ""
    catalogue_sha256: str = ""

    def to_json(self) -> Kills:
        """The contract's form."""
        return {
            "faults": len(self.kills),
            "killed": sum(kill.killed for kill in self.kills),
            "survivors": [kill.fault for kill in self.kills if not kill.killed],
            "false_alarms": self.false_alarms,
            "harness_errors": self.errors,
            "cases": self.cases,
            "area": self.area,
            "catalogue_sha256": self.catalogue_sha256,
            "rows": [
                {
                    "fault": kill.fault,
                    "killed_by": list(kill.killed_by),
                    "also_failed": list(kill.also_failed),
                    "unbroken": list(kill.unbroken),
                }
                for kill in self.kills
            ],
        }

    @property
    def false_alarms(self) -> list[str]:
        """Failures that nothing explains, as ``who: case``."""
        return [f"reference: {case}" for case in self.reference] + [
            f"{kill.fault}: {case}" for kill in self.kills for case in kill.alarms
        ]

    @property
    def holds(self) -> bool:
        """No survivor, no false alarm, no error of our own, and at least one fault."""
        return bool(self.kills) and all(kill.killed for kill in self.kills) and not (self.false_alarms or self.errors)


def matrix(area: str, seed: int, progress: Progress, *, capture: bool = False) -> Matrix:
    """Run the kill matrix for *area* ('' = all); raises :class:`UsageError` for an area without faults.

    With *capture*, cases that are judged from packets are run as well.
    """
    known = catalogue()
    faults = [fault for fault in FAULTS.values() if not area or area in _areas(known, fault)]
    if not faults:
        raise UsageError(f"no fault in area {area!r}", hint="see hopproof list faults")
    everything, _ = expand(known, {*EMBEDDED.features, *([CAPTURE] if capture else [])})
    bench = EMBEDDED.bench(known, seed)
    files = FileJudge(reference_exports, known.classes)
    found = Matrix(area=area, catalogue_sha256=known.sha256)
    try:
        cases = [case for case in everything if not area or case.requirement.area == area]
        for number, fault in enumerate((None, *faults)):
            progress(fault.name if fault else "the reference", number, len(faults))
            affected = [case for case in cases if fault is None or _affected(case, fault)]
            # A fault may break requirements of another area; those cases belong to its proof all the same.
            affected += [
                case
                for case in everything
                if fault
                and fault.name in case.requirement.faults
                and case.reads_files is (fault.where == "files")
                and case not in affected
            ]
            results = _results(bench, files, fault, affected)
            found.cases += len(results)
            who = fault.name if fault else "reference"
            failed = (result for result in results if result.verdict.outcome is Outcome.HARNESS_ERROR)
            found.errors += [f"{who}: {result.case.id}: {result.verdict.reason}" for result in failed]
            if fault is None:
                found.reference = [result.case.id for result in results if result.verdict.outcome is not Outcome.PASS]
            else:
                # What this target cannot run cannot prove anything here.
                withheld = {row.id for row in known.requirements} - {case.requirement.id for case in everything}
                found.kills.append(_kill(known, fault, results, withheld))
                affected = [case for case in affected if not case.reads_files]
                bench.lab.release({case.setup(fault.name) for case in affected} | _controls(affected, fault.name))
    finally:
        bench.lab.close()
    return found


def _areas(known: Catalogue, fault: Fault) -> set[str]:
    return {fault.area} | {row.area for row in known.requirements if fault.name in row.faults}


def _affected(case: Case, fault: Fault) -> bool:
    """Whether *fault* can change what happens in *case* (deep cases only where it is named)."""
    named = fault.name in case.requirement.faults
    if case.reads_files or fault.where == "files":
        return case.reads_files and fault.where == "files"
    if case.depth is Depth.FULL and not named:
        return False
    if fault.where == "balancer":
        return case.path is not Path.DIRECT
    # What a subsystem does wrong it does wrong on every path; one is enough to see what else fails.
    return named or (case.path is Path.DIRECT and bool({case.flow.server.name, case.flow.client} & set(fault.on)))


def _controls(cases: Iterable[Case], fault: str) -> set[Any]:
    return {control for case in cases if (control := case.control(fault)) is not None}


def _results(bench: Bench, files: FileJudge, fault: Fault | None, cases: Sequence[Case]) -> list[Result]:
    """What becomes of *cases*, live ones and files, with *fault*."""
    name = fault.name if fault else ""
    live = [case for case in cases if not case.reads_files]
    engine = Engine(bench, fault=name, classes=files.classes)
    captured = any(case.reads_packets for case in live)
    results = (_captured if captured else _run)(engine, live) if live else []
    files.run(cases, results.append, name)
    return results


def _run(engine: Engine, cases: Sequence[Case]) -> list[Result]:
    results: list[Result] = []
    lock = threading.Lock()

    def done(result: Result) -> None:
        with lock:
            results.append(result)

    engine.run(cases, done)
    return results


def _captured(engine: Engine, cases: Sequence[Case]) -> list[Result]:
    """What becomes of *cases*, of those that packets judge once these were captured.

    On a busy machine the kernel drops packets of a capture: what they did not show is captured once more.
    """
    results = _once_captured(engine, cases)
    unseen = {
        result.case.id
        for result in results
        if result.case.reads_packets and result.verdict.outcome is Outcome.UNOBSERVED
    }
    if not unseen:
        return results
    again = _once_captured(engine, [case for case in cases if case.id in unseen])
    return [result for result in results if result.case.id not in unseen] + again


def _once_captured(engine: Engine, cases: Sequence[Case]) -> list[Result]:
    with tempfile.TemporaryDirectory(prefix=prefix("mutants")) as folder:
        recorder = Recorder(FilePath(folder) / "run.pcap", "lo", between_ephemeral_ports())
        try:
            results = _run(engine, cases)
            recorder.stop()
        finally:
            recorder.end()
        judged = [result for result in results if not result.case.reads_packets]
        held = [result for result in results if result.case.reads_packets]
        PacketJudge(read([str(recorder.file)]), engine.classes, recorder.dropped).run(held, judged.append)
    return judged


def _with_implied(name: str) -> set[str]:
    """*name*, every fault whose symptoms it shows as well, and the requirements (globs) these say they touch."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting.extend(FAULTS[current].implies if current in FAULTS else ())
    return found


def _kill(known: Catalogue, fault: Fault, results: Iterable[Result], withheld: Collection[str] = ()) -> Kill:
    breaks = [requirement for requirement in known.breaks(fault.name) if requirement not in withheld]
    implied = _with_implied(fault.name)
    explained = {requirement for name in implied for requirement in known.breaks(name)}
    explained |= {row.id for row in known.requirements if any(fnmatchcase(row.id, glob) for glob in implied)}
    failed = sorted((r.case.id, r.case.requirement.id) for r in results if r.verdict.outcome in BROKEN)
    caught = {requirement for _, requirement in failed}
    return Kill(
        fault.name,
        killed_by=tuple(case for case, requirement in failed if requirement in breaks),
        also_failed=tuple(case for case, requirement in failed if requirement not in breaks),
        unbroken=tuple(requirement for requirement in breaks if requirement not in caught),
        alarms=tuple(case for case, requirement in failed if requirement not in explained),
    )
