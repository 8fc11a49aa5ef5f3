"""Folders with keys that live as long as a process: private, named after it, and removed after it was killed."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

from harness.pki.private_files import FOLDER_MODE

_NAME = "hopproof-"


def prefix(what: str = "") -> str:
    """How the name of a folder of this process begins; *what* says what it is for."""
    return f"{_NAME}{os.getpid()}-{what}{'-' if what else ''}"


def new_home() -> Path:
    """A private folder of this process."""
    return Path(tempfile.mkdtemp(prefix=prefix()))


def sweep(place: Path | None = None) -> None:
    """Remove the folders in *place* (the usual one for temporary files) whose process is gone.

    Only what is our user's own, private, and a folder: in a place for everybody, others may have made the name.
    """
    for folder in (place or Path(tempfile.gettempdir())).glob(f"{_NAME}*-*"):
        owner = folder.name.removeprefix(_NAME).partition("-")[0]
        if owner.isdigit() and _ours(folder) and not running(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _ours(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == FOLDER_MODE


def running(pid: int) -> bool:
    """Whether there is a process *pid*; one of another user counts, since it is not ours to clean up."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # another user's, or no number of a process
    return True
