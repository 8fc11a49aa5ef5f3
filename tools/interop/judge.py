"""Judges third-party servers: starts each with its committed configuration and runs hopproof against it.

    python -m tools.interop.judge [ROLE]... [--fresh]      --fresh ignores the expected results and prints entries
    python -m tools.interop.judge --libraries              the small servers on libraries in their place

A role is a server and what it is: nginx-mtls is the server that is judged, nginx-balancer lies before the reference
subsystems in the place of the built-in balancer.  A server that is not installed is said so and makes the run fail:
skipping it would look like passing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness.pki.deployment import Pki
from harness.pki.temporary import prefix
from harness.products.registry import reference
from tools.interop.children import CHILDREN, end_on_sigterm
from tools.interop.servers import FIXTURES, LIBRARIES, ROOT, SERVERS, fill, free_ports, server_environment, template

REPORTS = ROOT / "reports" / "realworld"
HOST, JWKS_HOST = "api.portal.apic.test", "api.apic.test"
SUBJECT = "CN=portal-admin-client,O=cert-manager"
READY_SECONDS = 20.0
BALANCER = "balancer"
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
    print(f"\n{'role':16} {'version':10} {'cases':>5} {'PASS':>5} {'expected':>9} {'UNOBS.':>6} {'s':>6}  exit")
    for line, _ in table:
        print(line)
    return max(status for _, status in table)


def judge(role: str, fresh: bool) -> tuple[str, int]:
    """Start the server of *role* and judge it; returns a line of the table and the exit status."""
    product, _, kind = role.partition("-")
    server = {**SERVERS, **LIBRARIES}[product]
    version = server.installed_version()
    if version is None:
        return f"{role:16} {product} is not installed", 3
    if kind == BALANCER:
        known = expected_of(FIXTURES / role, version)
        status = hopproof(role, known, "tools.interop.run_behind_balancer", product, fresh=fresh)
        return line(role, version, status), status
    with tempfile.TemporaryDirectory(prefix=prefix("realworld")) as name:
        folder = Path(name)
        values = {**credentials(folder), "VERSION": version}
        values["CONFIG"] = str(filled(template(role), folder, values))
        target = str(filled(FIXTURES / role / "target.yaml", folder, values))
        with running(server.command(values), values, folder):
            known = expected_of(FIXTURES / role, version)
            status = hopproof(role, known, "harness", "run", "--target", target, "--depth", "full", fresh=fresh)
    return line(role, version, status), status


def credentials(folder: Path) -> dict[str, str]:
    """A deployment's PKI in *folder*, and the values that templates name."""
    pki = Pki.create(reference().pki)
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


def filled(template: Path, folder: Path, values: Mapping[str, str]) -> Path:
    """*template* filled in, in *folder*."""
    file = folder / template.name
    file.write_text(fill(template.read_text("utf-8"), values), "utf-8")
    return file


@contextmanager
def running(command: list[str], values: Mapping[str, str], folder: Path) -> Iterator[None]:
    """The server, from its first accepted connection until the end of the block."""
    environment, port = {**server_environment(), **values}, int(values["PORT"])
    log = folder / "server.log"
    with log.open("wb") as output:
        process = CHILDREN.start(command, environment, output)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not listening(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} did not start:\n{log.read_text('utf-8', 'replace')[-2000:]}")
        yield
    finally:
        CHILDREN.end(process)


def listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True


def expected_of(folder: Path, version: str) -> Path:
    """What is expected of a role's server in *version*: of its major version alone, if that differs from the others."""
    own = folder / f"expected-{version.removeprefix('v').partition('.')[0]}.yaml"
    return own if own.exists() else folder / "expected.yaml"


def hopproof(role: str, expected: Path, module: str, *arguments: str, fresh: bool) -> int:
    """Run *module*, a command of ours, on *arguments* and what is *expected* of *role*; its exit status."""
    shutil.rmtree(REPORTS / role, ignore_errors=True)  # a run that never begins must not show an earlier one's figures
    known = () if fresh or not expected.exists() else ("--expected", str(expected))
    command = [sys.executable, "-m", module, *arguments, *known, "--seed", "1", "--report", str(REPORTS / role)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, check=False).returncode


def line(role: str, version: str, status: int) -> str:
    file = REPORTS / role / "run.jsonl"
    if not file.exists():
        return f"{role:16} {version:10} no record                          {status}"
    *_, footer = (json.loads(text) for text in file.read_text("utf-8").splitlines())
    counts = footer["outcomes"]
    bad = counts["FAIL"] + counts["WRONG_REASON"]
    unseen = counts["UNOBSERVED"]
    numbers = f"{footer['cases']:5} {counts['PASS']:5} {bad:9} {unseen:6} {footer['seconds']:6.1f}"
    return f"{role:16} {version:10} {numbers}  {status}"


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main())
