"""``hopproof report``: writes a report from a record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.commands.verb import Arguments, Verbs, verb
from harness.model.record import Record
from harness.run.page_guide import guide
from harness.writers import allure_html, conformance, junit, page, record

_FORMATS: dict[str, Callable[[Path, Record], Path]] = {
    "page": lambda folder, read: page.write(folder, *read, guide()),
    "allure": lambda folder, read: allure_html.generate(folder, read[0], read[2]),
    "junit": lambda folder, read: junit.write(folder, read[1], read[2], strict=bool(read[0].get("expected"))),
    "conformance": lambda folder, read: conformance.write(folder, *read, (folder / record.NAME).read_bytes()),
}


def add(verbs: Verbs) -> None:
    """Add ``report``."""
    form = verb(verbs, "report", _report, "write a report from a record")
    form.add_argument("dir", type=Path, metavar="DIR", help="the folder of the record")
    form.add_argument("--format", choices=list(_FORMATS), default="page", help="which report (default page)")


def _report(arguments: Arguments) -> int:
    folder = arguments.dir if arguments.dir.is_dir() else arguments.dir.parent
    print(_FORMATS[arguments.format](folder, record.read(arguments.dir)))  # noqa: T201
    return 0
