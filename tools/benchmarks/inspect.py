"""What an inspection costs: ``hopproof inspect --ui none``, which verifies and judges, against stock mitmproxy.

    python -m tools.benchmarks.inspect [SECONDS] [--exchanges N]

Both stand in turn before one nginx and get the same load from wrk: on connections that are kept, and on a new one for
each request.  Prints requests a second, processor time a request, and the ratios; asserts nothing.  With --exchanges it
prints instead how much memory the inspector has after each tenth of N exchanges.  Linux, with nginx and wrk.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from harness.pki.deployment import Pki
from harness.products.registry import reference
from harness.stimuli.tokens import HeldTokenIssuer

CONNECTIONS = 16
ROUNDS = 5
_TICKS = os.sysconf("SC_CLK_TCK")
_BODY = '{"name": "benchmark"}'
_NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 100000000; map_hash_bucket_size 4096;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  map $http_authorization $known {{ default 0; "Bearer {token}" 1; }}
  server {{
    listen 127.0.0.1:{port} ssl; ssl_certificate {secret}/tls.crt; ssl_certificate_key {secret}/tls.key;
    location / {{ if ($known = 0) {{ return 401; }} return 201 "ok"; }}
  }}
}}
"""
_WRK = """
wrk.method = "PUT"
wrk.headers["Authorization"] = "Bearer {token}"
wrk.headers["Host"] = "{host}"
wrk.headers["Content-Type"] = "application/json"
{more}
wrk.body = '{body}'
"""
LOADS = {"kept connections": "", "new connections": 'wrk.headers["Connection"] = "close"'}


@dataclass(frozen=True)
class Place:
    """An nginx with a token it knows, what ``hopproof inspect`` must know of it, and the loads."""

    folder: Path
    port: int
    secret: Path
    target: Path
    environment: dict[str, str]


@dataclass(frozen=True)
class Seen:
    """Of one round: requests a second, milliseconds of processor time a request."""

    rate: float
    cost: float


def free_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def place() -> Iterator[Place]:
    """Sets everything up but the two under test."""
    for tool in ("nginx", "wrk"):
        if not shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin"):
            raise SystemExit(f"this needs {tool}: apt-get install nginx-light wrk")
    with tempfile.TemporaryDirectory(prefix="hopproof-benchmark-") as name:
        folder, port = Path(name), free_port()
        pki = Pki.create(reference().pki)
        pki.write(folder)
        now = int(time.time())
        token_issuer = HeldTokenIssuer.of(pki)
        token = token_issuer.with_claims(iat=now, exp=now + 36_000)
        host, secret = "api.portal.apic.test", folder / "secrets" / "portal-admin"
        facts = {"folder": folder, "port": port, "token": token, "secret": secret, "host": host, "body": _BODY}
        (folder / "nginx.conf").write_text(_NGINX.format(**facts))
        for load, more in LOADS.items():
            (folder / f"{load}.lua").write_text(_WRK.format(more=more, **facts))
        server = {"url": f"https://{host}:{port}/api/portals/x", "connect": f"127.0.0.1:{port}",
                  "ca": str(secret / "ca.crt"), "posture": "jwt",
                  "request": {"method": "PUT", "body": _BODY, "success": 201}}  # fmt: skip
        tokens = {"captured": {"env": "BENCHMARK_TOKEN"}, "keys": str(folder / "jwt" / "jwks.json")}
        target = {"product": {"name": "nginx"}, "environment": "lab", "servers": {"nginx": server}, "tokens": tokens}
        (folder / "target.yaml").write_text(yaml.safe_dump(target))
        nginx = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf")], env=_path())
        try:
            _listens(port, nginx)
            yield Place(folder, port, secret, folder / "target.yaml", {**_path(), "BENCHMARK_TOKEN": token})
        finally:
            nginx.terminate()
            nginx.wait()


def _path() -> dict[str, str]:
    return {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}


def _listens(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"nothing listens on {port}")


