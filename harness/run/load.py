"""Plans a load, has the generator send it, and brings home what it measured.  Decides nothing.

The generator is a process of its own (Locust patches the standard library).  It gets its plan through a pipe, for there
is a token in it, and is ended with this process.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from statistics import median
from typing import cast

import psutil

from harness.catalogue import Catalogue
from harness.errors import LabError, UsageError
from harness.lab import ConfigurationRefused, Entrypoint
from harness.model.case import GOOD, Case, Setup, Stimulus
from harness.model.catalogue import Flow
from harness.model.claims import Protection
from harness.model.load import Arm, Connections, LoadRecord, Order, Plan, Slice
from harness.model.vocabulary import Path, Posture
from harness.probes.live import Bench
from harness.products.registry import reference
from harness.wire.send import Prepared

LIMIT = 2_000_000
"""Requests after which a load stops, whatever its time."""
_PRESENTS = {
    Posture.MTLS: Stimulus(GOOD, "str-no-token"),
    Posture.JWT: Stimulus("tls-no-cert", GOOD),
    Posture.BOTH: Stimulus(GOOD, GOOD),
}
_COMPARED = (Posture.MTLS, Posture.JWT)
_WARM_UP, _WARM_UP_SHARE = 1.0, 0.25
_ROUNDS, _SHORTEST = 8, 1.0
STEPS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1)
"""Shares of an arm's full load at which its knee is looked for."""
MOST_USERS, _STEP_USERS = 1000, 64


@dataclass(frozen=True)
class Wanted:
    """What the user asks for: no ``postures`` stands for mTLS and JWT, no ``paths`` for direct, or what there is."""

    flow: str
    postures: Sequence[Posture]
    paths: Sequence[Path]
    connections: Sequence[Connections]
    seconds: float
    users: int
    rate: float
    workers: int
    seed: int
    knee: bool = False
    outage: bool = False


Served = Mapping[tuple[Posture, Path], Case]
"""A case in which the flow's good request is served, of each posture and path that has one."""
Progress = Callable[[Arm, Slice, int, int], None]


def run(
    bench: Bench, catalogue: Catalogue, cases: Sequence[Case], wanted: Wanted, target: str, tell: Progress
) -> LoadRecord:
    """Load *wanted*'s flow on an open bench and measure; *cases* are those that apply to the target.

    Raises :class:`UsageError` for what it does not have.
    """
    flow = flow_of(catalogue, wanted.flow)
    served = _with_passthrough({(case.posture, case.path): case for case in reversed(cases) if _good(case, flow)})
    wanted = _completed(wanted, served)
    setups = _setups(served, flow, wanted)
    entrypoints = bench.lab.open(list(dict.fromkeys(setups.values())))
    orders = [_order(bench, flow, arm, entrypoints[setup]) for arm, setup in setups.items()]
    arms = list(setups)
    seconds = wanted.seconds / 2 if wanted.knee else wanted.seconds
    schedule, length = schedule_of(len(arms), seconds, wanted.seed)
    plan = planned(orders, schedule, [wanted.rate] * len(schedule), length, wanted)
    before = _fetches(bench, setups)
    slices, stopped = generate(plan, arms, tell)
    steps = list[Slice]()
    if wanted.knee and not stopped:
        steps, stopped = _steps(plan, arms, slices, seconds, tell)
    fetched = {name: count - before[name] for name, count in _fetches(bench, setups).items() if name in before}
    rate, users = wanted.rate, wanted.users
    there = {(arm.posture, arm.path) for arm in arms}
    asked = [(posture, path) for posture in wanted.postures for path in wanted.paths]
    left_out = [f"{posture} over {path}" for posture, path in asked if (posture, path) not in there]
    ignored = sorted({str(arm.posture) for arm in arms if _ignores_token(flow, arm)})
    return LoadRecord(
        flow.name,
        target,
        users,
        rate,
        wanted.workers,
        arms,
        slices,
        fetched,
        stopped,
        left_out,
        ignored,
        wanted.postures,
        steps,
    )


