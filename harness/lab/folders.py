"""The folders that subsystems read: the deployment's, and those that differ from it in one thing.

A folder is ``secrets/<name>/{tls.crt,tls.key,ca.crt}`` and ``jwt/{signing.key,jwks.json}``, as a Kubernetes operator
would mount them.  Everything is private (0700, 0600); what does not differ is a link to the deployment's.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path as FilePath

from cryptography.hazmat.primitives.asymmetric import rsa

from harness.decode.certificates import view
from harness.lab.plan import FolderKind, FolderSpec
from harness.pki.deployment import Pki, key_set
from harness.pki.issue import Identity, Profile, dns_names, issue
from harness.pki.private_files import private_file, private_folder
from harness.stimuli.key_server import among_others

_MONTH = timedelta(days=30)


def _other_name(profile: Profile) -> Profile:
    return replace(profile, names=dns_names(("somebody-else.test",)))


def _expired(profile: Profile) -> Profile:
    return replace(profile, not_before=profile.not_before - 2 * _MONTH, not_after=profile.not_before - _MONTH)


# A server whose certificate must be refused: what is wrong with it, under the right CA.
_BAD_SERVERS: Mapping[FolderKind, Callable[[Profile], Profile]] = {
    FolderKind.WRONG_NAME: _other_name,
    FolderKind.EXPIRED: _expired,
}

_PEM_OF = re.compile(r"'?\{\{secrets/(?P<secret>[a-z0-9-]+)/(?P<file>(tls|ca)\.crt)(?P<encoded> \| b64)?\}\}'?")
"""Where a configuration file is to hold a certificate of the deployment; never a key."""


class Folders:
    """Makes and remembers the folders of one lab, under *home*."""

    def __init__(self, home: FilePath, pki: Pki) -> None:
        self._home, self._pki = home, pki
        self.deployment = home / "deployment"
        pki.write(self.deployment)

    def make(self, spec: FolderSpec) -> FilePath:
        """The folder that *spec* describes, made if it is not there yet."""
        if spec.kind is FolderKind.DEPLOYMENT:
            return self.deployment
        folder = self._home / file_name("-".join(filter(None, (spec.kind, spec.of))))
        if not folder.exists():
            self._fill(folder, spec)
        return folder

    def _fill(self, folder: FilePath, spec: FolderSpec) -> None:
        private_folder(folder)
        if spec.kind is FolderKind.IMPOSTOR:
            Pki.create(self._pki.blueprint, signing_key=self._pki.signing_key).write(folder)
            return
        identity = self._other_identity(spec)
        secrets = self._link_secrets(folder, but=spec.of if identity else "")
        if identity:
            self._write(secrets / spec.of, spec.of, identity)
        self._jwt(folder)
        if spec.kind is FolderKind.OTHER_KINDS:
            keys = among_others(key_set([self._pki.signing_key.public_key()])["keys"][0])
            private_file(folder / "jwt" / "jwks.json", json.dumps({"keys": keys}).encode())

    def _other_identity(self, spec: FolderSpec) -> Identity | None:
        """What stands in the secret that differs; None where none does."""
        if spec.kind is FolderKind.EXTERNAL_CA:
            return issue(self._pki.profile(spec.of), self._pki.secrets[self._pki.blueprint.external])
        if spec.kind in _BAD_SERVERS:
            return issue(_BAD_SERVERS[spec.kind](self._pki.profile(spec.of)), self._pki.issuer(spec.of))
        return None

    def complete(self, config: str) -> str:
        """*config* with the certificates of the deployment that it names, each as a scalar of YAML."""
        return _PEM_OF.sub(self._pem, config)

    def _pem(self, named: re.Match[str]) -> str:
        """As text, or in Base64 as a Secret has it."""
        content = (self.deployment / "secrets" / named["secret"] / named["file"]).read_bytes()
        return json.dumps((base64.b64encode(content) if named["encoded"] else content).decode("ascii"))

    def renew(self, folder: FilePath, secret: str) -> str:
        """Reissue *secret* in its own *folder*: another key, the same subject.  Returns its certificate's SHA-256."""
        identity = issue(self._pki.profile(secret), self._pki.issuer(secret))
        location = folder / "secrets" / secret
        if location.is_symlink():  # as long as it is the deployment's
            location.unlink()
        self._write(location, secret, identity)
        return view(identity.certificate).sha256

    def _link_secrets(self, folder: FilePath, but: str) -> FilePath:
        secrets = private_folder(folder / "secrets")
        for secret in (self.deployment / "secrets").iterdir():
            if secret.name != but:
                (secrets / secret.name).symlink_to(secret)
        return secrets

    def _write(self, home: FilePath, secret: str, identity: Identity) -> None:
        private_folder(home)
        private_file(home / "tls.key", identity.key_pem())
        private_file(home / "tls.crt", identity.pem())
        private_file(home / "ca.crt", self._pki.issuer(secret).pem())

    def _jwt(self, folder: FilePath) -> None:
        jwt = private_folder(folder / "jwt")
        for name in ("signing.key", *self._pki.issuer_keys):
            (jwt / name).symlink_to(self.deployment / "jwt" / name)
        publish(folder, [self._pki.signing_key])


def publish(folder: FilePath, keys: Iterable[rsa.RSAPrivateKey]) -> None:
    """Make *keys* the key set that the management reading *folder* publishes."""
    private_file(folder / "jwt" / "jwks.json", json.dumps(key_set(key.public_key() for key in keys)).encode())


def file_name(name: str) -> str:
    """*name* as a file name; the digest keeps two long ones apart."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("_")[:100]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
