"""Judges files: the cases that send nothing.  Decides nothing; the judge does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from harness.catalogue.registry import FAULTS
from harness.checks import CHECKS, Question
from harness.errors import DemandsCertificate, HopproofError
from harness.judge import judge
from harness.model.case import GOOD, Case
from harness.model.catalogue import CataloguedClass
from harness.model.exchange import Exchange
from harness.model.verdict import LET_IN
from harness.model.vocabulary import Grade, Path
from harness.probes.exports import Done, Exports
from harness.run.engine import Result

Source = Callable[[str], Exports]
"""The files of a product."""


def of_servers(fault: str) -> str:
    """*fault*, where servers have it; '' for one that files have."""
    return "" if fault and FAULTS[fault].where == "files" else fault


def _presented_alone(case: Case) -> tuple[bool, bool] | None:
    """Which one good credential (certificate, token) the client of a case had that was to be served; None for another.

    With both, or over a balancer, a refusal has many causes.
    """
    certificate, token = case.stimulus.certificate == GOOD, case.stimulus.token == GOOD
    plain = case.path is not Path.TERMINATING and case.stimulus.transport == GOOD and not case.params.variant
    return (certificate, token) if case.expected == "served" and plain and certificate != token else None


class FileJudge:
    """Judges the file cases of one target; *fault* is looked for in the files that have it.

    They come last: files must not promise what a live case has disproved.
    """

    def __init__(self, source: Source | None, classes: Mapping[str, CataloguedClass]) -> None:
        self._source, self.classes = source, classes
        self._exports: dict[str, Exports] = {}
        self._servers = Done()

    def saw(self, results: Iterable[Result], obstacle: HopproofError | None) -> None:
        """Take note of live cases, and of the *obstacle* to them: files must not promise what they disprove."""
        for result in results:
            case, code = result.case, result.verdict.code
            shows = CHECKS[case.expected].shows if case.expected in CHECKS else ""
            if shows and code in LET_IN:
                self._servers.let_in.setdefault(case.flow.name, case.id)
            if (alone := _presented_alone(case)) and code == "not-served":
                self._servers.turned_away.setdefault(
                    (case.flow.name, *alone), f"{case.id} turned a client away with it"
                )
        if isinstance(obstacle, DemandsCertificate):
            self._servers.turned_away.setdefault((obstacle.flow, False, True), obstacle.what)
        if obstacle is not None:
            self._servers.unseen = f"the servers cannot be judged: {obstacle.what}"

    def run(self, cases: Iterable[Case], done: Callable[[Result], None], fault: str = "") -> None:
        """Judge those of *cases* that read files; *done* gets each result.

        What cannot be read becomes the HARNESS_ERROR of its cases.
        """
        for case in (case for case in cases if case.reads_files and self._source is not None):
            started = time.perf_counter()
            exchange = self._exchange(case, fault)
            verdict = judge(Question(case, exchange, self.classes, Grade.CONFIG))
            done(Result(case, exchange, None, verdict, round((time.perf_counter() - started) * 1000, 2)))

    def _exchange(self, case: Case, fault: str) -> Exchange:
        product = case.flow.server.product
        try:
            if product not in self._exports and self._source is not None:
                self._exports[product] = self._source(product)
            return Exchange("", extra={"files": self._exports[product].facts(case, fault, self._servers)})
        except HopproofError as error:
            return Exchange("", lab_fault=str(error))
        except Exception as error:  # a bug of ours in one case must not pass for silence
            return Exchange("", lab_fault=f"{type(error).__name__}: {error}")
