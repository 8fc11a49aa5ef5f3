"""What a case costs: the engine against ``openssl s_time -new`` on one server, the suite against the engine.

    python -m tools.benchmarks.engine [SECONDS]

Prints cases and handshakes a second and their ratios; asserts nothing.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from harness.catalogue import expand
from harness.catalogue.registry import catalogue
from harness.lab import Entrypoint
from harness.model.case import Case
from harness.model.params import Params
from harness.model.vocabulary import Depth
from harness.run.engine import Engine, Result
from harness.targets.builtin import EMBEDDED, find


def s_time(entrypoint: Entrypoint, secrets: Path, seconds: int) -> float:
    """New mTLS connections with one request each, a second, as OpenSSL's own client makes them."""
    secret = secrets / "portal-admin-client"
    command = [
        "openssl",
        "s_time",
        "-new",
        "-connect",
        f"{entrypoint.address.host}:{entrypoint.address.port}",
        "-www",
        "/x",
    ]
    command += ["-cert", str(secret / "tls.crt"), "-key", str(secret / "tls.key"), "-CAfile", str(entrypoint.ca)]
    done = subprocess.run([*command, "-time", str(seconds)], capture_output=True, text=True, check=True)
    found = re.search(r"(\d+) connections in (\d+) real seconds", done.stdout)
    if found is None:
        raise SystemExit(f"openssl s_time said: {done.stdout[-300:]}{done.stderr[-300:]}")
    return int(found[1]) / seconds


def engine_rate(engine: Engine, cases: list[Case], seconds: int) -> float:
    """Cases judged a second."""
    judged, lock = 0, threading.Lock()

    def done(_result: Result) -> None:
        nonlocal judged
        with lock:
            judged += 1

    started = time.monotonic()
    while time.monotonic() - started < seconds:
        engine.run(cases, done)
    return judged / (time.monotonic() - started)


def one_server(seconds: int) -> None:
    """The engine and ``s_time`` in turn on the portal with mTLS, nothing in between."""
    known = catalogue()
    cases = [
        case
        for case in expand(known, EMBEDDED.features)[0]
        if case.id.startswith("flows/") and "/management-to-portal/mtls/direct/" in case.id and case.params == Params()
    ]
    cases = [case for case in cases if case.stimulus.transport == "good"] * 8
    bench = find("embedded").bench(known, 1)
    try:
        setup = cases[0].setup()
        entrypoint = bench.lab.open([setup])[setup]
        assert isinstance(entrypoint, Entrypoint)
        engine = Engine(bench, known.classes)
        secrets = bench.lab.secrets  # type: ignore[attr-defined]  # the embedded lab's
        engine_rate(engine, cases, 1)
        rates = [(s_time(entrypoint, secrets, seconds), engine_rate(engine, cases, seconds)) for _ in range(3)]
    finally:
        bench.lab.close()
    for theirs, ours in rates:
        print(f"s_time {theirs:7.0f}/s   engine {ours:7.0f} cases/s   ratio {ours / theirs:.2f}")


def whole_run() -> None:
    """``hopproof run`` against the engine alone on the same cases, and the time to the first verdict."""
    known = catalogue()
    cases = [case for case in expand(known, EMBEDDED.features)[0] if case.depth is Depth.QUICK]
    first: list[float] = []
    started = time.monotonic()
    bench = find("embedded").bench(known, 1)
    try:
        Engine(bench, known.classes).run(cases, lambda _result: first.append(time.monotonic() - started))
    finally:
        bench.lab.close()
    engine = time.monotonic() - started
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "harness", "run", "--report", folder], capture_output=True, check=True)
        suite = time.monotonic() - started
    print(f"engine {engine:.1f} s for {len(cases)} cases, first verdict after {min(first):.2f} s")
    print(f"suite  {suite:.1f} s, ratio {suite / engine:.2f}")


if __name__ == "__main__":
    one_server(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    whole_run()