def _with_passthrough(served: dict[tuple[Posture, Path], Case]) -> Served:
    """A balancer that passes TLS through carries whatever the direct path carries, asked for by a case or not."""
    if not any(path is Path.PASSTHROUGH for _, path in served):
        return served
    direct = {posture: case for (posture, path), case in served.items() if path is Path.DIRECT}
    carried = {(name, Path.PASSTHROUGH): replace(case, path=Path.PASSTHROUGH) for name, case in direct.items()}
    return {**carried, **served}


def planned(
    orders: list[Order], schedule: list[int], rates: list[float], length: float, wanted: Wanted, patience: int = 3
) -> Plan:
    """What the generator is to send: slices of *length* seconds in the order of *schedule*, at *rates*."""
    return {
        "orders": orders,
        "schedule": schedule,
        "slice_seconds": length,
        "warm_up": min(_WARM_UP, length * _WARM_UP_SHARE),
        "users": wanted.users,
        "rates": rates,
        "workers": wanted.workers,
        "servers": [process.pid for process in psutil.Process().children(recursive=True)],
        "limit": LIMIT,
        "patience": patience,
    }


def _steps(
    plan: Plan, arms: Sequence[Arm], slices: Sequence[Slice], seconds: float, tell: Progress
) -> tuple[list[Slice], str]:
    """Each arm at rising shares of what it served at full load; all arms at one share before the next.

    Also says why that stopped early, or ''.
    """
    most = [
        median([item["served"] / item["seconds"] for item in slices if item["arm"] == number] or [0.0])
        for number in range(len(arms))
    ]
    steps = [(arm, share * most[arm]) for share in STEPS for arm in range(len(arms)) if most[arm] >= 1]
    length = max(seconds / len(steps), _SHORTEST) if steps else 0.0
    stepped: Plan = {
        **plan,
        "schedule": [arm for arm, _ in steps],
        "rates": [rate for _, rate in steps],
        "slice_seconds": length,
        "warm_up": min(_WARM_UP, length * _WARM_UP_SHARE),
        "users": min(MOST_USERS, max(plan["users"], _STEP_USERS)),
    }
    return generate(stepped, arms, tell) if steps else ([], "")


def _ignores_token(flow: Flow, arm: Arm) -> bool:
    return _PRESENTS[arm.posture].token == GOOD and not flow.server.verifies(Protection.TOKEN, arm.posture)


def flow_of(catalogue: Catalogue, name: str) -> Flow:
    """The flow called *name*, '' for the one whose throughput counts; raises :class:`UsageError` for an unknown one."""
    if not name:
        # A target with one flow needs no name for it.
        name = next(iter(catalogue.flows)) if len(catalogue.flows) == 1 else reference().ingestion
    if name not in catalogue.flows:
        raise UsageError(f"unknown flow {name!r}", hint=f"one of: {', '.join(catalogue.flows)}")
    return catalogue.flows[name]


def schedule_of(arms: int, seconds: float, seed: int) -> tuple[list[int], float]:
    """The order of the slices and how long each is: rounds of all arms, each round in another order."""
    rounds = min(_ROUNDS, int(seconds / arms / _SHORTEST))
    if rounds < 2:
        hint = f"--for {2 * arms * _SHORTEST:.0f}s at least, or compare less"
        raise UsageError(f"{seconds:.0f} s are too short to measure {arms} combinations twice", hint=hint)
    shuffle = random.Random(seed)  # noqa: S311 - an order, no secret
    schedule: list[int] = []
    for _ in range(rounds):
        order = list(range(arms))
        shuffle.shuffle(order)
        schedule += order
    return schedule, seconds / len(schedule)


def _completed(wanted: Wanted, served: Served) -> Wanted:
    """*wanted* with the postures and paths that are usual, where it names none."""
    postures, paths = ({place[index] for place in served} for index in (0, 1))
    usual = [posture for posture in _COMPARED if posture in postures] or [
        posture for posture in _PRESENTS if posture in postures
    ]
    return replace(
        wanted,
        postures=wanted.postures or usual or _COMPARED,
        paths=wanted.paths or [path for path in Path if path in paths][:1] or [Path.DIRECT],
    )


