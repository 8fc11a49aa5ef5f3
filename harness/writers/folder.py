"""The folder that a run writes into."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UsageError


def report_folder(folder: Path) -> Path:
    """*folder*, made if missing; raises :class:`UsageError` where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the report folder cannot be written: {error.strerror}",
            where=str(folder),
            hint="choose another with --report",
        ) from error
    return folder
