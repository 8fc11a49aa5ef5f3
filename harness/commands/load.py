"""``hopproof load``: what a protection costs.  Sends good requests at a rate or at full load, and compares."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from harness.catalogue import expand
from harness.catalogue.registry import catalogue as read_catalogue
from harness.checks.load import unserved
from harness.commands.verb import Arguments, Verbs, verb
from harness.config import Options
from harness.errors import UsageError
from harness.model.load import Arm, Connections, Hour, Slice
from harness.model.vocabulary import EXPORTS, Posture, is_file
from harness.model.vocabulary import Path as Way
from harness.run.load import MOST_USERS, Wanted, run
from harness.run.outage import outage
from harness.targets import file as target_file
from harness.targets.named import target_of
from harness.writers import load as writer
from harness.writers.folder import report_folder

_LONGEST, _MOST_WORKERS, _HIGHEST_RATE = 3600.0, 64, 100_000.0
_USERS = 8
_PRESENTED = (Posture.MTLS, Posture.JWT, Posture.BOTH)


def add(verbs: Verbs) -> None:
    """Add ``load``."""
    load = verb(verbs, "load", _load, "measure what mTLS, JWT or both cost under load")
    load.add_argument("--target", default="embedded", help="embedded (default), containers, or a target file")
    load.add_argument("--flow", default="", help="the flow whose requests are sent (default: ingestion)")
    load.add_argument(
        "--compare",
        metavar="LIST",
        help="postures to compare: mtls, jwt, both (default mtls,jwt, or what the target has)",
    )
    load.add_argument(
        "--path", metavar="LIST", help="paths to measure: direct, passthrough, terminating (default direct)"
    )
    load.add_argument(
        "--connections",
        choices=["kept", "new", "each"],
        default="kept",
        help="kept alive (default), new for each request, or each of the two",
    )
    how = load.add_mutually_exclusive_group()
    how.add_argument("--rate", metavar="R", help="total events per second")
    how.add_argument("--users", metavar="N", help=f"clients that send as fast as they are answered (default {_USERS})")
    load.add_argument("--for", dest="seconds", default="60s", metavar="S", help="total duration (default 60s)")
    load.add_argument(
        "--knee", action="store_true", help="raise the rate in steps, and report the knee of each combination"
    )
    load.add_argument(
        "--outage", action="store_true", help="in the lab: also measure ingestion during a day without the JWKS server"
    )
    load.add_argument("--workers", default="0", metavar="N", help="Locust workers that send (default: one process)")
    load.add_argument("--seed", type=int, default=1, metavar="N", help="seed for the order of measurement")
    load.add_argument("--report", type=Path, default=Path("reports/load"), metavar="DIR", help="where the results go")
    load.add_argument("--i-own-this", metavar="HOST", help="required if the target file says environment: production")
    load.add_argument("--json", action="store_true", help="print JSON")


def _load(arguments: Arguments) -> int:
    wanted = _wanted(arguments)
    if wanted.knee and wanted.rate:
        raise UsageError("--knee chooses the rates itself: leave out --rate")
    if wanted.outage and is_file(arguments.target):
        raise UsageError(
            ("--outage stops the JWKS server and moves clocks: it works in the lab only"), hint="leave it out"
        )
    _refuse_others_production(arguments)
    report_folder(arguments.report)
    target = target_of(Options(target=arguments.target))
    known = target.adapt(read_catalogue())
    applicable = [case for case in expand(known, target.features)[0] if not target.withhold(case)]
    bench = target.bench(known, arguments.seed)
    try:
        record = run(bench, known, applicable, wanted, arguments.target, _progress)
        if wanted.outage and not record.stopped:
            record = replace(record, outage=outage(bench, known, wanted, _hour))
    finally:
        bench.lab.close()
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    print(writer.as_json(record) if arguments.json else writer.as_text(record, target.scope, width))  # noqa: T201
    writer.write(arguments.report, record, target.scope)
    if missing := unserved(record):
        print(f"hopproof: never served: {'; '.join(missing)}", file=sys.stderr)  # noqa: T201
    return 3 if record.stopped or missing else 0


def _wanted(arguments: argparse.Namespace) -> Wanted:
    users = _whole("--users", arguments.users or str(_USERS), 1, MOST_USERS)
    rate = _number("--rate", arguments.rate, 1, _HIGHEST_RATE) if arguments.rate else 0.0
    workers = _whole("--workers", arguments.workers, 0, _MOST_WORKERS)
    if rate:
        # A client waits for its answer: at a tenth of a second an event, so many keep the rate.
        users = min(MOST_USERS, max(_USERS, round(rate / 10)))
    every = arguments.connections == "each"
    return Wanted(
        flow=arguments.flow,
        postures=[Posture(name) for name in _names("--compare", arguments.compare, _PRESENTED)],
        paths=[Way(name) for name in _names("--path", arguments.path, Way)],
        connections=list(Connections) if every else [Connections(arguments.connections)],
        seconds=_seconds(arguments.seconds),
        users=max(users, workers),
        rate=rate,
        workers=workers,
        seed=arguments.seed,
        knee=arguments.knee,
        outage=arguments.outage,
    )


def _names(flag: str, text: str | None, known: Iterable[str]) -> list[str]:
    """The names in *text*, none where the flag was not given."""
    if text is None:
        return []
    names = list(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        if name not in list(known):
            raise UsageError(f"{flag}: {name!r} is not one of {', '.join(known)}")
    return names


def _number(flag: str, text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise UsageError(f"{flag}: {text!r} is not a number between {low:g} and {high:g}")
    return value


def _whole(flag: str, text: str, low: int, high: int) -> int:
    value = _number(flag, text, low, high)
    if not value.is_integer():
        raise UsageError(f"{flag}: {text!r} is not a whole number between {low} and {high}")
    return int(value)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if found is None:
        raise UsageError(f"--for: {text!r} is not a time", hint="such as 60s or 5m")
    value = float(found[1]) * {"m": 60, "h": 3600}.get(found[2], 1)
    if not 1 <= value <= _LONGEST:
        raise UsageError(f"--for: {text!r} is not between one second and one hour", hint="such as 60s or 5m")
    return value


def _refuse_others_production(arguments: argparse.Namespace) -> None:
    """A load on production takes its owner's word; on a target file, the user names how much."""
    if not is_file(arguments.target):
        return
    if arguments.target.startswith(EXPORTS):
        raise UsageError(
            "exported files cannot be loaded", where=arguments.target, hint="load embedded, or a target file"
        )
    if not (arguments.rate or arguments.users):
        raise UsageError("a target file needs an explicit load", hint="give --rate R or --users N")
    target = target_file.read(Path(arguments.target))
    hosts = sorted({endpoint.host for endpoint in target.endpoints.values()})
    if target.environment == "production" and arguments.i_own_this not in hosts:
        named = f"--i-own-this {hosts[0]}" if len(hosts) == 1 else f"--i-own-this HOST, one of {', '.join(hosts)}"
        raise UsageError("this load could take production down", where=arguments.target, hint=f"if you own it: {named}")


def _hour(item: Hour) -> None:
    state = "" if item["key_server"] else ", JWKS server down"
    print(f"  hour {item['hour']}{state}: {item['per_second']:.0f} events/s", file=sys.stderr, flush=True)  # noqa: T201


def _progress(arm: Arm, item: Slice, done: int, of: int) -> None:
    errors = sum(item["errors"].values())
    rate = item["served"] / item["seconds"] if item["seconds"] else 0.0
    message = f"  {done}/{of}  {arm.name}: {rate:.0f} events/s" + (f", {errors} errors" if errors else "")
    print(message, file=sys.stderr, flush=True)  # noqa: T201
