"""The folders that subsystems read: the deployment's, and those that differ from it in one thing.

A folder is ``secrets/<name>/{tls.crt,tls.key,ca.crt}`` and ``jwt/{signing.key,jwks.json}``, as a Kubernetes operator
would mount them.  Everything is private (0700, 0600); what does not differ is a link to the deployment's.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path as FilePath

from cryptography.hazmat.primitives.asymmetric import rsa

from harness.model.catalogue import Server
from harness.wire.files import private_file, private_folder
from harness.wire.issue import Identity, Profile, issue
from harness.wire.pki import Pki, key_set

IMPOSTOR = "impostor-platform-api"
HOME = "flowproof-"
_MONTH = timedelta(days=30)


def _other_name(profile: Profile) -> Profile:
    return replace(profile, hosts=("somebody-else.apic.test",))


def _expired(profile: Profile) -> Profile:
    return replace(profile, not_before=profile.not_before - 2 * _MONTH, not_after=profile.not_before - _MONTH)


# A server whose certificate must be refused, by variant: what is wrong with it, under the right CA.
_BAD_SERVERS: Mapping[str, Callable[[Profile], Profile]] = {
    "server-wrong-name": _other_name,
    "server-expired": _expired,
}
BAD_SERVER_VARIANTS = frozenset({*_BAD_SERVERS, "server-wrong-ca"})


class Folders:
    """Makes and remembers the folders of one lab, under *home*."""

    def __init__(self, home: FilePath, pki: Pki) -> None:
        self._home, self._pki = home, pki
        self.deployment = home / "deployment"
        pki.write(self.deployment)

    def impostor(self) -> FilePath:
        """Another deployment's PKI with management's own signing key: only who vouches for its servers differs."""
        folder = self._home / "impostor"
        if not folder.exists():
            Pki.create(signing_key=self._pki.signing_key).write(private_folder(folder))
        return folder

    def own(self, name: str) -> FilePath:
        """The deployment's secrets, with published keys that can be changed without touching anybody else's."""
        folder = self._home / file_name(name)
        if not folder.exists():
            private_folder(folder)
            (folder / "secrets").symlink_to(self.deployment / "secrets")
            self._jwt(folder)
        return folder

    def bad_server(self, server: Server, variant: str) -> FilePath:
        """A deployment in which *server*'s certificate is what *variant* says."""
        if variant == "server-wrong-ca":
            return self.impostor()
        folder = self._home / file_name(f"{variant}-{server.name}")
        if not folder.exists():
            secrets = private_folder(private_folder(folder) / "secrets")
            for secret in (self.deployment / "secrets").iterdir():
                if secret.name != server.secret:
                    (secrets / secret.name).symlink_to(secret)
            profile = _BAD_SERVERS[variant](self._pki.profile(server.secret))
            self._write(
                private_folder(secrets / server.secret), issue(profile, self._pki.issuer(server.secret)), server
            )
            self._jwt(folder)
        return folder

    def _write(self, folder: FilePath, identity: Identity, server: Server) -> None:
        private_file(folder / "tls.key", identity.key_pem())
        private_file(folder / "tls.crt", identity.pem())
        private_file(folder / "ca.crt", self._pki.issuer(server.secret).pem())

    def _jwt(self, folder: FilePath) -> None:
        jwt = private_folder(folder / "jwt")
        (jwt / "signing.key").symlink_to(self.deployment / "jwt" / "signing.key")
        publish(folder, [self._pki.signing_key])


def publish(folder: FilePath, keys: Iterable[rsa.RSAPrivateKey]) -> None:
    """Make *keys* the key set that the management reading *folder* publishes."""
    private_file(folder / "jwt" / "jwks.json", json.dumps(key_set(key.public_key() for key in keys)).encode())


def file_name(name: str) -> str:
    """*name* as a file name; the digest keeps two long ones apart."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("_")[:100]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def new_home() -> FilePath:
    """A private folder for one lab's files, named after the process that has it."""
    return FilePath(tempfile.mkdtemp(prefix=f"{HOME}{os.getpid()}-"))


def sweep(place: FilePath) -> None:
    """Remove folders with keys in *place* whose run is gone: a killed harness cannot clean up after itself."""
    for folder in place.glob(f"{HOME}*-*"):
        owner = folder.name.removeprefix(HOME).partition("-")[0]
        if owner.isdigit() and not running(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def running(pid: int) -> bool:
    """Whether there is a process *pid*; somebody else's counts, since it is not ours to sweep after."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
