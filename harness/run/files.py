"""Judges files: the cases that send nothing.  Decides nothing; the judge does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from harness.catalogue.registry import FAULTS
from harness.checks import CHECKS, Question
from harness.errors import HopproofError
from harness.judge import judge
from harness.model.case import Case
from harness.model.catalogue import CataloguedClass
from harness.model.exchange import Exchange
from harness.model.verdict import LET_IN
from harness.model.vocabulary import Grade
from harness.probes.exports import Exports
from harness.run.engine import Result

Source = Callable[[str], Exports]
"""The files of a product."""


def of_servers(fault: str) -> str:
    """*fault*, where servers have it; '' for one that files have."""
    return "" if fault and FAULTS[fault].where == "files" else fault


class FileJudge:
    """Judges the file cases of one target; *fault* is looked for in the files that have it."""

    def __init__(self, source: Source, classes: Mapping[str, CataloguedClass]) -> None:
        self._source, self.classes = source, classes
        self._exports: dict[str, Exports] = {}
        self._let_in: dict[str, str] = {}

    def _saw(self, result: Result) -> None:
        """Take note of a live case: files must not promise what it disproves."""
        shows = CHECKS[result.case.expected].shows if result.case.expected in CHECKS else ""
        if shows and result.verdict.code in LET_IN:
            self._let_in.setdefault(result.case.flow.name, result.case.id)

    def run(
        self, cases: Iterable[Case], done: Callable[[Result], None], fault: str = "", live: Iterable[Result] = ()
    ) -> None:
        """Judge those of *cases* that read files, beside what became of *live* ones; *done* gets each result.

        What cannot be read becomes the HARNESS_ERROR of its cases.
        """
        for result in live:
            self._saw(result)
        for case in (case for case in cases if case.reads_files):
            started = time.perf_counter()
            exchange = self._exchange(case, fault)
            verdict = judge(Question(case, exchange, self.classes, Grade.CONFIG))
            done(Result(case, exchange, None, verdict, round((time.perf_counter() - started) * 1000, 2)))

    def _exchange(self, case: Case, fault: str) -> Exchange:
        product = case.flow.server.product
        try:
            if product not in self._exports:
                self._exports[product] = self._source(product)
            return Exchange("", extra={"files": self._exports[product].facts(case, fault, self._let_in)})
        except HopproofError as error:
            return Exchange("", lab_fault=str(error))
        except Exception as error:  # a bug of ours in one case must not pass for silence
            return Exchange("", lab_fault=f"{type(error).__name__}: {error}")
