"""What JWT costs the reference alone and behind each balancer: a table of Markdown for docs/load.md.

    python -m tools.benchmarks.load [--for 40] [--knee] [built-in nginx haproxy envoy]

Each balancer stands before the same reference servers, on the paths on which it can: passthrough and terminating.  The
reference alone is measured directly.  Connections are kept, and new for each event.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace

from harness.catalogue import expand
from harness.catalogue.registry import catalogue
from harness.checks.load import comparisons, figures, sentence
from harness.checks.load_knee import knees
from harness.checks.load_knee import sentence as knee_sentence
from harness.errors import HopproofError
from harness.model.load import Arm, Connections, LoadRecord, Slice
from harness.model.vocabulary import Path, Posture
from harness.run.load import Wanted, run
from harness.targets.builtin import EMBEDDED, Target
from tools.interop.balancers import LOAD
from tools.interop.run_behind_balancer import behind
from tools.interop.servers import SERVERS

BUILT_IN = "built-in"
_WANTED = Wanted("", [Posture.MTLS, Posture.JWT], [], list(Connections), 40.0, 8, 0.0, 0, 1)


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("balancers", nargs="*", default=[BUILT_IN, *SERVERS])
    parser.add_argument("--for", dest="seconds", type=float, default=40.0)
    parser.add_argument("--knee", action="store_true")
    arguments = parser.parse_args()
    os.environ[LOAD] = "1"
    wanted = replace(_WANTED, seconds=arguments.seconds, knee=arguments.knee)
    print("| balancer | path | connections | posture | events/s | p50 ms | p95 ms | server CPU ms | errors |")
    print("|---|---|---|---|---|---|---|---|---|")
    said = _measured("none", EMBEDDED, replace(wanted, paths=[Path.DIRECT]))
    for name in arguments.balancers:
        target = EMBEDDED if name == BUILT_IN else behind(name)
        said += _measured(name, target, replace(wanted, paths=[Path.PASSTHROUGH, Path.TERMINATING]))
    print("\n" + "\n".join(said))


def _measured(name: str, target: Target, wanted: Wanted) -> list[str]:
    known = target.adapt(catalogue())
    cases = expand(known, target.features)[0]  # those of the direct path say what a passthrough carries
    bench = target.bench(known, wanted.seed)
    try:
        record = run(bench, known, cases, wanted, target.name, _progress)
    except HopproofError as error:
        sys.exit(f"{name}: {error}")
    finally:
        bench.lab.close()
    for arm in record.arms:
        _row(name, record, arm)
    said = [f"{name}: {sentence(item, record)}" for item in comparisons(record)]
    return said + [f"{name}: {knee_sentence(item)}" for item in knees(record)]


def _row(name: str, record: LoadRecord, arm: Arm) -> None:
    item = figures(record, arm)
    times = " | ".join("-" if value is None else f"{value:.2f}" for value in (item.p50, item.p95, item.server_cpu))
    errors = ", ".join(f"{count} {what}" for what, count in item.errors.items()) or "0"
    cells = f"{name} | {arm.path} | {arm.connections} | {arm.posture} | {item.per_second:.0f} | {times} | {errors}"
    print(f"| {cells} |", flush=True)


def _progress(_arm: Arm, _item: Slice, done: int, of: int) -> None:
    print(f"  {done}/{of}", end="\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
