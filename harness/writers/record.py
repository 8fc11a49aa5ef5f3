"""Writes and reads ``run.jsonl``: a header, a line a case, a footer.

The file grows under a temporary name and gets its own at the end, in one step: who sees ``run.jsonl`` sees a whole one.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from harness.decode.shape import misfit
from harness.errors import ReportError, UsageError
from harness.model.claims import Answer
from harness.model.record import Extra, Footer, Header, Record, Row
from harness.writers.folder import report_folder

NAME = "run.jsonl"
_DRAFT = ".run.jsonl.part"
_HINT = "run again"
_FORMS: Mapping[object, type[Header | Row | Footer]] = {"header": Header, "row": Row, "footer": Footer}


class Recorder:
    """A record under way.  Safe for several threads; raises :class:`ReportError` when it cannot write."""

    def __init__(self, folder: Path, header: Header) -> None:
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
                hint="choose another folder with --report",
            ) from error
        try:
            self.write(header)
        except ReportError:
            self.abandon()
            raise

    def write(self, line: Header | Row | Footer) -> None:
        """Append one line."""
        with self._lock:
            try:
                self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
                self._file.flush()
            except (OSError, ValueError) as error:
                raise self._failure(error) from error

    def finish(self, footer: Footer) -> Path:
        """Write the footer and give the file its name; returns where it is."""
        self.write(footer)
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
            hint="free some space, or choose another folder with --report",
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
        raise UsageError("the record is incomplete", where=str(file), hint=_HINT)
    for number, (kind, line) in enumerate(zip(kinds, lines, strict=True), 1):
        if wrong := misfit(line, _FORMS[kind], loose=(Extra,)):
            raise UsageError(f"the record is broken: {wrong}", where=f"{file}, line {number}", hint=_HINT)
    found = Record(lines[0], lines[1:-1], lines[-1])
    if found.footer["cases"] != len(found.rows) or set(found.header["planned"]) - {row["case"] for row in found.rows}:
        raise UsageError("rows are missing from the record", where=str(file), hint=_HINT)
    if (message := found.footer.get("answer")) and message not in set(Answer):
        raise UsageError(f"the record is broken: answer is {message!r}", where=f"{file}, the last line", hint=_HINT)
    return found
