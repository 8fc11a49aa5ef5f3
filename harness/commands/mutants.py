"""``hopproof mutants``: the kill matrix, as JSON or in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from harness.commands.verb import Arguments, Verbs, verb
from harness.config import Options
from harness.errors import UsageError
from harness.model.words import counted
from harness.run.kill_matrix import Matrix, matrix
from harness.writers.folder import report_folder


def add(verbs: Verbs) -> None:
    """Add ``mutants``."""
    kill = verb(
        verbs, "mutants", _mutants, "run the kill matrix: inject every fault, and prove that every check can fail"
    )
    kill.add_argument("--area", default="", help="only the faults of one area")
    kill.add_argument(
        "--capture", action="store_true", help="also run the rows judged from packets; needs permission to capture"
    )
    kill.add_argument("--json", action="store_true", help="print JSON")
    kill.add_argument("--report", type=Path, metavar="DIR", help="also write mutants.json there, for the page")


def _mutants(arguments: Arguments) -> int:
    if arguments.report:
        report_folder(arguments.report)  # before minutes are spent
    found = matrix(arguments.area, Options().seeded().seed, _mutant_progress(arguments.json), capture=arguments.capture)
    text = json.dumps(found.to_json(), indent=1)
    if arguments.report:
        _write(arguments.report / "mutants.json", text)
    print(text if arguments.json else _matrix_in_words(found))  # noqa: T201
    return 3 if found.errors else 0 if found.holds else 1


def _mutant_progress(quiet: bool) -> Callable[[str, int, int], None]:
    def progress(what: str, number: int, total: int) -> None:
        if not quiet:
            print(f"  {number}/{total} {what}", flush=True)  # noqa: T201

    return progress


def _matrix_in_words(found: Matrix) -> str:
    lines = []
    for kill in found.kills:
        state = (
            f"killed by {counted(len(kill.killed_by), 'case')}"
            if kill.killed
            else f"SURVIVES (unbroken: {', '.join(kill.unbroken)})"
        )
        lines.append(f"{kill.fault}: {state}, also failed: {len(kill.also_failed)}")
    lines += [f"false alarm: {text}" for text in found.false_alarms]
    lines += [f"harness error: {text}" for text in found.errors]
    facts = found.to_json()
    left = f"{counted(len(facts['survivors']), 'survivor')}, {counted(len(facts['false_alarms']), 'false alarm')}"
    killed = f"{counted(facts['faults'], 'fault')}, {facts['killed']} killed"
    lines.append(f"{killed}, {left}; {counted(found.cases, 'case')}")
    return "\n".join(lines)


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", where=str(file), hint="name another folder") from error
