"""``hopproof renew``: how to renew a CA, for the objects in one's own files.  Executes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from harness.commands.lint import add_paths, question_of
from harness.commands.verb import Arguments, Verbs, verb
from harness.errors import UsageError
from harness.model.resource import Unread
from harness.writers import runbook as writer


def add(verbs: Verbs) -> None:
    """Add ``renew``."""
    renew = verb(
        verbs, "renew", run, "how to renew a CA: what to renew, copy and restart, in which order, and what stops"
    )
    renew.add_argument("ca", metavar="CA", help="the CA to renew, by the name of its secret")
    add_paths(renew)
    renew.add_argument("--format", choices=writer.FORMATS, default="text")


def refuse_unread(unread: Iterable[Unread]) -> None:
    """Raise :class:`UsageError` where something could not be read that a procedure would have to name."""
    if first := next((item for item in unread if item.matters), None):
        raise UsageError(
            f"{first.message}; a runbook would leave out what stands there",
            where=f"{first.file}:{first.line}",
            hint="correct the file, or leave it out",
        )


def run(arguments: Arguments) -> int:
    """Print the runbook; returns the exit status."""
    rules, question, unread = question_of(arguments)
    if rules.renewal is None:
        raise UsageError(f"there is no runbook for the CAs of {arguments.product!r}", hint="--product apic")
    refuse_unread(unread)
    shown = writer.written(
        rules.renewal(question, arguments.ca), arguments.format, shutil.get_terminal_size((100, 24)).columns
    )
    print(shown, end="")  # noqa: T201
    return 0
