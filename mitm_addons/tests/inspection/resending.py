"""A script for mitmdump beside the inspector: sends what passes again with each change, and tells what was marked."""

from __future__ import annotations

import json
import sys

from mitmproxy import ctx, exceptions
from mitmproxy.http import HTTPFlow

CHANGES = ("no-certificate", "wrong-audience", "expired", "no-token", "wrong-key", "alg-none")
_waiting: dict[str, str] = {}


def update(flows: list[HTTPFlow]) -> None:
    """After all addons have had an exchange: its mark is there."""
    for flow in flows:
        if "hopproof" not in flow.metadata or flow.id in _waiting:
            continue
        _waiting[flow.id] = ""
        _tell({"replay": flow.is_replay == "request", **flow.metadata["hopproof"]})
        if flow.is_replay != "request":
            _again(flow)


def _again(flow: HTTPFlow) -> None:
    for change in CHANGES:
        try:
            ctx.master.commands.call("hopproof.resend", [flow], change)
        except exceptions.CommandError as error:
            _tell({"replay": True, "stimulus": change, "refused": str(error)})


def _tell(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
