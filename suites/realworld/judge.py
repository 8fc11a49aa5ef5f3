"""Judges servers nobody here wrote: starts each with its committed configuration and runs flowproof against it.

    python suites/realworld/judge.py [ROLE]... [--fresh]      --fresh ignores the expected results and prints entries
    python suites/realworld/judge.py --libraries              the small servers on libraries in their place

A server that is not installed is said so and makes the run fail: skipping it would look like passing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "fixtures" / "realworld"
REPORTS = ROOT / "reports" / "realworld"
HOST, JWKS_HOST = "api.portal.apic.test", "api.apic.test"
SUBJECT = "CN=portal-admin-client,O=cert-manager"
READY_SECONDS = 20.0


@dataclass(frozen=True)
class Server:
    """How a server is started, and how it tells its version."""

    program: str
    arguments: tuple[str, ...]
    version: tuple[str, ...]


SERVERS: Mapping[str, Server] = {
    "nginx": Server("nginx", ("-p", "@FOLDER@", "-c", "@CONFIG@"), ("-v",)),
    "haproxy": Server("haproxy", ("-db", "-f", "@CONFIG@"), ("-v",)),
    "envoy": Server(
        "envoy", ("-c", "@CONFIG@", "--concurrency", "1", "-l", "warn", "--use-dynamic-base-id"), ("--version",)
    ),
}


def python(package: str) -> Server:
    """A server on a Python package; what templates name, it reads from its environment."""
    return Server(
        sys.executable, ("@CONFIG@",), ("-c", f"from importlib.metadata import version as v; print(v('{package}'))")
    )


def node(package: str) -> Server:
    """The same on a Node package."""
    return Server("node", ("@CONFIG@",), ("-p", f"require('{package}/package.json').version"))


LIBRARIES: Mapping[str, Server] = {
    **{name: python(name) for name in ("aiohttp", "authlib", "hypercorn", "joserfc", "pyjwt", "uvicorn")},
    **{name: node(name) for name in ("jose", "jsonwebtoken")},
    "python": Server(sys.executable, ("@CONFIG@",), ("--version",)),
    "node": Server("node", ("@CONFIG@",), ("--version",)),
}
ROLES = tuple(sorted(folder.name for folder in FIXTURES.iterdir() if folder.is_dir()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "roles", nargs="*", metavar="ROLE", help=f"of {', '.join(ROLES)}; if none is named, all but those of libraries"
    )
    parser.add_argument("--fresh", action="store_true", help="ignore the expected results and print entries for them")
    parser.add_argument("--libraries", action="store_true", help="where none is named: the roles of libraries instead")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.roles) - set(ROLES))
    if unknown:
        parser.error(f"no role {unknown[0]!r}; one of {', '.join(ROLES)}")
    usual = [role for role in ROLES if (role.partition("-")[0] in LIBRARIES) is arguments.libraries]
    table = [judge(role, arguments.fresh) for role in arguments.roles or usual]
    print(f"\n{'role':14} {'version':10} {'cases':>5} {'PASS':>5} {'expected':>9} {'UNOBS.':>6} {'s':>6}  exit")
    for line, _ in table:
        print(line)
    return max(status for _, status in table)


def judge(role: str, fresh: bool) -> tuple[str, int]:
    """Start the server of *role* and judge it; returns a line of the table and the exit status."""
    name = role.partition("-")[0]
    server = {**SERVERS, **LIBRARIES}[name]
    program = shutil.which(
        server.program, path=os.environ.get("PATH", "") + os.pathsep + str(Path(sys.executable).parent)
    )
    told = program and subprocess.run([program, *server.version], capture_output=True, text=True, check=False)
    if not program or not told or told.returncode:
        return f"{role:14} {name} is not installed", 3
    with tempfile.TemporaryDirectory(prefix="flowproof-realworld-") as place:
        folder = Path(place)
        found = re.search(r"\d+\.\d+\.\d+", told.stdout + told.stderr)
        values = {**credentials(folder), "VERSION": found[0] if found else "unknown"}
        config = next((FIXTURES / role).glob("server.*"))
        values["CONFIG"] = str(filled(config, folder, values))
        target = filled(FIXTURES / role / "target.yaml", folder, values)
        with running([program, *(fill(item, values) for item in server.arguments)], values, folder):
            status = flowproof(role, target, fresh)
    return line(role, values["VERSION"], status), status


def credentials(folder: Path) -> dict[str, str]:
    """A deployment's PKI in *folder*, and the values that templates name."""
    from harness.wire.pki import Pki

    pki = Pki.create()
    pki.write(folder / "deployment")
    public = folder / "signing.pub"
    public.write_bytes(pki.signing_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    secrets = folder / "deployment" / "secrets"
    port, jwks_port = free_ports(2)
    return {
        "FOLDER": str(folder),
        "PORT": str(port),
        "JWKS_PORT": str(jwks_port),
        "HOST": HOST,
        "JWKS_HOST": JWKS_HOST,
        "SUBJECT": SUBJECT,
        "ISSUER": "https://sts.apic.test",
        "AUDIENCE": "orders",
        "CA": str(secrets / "ingress-ca" / "tls.crt"),
        "CA_KEY": str(secrets / "ingress-ca" / "tls.key"),
        "OTHER_CA": str(secrets / "management-ca" / "tls.crt"),
        "OTHER_CA_KEY": str(secrets / "management-ca" / "tls.key"),
        "SERVER_CERT": str(secrets / "portal-admin" / "tls.crt"),
        "SERVER_KEY": str(secrets / "portal-admin" / "tls.key"),
        "SERVER_COMBINED": str(secrets / "portal-admin" / "tls-combined.pem"),
        "CLIENT_CERT": str(secrets / "portal-admin-client" / "tls.crt"),
        "CLIENT_KEY": str(secrets / "portal-admin-client" / "tls.key"),
        "JWKS_CERT": str(secrets / "api-endpoint" / "tls.crt"),
        "JWKS_KEY": str(secrets / "api-endpoint" / "tls.key"),
        "SIGNING_KEY": str(folder / "deployment" / "jwt" / "signing.key"),
        "PUBLIC_KEY": str(public),
    }


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody holds right now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(item.getsockname()[1]) for item in sockets]
    for item in sockets:
        item.close()
    return ports


