"""Writes and reads ``run.jsonl``: a header, a line a case, a footer.

The file grows under a temporary name and gets its own at the end, in one step: who sees ``run.jsonl`` sees a whole one.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import IO, Any

from harness.errors import ReportError, UsageError
from harness.writers.folder import report_folder
from harness.writers.rows import Row

NAME = "run.jsonl"
_DRAFT = ".run.jsonl.part"
# What a reader of a record relies on.
_HEADER = ("seed", "target", "planned")
_ROW = (
    "case",
    "requirement",
    "level",
    "source",
    "flow",
    "posture",
    "path",
    "stimulus",
    "expected",
    "outcome",
    "reason",
    "ms",
)

Record = tuple[dict[str, Any], list[Row], dict[str, Any]]
"""Header, rows, footer."""


class Recorder:
    """A record under way.  Safe for several threads; raises :class:`ReportError` when it cannot write."""

    def __init__(self, folder: Path, header: dict[str, Any]) -> None:
        self._draft, self._final = folder / _DRAFT, report_folder(folder) / NAME
        self._lock = threading.Lock()
        try:
            # A record of an earlier run must not be taken for this one's, should this one end without any.
            self._final.unlink(missing_ok=True)
            self._file: IO[str] = self._draft.open("w", encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"the report folder cannot be written: {error.strerror}",
                where=str(folder),
                hint="name another folder with --report",
            ) from error
        try:
            self.write({"kind": "header", **header})
        except ReportError:
            self.abandon()
            raise

    def write(self, line: dict[str, Any]) -> None:
        """Append one line."""
        with self._lock:
            try:
                self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
                self._file.flush()
            except (OSError, ValueError) as error:
                raise self._failure(error) from error

    def finish(self, footer: dict[str, Any]) -> Path:
        """Write the footer and give the file its name; returns where it is."""
        self.write({"kind": "footer", **footer})
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            self._draft.replace(self._final)
        except OSError as error:
            raise self._failure(error) from error
        return self._final

    def abandon(self) -> None:
        """Leave nothing: neither a half record nor one that looks whole."""
        try:
            self._file.close()
        except OSError:
            # The buffer could not be written out; the file is closed all the same and is about to go.
            self._draft.unlink(missing_ok=True)
        self._draft.unlink(missing_ok=True)

    def _failure(self, error: Exception) -> ReportError:
        return ReportError(
            f"the record cannot be written: {getattr(error, 'strerror', None) or error}",
            where=str(self._draft),
            hint="make room, or name another folder with --report",
        )


def read(folder: Path) -> Record:
    """Header, rows and footer of a record; raises :class:`UsageError` for one that is missing, broken or not whole."""
    file = folder / NAME if folder.is_dir() else folder
    try:
        lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    except OSError as error:
        raise UsageError(f"no record of a run: {error.strerror}", where=str(file)) from error
    except ValueError as error:
        raise UsageError(f"not a record of a run: {error}", where=str(file)) from error
    kinds = [line.get("kind") if isinstance(line, dict) else None for line in lines]
    if len(lines) < 2 or kinds[0] != "header" or kinds[-1] != "footer" or set(kinds[1:-1]) - {"row"}:
        raise UsageError("the record is not whole", where=str(file), hint="run again")
    header, rows, footer = lines[0], lines[1:-1], lines[-1]
    missing = [name for name in _HEADER if name not in header]
    missing += [f"{name} in a row" for row in rows for name in _ROW - row.keys()][:1]
    if missing:
        raise UsageError(f"the record lacks {missing[0]}", where=str(file), hint="run again")
    if footer.get("cases") != len(rows) or set(header["planned"]) - {row["case"] for row in rows}:
        raise UsageError("rows are missing from the record", where=str(file), hint="run again")
    return header, rows, footer
