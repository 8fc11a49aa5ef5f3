"""What a person sees at the terminal: progress, a line a flow at the end, then scope and what to do next."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console as RichConsole
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from harness.model.record import Footer, Header, Likeness, Row, Shield
from harness.model.vocabulary import Outcome
from harness.model.vocabulary import Path as FlowPath
from harness.model.words import counted
from harness.writers import answer, next_step
from harness.writers.counts import of_header, of_rows, was_interrupted
from harness.writers.coverage import reach
from harness.writers.findings import Finding, findings, known, known_words, presented, repeat
from harness.writers.protection import in_words, named, open_in_words, open_to_all, protection
from harness.writers.rows import outcomes

LEGEND = {
    Outcome.PASS: "the requirement is met",
    Outcome.FAIL: "the requirement is broken",
    Outcome.WRONG_REASON: "rejected, but not for the reason under test; or rejected, and acted upon nevertheless",
    Outcome.UNOBSERVED: "the evidence needed could not be obtained",
    Outcome.UNSUPPORTED: "an optional feature that the target declares it does not have",
    Outcome.HARNESS_ERROR: "Hopproof or its lab failed: neither a pass nor a fail",
}
_COLOURS = {"s0": "bold green", "s1": "bold red", "s3": "bold yellow"}
_FLOW_COLOURS = {Outcome.FAIL: "red", Outcome.HARNESS_ERROR: "yellow", Outcome.UNOBSERVED: "yellow"}
_SHOWN_FINDINGS = 12
_PLAIN_STEPS = 10
_ANY_WIDTH = 1000
_WIDE = 120
"""Columns below which the table of flows has no room for words."""
_VERIFIED, _READABLE = "client verified by", "payload readable at"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LONG = 300
"""Characters of a token that are shown here; the record has them all."""


def plain(text: str) -> str:
    """*text*, in which a target may have had its say, for the terminal: no markup, no control character."""
    return escape(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))


class Console:
    """Prints a run to the terminal, and plain lines to anything else."""

    def __init__(self, console: RichConsole | None = None) -> None:
        # Piped output has no width of its own; a table folded to 80 columns cannot be read.
        self._console = console or RichConsole(highlight=False, width=None if sys.stdout.isatty() else 160)
        self._bar: Progress | None = None
        self._deaf = False
        self._task: Any = None

    def _print(self, *what: Any, soft_wrap: bool = False) -> None:
        """Print, unless the reader has closed the pipe: the run goes on, and its record is what counts."""
        if not self._deaf:
            try:
                self._console.print(*what, soft_wrap=soft_wrap)
            except (BrokenPipeError, SystemExit):  # rich makes the second of the first
                self._deaf = True

    def _print_in(self, columns: int, text: str) -> None:
        """Print *text*, every line of it *columns* to the right."""
        self._print(Padding(text, (0, 0, 0, columns), expand=False))

    def _print_line(self, text: str) -> None:
        """Print *text*, which a target may have had its say in, as one line however long."""
        self._print(
            Text(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text), no_wrap=True, overflow="ignore"), soft_wrap=True
        )

    def begin(self, header: Header, planned: int) -> None:
        """First words: what is judged."""
        fault = f", with the fault [bold]{plain(str(header['fault']))}[/]" if header.get("fault") else ""
        self._print(f"Judging {plain(str(header['scope']))}")
        self._print(f"{counted(planned, 'case')}, depth {header['depth']}, seed {header['seed']}{fault}")
        self._selection(header)
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task("running", total=None)

    def progress(self, row: Row, done: int, planned: int) -> None:
        """A row was written."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=planned, description=plain(row["flow"]))
        elif done == planned or done % max(1, planned // _PLAIN_STEPS) == 0:
            self._print_in(2, f"{done}/{planned} cases")

    def end(self, header: Header, rows: Sequence[Row], footer: Footer, report: Path) -> None:
        """Last words: flows, failures, what they look like, outcomes, scope, what to do next."""
        if self._bar is not None:
            self._bar.stop()
        self._print()
        for text in open_to_all(rows):
            self._print(f"[bold red]{plain(text)}[/]")
        self._findings(findings(rows, header["planned"]), str(header["target"]), str(report))
        self._known(rows, footer)
        for part in _flows(rows, footer, self._console.width):
            self._print(part)
        self._diagnosis(footer.get("diagnosis", ()))
        self._print("\n" + "; ".join(_outcomes(rows)) + f"; {counted(len(rows), 'case')} in {footer['seconds']:.1f} s")
        counts = of_header(header)
        for line in (*(counts.lines() if counts else ()), of_rows(rows), *reach(rows, header)):
            self._print(plain(line))
        for text in footer.get("notes", ()):
            self._print(f"note: {plain(text)}")
        cannot = footer.get("cannot_judge", False)
        for text in footer["trouble"]:
            self._print(f"[yellow]{'cannot be judged' if cannot else 'not trustworthy'}:[/] {plain(text)}")
        self._not_shown(header, footer)
        said, status = answer.headline(header, rows, footer), footer["exit_status"]
        result = f"[{_COLOURS[said.colour]}]{plain(said.words)}[/]"
        self._print(f"Result: {result} (exit status {status}); record: {plain(str(report))}/run.jsonl")
        self._selection(header)
        self._print(f"This judged {plain(str(header['scope']))}")
        for line in next_step.more(rows, header, report):
            self._print(plain(line))
        # Never folded: it is there to be pasted.
        self._print_line(f"Next: {next_step.command(rows, header, report)}")

    def _not_shown(self, header: Header, footer: Footer) -> None:
        for text, give in answer.gaps(footer):
            self._print(f"[yellow]not shown:[/] {plain(text)}\n  give {plain(give)}")
        for text in answer.unclaimed(header):
            self._print(plain(text))

    def _diagnosis(self, found: Sequence[Likeness]) -> None:
        for one in found:
            names, share = " or ".join(one["faults"]), f"{one['seen']} of {one['of']}"
            location = f"{one['flow']} ({one['posture']})"
            self._print_in(
                2, f"{plain(location)} behaves like [bold]{plain(names)}[/] ({share}): {plain(one['summary'])}"
            )
            self._print_in(4, f"what to change: {plain(one['change'])}")

    def _selection(self, header: Header) -> None:
        if header.get("only"):
            self._print(f"A selection: only the cases that match {plain(', '.join(header['only']))}")

    def _findings(self, found: Sequence[Finding], target: str, report: str) -> None:
        for heading, binding in (("Does not conform:", True), ("Recommendations not followed:", False)):
            members = [one for one in found if one.binding is binding]
            if members:
                self._print(f"[bold]{heading}[/]")
            for one in members[:_SHOWN_FINDINGS]:
                self._finding(one)
                self._print_line(f"    repeat: {repeat(one.rows[0], target, report)}")
            if len(members) > _SHOWN_FINDINGS:
                self._print_in(2, f"and {len(members) - _SHOWN_FINDINGS} more findings; the record has all of them")
            if members:
                self._print()

    def _finding(self, one: Finding) -> None:
        symbol = "[red]✗[/]" if one.binding else "[yellow]-[/]"
        first, more = one.rows[0], len(one.rows) - 1
        self._print_in(2, f"{symbol} [bold]{plain(one.sentence)}[/]: {one.weight} ({plain(one.requirement)})")
        self._print_in(4, f"{plain(first['case'])}{f', and {more} more' if more else ''}")
        self._print_in(4, f"[red]{first['outcome']}[/] {plain(first['reason'])}")
        for text in presented(first):
            self._print_in(4, f"{plain(text if len(text) <= _LONG else f'{text[:_LONG]}...')}")

    def _known(self, rows: Sequence[Row], footer: Footer) -> None:
        excused = known(rows)
        if excused:
            self._print("[bold]Known failures:[/]")
        for excuse, members in excused:
            more = f", and {len(members) - 1} more" if len(members) > 1 else ""
            self._print_in(
                2, f"{plain(known_words(excuse))}: {members[0]['outcome']} {plain(members[0]['case'])}{more}"
            )
        for row in rows:
            if row["outcome"] == Outcome.PASS and not row["as_expected"]:
                self._print_in(2, f"{plain(row['case'])} passes now: remove its entry")
        for case in footer.get("idle_exceptions", ()):
            self._print_in(2, f"the entry {plain(case)} matches no case of this run")
        if excused:
            self._print()


def _flows(rows: Sequence[Row], footer: Footer, width: int) -> Iterator[Table | str]:
    """A table with a line a flow; who verifies whom stands beside it, or below it where that would be folded.

    Where even the table would be cut, each flow is a sentence.
    """
    beside = width >= _WIDE
    table = Table(title=None, box=None, pad_edge=False)
    table.add_column("flow", no_wrap=True)
    for path in FlowPath:
        table.add_column(str(path), justify="right", no_wrap=True)
    table.add_column("conforms", no_wrap=True)
    for name in (_VERIFIED, _READABLE) if beside else ():
        table.add_column(f"{name} (posture)", overflow="fold")
    below: list[str] = []
    sentences: list[str] = []
    shields = protection(rows)
    for flow in dict.fromkeys(row["flow"] for row in rows):
        own = [row for row in rows if row["flow"] == flow]
        cells = [_score([row for row in own if row["path"] == path]) for path in FlowPath]
        message = tuple(map(plain, _protection(flow, shields[flow], footer)))
        table.add_row(plain(flow), *cells, _conforms(own, footer), *(message if beside else ()))
        below += [f"{plain(flow)}: {_VERIFIED} {message[0]}; {_READABLE} {message[1]}"]
        scores = [f"{path} {score}" for path, score in zip(FlowPath, cells, strict=True) if score != "-"]
        sentences += [f"{plain(flow)}: {', '.join(scores)}; conforms: {_conforms(own, footer)}"]
    if beside or RichConsole(width=_ANY_WIDTH).measure(table).maximum <= width:
        yield table
    else:
        yield from sentences
    yield from () if beside else below


def _protection(flow: str, cells: Mapping[str, Shield], footer: Footer) -> tuple[str, str]:
    """Who verifies the client, and where the payload can be read, each with the postures."""
    parts = {posture: answer.verified_in_part(footer, flow, posture) for posture in cells}
    verified = _grouped({named(posture, cell): in_words(cell, parts[posture]) for posture, cell in cells.items()})
    open_at = {named(posture, cell): open_in_words(cell) for posture, cell in cells.items()}
    message = {posture: location for posture, location in open_at.items() if location != "nowhere"}
    return verified, _grouped(message) or "nowhere"


def _conforms(rows: Sequence[Row], footer: Footer) -> str:
    message = answer.of_flow(rows, footer)
    words = plain(message.words.partition(" (")[0])
    colour = _FLOW_COLOURS.get(Outcome(message.outcome))
    return f"[{colour}]{words}[/]" if colour else words


def _grouped(facts: Mapping[str, str]) -> str:
    """``{"a": "x", "b": "x", "c": "y"}`` as ``x (a, b); y (c)``."""
    groups: dict[str, list[str]] = {}
    for key, value in facts.items():
        groups.setdefault(value, []).append(key)
    return "; ".join(f"{value} ({', '.join(sorted(keys))})" for value, keys in groups.items())


def _score(rows: Sequence[Row]) -> str:
    counts = Counter(row["outcome"] for row in rows)
    return f"{counts[Outcome.PASS]}/{len(rows)}" if rows else "-"


def _outcomes(rows: Sequence[Row]) -> Iterator[str]:
    """How many rows ended in which outcome, with what it means."""
    counts, not_run = outcomes(rows), sum(map(was_interrupted, rows))
    counts[Outcome.HARNESS_ERROR] -= not_run
    yield from (f"{counts[name]} {name} ({text})" for name, text in LEGEND.items() if counts[name])
    if not_run:
        yield f"{not_run} not run (the run was interrupted)"
