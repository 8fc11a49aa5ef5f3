"""Runs cases: one case's journey, many at a time.  Decides nothing; the judge does.

Twins and controls
------------------

A rejection alone proves nothing.  A server that is down, that sits behind a firewall, or whose clock is an hour off
rejects every bad credential too, and a suite that only counted rejections would pass it.  So every case that expects a
rejection has a *positive twin*: the same request with nothing wrong.  Two kinds of twin exist.

* The *control* is the good request.  It is sent before and after a batch of cases, to the same entrypoint, with the
  same posture and flow.  If either was not served, what came between them is UNOBSERVED ("control-failed"), however
  promising the refusals look.  The closing control catches a server that the batch itself has upset: a rate limiter
  that woke up, a lock-out after too many bad tokens.
* A class may have a nearer twin.  A certificate below an expired intermediate CA differs from the good certificate in
  two things: there is an intermediate, and it has expired.  Its twin is a certificate below a sound intermediate
  (``via-intermediate``).  A server that takes no intermediates at all refuses both, and its refusal of the expired one
  says nothing about expiry.  The nearer twin is tried once a setup, and remembered.

An *acceptance* needs no twin: a server that lets a bad credential in has failed, whatever else it does.

The batch
---------

The unit of work is a batch: cases of one flow that share a setup, between an opening and a closing control.  Requests
go out one after the other; what balancer and server recorded is collected afterwards, when it has long arrived, so that
no case waits for a record.  Batches run side by side.  Each case uses a new TCP connection and no TLS session of
another case, unless that is the stimulus: the connection's port pair is what ties the client's view to the server's.

Dropped connections
-------------------

A server of somebody else's may drop a connection that has nothing to do with the case: HAProxy 2.6 closes one client's
connection after another client's bad signature (HAProxy issue 2643).  Taken at its word, that fails a good token, and
passes for the rejection of a bad certificate.  So a case whose connection ended with neither an alert nor a response is
tried once more, with a request of its own; where that one ends otherwise it counts, and row and run say so.  Our own
lab gets no second try: there a dropped connection is a defect.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from harness.checks import Question
from harness.errors import CannotJudge, LabError
from harness.judge import Controls, judge
from harness.lab import ConfigurationRefused, Entrypoint
from harness.model.case import Case, Setup, Stimulus
from harness.model.catalogue import CataloguedClass
from harness.model.exchange import Exchange
from harness.model.params import Params
from harness.model.verdict import Verdict
from harness.model.vocabulary import INTERRUPTED, Grade, Outcome
from harness.probes.attempt import Attempt
from harness.probes.live import Bench

BATCH = 32
# More threads than cores: a thread waits for the other side most of the time.
THREADS = 4


@dataclass(frozen=True)
class Result:
    """A case with its evidence and verdict; ``ms`` is what its own exchange took, ``began`` its time.time() before."""

    case: Case
    exchange: Exchange
    controls: Controls | None
    verdict: Verdict
    ms: float
    began: float = 0.0


@dataclass(frozen=True)
class _Batch:
    setup: Setup
    control: Setup | None
    cases: tuple[Case, ...]


class Engine:
    """Runs cases on a bench.  *fault* is put into whatever it applies to; *threads* 1 runs strictly in order."""

    def __init__(
        self, bench: Bench, classes: Mapping[str, CataloguedClass], *, fault: str = "", threads: int = THREADS
    ) -> None:
        self._bench, self.classes, self._fault, self._threads = bench, classes, fault, threads
        self._stop = threading.Event()
        self._dropped: list[str] = []

    def cancel(self) -> None:
        """Send nothing more: what is under way is reported as interrupted, the rest yields nothing."""
        self._stop.set()

    def run(self, cases: Iterable[Case], done: Callable[[Result], None]) -> None:
        """Run *cases*; *done* gets each result, from several threads, once its batch's closing control has run.

        A failure of the lab becomes the HARNESS_ERROR of the cases it met.
        """
        batches = list(self._batches(cases))
        try:
            needed = [setup for batch in batches for setup in (batch.setup, batch.control) if setup is not None]
            entrypoints = self._bench.lab.open(needed)
        except LabError as error:
            for batch in batches:
                self._report_failure(batch, error, done)
            return
        with ThreadPoolExecutor(self._threads, thread_name_prefix="hopproof") as pool:
            for _ in pool.map(lambda batch: self._guarded(batch, entrypoints, done), batches):
                continue
        if self._dropped:
            self._bench.notes.append(
                "a server closed connections without an alert or a response and answered when tried again "
                f"({len(self._dropped)}, the first in {self._dropped[0]}): it does not answer reliably"
            )

    def _batches(self, cases: Iterable[Case]) -> Iterator[_Batch]:
        groups: defaultdict[tuple[Setup, Setup | None, str], list[Case]] = defaultdict(list)
        for case in cases:
            groups[case.setup(self._fault), case.control(self._fault), case.flow.name].append(case)
        for (setup, control, _), members in groups.items():
            for start in range(0, len(members), BATCH):
                yield _Batch(setup, control, tuple(members[start : start + BATCH]))

    def _guarded(
        self,
        batch: _Batch,
        entrypoints: Mapping[Setup, Entrypoint | ConfigurationRefused],
        done: Callable[[Result], None],
    ) -> None:
        if self._stop.is_set():
            return
        try:
            results = self._run_batch(batch, entrypoints)
        except Exception as error:  # a bug of ours in one batch must not pass for silence
            self._report_failure(batch, error, done)
            return
        for result in results:
            done(result)

    def _report_failure(self, batch: _Batch, error: Exception, done: Callable[[Result], None]) -> None:
        text = str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
        # A source of tokens that dries up is its owner's; it is no failure of the lab.
        exchange = (
            Exchange("", extra={"unmade": text}) if isinstance(error, CannotJudge) else Exchange("", lab_fault=text)
        )
        for case in batch.cases:
            done(Result(case, exchange, None, judge(self._question(case, exchange)), 0.0))

    def _run_batch(self, batch: _Batch, entrypoints: Mapping[Setup, Entrypoint | ConfigurationRefused]) -> list[Result]:
        bench, entrypoint = self._bench, entrypoints[batch.setup]
        control = _control_case(batch) if batch.control else None
        attempts: list[tuple[Case, Attempt, float, float]] = []
        ends: list[Attempt] = []
        if control and batch.control:
            ends.append(self._attempt(control, entrypoints[batch.control], f"{batch.cases[0].id} opening"))
        for case in batch.cases:
            if self._stop.is_set():
                raise LabError(INTERRUPTED)
            began, started = time.time(), time.perf_counter()
            attempt = self._attempt(case, entrypoint)
            attempts.append((case, attempt, (time.perf_counter() - started) * 1000, began))
        if control and batch.control:
            ends.append(self._attempt(control, entrypoints[batch.control], f"{batch.cases[0].id} closing"))
        asked = [
            setup for setup in (batch.setup, batch.control) if setup and isinstance(entrypoints[setup], Entrypoint)
        ]
        effects = bench.lab.effects(asked)
        controls = None
        if control and batch.control:
            controls = Controls(*(self._control(control, end, effects.get(batch.control)) for end in ends))
        own = effects.get(batch.setup)
        return [
            self._result(case, bench.exchange(attempt, own), controls, ms, began)
            for case, attempt, ms, began in attempts
        ]

    def _attempt(self, case: Case, entrypoint: Entrypoint | ConfigurationRefused, role: str = "") -> Attempt:
        """One try; a second one where a server of somebody else's dropped the connection."""
        attempt = self._bench.attempt(case, entrypoint, role)
        if self._bench.lab.grade is not Grade.CLIENT_ONLY or not attempt.dropped:
            return attempt
        again = self._bench.attempt(case, entrypoint, role)
        if again.client is None or again.dropped:
            return attempt
        self._dropped.append(case.id)
        return replace(again, extra={**again.extra, "dropped_before": True})

    def _control(self, control: Case, attempt: Attempt, effects: Collection[str] | None) -> str:
        verdict = judge(self._question(control, self._bench.exchange(attempt, effects)))
        return "" if verdict.outcome is Outcome.PASS else verdict.reason

    def _result(self, case: Case, exchange: Exchange, controls: Controls | None, ms: float, began: float) -> Result:
        verdict = judge(self._question(case, exchange), controls)
        return Result(case, exchange, controls, verdict, round(ms, 2), began)

    def _question(self, case: Case, exchange: Exchange) -> Question:
        return Question(case, exchange, self.classes, self._bench.lab.grade, self._bench.dialect)


def _control_case(batch: _Batch) -> Case:
    """The positive twin of the batch's cases: the same flow and posture with nothing wrong."""
    first: Sequence[Case] = batch.cases
    assert batch.control is not None
    return replace(first[0], path=batch.control.path, stimulus=Stimulus(), expected="served", params=Params())
