"""Which files a site is given: what it could read in a cluster, and nothing of other sites.  Knows no Docker."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Collection, Iterable
from pathlib import Path

from harness.lab.containers.container import USER

CA, CERTIFICATE, KEY_SET = "ca.crt", "tls.crt", "jwks.json"
_SECRETS, _JWT = "secrets", "jwt"


class Parcels:
    """Packs what is new of the lab's folder *home* for one site.

    *secrets* names the secrets the site may read whole, *certificates* those of which it may read the certificate; of
    all others it gets the CA certificate, which is public.
    *signs* says that it also gets management's signing key and key set, *issues* names the issuer whose signing key it
    gets, *key_sets* the issuers whose public keys it gets.
    """

    def __init__(
        self,
        home: Path,
        secrets: Collection[str],
        *,
        certificates: Collection[str] = (),
        signs: bool = False,
        issues: str = "",
        key_sets: Collection[str] = (),
    ) -> None:
        self._home, self._secrets, self._signs = home, frozenset(secrets), signs
        self._certificates, self._issues, self._key_sets = frozenset(certificates), issues, frozenset(key_sets)
        self._sent: dict[Path, tuple[int, int, int]] = {}

    def pack(self, files: Collection[Path]) -> bytes:
        """A tar archive, relative to *home*, of *files* and of what the site may read; empty if nothing is new."""
        requested = set(files) | {path for path in _entries(self._home) if self.may_read(path)}
        # Their states are noted before they are read: what changes meanwhile is sent again.
        states = {path: state for path in requested if (state := _state(path)) is not None}
        fresh = {path: state for path, state in states.items() if self._sent.get(path) != state}
        if not fresh:
            return b""
        folders = {parent for path in fresh for parent in path.parents if self._home in parent.parents}
        self._sent |= fresh
        return _archive(self._home, [*sorted(folders), *sorted(fresh)])

    def may_read(self, path: Path) -> bool:
        """Whether *path*, under home, is for this site (a link shows nothing of what it leads to)."""
        if path.is_symlink() and path.is_dir():
            return True
        parts = path.relative_to(self._home).parts
        if _SECRETS in parts:
            public = path.name == CA or (path.name == CERTIFICATE and path.parent.name in self._certificates)
            return public or path.parent.name in self._secrets
        if _JWT not in parts:
            return False
        issuer = parts[parts.index(_JWT) + 1 : -1]
        if not issuer:
            return self._signs
        return issuer[0] == self._issues or (path.name == KEY_SET and issuer[0] in self._key_sets)


def _entries(home: Path) -> Iterable[Path]:
    """Every file and link under *home*, without following links, and without drafts of files being written."""
    for folder, names, files in os.walk(home):
        yield from (Path(folder, name) for name in files if not name.startswith("."))
        yield from (link for name in names if (link := Path(folder, name)).is_symlink())


def _state(path: Path) -> tuple[int, int, int] | None:
    """What tells whether *path* has changed; None for one that is gone, as the link of a renewed secret."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _archive(home: Path, paths: Iterable[Path]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in paths:
            try:
                entry = archive.gettarinfo(path, str(path.relative_to(home)))
            except FileNotFoundError:
                continue  # gone since its state was noted
            entry.uid = entry.gid = USER
            entry.uname = entry.gname = ""
            if entry.isreg():
                with path.open("rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)
    return buffer.getvalue()
