"""``hopproof renew``: how to renew a CA, for the objects in one's own files; executes nothing outside the lab."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from harness.catalogue.registry import FAULTS, catalogue
from harness.commands.lint import add_paths, question_of
from harness.commands.verb import Arguments, Verbs, verb
from harness.errors import UsageError
from harness.lab.embedded import embedded_lab
from harness.model.resource import Files, Unread
from harness.model.runbook import Runbook
from harness.products.registry import file_rules, product, reference
from harness.run.rehearsal import Player
from harness.run.rehearsal_report import document
from harness.writers import runbook as writer


def add(verbs: Verbs) -> None:
    """Add ``renew``."""
    renew = verb(
        verbs, "renew", run, "print how to renew a CA: what to renew, copy and restart, in which order, and what stops"
    )
    renew.add_argument("ca", metavar="CA", help="the CA to renew, by the name of its secret")
    add_paths(renew, "*")
    renew.add_argument(
        "--rehearse",
        action="store_true",
        help="carry out the renewal in the embedded lab, and measure which flows stop",
    )
    renew.add_argument("--format", choices=writer.FORMATS, default="text", help="output format (default text)")


def refuse_unread(unread: Iterable[Unread], files: Files, kinds: frozenset[str]) -> None:
    """Raise :class:`UsageError` where what a procedure names cannot be read, or is there in two versions (*kinds*)."""
    if twice := next((item for item in files.again if item.matters and item.kind in kinds), None):
        hint = "give the files of one deployment, with each object once"
        raise UsageError(f"once more {twice.message}", where=f"{twice.file}:{twice.line}", hint=hint)
    if first := next((item for item in unread if item.matters), None):
        raise UsageError(
            f"{first.message}; a runbook would be incomplete without it",
            where=f"{first.file}:{first.line}",
            hint="correct the file, or leave it out",
        )


def run(arguments: Arguments) -> int:
    """Print the runbook, or what the rehearsal showed; returns the exit status."""
    if arguments.rehearse:
        return _rehearse(arguments)
    if not arguments.paths:
        raise UsageError("which files?", hint=f"hopproof renew {arguments.ca} PATH..., or --rehearse")
    rules, question, unread = question_of(arguments)
    if rules.renewal is None:
        raise UsageError(f"no runbook can be made for the CAs of {arguments.product!r}", hint="--product apic")
    refuse_unread(unread, question.files, rules.kinds)
    _show(rules.renewal(question, arguments.ca), arguments)
    return 0


def _show(shown: Runbook, arguments: Arguments) -> None:
    width = shutil.get_terminal_size((100, 24)).columns
    print(writer.written(shown, arguments.format, width), end="")  # noqa: T201


def _rehearse(arguments: Arguments) -> int:
    """Every order, each in a lab of its own: 0 where each step did what the runbook says, else 1."""
    if arguments.paths:
        raise UsageError(
            ("a rehearsal runs in the reference lab and reads no files"), hint="leave out PATH or --rehearse"
        )
    if arguments.format == "shell":
        raise UsageError("the shell format is not for a rehearsal", hint="--format text or markdown")
    rehearsed = (name for name, rules in file_rules().items() if rules.rehearsal is not None)
    files = product(arguments.product or next(rehearsed)).files
    if files is None or files.rehearsal is None:
        raise UsageError(f"no renewal of {arguments.product!r} can be rehearsed", hint="--product apic")
    planned, known = files.rehearsal(arguments.ca), catalogue()
    results = []
    for order in planned.orders:
        lab = embedded_lab(reference(), known.servers, known.flows, FAULTS)
        try:
            results.append(Player(lab, known.flows, planned.flows, planned.variant).play(order))
        finally:
            lab.close()
    _show(document(planned.title, results, planned.not_shown), arguments)
    return 0 if all(result.as_predicted for result in results) else 1