def _setups(served: Served, flow: Flow, wanted: Wanted) -> dict[Arm, Setup]:
    found: dict[Arm, Setup] = {}
    for posture in wanted.postures:
        for path in wanted.paths:
            case = served.get((posture, path))
            if case is not None:
                setup = replace(case, stimulus=Stimulus()).setup("")
                found.update({Arm(posture, path, connections): setup for connections in wanted.connections})
    if not found:
        there = ", ".join(sorted({f"{posture} over {path}" for posture, path in served})) or "none"
        raise UsageError(f"{flow.name} works in none of the combinations asked for", hint=f"it has: {there}")
    return found


def _good(case: Case, flow: Flow) -> bool:
    plain = not case.params.variant and not case.params.script and case.stimulus.transport == GOOD
    return case.flow.name == flow.name and case.expected == "served" and plain


def _order(bench: Bench, flow: Flow, arm: Arm, entrypoint: Entrypoint | ConfigurationRefused) -> Order:
    if isinstance(entrypoint, ConfigurationRefused):
        raise LabError(entrypoint.message, where=arm.name)
    # As long as the nonces that take its place, so that the body's length stays true.
    nonce = secrets.token_hex(8)
    prepared = bench.stimuli.request(flow, _PRESENTS[arm.posture], entrypoint.host_header, nonce)
    client = flow.client_secret if _PRESENTS[arm.posture].certificate == GOOD else ""
    identity = bench.stimuli.certificate_file(client) if client else None
    return order_of(prepared, entrypoint, flow, nonce, kept=arm.connections is Connections.KEPT, identity=identity)


def order_of(
    prepared: Prepared, entrypoint: Entrypoint, flow: Flow, nonce: str, *, kept: bool, identity: FilePath | None = None
) -> Order:
    """What the generator is to send of *prepared*, whose *nonce* it replaces."""
    text = (prepared.head + prepared.body).decode("latin-1")
    return {
        "host": entrypoint.address.host,
        "port": entrypoint.address.port,
        "server_name": entrypoint.address.server_name,
        "ca": str(entrypoint.ca),
        "identity": str(identity or ""),
        "request": text.replace("Connection: close\r\n", "") if kept else text,
        "nonce": nonce,
        "method": flow.method,
        "success": flow.success,
        "kept": kept,
    }


def _fetches(bench: Bench, setups: Mapping[Arm, Setup]) -> dict[str, int]:
    """How often the server of each arm has fetched keys, where it tells."""
    found: dict[str, int] = {}
    for arm, setup in setups.items():
        try:
            found[arm.name] = bench.lab.counters(setup)["jwks_fetches"]
        except (LabError, KeyError):
            continue  # another's server, or one that verifies no token
    return found


def generate(plan: Plan, arms: Sequence[Arm], tell: Progress) -> tuple[list[Slice], str]:
    """Have the generator send *plan*; returns the slices, and why it stopped early ('' where it did not).

    Ctrl-C ends it; what was measured until then is kept.
    """
    command = [sys.executable, "-m", "harness.probes.load.generator"]
    # A group of its own, for it and its workers: Ctrl-C is for us, who end them all.
    process = subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
    )
    assert process.stdin is not None and process.stdout is not None
    slices: list[Slice] = []
    stopped = ""
    try:
        with suppress(BrokenPipeError):  # it has ended already, which its status tells
            print(json.dumps(plan), file=process.stdin, flush=True)  # left open: the generator ends with it
        for line in process.stdout:
            message = json.loads(line)
            if message["kind"] == "stopped":
                stopped = message["why"]
                continue
            slices.append(cast(Slice, message["slice"]))
            tell(arms[slices[-1]["arm"]], slices[-1], len(slices), len(plan["schedule"]))
    except KeyboardInterrupt:
        if not slices:
            raise
        stopped = "it was interrupted"
    finally:
        with suppress(ProcessLookupError):  # the group has ended
            os.killpg(process.pid, signal.SIGTERM)
        status = process.wait()
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.close()
    if not slices or (len(slices) < len(plan["schedule"]) and not stopped):
        raise LabError(f"the load generator ended early, with status {status}")
    return slices, stopped
