"""``hopproof compare``: what changed between two runs."""

from __future__ import annotations

from pathlib import Path

from harness.commands.verb import Arguments, Verbs, verb
from harness.writers import record
from harness.writers.compare import compare


def add(verbs: Verbs) -> None:
    """Add ``compare``."""
    two = verb(verbs, "compare", _compare, "show what changed between two records")
    two.add_argument("old", type=Path, metavar="OLD", help="the folder of the earlier record")
    two.add_argument("new", type=Path, metavar="NEW", help="the folder of the later record")


def _compare(arguments: Arguments) -> int:
    found = compare(record.read(arguments.old)[1], record.read(arguments.new)[1])
    print(found.text())  # noqa: T201
    return 1 if found.newly_failing else 0