@contextmanager
def inspector(where: Place) -> Iterator[tuple[int, int]]:
    """``hopproof inspect``: its port and process."""
    command = [sys.executable, "-m", "harness", "inspect", "--target", str(where.target)]
    process = subprocess.Popen(command, env=where.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdin
    try:
        first = process.stdout.readline()
        found = re.search(r"https://127.0.0.1:(\d+)", first)
        if found is None:
            raise SystemExit(f"hopproof inspect said: {first}")
        yield int(found[1]), process.pid
        process.stdin.close()
        said = process.stdout.read().strip().splitlines()
        if not said or "satisfies" not in said[-1] or "violates" in said[-1]:
            raise SystemExit(f"not every exchange was judged as it should be: {said[-3:]}")
    finally:
        process.terminate()
        process.wait()


@contextmanager
def stock(where: Place) -> Iterator[tuple[int, int]]:
    """mitmdump as it comes, which here does not even verify the server: its port and process."""
    port = free_port()
    settings = [f"certs=*={where.secret / 'tls-combined.pem'}", "ssl_insecure=true", f"confdir={where.folder}/confdir"]
    command = [sys.executable, "-c", "from mitmproxy.tools.main import mitmdump; mitmdump()", "-q"]
    command += ["-m", f"reverse:https://127.0.0.1:{where.port}@127.0.0.1:{port}"]
    command += [part for item in settings for part in ("--set", item)]
    # On Python 3.11 asyncio complains of every connection that is open when mitmproxy ends.
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        _listens(port, process)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def tree(pid: int) -> list[int]:
    """*pid* and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(item for child in children for item in tree(int(child)))]


def _ticks(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def wrk(where: Place, port: int, load: str, seconds: int) -> tuple[int, float]:
    """Requests that were answered 201, and how many a second."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(where.folder / f"{load}.lua")]
    done = subprocess.run(
        [*command, f"https://127.0.0.1:{port}/api/portals/x"], capture_output=True, text=True, check=True
    )
    number, rate = re.search(r"(\d+) requests in", done.stdout), re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if number is None or rate is None or "Non-2xx" in done.stdout:
        raise SystemExit(f"wrk said: {done.stdout}{done.stderr}")
    return int(number[1]), float(rate[1])


def measured(where: Place, port: int, pid: int, load: str, seconds: int) -> Seen:
    """One round, after a short one that is not counted."""
    wrk(where, port, load, 1)
    before = sum(map(_ticks, tree(pid)))
    number, rate = wrk(where, port, load, seconds)
    return Seen(rate, 1000 * (sum(map(_ticks, tree(pid))) - before) / number)


def compare(where: Place, seconds: int) -> None:
    """Rounds of both in turn, for each load."""
    for load in LOADS:
        theirs, ours = [], []
        for _ in range(ROUNDS):
            with stock(where) as (port, pid):
                theirs.append(measured(where, port, pid, load, seconds))
            with inspector(where) as (port, pid):
                ours.append(measured(where, port, pid, load, seconds))
            print(f"{load}: {_comparison(theirs[-1], ours[-1])}   load {os.getloadavg()[0]:.1f}", flush=True)
        # The best rounds too: whatever else the machine does can only slow a round down.
        for name, of_rates, of_costs in (("median", statistics.median, statistics.median), ("best", max, min)):
            one, other = (
                Seen(of_rates(item.rate for item in observed), of_costs(item.cost for item in observed))
                for observed in (theirs, ours)
            )
            print(f"{load}: {_comparison(one, other)}   {name} of {ROUNDS}, {os.cpu_count()} cores", flush=True)


def _comparison(theirs: Seen, ours: Seen) -> str:
    return (
        f"stock {theirs.rate:6.0f}/s {theirs.cost:5.2f} ms   inspect {ours.rate:6.0f}/s {ours.cost:5.2f} ms   "
        f"ratio {ours.rate / theirs.rate:.2f}, by processor time {theirs.cost / ours.cost:.2f}"
    )


def memory(where: Place, exchanges: int) -> None:
    """Resident memory of the inspector's processes after each tenth of *exchanges*."""
    with inspector(where) as (port, pid):
        workers = tree(pid)[1:]
        done = 0
        while done < exchanges:
            part = 0
            while part < exchanges / 10:
                part += wrk(where, port, "kept connections", 5)[0]
            done += part
            kilobytes = [
                int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{worker}/status").read_text())[0]) for worker in workers
            ]
            print(f"{done:7d} exchanges: {' + '.join(f'{item / 1024:.1f}' for item in kilobytes)} MB", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", nargs="?", type=int, default=5)
    parser.add_argument("--exchanges", type=int, default=0)
    asked = parser.parse_args()
    with place() as ready:
        memory(ready, asked.exchanges) if asked.exchanges else compare(ready, asked.seconds)
