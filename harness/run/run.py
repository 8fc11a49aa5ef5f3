"""A run: catalogue, selection, lab, engine and record brought together.  Decides nothing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from harness import __version__
from harness.catalogue import Catalogue, expand
from harness.catalogue.product import of_product, of_profile
from harness.catalogue.registry import FAULTS, catalogue
from harness.catalogue.selection import select
from harness.checks.claims import gaps, unread
from harness.config import Options
from harness.errors import CannotJudge, HopproofError, UsageError
from harness.judge import conclude
from harness.lab import KeepsLogs, Lab
from harness.model.case import Case, Withheld
from harness.model.claims import Answer, Gap
from harness.model.record import Footer, Header, Likeness, Protection, Row
from harness.model.vocabulary import INTERRUPTED
from harness.probes.live import Bench
from harness.run.capture import RunCapture, started
from harness.run.counting import counted
from harness.run.diagnosis import diagnose
from harness.run.engine import Engine, Result
from harness.run.expectations import UNEXPECTED, Expectations, entries_for
from harness.run.files import FileJudge, of_servers
from harness.run.page_guide import guide
from harness.run.scope import scope
from harness.targets.builtin import Target
from harness.targets.named import target_of
from harness.writers import allure_html, junit, page
from harness.writers.counts import Counts
from harness.writers.protection import protection
from harness.writers.record import Recorder
from harness.writers.rows import missing_row, outcomes, row

Progress = Callable[[Row, int, int], None]


class Run:
    """One run: ``cases`` are those selected; :meth:`start` begins, :meth:`wait` gives a row, :meth:`finish` ends.

    *target* is what is judged, where it is none that *options* could name.
    Raises :class:`UsageError` at once for an unknown fault or a selection that means nothing.
    """

    def __init__(self, options: Options, target: Target | None = None) -> None:
        self.options = options.seeded()
        self.target = target or target_of(options)
        self.profile = options.profile or self.target.profile
        adapted = of_product(self.target.adapt(catalogue()), options.product)
        self.catalogue: Catalogue = of_profile(adapted, self.profile)
        if options.fault and options.fault not in FAULTS:
            raise UsageError(f"unknown fault {options.fault!r}", hint="see hopproof list faults")
        everything, withheld = expand(self.catalogue, {*self.target.features, *self.options.features})
        reasons = {case.id: self.target.withhold(case) for case in everything}
        self._withheld = [*withheld, *(Withheld(case, reasons[case.id]) for case in everything if reasons[case.id])]
        everything = tuple(case for case in everything if not reasons[case.id])
        self._applicable = everything
        self.cases, self._skipped = select(everything, self.options, self._withheld)
        names = [case.id for case in everything]
        self.expectations = Expectations.read(self.options.expected, names)
        self.rows: list[Row] = []
        self.trouble: list[str] = []
        self.notes: list[str] = []
        self.interrupted = False
        self.planned: list[Case] = []
        self.status = 3
        self.answer = Answer.UNTRUSTWORTHY
        self.not_shown: list[Gap] = []
        self._started = time.monotonic()
        self._changed = threading.Condition()
        self._over = False
        self._by_case: dict[str, Row] = {}
        self._failure: HopproofError | None = None
        self._results: list[Result] = []
        self._recorder: Recorder | None = None
        self._capture: RunCapture | None = None
        self._header: Header
        self._engine: Engine | None = None
        self._thread = threading.Thread(target=self._work, name="hopproof-run", daemon=True)
        self.progress: Progress = lambda _row, _done, _planned: None

    def header(self) -> Header:
        """What the record starts with."""
        return {
            "kind": "header",
            "tool": f"hopproof {__version__}",
            "python": ".".join(map(str, sys.version_info[:3])),
            "target": self.options.target,
            "product": self.catalogue.product,
            "profile": self.profile,
            "depth": str(self.options.depth),
            "seed": self.options.seed,
            "fault": self.options.fault or None,
            "only": list(self.options.only),
            "expected": self.options.expected,
            "catalogue_sha256": self.catalogue.sha256,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "planned": [case.id for case in self.planned],
            "counts": self.counts().to_json(),
            "withheld": [item.to_json() for item in self._withheld],
            "skipped": [{"case": case.id, "reason": skip.reason} for case, skip in self._skipped],
            "scope": scope(self.target, self.catalogue, self.profile),
            "claims": [claim.to_json() for claim in self.target.claims],
        }

    def counts(self) -> Counts:
        """How many cases there are, and why not all of them are run."""
        skipped, withheld = [case for case, _ in self._skipped], len(self._withheld)
        return counted(self._applicable, self.planned or self.cases, skipped, withheld, self.options)

    def prepare(self) -> None:
        """Start what must be possible before anything is sent; raises :class:`UsageError` where it is not."""
        if self._capture is None:
            self._capture = started(self.options, own_lab=self.target.own_lab)

    def start(self, planned: Iterable[Case]) -> None:
        """Write the header and begin; raises :class:`UsageError` if the report folder cannot be written."""
        self.planned = list(planned)
        self._header = self.header()
        self.prepare()
        self._recorder = Recorder(self.options.report, self._header)
        for name in (junit.NAME, page.NAME):
            # An earlier run's must not be taken for this one's, should this one be killed.  What is in the way is
            # reported when they are written.
            with suppress(OSError):
                (self.options.report / name).unlink()
        self._thread.start()

    def _work(self) -> None:
        bench: Bench | None = None
        try:
            try:
                if live := [case for case in self.planned if not case.reads_files]:
                    bench = self.target.bench(self.catalogue, self.options.seed)
                    self.notes = bench.notes
                    bench.stimuli.keylog = self._capture.keys if self._capture else None
                    self._engine = Engine(bench, self.catalogue.classes, fault=of_servers(self.options.fault))
                    self._engine.run([] if self.interrupted else live, self._done)
            except CannotJudge as error:  # a server cannot be; the files can all the same
                self._failure = error
            if not self.interrupted:
                judge = FileJudge(self.target.exports, self.catalogue.classes)
                judge.saw(() if self.target.own_lab else self._results, self._failure)
                judge.run(self.planned, self._done, self.options.fault)
        except HopproofError as error:
            self._failure = error
        except Exception as error:  # anything else is a bug of ours, and must be reported as one
            self._failure = HopproofError(f"internal error: {type(error).__name__}: {error}")
        finally:
            try:
                if bench is not None:
                    self._take_down(bench.lab)
            except Exception as error:
                self._failure = self._failure or HopproofError(f"the lab could not be taken down: {error}")
            finally:
                with self._changed:
                    self._over = True
                    self._changed.notify_all()

    def _take_down(self, lab: Lab) -> None:
        try:
            if self._capture is not None:
                self._capture.stop()
                self._capture.judge(self.catalogue.classes, self._engine.run if self._engine else None, self._done)
            self._keep_logs(lab)
        finally:
            lab.close()

    def _keep_logs(self, lab: Lab) -> None:
        """What the servers said, beside the record, if a case did not end as it should."""
        if isinstance(lab, KeepsLogs) and (self._failure or any(not item["as_expected"] for item in self.rows)):
            try:
                lab.keep_logs(self.options.report / "logs")
            except OSError as error:
                self.trouble.append(f"the servers' logs could not be kept: {error}")

    def _done(self, result: Result) -> None:
        if self._capture is not None and self._capture.holds(result):
            return
        self._results.append(result)
        controls = result.controls.to_json() if result.controls else None
        self._add(row(result.case, result.exchange, result.verdict, controls, result.ms))

    def _add(self, item: Row) -> None:
        assert self._recorder is not None
        excuse = self.expectations.excuse(item)
        item["as_expected"], item["known"] = self.expectations.met(item), excuse.to_json() if excuse else None
        item["reason"] += self.expectations.lapsed(item)
        self._recorder.write(item)
        with self._changed:
            self.rows.append(item)
            self._by_case[item["case"]] = item
            self.progress(item, len(self.rows), len(self.planned))
            self._changed.notify_all()

    def wait(self, case: Case) -> Row | None:
        """The row of *case*, once it is written; None when the run ended without one."""
        with self._changed:
            self._changed.wait_for(lambda: case.id in self._by_case or self._over)
            return self._by_case.get(case.id)

    def interrupt(self) -> None:
        """Stop as soon as possible; what did not run gets a row that says so."""
        self.interrupted = True
        if self._engine is not None:
            self._engine.cancel()

    def finish(self) -> int:
        """Wait for the end, complete the record and return the exit status; tells why in ``trouble``."""
        if self._recorder is None:
            return self.status
        self._thread.join()
        try:
            if self._failure is not None:
                self.trouble.append(str(self._failure))
            self._add_missing()
            self._read_capture()
            self._conclude()
            self._write_beside()
            self._recorder.finish(self.footer())
        except HopproofError as error:
            self._recorder.abandon()
            self._distrust(str(error))
        return self.status

    def _conclude(self) -> None:
        left_out = [*self._header["withheld"], *self._header["skipped"]]
        self.not_shown = gaps(self.target.claims, self.rows, left_out, selection=bool(self.options.only))
        if not self.target.own_lab:
            self.not_shown += unread(self.rows)
        interrupted = ["the run was interrupted"] if self.interrupted else []
        found = conclude(
            self.rows,
            (case.id for case in self.planned),
            own_lab=self.target.own_lab,
            gaps=self.not_shown,
            expected_known=self.expectations.known,
            # What is in the target's own way leaves it unshown; it is no reason to distrust the rows.
            trouble=[] if self.cannot_judge else [*interrupted, *self.trouble],
        )
        self.answer, self.status = found.answer, found.status
        if self.cannot_judge and isinstance(self._failure, UsageError):
            self.status = UsageError.exit_status  # the user's input is at fault, which only its use has shown
        self.trouble = list(dict.fromkeys([*self.trouble, *found.trouble] if self.cannot_judge else found.trouble))

    def _read_capture(self) -> None:
        """What the packets show; where they contradict the run, one of the two is wrong and neither is trusted."""
        if self._capture is not None and not self.trouble:
            note, contradictions = self._capture.finish(self.rows)
            self.notes = [*self.notes, note]
            self.trouble.extend(contradictions)

    def _distrust(self, why: str) -> None:
        self.trouble.append(why)
        self.answer, self.status = Answer.UNTRUSTWORTHY, 3

    def _write_beside(self) -> None:
        """Everything but the record itself: what fails here is reported there."""
        folder = self.options.report
        try:
            junit.write(folder, self.rows, self.footer(), strict=self.expectations.known)
            allure_html.complete(folder, self._header, self.footer())
            self._leave_entries(folder / UNEXPECTED)
            page.write(folder, self._header, self.rows, self.footer(), guide())
        except Exception as error:  # a report that cannot be made must not cost the record
            message = error if isinstance(error, HopproofError) else f"a report failed: {type(error).__name__}: {error}"
            self._distrust(str(message))

    def _leave_entries(self, file: Path) -> None:
        """Leave ready-to-edit entries for the rows that no entry foresees."""
        entries = "" if self.cannot_judge else entries_for(self.rows, self.expectations)
        if entries and (self.expectations.known or not self.target.own_lab):
            file.write_text(f"expected:\n{entries}\n", "utf-8")
        else:
            file.unlink(missing_ok=True)

    def _add_missing(self) -> None:
        why = INTERRUPTED if self.interrupted else "the run ended before it ran"
        for case in (case for case in self.planned if case.id not in self._by_case):
            self._add(missing_row(case, case.graded(self.target.grade), why, self.cannot_judge))

    @property
    def cannot_judge(self) -> str:
        """Why the target could not be judged, '' where nothing of its own was in the way."""
        failure = None if self.interrupted else self._failure
        return f"cannot be judged: {failure.what}" if isinstance(failure, CannotJudge | UsageError) else ""

    def footer(self) -> Footer:
        """What the record ends with."""
        return {
            "kind": "footer",
            "cases": len(self.rows),
            "outcomes": outcomes(self.rows),
            "protection": self._protection,
            "idle_exceptions": self.expectations.idle([case.id for case in self.planned]),
            "diagnosis": self._diagnosis,
            "answer": str(self.answer),
            "not_shown": [gap.to_json() for gap in self.not_shown],
            "trustworthy": self.answer is not Answer.UNTRUSTWORTHY,
            "trouble": self.trouble,
            "cannot_judge": bool(self.cannot_judge),
            "notes": self.notes,
            "exit_status": self.status,
            "seconds": round(time.monotonic() - self._started, 3),
        }

    @cached_property
    def _protection(self) -> Protection:
        """What the rows show, once they are all there: page, record and terminal tell the same."""
        return protection(self.rows)

    @cached_property
    def _diagnosis(self) -> list[Likeness]:
        """Worked out once, as the rows are all there."""
        return [] if self.target.own_lab else [found.to_json() for found in diagnose(self.rows)]

    @property
    def seconds(self) -> float:
        """How long the run has taken so far."""
        return time.monotonic() - self._started
