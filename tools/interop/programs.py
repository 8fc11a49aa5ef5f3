"""The programs that the servers of fixtures/field run on: how each is started, and the packages that some need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from tools.interop.servers import ROOT, fill

_CACHE = ROOT / "reports" / "field-packages"
_LOCK = threading.Lock()
_AT = ("@FILE@",)
# What each is started with; @FILE@ is its configuration or its program.
_STARTS: Mapping[str, tuple[str, ...]] = {
    "python": (sys.executable, *_AT),
    "node": ("node", *_AT),
    "ruby": ("ruby", *_AT),
    "java": ("java", *_AT),
    "go": ("@FOLDER@/server",),
    "nginx": ("nginx", "-p", "@FOLDER@", "-c", *_AT),
    "haproxy": ("haproxy", "-db", "-f", *_AT),
    "apache": ("apache2", "-X", "-d", "@FOLDER@", "-f", *_AT),
    "lighttpd": ("lighttpd", "-D", "-f", *_AT),
    "caddy": ("caddy", "run", "--adapter", "caddyfile", "--config", *_AT),
    "stunnel": ("stunnel", *_AT),
    "hitch": ("hitch", "--config", *_AT),
    "envoy": ("envoy", "--concurrency", "1", "-l", "warn", "--disable-hot-restart", "-c", *_AT),
}
_PROGRAM_TEXT = frozenset({"python", "node", "ruby", "java", "go"})


class NotInstalled(Exception):
    """What a case needs is not here; ``must``: then the run fails, since leaving it out would look like passing."""

    def __init__(self, message: str, *, must: bool = True) -> None:
        super().__init__(message)
        self.must = must


def command(program: str, file: Path, folder: Path, values: Mapping[str, str]) -> list[str]:
    """The command line that runs *file* by *program*; a configuration is filled in, in *folder*."""
    if program == "go":
        _build(file, folder)
    elif program not in _PROGRAM_TEXT:
        filled = folder / file.name
        filled.write_text(fill(file.read_text("utf-8"), values), "utf-8")
        file = filled
    words = [fill(word, {**values, "FILE": str(file)}) for word in _STARTS[program]]
    beside = str(Path(sys.executable).parent)
    path = os.pathsep.join((os.environ.get("PATH", ""), beside, "/usr/sbin", "/usr/bin"))
    if (found := shutil.which(words[0], path=path)) is None:
        raise NotInstalled(f"{words[0]} is not installed")
    return [found, *words[1:]]


def _build(file: Path, folder: Path) -> None:
    if (go := shutil.which("go")) is None:
        raise NotInstalled("go is not installed")
    cache = {"GOCACHE": str(ROOT / "reports" / "field-go"), "GO111MODULE": "off", "GOFLAGS": ""}
    subprocess.run(
        [go, "build", "-o", str(folder / "server"), str(file)], env={**os.environ, **cache}, check=True, timeout=180
    )


def packages(needs: Mapping[str, str]) -> dict[str, list[str]]:
    """The releases that *needs* names (``npm:`` before those of npm), fetched once: what to put into the environment.

    Raises :class:`NotInstalled` for what cannot be had; that does not make the run fail.
    """
    found: dict[str, list[str]] = {"PYTHONPATH": [], "NODE_PATH": []}
    for package, version in needs.items():
        folder = _CACHE / f"{package.removeprefix('npm:')}-{version}"
        with _LOCK:
            if not folder.exists():
                _fetch(package, version, folder)
        if package.startswith("npm:"):
            found["NODE_PATH"].append(str(folder / "node_modules"))
        else:
            found["PYTHONPATH"].append(str(folder))
    return found


def _fetch(package: str, version: str, folder: Path) -> None:
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    if package.startswith("npm:"):
        asked = f"{package.removeprefix('npm:')}@{version}"
        install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(part), asked]
    else:
        asked = f"{package}=={version}"
        install = [sys.executable, "-m", "pip", "install", "-q", "--no-warn-conflicts", "--target", str(part), asked]
    try:
        done = subprocess.run(install, capture_output=True, text=True, check=False, timeout=180)
    except FileNotFoundError as error:
        raise NotInstalled(f"{install[0]} is not installed") from error
    if done.returncode:
        raise NotInstalled(f"{asked} cannot be had: {(done.stderr or done.stdout).strip()[-200:]}", must=False)
    part.rename(folder)
