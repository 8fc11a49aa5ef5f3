"""A day without the key server, under the moved clock: what is still ingested while the cached keys live, and after."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import cast

from cryptography.hazmat.primitives.asymmetric import rsa

from harness.catalogue import Catalogue
from harness.errors import LabError
from harness.lab import ConfigurationRefused, Entrypoint
from harness.model.case import Setup
from harness.model.catalogue import Flow
from harness.model.load import Arm, Connections, Hour, Order, Slice
from harness.model.vocabulary import Path, Posture
from harness.probes.live import Bench
from harness.run.load import Wanted, flow_of, generate, order_of, planned

LAST = 26
"""The hour in which the key server is back; a day is over before."""
_HOUR, _SECONDS = 3600.0, 1.2
_ARM = Arm(Posture.JWT, Path.DIRECT, Connections.KEPT)


def outage(bench: Bench, catalogue: Catalogue, wanted: Wanted, tell: Callable[[Hour], None]) -> list[Hour]:
    """Send good events hour by hour of the lab's clock; the key server is down in all but the first and the last.

    Raises :class:`LabError` where the server does not start, or the load does not.
    """
    flow = flow_of(catalogue, wanted.flow)
    setup = Setup(flow.server.name, Posture.JWT, Path.DIRECT, own="load-outage")
    entrypoint = bench.lab.open([setup])[setup]
    if isinstance(entrypoint, ConfigurationRefused):
        raise LabError(entrypoint.message, where="the outage")
    orders = [_order(bench, flow, entrypoint, hour) for hour in range(LAST + 1)]
    hours: list[Hour] = []

    def next_hour(_arm: Arm, item: Slice, done: int, _of: int) -> None:
        hours.append(_hour(len(hours), item))
        tell(hours[-1])
        if done == 1:
            bench.lab.set_management(setup, up=False)
        if done <= LAST:
            bench.lab.set_clock(setup, done * _HOUR)
        if done == LAST:
            bench.lab.set_management(setup, up=True)

    plan = planned(orders, list(range(LAST + 1)), [0.0] * (LAST + 1), _SECONDS, wanted, patience=LAST)
    try:
        generate({**plan, "workers": 0}, [_ARM] * (LAST + 1), next_hour)
    finally:
        bench.lab.release([setup])
    return hours


def _order(bench: Bench, flow: Flow, entrypoint: Entrypoint, hour: int) -> Order:
    """The request with a token that is good in *hour*."""
    nonce = secrets.token_hex(8)
    # Our own labs sign with RSA.
    key = cast(rsa.RSAPrivateKey, bench.stimuli.signing_key)
    prepared = bench.stimuli.signed_by(key, hour * _HOUR, flow, entrypoint.host_header, nonce)
    return order_of(prepared, entrypoint, flow, nonce, kept=True)


def _hour(number: int, item: Slice) -> Hour:
    served = item["served"] / item["seconds"] if item["seconds"] else 0.0
    return {"hour": number, "key_server": number in (0, LAST), "per_second": served, "errors": item["errors"]}