def fill(text: str, values: Mapping[str, str]) -> str:
    """*text* with every ``@NAME@`` replaced; an unknown name is a mistake of the template's."""
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], text)


def filled(template: Path, folder: Path, values: Mapping[str, str]) -> Path:
    """*template* filled in, in *folder*."""
    file = folder / template.name
    file.write_text(fill(template.read_text("utf-8"), values), "utf-8")
    return file


@contextmanager
def running(command: list[str], values: Mapping[str, str], folder: Path) -> Iterator[None]:
    """The server, from its first accepted connection until the end of the block."""
    environment, port = {**os.environ, **values}, int(values["PORT"])
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True, env=environment)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not listening(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} did not start:\n{log.read_text('utf-8', 'replace')[-2000:]}")
        yield
    finally:
        process.terminate()
        process.wait(10)


def listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True


def flowproof(role: str, target: Path, fresh: bool) -> int:
    shutil.rmtree(REPORTS / role, ignore_errors=True)  # a run that never begins must not show an earlier one's figures
    expected = FIXTURES / role / "expected.yaml"
    known = [] if fresh or not expected.exists() else ["--expected", str(expected)]
    command = [sys.executable, "-m", "harness", "run", "--target", str(target), "--depth", "full", "--seed", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([*command, *known, "--report", str(REPORTS / role)], env=environment, check=False).returncode


def line(role: str, version: str, status: int) -> str:
    file = REPORTS / role / "run.jsonl"
    if not file.exists():
        return f"{role:14} {version:10} no record                          {status}"
    *_, footer = (json.loads(text) for text in file.read_text("utf-8").splitlines())
    counts = footer["outcomes"]
    bad = counts["FAIL"] + counts["WRONG_REASON"]
    unseen = counts["UNOBSERVED"]
    numbers = f"{footer['cases']:5} {counts['PASS']:5} {bad:9} {unseen:6} {footer['seconds']:6.1f}"
    return f"{role:14} {version:10} {numbers}  {status}"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
