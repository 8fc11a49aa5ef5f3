"""``hopproof replay``: one case of a record once more, with a fresh twin."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.commands.run import execute
from harness.commands.verb import Arguments, Verbs, verb
from harness.config import Options, validated
from harness.errors import UsageError
from harness.model.record import Row
from harness.model.vocabulary import Grade, is_file
from harness.pki.private_files import private_folder
from harness.run.run import Run
from harness.writers import record


def add(verbs: Verbs) -> None:
    """Add ``replay``."""
    again = verb(verbs, "replay", _replay, "repeat one case of a record, between fresh controls")
    again.add_argument("case", metavar="CASE", help="the id of the case")
    again.add_argument("--report", type=Path, metavar="DIR", required=True, help="the folder of the record")
    again.add_argument(
        "--write", type=Path, metavar="FOLDER", help="write its token and certificate there, and print a curl command"
    )


def _replay(arguments: Arguments) -> int:
    header, rows, _ = record.read(arguments.report)
    requested = arguments.case.replace("__", "/")
    old = next((row for row in rows if row["case"] == requested), None)
    if old is None:
        raise UsageError(f"no case {requested!r} in the record", where=str(arguments.report))
    folder = arguments.report if arguments.report.is_dir() else arguments.report.parent
    recorded = {name: header[name] for name in ("fault", "seed", "target") if header.get(name) is not None}
    capture = old["grade"] == Grade.PACKETS
    again_alone = {"only": [requested], "depth": "full", "report": str(folder / "replay"), "capture": capture}
    options = validated({**recorded, **again_alone})
    if arguments.write:
        options = replace(options, keep=_kept(requested, options, arguments.write))
    status = execute(Run(options))
    _, again, _ = record.read(folder / "replay")
    print(f"then {old['outcome']} ({old['reason']}), now {again[0]['outcome']} ({again[0]['reason']})")  # noqa: T201
    if arguments.write:
        print(_written(again[0], arguments.write))  # noqa: T201
    return status


def _kept(case: str, options: Options, folder: Path) -> tuple[str, Path]:
    """What :class:`Options` say of *folder*, which takes what repeats *case*; raises :class:`UsageError`."""
    if not is_file(options.target):
        raise UsageError(
            "--write is for servers that stay up; a replay stops its servers when it ends",
            hint="hopproof serve starts them, and prints curl commands to paste",
        )
    try:
        return case, private_folder(folder)
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", where=str(folder), hint="name another folder") from error


def _written(row: Row, folder: Path) -> str:
    """What to print of a replay that was to write what repeats *row* into *folder*."""
    extra = row["evidence"].get("extra", {})
    if "curl" not in extra:
        why = extra.get("unmade") or "curl alone cannot repeat it; this replay did"
        return f"nothing to write: {why}"
    names = sorted(file.name for file in folder.iterdir())
    message = f"Written into {folder}, readable by you alone: {', '.join(names)}\n" if names else ""
    return f"{message}{extra['curl']}"
